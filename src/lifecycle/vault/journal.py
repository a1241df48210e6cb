"""The erasure journal: what is about to be destroyed, on the disk before it is, outside everything that is restored."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from uuid import UUID

from lifecycle.vault import files
from lifecycle.vault.files import KeysUnavailable
from lifecycle.vault.journal_lines import (
    NAME,
    JournalEntry,
    Mark,
    behind,
    broken,
    checked,
    line_of,
    lines_of,
    read_line,
)

if sys.platform != "win32":
    import fcntl

RECENT = 10_000  # entries of which a digest is remembered, some hundred bytes each


class ErasureJournal:
    """Append-only lines, one an append, each chained to the one before, so that none is lost or changed unseen.

    The line's end is written and synced after the line: a line with an end was whole on the disk, and one without
    is a crash in the middle of an append, before anything was destroyed.

    `noted` is how far the database has come. What lies before is not read to begin with, and of what was read no more
    than the newest digests are remembered: so a process starts and stays small however much was ever erased.
    """

    def __init__(self, folder: Path, noted: Mark | None = None) -> None:
        self.path = folder / NAME
        self._lock = Lock()
        self._noted = noted
        self._read_to = 0
        self._end = Mark(0, "")
        self._said: dict[int, None] = {}  # digests, the newest last
        self._recalled: frozenset[tuple[UUID, int]] = frozenset()

    def create(self) -> None:
        """Once, with the database. A journal that is missing later means that a restore could raise the dead."""
        with files.keys_folder_errors("a journal"):
            files.make_folder(self.path.parent)
            files.create_once(self.path, b"")

    def append(self, *entries: JournalEntry) -> None:
        """When this returns, the entries are on the disk: only now may anything be destroyed.

        What it said lately, or was recalled, is not written again, whatever its time. The same order with another
        content is: in a restored database the same version of a record may order something else.
        """
        with self._opened(os.O_RDWR) as descriptor:
            new = [entry for entry in entries if entry.digest not in self._said]
            if not new:
                os.fsync(descriptor)  # whoever wrote it may have died before it was on the disk
                return
            os.ftruncate(descriptor, self._read_to)  # what a crash left of a line
            os.lseek(descriptor, self._read_to, os.SEEK_SET)
            for piece in (line_of(self._end.chain, [entry.as_json() for entry in new]), b"\n"):
                _write_all(descriptor, piece)
                os.fsync(descriptor)
            self._catch_up(descriptor)

    def recall(self, orders: Collection[tuple[UUID, int]]) -> None:
        """Read all of it for what it says of these orders, each a person and a version: they are carried out again, and
        it may have been long ago that they were written. Of orders that were recalled the last time nothing is read.
        """
        wanted = frozenset(orders)
        if not wanted <= self._recalled:
            said = [entry.digest for entry in self.entries() if (entry.subject_id, entry.order) in wanted]
            with self._lock:
                self._said.update(dict.fromkeys(said))
        self._recalled = wanted

    def check(self) -> None:
        """Errors: KeysUnavailable when it is missing, or broken behind what is noted."""
        with self._opened(os.O_RDONLY):
            return

    def entries(self) -> Iterator[JournalEntry]:
        """All that it says now, when this is called; read and checked piece by piece. Errors: KeysUnavailable, if it is
        missing at once, and of a broken line as soon as it is met."""
        with self._opened(os.O_RDONLY):
            return self._entries(self._read_to)

    def _entries(self, stop: int) -> Iterator[JournalEntry]:
        with files.keys_folder_errors("the journal"):
            descriptor = os.open(self.path, os.O_RDONLY)
            try:
                # Nobody has to be kept from writing meanwhile: what has an end stays as it is.
                for _, said in checked(descriptor, 0, Mark(0, ""), stop):
                    yield from said
            finally:
                os.close(descriptor)

    def mark(self) -> Mark:
        """Where the journal ends now."""
        with self._opened(os.O_RDONLY):
            return self._end

    def between(self, mark: Mark, end: Mark) -> list[JournalEntry]:
        """What was written behind a place, up to an `end` that was there; nothing if the end comes first.

        Errors: JournalOlder if this journal has no such place.
        """
        if mark.chain == end.chain:
            return []
        with self._opened(os.O_RDONLY) as descriptor:
            start = behind(descriptor, mark.chain, self._read_to)
            if start is None:
                raise JournalOlder
            later: list[JournalEntry] = []
            for at, said in checked(descriptor, start, mark, self._read_to):
                later += said
                if at.chain == end.chain:
                    return later
            return []

    @contextmanager
    def _opened(self, how: int) -> Iterator[int]:
        """The file, alone with it among threads and processes, and read to its end."""
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
                self._begin(descriptor)
                self._catch_up(descriptor)
                yield descriptor
            finally:
                os.close(descriptor)

    def _begin(self, descriptor: int) -> None:
        """Go to what is noted. A journal that has no such place is read whole: it is another, or an older one."""
        noted, self._noted = self._noted, None
        if noted is None:
            return
        start = behind(descriptor, noted.chain, os.fstat(descriptor).st_size)
        if start is not None:
            self._read_to, self._end = start, noted

    def _catch_up(self, descriptor: int) -> None:
        """Read what this or another process appended since."""
        size = os.fstat(descriptor).st_size
        if size < self._read_to:
            raise broken("The erasure journal is shorter than it was.")
        for line in lines_of(descriptor, self._read_to, size):
            self._end, said = read_line(self._end, line)
            self._read_to += len(line) + 1
            self._said.update(dict.fromkeys(entry.digest for entry in said))
            while len(self._said) > RECENT:
                del self._said[next(iter(self._said))]


class JournalOlder(KeysUnavailable):
    """The database has come further in its journal than this file goes, or it is the journal of another store."""

    def __init__(self) -> None:
        super().__init__(
            "The erasure journal is older than the database, or another store's.",
            f"put back the newest copy of {NAME}: what it lacks would not be erased again after a restore",
        )


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
