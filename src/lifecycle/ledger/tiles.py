"""Tiles and entry bundles: the log as files that are written once and that anyone can build every proof from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from lifecycle.errors import LifecycleError
from lifecycle.ledger.tree import HASH_BYTES, TILE_HEIGHT, Subtrees, parents

# Section names in comments are those of c2sp.org/tlog-tiles.
TILE_WIDTH = 1 << TILE_HEIGHT
MAX_ENTRY = 0xFFFF  # "Log entries": a length has two bytes
_MAX_LEVEL = 63  # "Merkle Tree"
_DIGITS = 1000
REMEMBERED = 256  # tiles, with all their hashes some ten megabytes


class MalformedTile(LifecycleError):
    """These bytes are not the tile or entry bundle that they stand for; a copy of the log may have been damaged."""

    code: ClassVar[str] = "malformed-tile"
    remedy: ClassVar[str] = "fetch the tile again, from another mirror"


@dataclass(frozen=True, slots=True)
class Tile:
    """The place of a tile; partial if it is narrower than 256."""

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        return tile_path(self.level, self.index, self.width)


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    if not 0 <= level <= _MAX_LEVEL:
        raise ValueError("a tile's level is between 0 and 63")
    return f"tile/{level}/{_number(index, width)}"


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    return f"tile/entries/{_number(index, width)}"


def _number(index: int, width: int) -> str:
    """<N>[.p/<W>]. "Merkle Tree": three digits a step, all but the last behind an x."""
    if index < 0 or not 1 <= width <= TILE_WIDTH:
        raise ValueError("a tile's index is not negative, and its width is between 1 and 256")
    steps = [f"{index % _DIGITS:03d}"]
    while index := index // _DIGITS:
        steps.append(f"x{index % _DIGITS:03d}")
    return "/".join(reversed(steps)) + ("" if width == TILE_WIDTH else f".p/{width}")


def tile_bytes(hashes: Sequence[bytes]) -> bytes:
    if not 1 <= len(hashes) <= TILE_WIDTH or any(len(each) != HASH_BYTES for each in hashes):
        raise ValueError("a tile has 1 to 256 hashes of 32 bytes")
    return b"".join(hashes)


def read_tile(data: bytes, width: int | None = None) -> list[bytes]:
    """The hashes of a tile; of its first `width`, if given, so that a full tile can stand for a partial one."""
    if not 1 <= len(data) // HASH_BYTES <= TILE_WIDTH or len(data) % HASH_BYTES:
        raise MalformedTile("A tile has 1 to 256 hashes of 32 bytes.")
    hashes = [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
    return _narrowed(hashes, width)


def entry_bundle(entries: Sequence[bytes]) -> bytes:
    """ "Log entries": each entry behind its length, a big-endian uint16."""
    if not 1 <= len(entries) <= TILE_WIDTH or any(len(entry) > MAX_ENTRY for entry in entries):
        raise ValueError("a bundle has 1 to 256 entries of at most 65,535 bytes")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def read_entry_bundle(data: bytes, width: int | None = None) -> list[bytes]:
    """The entries of a bundle; its first `width`, if given."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if start > len(data) or at > len(data) or len(entries) == TILE_WIDTH:
            raise MalformedTile("The lengths in an entry bundle do not add up.")
        entries.append(data[start:at])
    if not entries:
        raise MalformedTile("An entry bundle is never empty.")
    return _narrowed(entries, width)


def _narrowed(held: list[bytes], width: int | None) -> list[bytes]:
    if width is not None and len(held) < width:
        raise MalformedTile("A tile or entry bundle has fewer elements than its name says.")
    return held[:width]


def tiles_of(old_size: int, new_size: int) -> Iterator[Tile]:
    """The tiles to write when a tree grows: full ones, and "Partial Tiles" of the new size. Bundles go as level 0."""
    if not 0 <= old_size <= new_size:
        raise ValueError("a log never gets smaller")
    level = 0
    while there := new_size >> TILE_HEIGHT * level:
        before = old_size >> TILE_HEIGHT * level
        for index in range(before // TILE_WIDTH, there // TILE_WIDTH):
            yield Tile(level, index)
        if there > before and there % TILE_WIDTH:
            yield Tile(level, there // TILE_WIDTH, there % TILE_WIDTH)
        level += 1


class TileHashes(Subtrees):
    """The stored hashes of a tree of `size` leaves, read from its tiles; the last `remember` tiles are kept.

    `fetch` gives the bytes of a tile, or of the full tile where a partial one is not kept any more.
    """

    def __init__(self, size: int, fetch: Callable[[Tile], bytes], remember: int = REMEMBERED) -> None:
        self._size = size
        self._fetch = fetch
        self._remember = remember
        self._held: OrderedDict[tuple[int, int], list[list[bytes]]] = OrderedDict()

    def __call__(self, level: int, first: int, count: int) -> list[bytes]:
        self._all_complete(level, first, count)
        found: list[bytes] = []
        for index in range(first // TILE_WIDTH, (first + count - 1) // TILE_WIDTH + 1):
            start = index * TILE_WIDTH
            found += self._rows(level, index)[0][max(first - start, 0) : first + count - start]
        return found

    def subtree(self, level: int, first: int, height: int) -> bytes:
        self._all_complete(level, first, 1 << height)
        index, slot = divmod(first, TILE_WIDTH)
        rows = self._rows(level, index)
        while len(rows) <= height:
            rows.append(parents(rows[-1]))
        return rows[height][slot >> height]

    def _all_complete(self, level: int, first: int, count: int) -> None:
        if first < 0 or count < 1 or first + count > self._size >> TILE_HEIGHT * level:
            raise ValueError("these subtrees are not complete in a tree of this size")

    def _rows(self, level: int, index: int) -> list[list[bytes]]:
        """A tile's hashes, and above them those of its subtrees, as far as somebody asked for them."""
        held = self._held.get((level, index))
        if held is None:
            width = min(TILE_WIDTH, (self._size >> TILE_HEIGHT * level) - index * TILE_WIDTH)
            held = self._held[level, index] = [read_tile(self._fetch(Tile(level, index, width)), width)]
            if len(self._held) > self._remember:
                self._held.popitem(last=False)
        else:
            self._held.move_to_end((level, index))
        return held
