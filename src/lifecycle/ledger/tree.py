"""The RFC 6962 tree: roots, proofs and their verification, from all leaf hashes or from the stored hashes of tiles."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import ClassVar, NamedTuple, Protocol

from lifecycle.errors import LifecycleError

HASH_BYTES = 32
EMPTY = sha256(b"").digest()  # RFC 6962, 2.1: of no leaves, the hash of nothing
TILE_HEIGHT = 8  # c2sp.org/tlog-tiles, "Merkle Tree": a stored level spans eight levels of the tree


class BadProof(LifecycleError):
    """A proof that does not prove what it is shown for. The log, or whoever carried the proof, may be lying."""

    code: ClassVar[str] = "bad-proof"


class MalformedFrontier(LifecycleError):
    """What was stored as the right edge of the tree cannot be one."""

    code: ClassVar[str] = "malformed-frontier"
    remedy: ClassVar[str] = "rebuild the edge from the log's entries"


class Hashes(Protocol):
    """Reads stored hashes. Number i of level l is the hash of the 256^l leaves from i * 256^l on, all present."""

    def __call__(self, level: int, first: int, count: int) -> Sequence[bytes]: ...


class Subtrees(ABC):
    """`Hashes` that remember what they have hashed: of many proofs, the next one then costs next to nothing."""

    @abstractmethod
    def __call__(self, level: int, first: int, count: int) -> Sequence[bytes]: ...

    @abstractmethod
    def subtree(self, level: int, first: int, height: int) -> bytes:
        """The root over 2^height stored hashes of one tile, from `first` on."""


class Row(NamedTuple):
    """Consecutive stored hashes of one level, as a growing tree completes them."""

    level: int
    first: int
    hashes: list[bytes]


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()  # RFC 6962, 2.1


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()  # RFC 6962, 2.1


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The Merkle tree hash. RFC 6962, 2.1."""
    if not leaf_hashes:
        return EMPTY
    row = list(leaf_hashes)
    while len(row) > 1:
        # A last hash without a neighbour goes up as it is: that splits at the largest power of two.
        row = parents(row) + (row[-1:] if len(row) % 2 else [])
    return row[0]


def root_from(size: int, hashes: Hashes) -> bytes:
    return _range_hash(0, size, hashes) if size else EMPTY


def inclusion_proof(index: int, leaf_hashes: Sequence[bytes]) -> list[bytes]:
    """RFC 9162, 2.1.3.1: from the leaf's neighbour up to the root's child."""
    return [root(leaf_hashes[lo:hi]) for lo, hi in _inclusion_ranges(index, len(leaf_hashes))]


def inclusion_from(
    index: int, size: int, hashes: Hashes, known: dict[tuple[int, int], bytes] | None = None
) -> list[bytes]:
    """`known` keeps what was found for other leaves of the same tree: neighbours have nearly all of it in common."""
    ranges = _inclusion_ranges(index, size)
    if known is None:
        return [_range_hash(lo, hi, hashes) for lo, hi in ranges]
    for each in ranges:
        if each not in known:
            known[each] = _range_hash(*each, hashes)
    return [known[each] for each in ranges]


def root_of_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that the proof leads to, to be compared with a signed one. RFC 9162, 2.1.3.2."""
    _only_hashes([leaf, *proof])
    if not 0 <= index < size:
        raise BadProof("There is no such leaf in a tree of this size.")
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            raise BadProof("The inclusion proof is too long.")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise BadProof("The inclusion proof is too short.")
    return r


def consistency_proof(old: int, leaf_hashes: Sequence[bytes]) -> list[bytes]:
    """RFC 9162, 2.1.4.1; from the empty tree, nothing (c2sp.org/tlog-witness, "add-checkpoint")."""
    return [root(leaf_hashes[lo:hi]) for lo, hi in _consistency_ranges(old, len(leaf_hashes))]


def consistency_from(old: int, size: int, hashes: Hashes) -> list[bytes]:
    return [_range_hash(lo, hi, hashes) for lo, hi in _consistency_ranges(old, size)]


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Nothing was changed or taken away between the two trees, or BadProof. RFC 9162, 2.1.4.2."""
    _only_hashes([old_root, new_root, *proof])
    if not 0 <= old <= new:
        raise BadProof("A log never gets smaller.")
    if (old == 0 and old_root != EMPTY) or (new == 0 and new_root != EMPTY):
        raise BadProof("This is not the root of the empty tree.")
    if old == new and old_root != new_root:
        raise BadProof("Two roots for one size.")
    if old in (0, new):
        if proof:
            raise BadProof("The consistency proof is too long.")
    elif _roots_of_consistency(old, new, old_root, proof) != (old_root, new_root):
        raise BadProof("The older tree is not the beginning of the newer one.")


def _roots_of_consistency(old: int, new: int, old_root: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    path = list(proof) if old & (old - 1) else [old_root, *proof]  # step 2
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    if not path:
        raise BadProof("The consistency proof is too short.")
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            raise BadProof("The consistency proof is too long.")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise BadProof("The consistency proof is too short.")
    return fr, sr


class Frontier:
    """The right edge of a growing tree: the roots of its complete subtrees, the largest first; one per bit of size."""

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self._edge = list(hashes)
        if size < 0 or len(self._edge) != size.bit_count() or any(len(each) != HASH_BYTES for each in self._edge):
            raise MalformedFrontier("These hashes are not the right edge of a tree of this size.")

    @classmethod
    def read(cls, size: int, hashes: Hashes) -> Frontier:
        return cls(size, [_complete(lo, width, hashes) for lo, width in _complete_subtrees(0, size)])

    @property
    def hashes(self) -> list[bytes]:
        """What to store beside the size, to go on from here later."""
        return list(self._edge)

    def root(self) -> bytes:
        return _folded(self._edge) if self._edge else EMPTY

    def append(self, leaf: bytes) -> list[Row]:
        return self.extend([leaf])

    def extend(self, leaf_hashes: Iterable[bytes]) -> list[Row]:
        """Append leaves, a level at a time; return the stored hashes that this completed, for tiles."""
        row, edge, rows, height = list(leaf_hashes), [], [], 0
        size, self.size = self.size, self.size + len(row)
        waiting = self._edge
        while row or waiting:
            if row and height % TILE_HEIGHT == 0:
                rows.append(Row(height // TILE_HEIGHT, size >> height, row))
            if size >> height & 1:
                row = [waiting.pop(), *row]  # the left neighbour of the first new hash
            if len(row) % 2:
                edge.append(row[-1])
            row, height = parents(row), height + 1
        self._edge = edge[::-1]
        return rows


def parents(row: Sequence[bytes]) -> list[bytes]:
    """The hashes of the pairs in a row; a last one without a neighbour has none.

    Spelled out, because a growing log spends its time here.
    """
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=False)]


def _inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The leaves under each hash of PATH(index, D[size]). RFC 9162, 2.1.3.1."""
    if not 0 <= index < size:
        raise ValueError("no such leaf in a tree of this size")
    lo, hi, ranges = 0, size, []
    while hi - lo > 1:
        middle = lo + _split(hi - lo)
        ranges.append((middle, hi) if index < middle else (lo, middle))
        lo, hi = (lo, middle) if index < middle else (middle, hi)
    return ranges[::-1]


def _consistency_ranges(old: int, size: int) -> list[tuple[int, int]]:
    """The leaves under each hash of PROOF(old, D[size]). RFC 9162, 2.1.4.1."""
    if not 0 <= old <= size:
        raise ValueError("the older tree is larger than the newer one")
    lo, hi, ranges = 0, size, []
    while old and old != hi:
        middle = lo + _split(hi - lo)
        ranges.append((middle, hi) if old <= middle else (lo, middle))
        lo, hi = (lo, middle) if old <= middle else (middle, hi)
    if lo:  # the verifier knows this subtree only if it is the whole older tree
        ranges.append((lo, hi))
    return ranges[::-1]


def _split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1  # RFC 6962, 2.1: the largest power of two smaller than n


def _range_hash(lo: int, hi: int, hashes: Hashes) -> bytes:
    return _folded([_complete(first, width, hashes) for first, width in _complete_subtrees(lo, hi)])


def _complete_subtrees(lo: int, hi: int) -> list[tuple[int, int]]:
    subtrees = []
    while lo < hi:
        width = 1 << (hi - lo).bit_length() - 1
        subtrees.append((lo, width))
        lo += width
    return subtrees


def _complete(lo: int, width: int, hashes: Hashes) -> bytes:
    """The hash of a complete subtree, from at most 128 stored hashes of the tile that it lies in."""
    height = width.bit_length() - 1
    level = height // TILE_HEIGHT
    if isinstance(hashes, Subtrees):
        return hashes.subtree(level, lo >> level * TILE_HEIGHT, height % TILE_HEIGHT)
    return root(hashes(level, lo >> level * TILE_HEIGHT, 1 << height % TILE_HEIGHT))


def _folded(subtrees: Sequence[bytes]) -> bytes:
    folded = subtrees[-1]
    for left in reversed(subtrees[:-1]):
        folded = node_hash(left, folded)
    return folded


def _only_hashes(hashes: Iterable[bytes]) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise BadProof("A hash of SHA-256 has 32 bytes.")
