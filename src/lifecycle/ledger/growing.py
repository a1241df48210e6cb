"""What a tree that grows adds to the ledger folder, computed again from the leaves: never taken from memory."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from lifecycle.ledger.ledger_files import LedgerFolder
from lifecycle.ledger.log_proofs import entries_between
from lifecycle.ledger.tiles import TILE_WIDTH, entries_path, entry_bundle, tile_bytes, tile_path
from lifecycle.ledger.tree import Frontier, Hashes, Row, leaf_hash


def roots_on_the_way(c: Connection, hashes: Hashes, first: int, past: int, stop: int) -> tuple[bytes, bytes]:
    """The roots at `stop` and `past` of the tree that has `hashes` at `first` and the rows of the log from there."""
    frontier = Frontier.read(first, hashes)
    for some in entries_between(c, first, stop):
        frontier.extend(map(leaf_hash, some))
    at_stop = frontier.root()
    for some in entries_between(c, stop, past):
        frontier.extend(map(leaf_hash, some))
    return at_stop, frontier.root()


def add_files(c: Connection, folder: LedgerFolder, hashes: Hashes, first: int, past: int) -> None:
    """Add the tiles and entry bundles by which a tree of `past` leaves differs from one of `first` leaves."""
    frontier = Frontier.read(first, hashes)
    files = _Files(hashes)
    skip = first % TILE_WIDTH  # the bundle that `first` lies in is written anew
    for some in entries_between(c, first - skip, past):
        files.add_entries(first - skip, some)
        files.add_rows(frontier.extend(map(leaf_hash, some[skip:])))
        first, skip = first + len(some) - skip, 0
        folder.add(files.full())
    folder.add(files.partial())
    for path in files.completed:
        folder.drop_partial(path)


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

    def full(self) -> Mapping[str, bytes]:
        files: dict[str, bytes] = {}
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
        self.completed += files
        return files

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
