"""Trees for tests: leaves that anyone can make again, and what tiles would have stored of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256

from lifecycle.ledger.tree import Frontier, Row, node_hash

# The leaves and roots that implementations of RFC 6962 have shared since the first of them.
RFC_6962_LEAVES = [bytes.fromhex(x) for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")]  # fmt: skip
RFC_6962_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@cache
def leaves(size: int) -> list[bytes]:
    return [sha256(i.to_bytes(8, "big")).digest() for i in range(size)]


class Stored:
    """The stored hashes of a tree, as `Frontier.extend` gives them; counts how often it is read."""

    def __init__(self) -> None:
        self.levels: dict[int, list[bytes]] = {}
        self.reads: list[int] = []

    def add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            held = self.levels.setdefault(row.level, [])
            assert len(held) == row.first, "a level grows without gaps"
            held.extend(row.hashes)

    def __call__(self, level: int, first: int, count: int) -> Sequence[bytes]:
        found = self.levels[level][first : first + count]
        assert len(found) == count, "only complete subtrees are stored"
        self.reads.append(count)
        return found


@cache
def stored(size: int) -> Stored:
    kept = Stored()
    kept.add(Frontier().extend(leaves(size)))
    return kept


class AllAlike:
    """A tree of any size whose leaves are all the same: so each level has one hash, and 2^62 leaves fit into a test."""

    def __init__(self, leaf: bytes) -> None:
        self.subtree = [leaf]
        for _ in range(63):
            self.subtree.append(node_hash(self.subtree[-1], self.subtree[-1]))
        self.reads = 0

    def __call__(self, level: int, first: int, count: int) -> Sequence[bytes]:
        assert first // 256 == (first + count - 1) // 256, "one read, one tile"
        self.reads += 1
        return [self.subtree[8 * level]] * count

    def edge(self, size: int) -> list[bytes]:
        return [self.subtree[bit] for bit in range(63, -1, -1) if size >> bit & 1]
