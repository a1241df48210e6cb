"""What a tree that grows adds to the ledger folder, computed again from the leaves: never taken from memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping

from sqlalchemy import Connection

from lifecycle.ledger.ledger_files import LedgerFolder
from lifecycle.ledger.log_proofs import entries_between
from lifecycle.ledger.tiles import TILE_WIDTH, entries_path, entry_bundle, tile_bytes, tile_path
from lifecycle.ledger.tree import Frontier, Hashes, Row, leaf_hash

_FEW = 1 << 16  # leaves that are kept in memory, with what they complete of the tree: some twenty megabytes
_TOGETHER = 512  # files whose way to the disk is waited for at once: some five megabytes


class NewLeaves:
    """The leaves first .. past-1 with their hashes, from the rows: kept if they are few, read for each walk if many.

    They begin with the bundle that `first` lies in, which is written anew.
    """

    def __init__(self, c: Connection, first: int, past: int) -> None:
        self.first = first
        self.past = past
        self.begin = first - first % TILE_WIDTH
        self.completed: list[list[Row]] = []  # by those that are kept, as the last walk found it
        self._c = c
        self._kept = list(self._read()) if past - first <= _FEW else None

    @property
    def is_kept(self) -> bool:
        return self._kept is not None

    def __iter__(self) -> Iterator[tuple[list[bytes], list[bytes]]]:
        return self._read() if self._kept is None else iter(self._kept)

    def _read(self) -> Iterator[tuple[list[bytes], list[bytes]]]:
        for entries in entries_between(self._c, self.begin, self.past):
            yield entries, [leaf_hash(entry) for entry in entries]


def roots_on_the_way(leaves: NewLeaves, hashes: Hashes, stop: int) -> tuple[bytes, bytes]:
    """The roots at `stop` and at the end of the tree that has `hashes` at first and then these leaves."""
    frontier = Frontier.read(leaves.first, hashes)
    at_stop, at = frontier.root(), leaves.begin
    leaves.completed = []
    for _, some in leaves:
        rows = frontier.extend(some[frontier.size - at : max(stop - at, 0)])
        if frontier.size == stop:
            at_stop = frontier.root()
        rows += frontier.extend(some[frontier.size - at :])
        if leaves.is_kept:
            leaves.completed.append(rows)
        at += len(some)
    return at_stop, frontier.root()


def add_files(leaves: NewLeaves, folder: LedgerFolder, hashes: Hashes) -> None:
    """Add the tiles and entry bundles by which the tree with these leaves differs from the one that has `hashes`.

    `roots_on_the_way` has walked over the same leaves with the same hashes.
    """
    files, at, ready = _Files(hashes), leaves.begin, dict[str, bytes]()
    for entries, rows in _with_rows(leaves, hashes):
        files.add_entries(at, entries)
        files.add_rows(rows)
        at += len(entries)
        files.take_full(ready)
        if len(ready) >= _TOGETHER:
            folder.add(ready)
            ready.clear()
    folder.add({**ready, **files.partial()})
    for path in files.completed:
        folder.drop_partial(path)


def _with_rows(leaves: NewLeaves, hashes: Hashes) -> Iterator[tuple[list[bytes], list[Row]]]:
    """Entries, and what they complete of the tree: hashed once more if there were too many to keep."""
    if leaves.is_kept:
        yield from zip((entries for entries, _ in leaves), leaves.completed, strict=True)
        return
    frontier, at = Frontier.read(leaves.first, hashes), leaves.begin
    for entries, some in leaves:
        yield entries, frontier.extend(some[frontier.size - at :])
        at += len(entries)


class _Files:
    """Hashes and entries on their way into files."""

    def __init__(self, before: Hashes) -> None:
        self._before = before
        self._rows: dict[int, tuple[int, list[bytes]]] = {}  # level: first hash that is held, and all that are
        self._entries: tuple[int, list[bytes]] = (0, [])
        self.completed: list[str] = []

    def add_entries(self, first: int, entries: list[bytes]) -> None:
        held_from, held = self._entries
        self._entries = (held_from if held else first, [*held, *entries])

    def add_rows(self, rows: list[Row]) -> None:
        for level, first, hashes in rows:
            if level not in self._rows:
                start = first - first % TILE_WIDTH
                self._rows[level] = (start, list(self._before(level, start, first - start)) if first > start else [])
            self._rows[level][1].extend(hashes)

    def take_full(self, files: MutableMapping[str, bytes]) -> None:
        """Move what is complete into `files`."""
        before = len(files)
        for level, (first, held) in self._rows.items():
            whole = len(held) - len(held) % TILE_WIDTH
            for at in range(0, whole, TILE_WIDTH):
                files[tile_path(level, (first + at) // TILE_WIDTH)] = tile_bytes(held[at : at + TILE_WIDTH])
            self._rows[level] = (first + whole, held[whole:])
        first, entries = self._entries
        whole = len(entries) - len(entries) % TILE_WIDTH
        for at in range(0, whole, TILE_WIDTH):
            files[entries_path((first + at) // TILE_WIDTH)] = entry_bundle(entries[at : at + TILE_WIDTH])
        self._entries = (first + whole, entries[whole:])
        self.completed += list(files)[before:]

    def partial(self) -> Mapping[str, bytes]:
        files = {
            tile_path(level, first // TILE_WIDTH, len(held)): tile_bytes(held)
            for level, (first, held) in self._rows.items()
            if held
        }
        first, entries = self._entries
        if entries:
            files[entries_path(first // TILE_WIDTH, len(entries))] = entry_bundle(entries)
        return files
