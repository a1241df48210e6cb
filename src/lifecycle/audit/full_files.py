"""A full audit's comparison of the ledger folder with the log's rows, a file at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lifecycle.audit.full_findings import Findings
from lifecycle.ledger.ledger_files import LedgerFolder
from lifecycle.ledger.tiles import TILE_WIDTH, entries_path, entry_bundle, tile_bytes, tile_path
from lifecycle.ledger.tree import Row as Stored


class Files:
    """Compares the published files with the log's rows as these come, never more than a file's worth of a level."""

    def __init__(self, folder: LedgerFolder, found: Findings) -> None:
        self._folder = folder
        self._found = found
        self._hashes: dict[int, list[bytes]] = {}
        self._next: dict[int, int] = {}
        self._entries: list[bytes] = []
        self._bundles = 0

    def add_entries(self, entries: Sequence[bytes]) -> None:
        self._entries += entries
        while len(self._entries) >= TILE_WIDTH:
            self._bundle()

    def add_rows(self, rows: Iterable[Stored]) -> None:
        for level, _, hashes in rows:
            held = self._hashes.setdefault(level, [])
            held += hashes
            while len(held) >= TILE_WIDTH:
                self._tile(level)

    def finish(self) -> None:
        if self._entries:
            self._bundle()
        for level, held in self._hashes.items():
            if held:
                self._tile(level)

    def _tile(self, level: int) -> None:
        some = taken(self._hashes[level], TILE_WIDTH)
        index = self._next.get(level, 0)
        self._next[level] = index + 1
        self._compare(tile_path(level, index, len(some)), tile_path(level, index), tile_bytes(some))

    def _bundle(self) -> None:
        some = taken(self._entries, TILE_WIDTH)
        index, self._bundles = self._bundles, self._bundles + 1
        self._compare(entries_path(index, len(some)), entries_path(index), entry_bundle(some))

    def _compare(self, path: str, whole: str, expected: bytes) -> None:
        """c2sp.org/tlog-tiles, "Partial Tiles": a full file may stand in for a partial one."""
        there = self._folder.read(path)
        if there is None and whole != path:
            there = self._folder.read(whole)
            there = None if there is None else there[: len(expected)]
        if there is None:
            self._found.add("file-missing", file=path)
        elif there != expected:
            self._found.add("file-differs", file=path)


def taken(held: list[bytes], many: int) -> list[bytes]:
    """Up to so many from the front, taken out of the list."""
    some = held[:many]
    del held[:many]
    return some
