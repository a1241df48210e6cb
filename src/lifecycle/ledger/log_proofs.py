"""Proofs about the log, from its tiles; from the rows of the log where a tile is missing or damaged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, select

from lifecycle.ledger import tree
from lifecycle.ledger.checkpoint import Checkpoint
from lifecycle.ledger.integration import LogDamaged, whole_entries
from lifecycle.ledger.ledger_files import LedgerFolder
from lifecycle.ledger.many_rows import rows_of, rows_with
from lifecycle.ledger.note import read_note
from lifecycle.ledger.tables import checkpoint, log_system
from lifecycle.ledger.tiles import TILE_WIDTH, MalformedTile, Tile, TileHashes, read_tile

_AT_ONCE = 16 * TILE_WIDTH
_AT = "SELECT position, entry FROM log_entry WHERE position"
_ENTRIES = "SELECT entry FROM log_entry WHERE position >= {first:d} AND position < {past:d} ORDER BY position"


def entries_between(c: Connection, first: int, past: int) -> Iterator[list[bytes]]:
    """The leaves first .. past-1, some thousands at a time. Errors: LogDamaged if one is missing."""
    while first < past:
        end = min(past, first // _AT_ONCE * _AT_ONCE + _AT_ONCE)
        entries = [row[0] for row in rows_of(c, _ENTRIES.format(first=first, past=end))]
        whole_entries(entries, end - first)
        yield entries
        first = end


def system_leaves(c: Connection, past: int | None = None) -> list[tuple[int, bytes]]:
    """Position and entry of the published leaves that are the log's own; of those before `past`, if given.

    Two queries, because a join is planned as a walk over every leaf: on SQLite, and on PostgreSQL for as long as it
    has no statistics of so small a table.
    """
    here = select(log_system.c.position)
    places = c.execute(here if past is None else here.where(log_system.c.position < past)).scalars().all()
    return sorted((position, entry) for position, entry in rows_with(c, _AT, places))


def log_hashes(c: Connection, folder: LedgerFolder | None, size: int) -> TileHashes:
    """The stored hashes of the tree of `size` leaves. Without a folder they are computed from the leaves."""

    def fetch(tile: Tile) -> bytes:
        there = folder.tile(tile) if folder is not None else None
        if there is not None:
            try:
                return b"".join(read_tile(there, tile.width))
            except MalformedTile:
                pass
        first, width = tile.index * TILE_WIDTH, TILE_WIDTH**tile.level
        return b"".join(_subtree(c, (first + slot) * width, width) for slot in range(tile.width))

    return TileHashes(size, fetch)


def _subtree(c: Connection, first: int, width: int) -> bytes:
    """The root over some leaves, which are read a few thousand at a time."""
    frontier = tree.Frontier()
    for entries in entries_between(c, first, first + width):
        frontier.extend(map(tree.leaf_hash, entries))
    return frontier.root()


def published_root(c: Connection, size: int) -> bytes | None:
    """The root that was signed for this size, if any was."""
    note: str | None = c.execute(select(checkpoint.c.note).where(checkpoint.c.size == size)).scalar_one_or_none()
    return None if note is None else Checkpoint.parse(read_note(note.encode()).text).root


class LogProofs:
    """Proofs in the tree of one published size; each tile is read once. What it returns has been checked."""

    def __init__(self, c: Connection, folder: LedgerFolder, size: int) -> None:
        root = published_root(c, size)
        if root is None:
            raise ValueError("proofs are made for a size that was published")
        self.size = size
        self.root = root
        self._c = c
        self._tiles = log_hashes(c, folder, size)

    def inclusion(self, index: int) -> list[bytes]:
        """RFC 9162, 2.1.3: that this leaf is in the tree."""
        (leaf,) = next(entries_between(self._c, index, index + 1))
        return self._inclusion(index, leaf)

    def inclusions(self, indexes: Iterable[int]) -> dict[int, list[bytes]]:
        """The same for many leaves, which are read together. Errors: LogDamaged if one is missing."""
        wanted = sorted(set(indexes))
        leaves = dict(rows_with(self._c, _AT, wanted))
        whole_entries(list(leaves.values()), len(wanted))
        known: dict[tuple[int, int], bytes] = {}
        return {index: self._inclusion(index, leaves[index], known) for index in wanted}

    def _inclusion(self, index: int, leaf: bytes, known: dict[tuple[int, int], bytes] | None = None) -> list[bytes]:
        proof = tree.inclusion_from(index, self.size, self._tiles, known)
        if not self._includes(leaf, index, proof):
            proof = tree.inclusion_from(index, self.size, self._from_leaves())
            if known is not None:
                known.clear()  # it may have been found in the tile that lies
            if not self._includes(leaf, index, proof):
                raise LogDamaged("A leaf of the log is not the one that was published.")
        return proof

    def consistency(self, old: int) -> list[bytes]:
        """RFC 9162, 2.1.4: that the tree of `old` leaves is the beginning of this one."""
        proof = tree.consistency_from(old, self.size, self._tiles)
        if not self._continues(old, proof, self._tiles):
            leaves = self._from_leaves()
            proof = tree.consistency_from(old, self.size, leaves)
            if not self._continues(old, proof, leaves):
                raise LogDamaged("The log is not the one that was published.")
        return proof

    def _includes(self, leaf: bytes, index: int, proof: list[bytes]) -> bool:
        try:
            return tree.root_of_inclusion(tree.leaf_hash(leaf), index, self.size, proof) == self.root
        except tree.BadProof:
            return False

    def _continues(self, old: int, proof: list[bytes], hashes: tree.Hashes) -> bool:
        before = published_root(self._c, old) or tree.root_from(old, hashes)
        try:
            tree.verify_consistency(old, self.size, before, self.root, proof)
        except tree.BadProof:
            return False
        return True

    def _from_leaves(self) -> TileHashes:
        self._tiles = log_hashes(self._c, None, self.size)  # some tile lies, so none is asked again
        return self._tiles
