"""The bytes of the subject map: one leaf a stream, sorted into buckets, under a tree over the buckets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import ClassVar, NamedTuple

from lifecycle.errors import LifecycleError
from lifecycle.ledger import tree
from lifecycle.ledger.envelope import COMMITMENT_BYTES, SID_BYTES

MAP_ENTRY = b"\x02"
LEAF_BYTES = SID_BYTES + 8 + COMMITMENT_BYTES + 1
FULL = 32  # streams a bucket, on average, before the map grows
STEP = 2  # bits by which it grows
MAX_DEPTH = 62
NO_HEAD = bytes(COMMITMENT_BYTES)
_ENTRY_BYTES = 1 + 1 + 8 + 8 + 8 + 32


class MalformedMap(LifecycleError):
    """These bytes are no part of a subject map."""

    code: ClassVar[str] = "malformed-map"


class State(IntEnum):
    """What the map says of a stream beside its count and head."""

    ALIVE = 0
    ERASED = 1
    EXPUNGED = 2


@dataclass(frozen=True, slots=True)
class MapLeaf:
    """What the map says of one stream: how many events it has, and the commitment of the last."""

    sid: bytes
    count: int
    head: bytes
    state: State

    @property
    def packed(self) -> bytes:
        return packed(self.sid, self.count, self.head, self.state)


class MapEntry(NamedTuple):
    """The last leaf of every checkpoint. It describes the leaves before it."""

    depth: int
    covered: int
    streams: int
    events: int
    top_root: bytes

    @property
    def packed(self) -> bytes:
        numbers = b"".join(number.to_bytes(8, "big") for number in (self.covered, self.streams, self.events))
        return MAP_ENTRY + bytes([self.depth]) + numbers + self.top_root


def packed(sid: bytes, count: int, head: bytes, state: int) -> bytes:
    return sid + count.to_bytes(8, "big") + head + bytes([state])


def read_leaf(leaf: bytes) -> MapLeaf:
    if len(leaf) != LEAF_BYTES or leaf[-1] not in tuple(State):
        raise MalformedMap("These bytes are not a leaf of the subject map.")
    return MapLeaf(leaf[:32], int.from_bytes(leaf[32:40], "big"), leaf[40:72], State(leaf[72]))


def read_entry(entry: bytes) -> MapEntry:
    if len(entry) != _ENTRY_BYTES or entry[:1] != MAP_ENTRY or entry[1] > MAX_DEPTH:
        raise MalformedMap("These bytes are not a map entry.")
    covered, streams, events = (int.from_bytes(entry[at : at + 8], "big") for at in (2, 10, 18))
    return MapEntry(entry[1], covered, streams, events, entry[26:])


def leaves_of(bucket: bytes) -> list[bytes]:
    """The leaves that a bucket's row holds."""
    if len(bucket) % LEAF_BYTES:
        raise MalformedMap("A bucket of the subject map is damaged.")
    return [bucket[at : at + LEAF_BYTES] for at in range(0, len(bucket), LEAF_BYTES)]


def bucket_of(sid: bytes, depth: int) -> int:
    """The first `depth` bits of the sid."""
    return int.from_bytes(sid[:8], "big") >> 64 - depth


def depth_for(streams: int, depth: int = 0) -> int:
    """The depth of a map of so many streams that has had `depth`: a map never gets shallower."""
    while streams > FULL << depth:
        depth += STEP
    return depth


def bucket_root(leaves: Iterable[bytes]) -> bytes:
    return tree.root([sha256(b"\x00" + leaf).digest() for leaf in leaves])


def top_leaf(leaves: Sequence[bytes]) -> bytes:
    return len(leaves).to_bytes(4, "big") + bucket_root(leaves)


EMPTY_TOP = tree.leaf_hash(top_leaf(()))  # the hash of the top leaf of a bucket without streams


def split(leaves: Iterable[bytes], depth: int) -> Mapping[int, list[bytes]]:
    """Sort leaves into buckets of `depth` bits; those of one bucket keep their order."""
    buckets: dict[int, list[bytes]] = {}
    shift = 64 - depth
    for leaf in leaves:
        buckets.setdefault(int.from_bytes(leaf[:8], "big") >> shift, []).append(leaf)
    return buckets
