"""The epoch keys: one random key a file, outside the database and its backups, gone when its epoch ends."""

from __future__ import annotations

import hmac
import os
import re
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Protocol

from lifecycle.vault import files
from lifecycle.vault.files import KeyMissing, KeysUnavailable
from lifecycle.vault.sealing import KEY_BYTES

COMMIT = b"lifecycle/epoch-commit/v1"


class KeyWrapper(Protocol):
    """A KMS, or a key from the environment, that wraps what is written to the file. It never replaces the file."""

    def wrap(self, key: bytes) -> bytes: ...

    def unwrap(self, wrapped: bytes) -> bytes: ...


class EpochKeys:
    """The folder of epoch keys. One database has one folder, and no other database may use it."""

    stem: ClassVar[str] = "epoch"
    called: ClassVar[str] = "key"
    check: ClassVar[bytes] = b"lifecycle/epoch-file/v1"

    def __init__(self, folder: Path, wrapper: KeyWrapper | None = None) -> None:
        self.folder = folder
        self._wrapper = wrapper

    def path(self, epoch: int) -> Path:
        return self.folder / f"{self.stem}-{epoch:06d}.key"

    def create(self, epoch: int) -> bytes:
        """Make the key of an epoch; when a crash left its file behind, that key is taken up."""
        key = os.urandom(KEY_BYTES)
        with files.keys_folder_errors("a new key"):
            files.make_folder(self.folder)
            created = files.create_once(self.path(epoch), self._written(epoch, key))
        return key if created else self.load(epoch)

    def load(self, epoch: int) -> bytes:
        path = self.path(epoch)
        with files.keys_folder_errors("to read a key"):
            try:
                said = path.read_bytes()
            except FileNotFoundError:
                raise self._missing(epoch) from None
        key = self._read(epoch, said)
        if key is not None:
            return key
        # Another process may have overwritten it, to destroy it, after we had opened it.
        raise self._damaged(epoch) if path.exists() else self._missing(epoch)

    def destroy(self, epoch: int) -> None:
        """Again is harmless."""
        with files.keys_folder_errors("to destroy a key"):
            files.destroy(self.path(epoch))

    def present(self) -> list[int]:
        if not self.folder.is_dir():
            return []
        names = (re.fullmatch(rf"{self.stem}-(\d{{6,}})\.key", path.name) for path in self.folder.iterdir())
        return sorted(int(name[1]) for name in names if name)

    def _written(self, epoch: int, key: bytes) -> bytes:
        kept = self._wrapper.wrap(key) if self._wrapper else key
        return f"{kept.hex()}\n{self._check(epoch, kept)}\n".encode()

    def _read(self, epoch: int, said: bytes) -> bytes | None:
        try:
            kept_hex, check = said.decode("ascii").split()
            kept = bytes.fromhex(kept_hex)
        except ValueError:
            return None
        if check != self._check(epoch, kept):
            return None
        return self._wrapper.unwrap(kept) if self._wrapper else kept

    def _check(self, epoch: int, kept: bytes) -> str:
        """Against torn files and mistaken names, not against forgery: that is the commitment's work."""
        return sha256(self.check + epoch.to_bytes(8, "big") + kept).hexdigest()[:16]

    def _damaged(self, epoch: int) -> KeysUnavailable:
        return KeysUnavailable(
            f"The file of epoch {epoch}'s {self.called} is damaged.",
            "put back the copy that was made of it during this epoch",
        )

    def _missing(self, epoch: int) -> KeyMissing:
        return KeyMissing(
            f"The {self.called} of epoch {epoch} is missing.",
            f"put {self.path(epoch).name} back into the folder that LIFECYCLE_KEYS names; if its epoch has ended it "
            "exists nowhere any more, and the vault tables must come from a newer backup",
        )


def epoch_commitment(key: bytes) -> bytes:
    """Kept in the epoch's row: tells a wrong key from the right one, and nothing about either."""
    return hmac.digest(key, COMMIT, "sha256")
