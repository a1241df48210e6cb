"""The tiles of a log, believed only as far as they lead to the root that the log signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from lifecycle.ledger.checkpoint import Checkpoint
from lifecycle.ledger.log_sources import SourceDamaged
from lifecycle.ledger.tiles import TILE_WIDTH, MalformedTile, Tile, read_tile
from lifecycle.ledger.tree import TILE_HEIGHT, root, root_from


class VerifiedTiles:
    """The tiles of a tree whose root is known: each is compared with it before anything of it is believed."""

    def __init__(self, checkpoint: Checkpoint, candidates: Callable[[Tile], Iterator[bytes]]) -> None:
        self._size = checkpoint.size
        self._candidates = candidates
        self._held: dict[tuple[int, int], list[bytes]] = {}
        for tile in right_edge(self._size):
            self._held[tile.level, tile.index] = self._first(tile, lambda _: True)
        # The hashes of the right edge and no others make the root.
        if checkpoint.size and root_from(checkpoint.size, self) != checkpoint.root:
            raise SourceDamaged("The newest tiles do not lead to the signed root.")

    def __call__(self, level: int, first: int, count: int) -> Sequence[bytes]:
        start = first % TILE_WIDTH
        return self.tile(level, first // TILE_WIDTH)[start : start + count]

    def tile(self, level: int, index: int) -> list[bytes]:
        if (level, index) in self._held:
            return self._held[level, index]
        above = self.tile(level + 1, index // TILE_WIDTH)[index % TILE_WIDTH]
        hashes = self._first(Tile(level, index), lambda found: root(found) == above)
        if level:  # most tiles are of level 0, and are read once
            self._held[level, index] = hashes
        return hashes

    def _first(self, tile: Tile, is_right: Callable[[list[bytes]], bool]) -> list[bytes]:
        for data in self._candidates(tile):
            try:
                hashes = read_tile(data, tile.width)
            except MalformedTile:
                continue
            if is_right(hashes):
                return hashes
        raise SourceDamaged(f"The file {tile.path} is missing or does not lead to the signed root.")


def right_edge(size: int) -> Iterator[Tile]:
    """The partial tiles of a tree."""
    level = 0
    while there := size >> TILE_HEIGHT * level:
        if there % TILE_WIDTH:
            yield Tile(level, there // TILE_WIDTH, there % TILE_WIDTH)
        level += 1
