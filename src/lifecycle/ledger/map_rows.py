"""The subject map as rows: only the buckets that changed are read and written, and the few inner rows above them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Connection, delete, select

from lifecycle.errors import StoreUnavailable
from lifecycle.ledger import tree
from lifecycle.ledger.many_rows import rows_with, upsert_many
from lifecycle.ledger.subject_map import (
    EMPTY_TOP,
    NO_HEAD,
    State,
    bucket_of,
    depth_for,
    leaves_of,
    packed,
    split,
    top_leaf,
)
from lifecycle.ledger.tables import map_bucket, map_tile
from lifecycle.ledger.tiles import Tile, TileHashes

WIDTH = 256
_HASH = tree.HASH_BYTES
_BUCKETS = "SELECT bucket, leaves FROM map_bucket WHERE bucket"
_TILES = "SELECT number, hashes FROM map_tile WHERE level = {level:d} AND number"
_AT_ONCE = 512  # buckets in memory while the map grows


class MapDamaged(StoreUnavailable):
    """The rows of the subject map do not fit each other."""

    remedy = "restore a backup; whoever changed these rows did not do it through the log"


class StoredMap:
    """The map of a connection's database. Its depth and number of streams are kept beside the tree of the log."""

    def __init__(self, c: Connection, depth: int, streams: int) -> None:
        self.depth = depth
        self.streams = streams
        self._c = c

    # -- changing ----------------------------------------------------------------------------------------------------

    def put(
        self, moved: Mapping[bytes, bytes], erased: Collection[bytes] = (), expunged: Collection[bytes] = ()
    ) -> None:
        """Set leaves by sid, and the state of streams that are in the map already; grow when it is full."""
        touched = self._by_bucket([*moved, *erased, *expunged])
        if not touched and self._has_rows():
            return
        changed: dict[int, list[bytes]] = {}
        before = self._buckets(touched)
        for bucket, sids in touched.items():
            leaves = {leaf[:32]: leaf for leaf in before.get(bucket, ())}
            there = len(leaves)
            _change(leaves, sids, moved, erased, expunged)
            self.streams += len(leaves) - there
            changed[bucket] = sorted(leaves.values())
        self._write_buckets(changed)
        depth = depth_for(self.streams, self.depth)
        if depth > self.depth or not self._has_rows():
            self._grow(depth)
        else:
            self._rehash({bucket: _top_hash(leaves) for bucket, leaves in changed.items()})

    def clear(self) -> None:
        """Take all streams out; a map never gets shallower."""
        self._c.execute(delete(map_bucket))
        self._c.execute(delete(map_tile))
        self.streams = 0

    def rebuild_rows(self) -> None:
        """Make the inner rows anew from the buckets."""
        self._grow(self.depth)

    def _by_bucket(self, sids: Iterable[bytes]) -> dict[int, list[bytes]]:
        touched: dict[int, list[bytes]] = {}
        for sid in sids:
            touched.setdefault(bucket_of(sid, self.depth), []).append(sid)
        return touched

    def _write_buckets(self, changed: Mapping[int, Sequence[bytes]]) -> None:
        there = {bucket: b"".join(leaves) for bucket, leaves in changed.items() if leaves}
        upsert_many(self._c, map_bucket, {"bucket": list(there), "leaves": list(there.values())})

    def _grow(self, depth: int) -> None:
        """Split every bucket, from the last to the first: no new number is that of a bucket still to be split."""
        hashes = [EMPTY_TOP] * (1 << depth)
        for some in self._all_buckets():
            parts = split((leaf for leaves in some.values() for leaf in leaves), depth)
            if depth > self.depth:
                number = map_bucket.c.bucket
                self._c.execute(delete(map_bucket).where(number >= min(some), number <= max(some)))
                self._write_buckets(parts)
            for bucket, leaves in parts.items():
                hashes[bucket] = _top_hash(leaves)
        self.depth = depth
        self._write_tiles(hashes)

    def _write_tiles(self, hashes: Sequence[bytes]) -> None:
        self._c.execute(delete(map_tile))
        level = 0
        while True:
            rows = {at // WIDTH: hashes[at : at + WIDTH] for at in range(0, len(hashes), WIDTH)}
            self._upsert_tiles(level, rows)
            if len(hashes) <= WIDTH:
                return
            hashes = [tree.root(hashes[at : at + WIDTH]) for at in range(0, len(hashes), WIDTH)]
            level += 1

    def _rehash(self, changed: Mapping[int, bytes]) -> None:
        """Carry changed top leaves up to the root, a stored row at a time."""
        level = 0
        while changed:
            tiles: dict[int, list[tuple[int, bytes]]] = {}
            for number, hash in changed.items():
                tiles.setdefault(number // WIDTH, []).append((number % WIDTH, hash))
            rows = self._tiles(level, tiles)
            for number, slots in tiles.items():
                for slot, hash in slots:
                    rows[number][slot] = hash
            self._upsert_tiles(level, rows)
            if (1 << self.depth) >> 8 * level <= WIDTH:
                return
            changed = {number: tree.root(hashes) for number, hashes in rows.items()}
            level += 1

    def _upsert_tiles(self, level: int, rows: Mapping[int, Sequence[bytes]]) -> None:
        hashes = [b"".join(each) for each in rows.values()]
        upsert_many(self._c, map_tile, {"level": [level] * len(rows), "number": list(rows), "hashes": hashes})

    # -- reading -----------------------------------------------------------------------------------------------------

    def bucket(self, number: int) -> list[bytes]:
        return self._buckets([number]).get(number, [])

    def leaf(self, sid: bytes) -> bytes | None:
        return next((leaf for leaf in self.bucket(bucket_of(sid, self.depth)) if leaf[:32] == sid), None)

    def root(self) -> bytes:
        return tree.root_from(1 << self.depth, self.hashes)

    def top_hashes(self) -> TileHashes:
        """The stored hashes of the top tree as it stands: each row is read once, though many hashes come from it."""
        return TileHashes(1 << self.depth, self._tile)

    def proof(self, bucket: int, hashes: TileHashes | None = None) -> list[bytes]:
        """The inclusion of a bucket's top leaf. `hashes` are those of `top_hashes`, for who asks for many."""
        return tree.inclusion_from(bucket, 1 << self.depth, hashes or self.top_hashes())

    def _tile(self, tile: Tile) -> bytes:
        return b"".join(self.hashes(tile.level, tile.index * WIDTH, tile.width))

    def hashes(self, level: int, first: int, count: int) -> list[bytes]:
        """The stored hashes of the top tree, as `tree.Hashes` wants them."""
        if level and 1 << self.depth == WIDTH**level:  # a whole tree of one row has no row above it
            return [tree.root(self.hashes(level - 1, 0, WIDTH))]
        number, slot = divmod(first, WIDTH)
        return self._tiles(level, [number])[number][slot : slot + count]

    def all_leaves(self) -> Iterator[bytes]:
        for some in self._all_buckets():
            for leaves in some.values():
                yield from leaves

    def _has_rows(self) -> bool:
        return self._c.execute(select(map_tile.c.level).limit(1)).first() is not None

    def _buckets(self, numbers: Iterable[int]) -> dict[int, list[bytes]]:
        return {bucket: leaves_of(leaves) for bucket, leaves in rows_with(self._c, _BUCKETS, numbers)}

    def _all_buckets(self) -> Iterator[dict[int, list[bytes]]]:
        """All of them, some at a time, from the last to the first."""
        query = select(map_bucket).order_by(map_bucket.c.bucket.desc()).limit(_AT_ONCE)
        below = query
        while rows := self._c.execute(below).all():
            yield {row.bucket: leaves_of(row.leaves) for row in rows}
            below = query.where(map_bucket.c.bucket < rows[-1].bucket)

    def _tiles(self, level: int, numbers: Iterable[int]) -> dict[int, list[bytes]]:
        found: dict[int, list[bytes]] = {}
        wanted = list(numbers)
        width = min(WIDTH, (1 << self.depth) >> 8 * level)
        for number, hashes in rows_with(self._c, _TILES.format(level=level), wanted):
            found[number] = [hashes[at : at + _HASH] for at in range(0, len(hashes), _HASH)]
        if any(len(found.get(number, ())) != width for number in wanted):
            raise MapDamaged("A row of the subject map is missing or damaged.")
        return found


def _change(
    leaves: dict[bytes, bytes],
    sids: Iterable[bytes],
    moved: Mapping[bytes, bytes],
    erased: Collection[bytes],
    expunged: Collection[bytes],
) -> None:
    for sid in sids:
        if sid in moved:
            leaves[sid] = moved[sid]
        if sid in erased and sid in leaves:
            leaves[sid] = leaves[sid][:-1] + bytes([State.ERASED])
        if sid in expunged:  # also one that no map has shown alive: a receipt of it is out in the world
            leaves[sid] = packed(sid, 0, NO_HEAD, State.EXPUNGED)


def _top_hash(leaves: Sequence[bytes]) -> bytes:
    return tree.leaf_hash(top_leaf(leaves))
