"""A full audit's own subject map, made from the events bucket by bucket, beside the one that was published."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, literal, select, tuple_

from lifecycle.audit.full_erasures import NONE, erasures_of, record_of
from lifecycle.audit.full_files import taken
from lifecycle.audit.full_final import Final
from lifecycle.audit.full_findings import Findings
from lifecycle.audit.full_leaves import Leaves, Step
from lifecycle.ledger.integration import LogTree
from lifecycle.ledger.subject_map import (
    EMPTY_TOP,
    LEAF_BYTES,
    NO_HEAD,
    MapEntry,
    State,
    bucket_of,
    depth_for,
    packed,
    top_leaf,
)
from lifecycle.ledger.tables import event_position, log_entry, map_bucket, map_tile
from lifecycle.ledger.tree import Frontier, leaf_hash
from lifecycle.ledger.tree import Row as Stored
from lifecycle.storage.appending import in_chunks
from lifecycle.storage.tables import stream_head
from lifecycle.value_lists import one_of

AT_ONCE = 1_000
WIDTH = 256
_head, _position = stream_head.c, event_position.c
_HEADS = (
    select(_head.stream_id, _head.sid, _head.version)
    .where(_head.version > 0)
    .order_by(_head.sid, _head.stream_id)
    .limit(AT_ONCE)
)
_BUCKETS = select(map_bucket).order_by(map_bucket.c.bucket).limit(WIDTH)


class Map:
    """One run over all streams in order of their pseudonyms, which is the order of the map's leaves."""

    def __init__(self, c: Connection, leaves: Leaves, tree: LogTree, found: Findings) -> None:
        self._c = c
        self._leaves = leaves
        self._tree = tree
        self._found = found
        self._covered = leaves.size - 1
        self._final = Final(c, leaves.destroyed, found)
        self._top = _Top(c, tree.depth, found)
        self.streams = 0
        self.events = 0
        self._expunged = 0

    def run(self, step: Step) -> None:
        stored = _stored(self._c, self._tree.depth, self._found)
        said = next(stored, None)
        for sid, leaf, stream_id, epochs in self._own(step):
            while said is not None and said[:32] < sid:
                self._alone(said)
                said = next(stored, None)
            self._final.stream(stream_id, sid, epochs)  # after the expunged before it, whose leaves are waited for too
            if leaf is None:
                continue
            if said is not None and said[:32] == sid:
                if said != leaf:
                    self._found.add("map-leaf-differs", stream=sid)
                said = next(stored, None)
            else:
                self._found.add("map-leaf-missing", stream=sid)
            self._take(leaf)
        while said is not None:
            self._alone(said)
            said = next(stored, None)
        self._final.finish()
        self._compare(self._top.finish())

    def _take(self, leaf: bytes) -> None:
        self.streams += 1
        self.events += int.from_bytes(leaf[32:40], "big")
        self._top.add(leaf)

    def _alone(self, leaf: bytes) -> None:
        """A leaf of which nothing else is left: that of an expunged stream, if expungings were declared."""
        sid = leaf[:32]
        self._expunged += 1
        if leaf != packed(sid, 0, NO_HEAD, State.EXPUNGED) or self._expunged > len(self._leaves.expunged):
            self._found.add("map-leaf-unknown", stream=sid)
        else:
            self._final.expunged(sid)
        self._take(leaf)

    def _compare(self, root: bytes) -> None:
        tree, leaves = self._tree, self._leaves
        own = MapEntry(depth_for(self.streams), self._covered, self.streams, leaves.events, root)
        if leaves.last_map is None:
            self._found.add("map-entry-differs", position=self._covered)
        elif own != leaves.last_map:
            self._found.add("map-root-differs", position=self._covered)
        if (tree.depth, tree.streams, tree.events) != (own.depth, own.streams, own.events):
            self._found.add("tree-differs", size=tree.size)

    # -- leaves from the events --------------------------------------------------------------------------------------

    def _own(self, step: Step) -> Iterator[tuple[bytes, bytes | None, UUID, Collection[int]]]:
        """All streams by sid, in order: the leaf, if it has events among the covered leaves, and the epochs whose ends
        its events say were final."""
        before = b""
        for heads in self._heads():
            streams = [head.stream_id for head in heads]
            newest = self._newest(streams)
            erasures = erasures_of(self._c, streams)
            self._final.read(streams)
            for head in heads:
                sid = bytes(head.sid)
                if sid == before:
                    self._found.add("sid-twice", stream=sid)
                    continue
                before = sid
                leaf = None
                if head.stream_id in newest:
                    its = erasures.get(record_of(head.stream_id), NONE)
                    state = State.ERASED if its.whole_by(self._covered) else State.ALIVE
                    leaf = packed(sid, *newest[head.stream_id], state)
                yield sid, leaf, head.stream_id, erasures.get(head.stream_id, NONE).epochs
            step(len(heads))

    def _heads(self) -> Iterator[Sequence[Any]]:
        query = _HEADS
        while heads := self._c.execute(query).all():
            yield heads
            last = heads[-1]
            behind = tuple_(literal(bytes(last.sid), _head.sid.type), literal(last.stream_id, _head.stream_id.type))
            query = _HEADS.where(tuple_(_head.sid, _head.stream_id) > behind)

    def _newest(self, streams: Sequence[UUID]) -> dict[UUID, tuple[int, bytes]]:
        """How many events each of these has among the covered leaves, and the commitment in the leaf of the last."""
        found: dict[UUID, tuple[int, bytes]] = {}
        for some in in_chunks(streams):
            counted = (
                select(_position.stream_id, func.max(_position.version).label("newest"))
                .where(one_of(_position.stream_id, some), _position.position < self._covered)
                .group_by(_position.stream_id)
                .subquery()
            )
            same = (_position.stream_id == counted.c.stream_id) & (_position.version == counted.c.newest)
            rows = select(_position.stream_id, _position.version, log_entry.c.entry).join(counted, same)
            for row in self._c.execute(rows.join(log_entry, log_entry.c.position == _position.position)):
                found[row.stream_id] = (row.version, bytes(row.entry)[1:33])
        return found


class _Top:
    """The top tree, as bucket after bucket is filled; its rows are compared with those that are stored."""

    def __init__(self, c: Connection, depth: int, found: Findings) -> None:
        self._c = c
        self._depth = depth
        self._found = found
        self._frontier = Frontier()
        self._bucket: list[bytes] = []
        self._number = 0
        self._hashes: list[bytes] = []
        self._rows: dict[int, list[bytes]] = {}
        self._next: dict[int, int] = {}

    def add(self, leaf: bytes) -> None:
        self._until(bucket_of(leaf, self._depth))
        self._bucket.append(leaf)

    def finish(self) -> bytes:
        self._until(1 << self._depth)
        self._extend()
        for level in list(self._rows):
            if self._rows[level]:
                self._row(level)
        return self._frontier.root()

    def _until(self, number: int) -> None:
        while self._number < number:
            self._hashes.append(leaf_hash(top_leaf(self._bucket)) if self._bucket else EMPTY_TOP)
            self._bucket = []
            self._number += 1
            if len(self._hashes) == AT_ONCE:
                self._extend()

    def _extend(self) -> None:
        rows: list[Stored] = self._frontier.extend(self._hashes)
        self._hashes = []
        for level, _, hashes in rows:
            held = self._rows.setdefault(level, [])
            held += hashes
            while len(held) >= WIDTH:
                self._row(level)

    def _row(self, level: int) -> None:
        some = taken(self._rows[level], WIDTH)
        number = self._next.get(level, 0)
        self._next[level] = number + 1
        if level and 1 << self._depth <= WIDTH**level:
            return  # a whole tree of one row has no row above it
        key = (map_tile.c.level == level) & (map_tile.c.number == number)
        if self._c.execute(select(map_tile.c.hashes).where(key)).scalar_one_or_none() != b"".join(some):
            self._found.add("map-rows-differ", level=level, number=number)


def _stored(c: Connection, depth: int, found: Findings) -> Iterator[bytes]:
    """The published leaves by sid; what stands in a wrong place is reported, and left out."""
    after, before = -1, b""
    while rows := c.execute(_BUCKETS.where(map_bucket.c.bucket > after)).all():
        for row in rows:
            leaves = bytes(row.leaves)
            for at in range(0, len(leaves), LEAF_BYTES):
                leaf = leaves[at : at + LEAF_BYTES]
                whole = len(leaf) == LEAF_BYTES and bucket_of(leaf, depth) == row.bucket and leaf[:32] > before
                if not whole:
                    found.add("map-rows-differ", bucket=row.bucket)
                    break
                before = leaf[:32]
                yield leaf
        after = rows[-1].bucket
