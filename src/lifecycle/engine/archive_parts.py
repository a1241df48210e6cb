"""An archive while it is written: a folder beside it, with its files one by one, and a list of what is finished.

Whoever is killed goes on behind the last finished file. Nothing in the folder opens anything: each file is sealed to
the recipient by a key that is forgotten with it, and of the token there is only what stands on our record.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Self

import orjson
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from lifecycle.engine.archives import add_member, write_whole
from lifecycle.errors import Invalid
from lifecycle.folders import sync_folder
from lifecycle.ledger.durable_files import alone
from lifecycle.ledger.envelope import b64url
from lifecycle.vault.handing_over import sealer_for

LIST, LOCK = "finished.jsonl", "lock"
CHUNK = 1 << 20


class AnotherArchive(Invalid):
    code: ClassVar[str] = "another-archive"
    clause: ClassVar[str | None] = "3.2"
    remedy: ClassVar[str] = "finish that one first, write to another name, or remove the folder with its parts"

    def __init__(self) -> None:
        super().__init__("Under this name an archive was begun for another transfer or another recipient.")


class PartDamaged(Invalid):
    code: ClassVar[str] = "part-damaged"
    clause: ClassVar[str | None] = "3.2"
    remedy: ClassVar[str] = "remove the folder with the parts of the unfinished archive, and export again"

    def __init__(self, name: str) -> None:
        super().__init__(f"Of the unfinished archive {name} is not what was written.")


@dataclass(slots=True)
class Parts:
    """`begun` is what was fixed at the beginning; `finished` are the files, each with what the manifest says of it and
    what its writer has to remember."""

    folder: Path
    recipient: X25519PublicKey
    begun: dict[str, Any]
    finished: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def beside(cls, out: Path, recipient: X25519PublicKey, begins: dict[str, Any]) -> Iterator[Self]:
        """The parts of `out`, by one process at a time; what was begun before is gone on with, if it agrees with
        `begins`. Errors: AnotherArchive."""
        folder = out.with_name(f".{out.name}.parts")
        folder.mkdir(mode=0o700, exist_ok=True)
        with alone(folder / LOCK):
            folder.mkdir(mode=0o700, exist_ok=True)  # whoever was in here before has finished
            known = list(_lines(folder / LIST))
            if known and any(known[0].get(name) != said for name, said in begins.items()):
                raise AnotherArchive
            parts = cls(folder, recipient, known[0] if known else {})
            parts.finished = {each["name"]: each for each in known[1:]}
            yield parts

    def begin(self, said: dict[str, Any]) -> None:
        self.begun, self.finished = said, {}
        write_whole(self.folder / LIST, _line(said))
        sync_folder(self.folder)

    def write(self, name: str, content: Iterable[bytes], **remembered: Any) -> None:
        """In clear."""
        self._finish(name, content, remembered)

    def seal(self, name: str, documents: Iterable[Any], **remembered: Any) -> None:
        """Each document a line, sealed to the recipient and bound to its place."""
        sealer = sealer_for(self.recipient)
        lines = (
            b64url(sealer.seal(name, number, orjson.dumps(document))).encode() + b"\n"
            for number, document in enumerate(documents, start=1)
        )
        self._finish(name, lines, {"enc": b64url(sealer.enc), **remembered})

    def _finish(self, name: str, content: Iterable[bytes], said: dict[str, Any]) -> None:
        digest, size = sha256(), 0
        with (self.folder / name).open("wb") as file:
            for chunk in content:
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self.folder)
        entry = {"name": name, "sha256": digest.hexdigest(), "size": size, **said}
        with (self.folder / LIST).open("ab") as file:
            file.write(_line(entry))
            file.flush()
            os.fsync(file.fileno())
        self.finished[name] = entry

    def assemble(self, more: dict[str, bytes]) -> Path:
        """The archive of all finished files and of `more`, whole, still in the folder. Errors: PartDamaged."""
        whole = self.folder / "archive"
        with whole.open("wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, said in self.finished.items():
                    add_member(archive, name, self._checked(name), is_sealed="enc" in said)
                for name, content in more.items():
                    add_member(archive, name, [content])
            file.flush()
            os.fsync(file.fileno())
        return whole

    def _checked(self, name: str) -> Iterator[bytes]:
        digest = sha256()
        try:
            with (self.folder / name).open("rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
                    yield chunk
        except OSError:
            raise PartDamaged(name) from None
        if digest.hexdigest() != self.finished[name]["sha256"]:
            raise PartDamaged(name)

    def end(self, out: Path) -> None:
        """The archive gets its name, and the parts go."""
        (self.folder / "archive").replace(out)
        sync_folder(out.parent)
        self.drop()

    def drop(self) -> None:
        """The list first: whoever is killed in between leaves files that nobody goes on with."""
        (self.folder / LIST).unlink()
        sync_folder(self.folder)
        shutil.rmtree(self.folder)


def _line(said: dict[str, Any]) -> bytes:
    return orjson.dumps(said) + b"\n"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The last one may be torn: its file was not finished."""
    content = path.read_bytes() if path.exists() else b""
    for line in content.splitlines(keepends=True):
        if not line.endswith(b"\n"):
            with path.open("r+b") as file:
                file.truncate(len(content) - len(line))
            return
        yield orjson.loads(line)
