"""The root of an RFC 6962 tree over a list of leaf hashes."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The Merkle tree hash. RFC 6962, section 2.1: of no leaves, the hash of nothing."""
    if not leaf_hashes:
        return sha256(b"").digest()
    if len(leaf_hashes) == 1:
        return leaf_hashes[0]
    split = 1 << (len(leaf_hashes) - 1).bit_length() - 1  # the largest power of two smaller than n
    return sha256(b"\x01" + root(leaf_hashes[:split]) + root(leaf_hashes[split:])).digest()
