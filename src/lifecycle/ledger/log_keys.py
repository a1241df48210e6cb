"""The log's signing keys: one file beside the other keys, a line for each key in force, the oldest first."""

from __future__ import annotations

from pathlib import Path

from lifecycle.ledger.ledger_files import LedgerUnavailable, file_errors, replace_file
from lifecycle.ledger.note import MalformedKey, SigningKey

NAME = "log.key"
OWNER_ONLY = 0o600


class LogKeyMissing(LedgerUnavailable):
    """This process cannot sign for the log; it can do everything else."""


class LogKeyDamaged(LedgerUnavailable):
    """The file of the log's keys is not as it was written, or belongs to another store."""


class LogKeys:
    """Read anew each time, so that a process that runs for weeks notices a new key."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def create(self, origin: str) -> None:
        """Make the log's first key. A key that is there already stays: an earlier `init` was interrupted."""
        if not self.path.exists():
            self._write([SigningKey.generate(origin)])

    def signing(self, origin: str) -> list[SigningKey]:
        """The keys that sign, which is two while one replaces the other. Each has the log's origin as its name."""
        with file_errors("folder of keys", "LIFECYCLE_KEYS"):
            try:
                lines = self.path.read_text("ascii").splitlines()
            except FileNotFoundError:
                raise LogKeyMissing(
                    "The log's signing key is not here.",
                    f"publish where {NAME} is, or put it back into the folder that LIFECYCLE_KEYS names",
                ) from None
            except UnicodeDecodeError:
                lines = []
        try:
            keys = [SigningKey.parse(line) for line in lines]
        except MalformedKey:
            keys = []
        if not keys or any(key.name != origin for key in keys):
            raise LogKeyDamaged(
                f"The file {NAME} is damaged or is another store's.", "put back the copy that belongs to this store"
            )
        return keys

    def add(self, origin: str) -> None:
        """From now on a new key signs, too."""
        self._write([*self.signing(origin), SigningKey.generate(origin)])

    def drop_oldest(self, origin: str) -> None:
        self._write(self.signing(origin)[1:])

    def _write(self, keys: list[SigningKey]) -> None:
        content = "".join(f"{key.secret()}\n" for key in keys).encode("ascii")
        with file_errors("folder of keys", "LIFECYCLE_KEYS"):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(self.path, content, OWNER_ONLY)
