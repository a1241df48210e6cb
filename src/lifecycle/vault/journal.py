"""The erasure journal: what is about to be destroyed, on the disk before it is, outside everything that is restored."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from lifecycle.columns import instant_of, microseconds
from lifecycle.vault import files
from lifecycle.vault.files import KeysUnavailable

if sys.platform != "win32":
    import fcntl

NAME = "erasure.journal"
_AT_ONCE = 1 << 20  # bytes that are read


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """What one order dooms: the whole person, or the data keys and identifiers that it names, which may be none."""

    subject_id: UUID
    order: int  # version of the event that ordered it
    at: datetime
    _: KW_ONLY
    whole: bool = False
    kids: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.whole and (self.kids or self.identifiers):
            raise ValueError("an order dooms all or something, not both")

    @property
    def digest(self) -> int:
        """Of all but the time: two entries with the same digest doom the same."""
        content = [str(self.subject_id), self.order, self.whole, self.kids, self.identifiers]
        return int.from_bytes(sha256(orjson.dumps(content)).digest()[:16], "big")

    def as_json(self) -> dict[str, Any]:
        return {
            "at": microseconds(self.at),
            "identifiers": list(self.identifiers),
            "kids": list(self.kids),
            "order": self.order,
            "subject": str(self.subject_id),
            "whole": self.whole,
        }

    @classmethod
    def read(cls, said: dict[str, Any]) -> JournalEntry:
        return cls(
            UUID(said["subject"]),
            said["order"],
            instant_of(said["at"]),
            whole=said["whole"],
            kids=tuple(said["kids"]),
            identifiers=tuple(said["identifiers"]),
        )


class Mark(NamedTuple):
    """A place in the journal: behind how many entries, and the chain up to there. The beginning is (0, "")."""

    entries: int
    chain: str


class ErasureJournal:
    """Append-only lines, one an append, each chained to the one before, so that none is lost or changed unseen.

    The line's end is written and synced after the line: a line with an end was whole on the disk, and one without
    is a crash in the middle of an append, before anything was destroyed. Of what was read a digest is remembered;
    whoever wants entries has them read again.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._lock = Lock()
        self._read_to = 0
        self._end = Mark(0, "")
        self._said: set[int] = set()  # some ninety bytes an entry: whatever was erased, the process stays small

    def create(self) -> None:
        """Once, with the database. A journal that is missing later means that a restore could raise the dead."""
        with files.keys_folder_errors("a journal"):
            files.make_folder(self.path.parent)
            files.create_once(self.path, b"")

    def append(self, *entries: JournalEntry) -> None:
        """When this returns, the entries are on the disk: only now may anything be destroyed.

        What it says already is not written again, whatever its time. The same order with another content is: in a
        restored database the same version of a record may order something else.
        """
        with self._opened(os.O_RDWR) as descriptor:
            new = [entry for entry in entries if entry.digest not in self._said]
            if not new:
                os.fsync(descriptor)  # whoever wrote it may have died before it was on the disk
                return
            os.ftruncate(descriptor, self._read_to)  # what a crash left of a line
            os.lseek(descriptor, self._read_to, os.SEEK_SET)
            for piece in (_line(self._end.chain, [entry.as_json() for entry in new]), b"\n"):
                _write_all(descriptor, piece)
                os.fsync(descriptor)
            self._catch_up(descriptor)

    def check(self) -> None:
        """Read it to its end. Errors: KeysUnavailable when it is missing or broken."""
        with self._opened(os.O_RDONLY):
            return

    def entries(self) -> list[JournalEntry]:
        with self._opened(os.O_RDONLY) as descriptor:
            return [entry for _, said in self._marked(descriptor) for entry in said]

    def mark(self) -> Mark:
        """Where the journal ends now."""
        with self._opened(os.O_RDONLY):
            return self._end

    def after(self, mark: Mark) -> list[JournalEntry]:
        """What was written behind a place. Errors: JournalOlder if this journal has no such place."""
        with self._opened(os.O_RDONLY) as descriptor:
            if mark == self._end:
                return []
            later: list[JournalEntry] | None = [] if mark == Mark(0, "") else None
            for end, said in self._marked(descriptor):
                if later is not None:
                    later += said
                elif end == mark:
                    later = []
            if later is None:
                raise JournalOlder
            return later

    def contains(self, entry: JournalEntry) -> bool:
        """Whether it says this, whatever the time."""
        with self._opened(os.O_RDONLY):
            return entry.digest in self._said

    @contextmanager
    def _opened(self, how: int) -> Iterator[int]:
        """The file, alone with it among threads and processes, and all of it read."""
        if not self.path.exists():
            raise KeysUnavailable(
                "The erasure journal is missing.",
                f"put {NAME} back into the folder that LIFECYCLE_KEYS names: without it nobody knows what a restored "
                "database must erase again",
            )
        with self._lock, files.keys_folder_errors("the journal"):
            descriptor = os.open(self.path, how)
            try:
                if sys.platform != "win32":
                    fcntl.flock(descriptor, fcntl.LOCK_SH if how == os.O_RDONLY else fcntl.LOCK_EX)
                self._catch_up(descriptor)
                yield descriptor
            finally:
                os.close(descriptor)

    def _catch_up(self, descriptor: int) -> None:
        """Read what this or another process appended since."""
        if os.fstat(descriptor).st_size < self._read_to:
            raise _broken("The erasure journal is shorter than it was.")
        for line in _lines(descriptor, self._read_to):
            self._take(line)
            self._read_to += len(line) + 1

    def _take(self, line: bytes) -> None:
        try:
            said = orjson.loads(line)
            digests = [JournalEntry.read(entry).digest for entry in said["erase"]]
            is_whole = line == _line(self._end.chain, said["erase"])
        except (ValueError, TypeError, KeyError):
            is_whole = False
        if not is_whole:
            raise _broken("A line of the erasure journal is broken.")
        self._end = Mark(self._end.entries + len(digests), said["chain"])
        self._said.update(digests)

    def _marked(self, descriptor: int) -> Iterator[tuple[Mark, list[JournalEntry]]]:
        """Every line that was found whole: the place behind it, and what it says."""
        entries = 0
        for line in _lines(descriptor, 0, self._read_to):
            said = orjson.loads(line)
            read = [JournalEntry.read(entry) for entry in said["erase"]]
            entries += len(read)
            yield Mark(entries, said["chain"]), read


def _lines(descriptor: int, start: int, stop: int | None = None) -> Iterator[bytes]:
    """The lines that have an end, of the file from `start` on, a piece at a time."""
    os.lseek(descriptor, start, os.SEEK_SET)
    rest, at = b"", start
    while piece := os.read(descriptor, _AT_ONCE if stop is None else min(_AT_ONCE, stop - at)):
        at += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines


class JournalOlder(KeysUnavailable):
    """The database has come further in its journal than this file goes, or it is the journal of another store."""

    def __init__(self) -> None:
        super().__init__(
            "The erasure journal is older than the database, or another store's.",
            f"put back the newest copy of {NAME}: what it lacks would not be erased again after a restore",
        )


def _broken(how: str) -> KeysUnavailable:
    return KeysUnavailable(how, f"put back an unbroken copy of {NAME}; until then nothing may be erased or restored")


def _line(chain: str, entries: list[dict[str, Any]]) -> bytes:
    body = orjson.dumps(entries, option=orjson.OPT_SORT_KEYS)
    chained = sha256(chain.encode() + b"\x00" + body).hexdigest()
    return orjson.dumps({"chain": chained, "erase": entries}, option=orjson.OPT_SORT_KEYS)


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
