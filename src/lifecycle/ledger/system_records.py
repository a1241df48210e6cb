"""What the log says about itself and its keys, for ever and to everybody: the records of its system entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from lifecycle.ledger.envelope import b64url, written
from lifecycle.ledger.tree import leaf_hash, root

Record = dict[str, Any]
FORMAT = "1"
GENESIS = "genesis/1"
EPOCH_DESTROYED = "epoch-destroyed/1"
EXPUNGED = "expunged/1"
RANGES = 1_500  # in one entry: with the largest positions that there are, 54,000 of its 65,535 bytes


def genesis(at: datetime, origin: str, *, simulated: bool) -> Record:
    """Leaf 0: what this log is (settled rule 8)."""
    return {"at": written(at), "format": FORMAT, "kind": GENESIS, "origin": origin, "simulated": simulated}


def final_leaves(sids: Iterable[bytes]) -> list[bytes]:
    """The leaf hashes of the streams that an epoch's end makes final, in the order of their sids."""
    return [leaf_hash(sid) for sid in sorted(sids)]


def epoch_destroyed(at: datetime, epoch: int, leaves: Sequence[bytes]) -> Record:
    """Which epoch's key died, how many streams' erasures that makes final, and the RFC 6962 root over them."""
    return {
        "at": written(at),
        "epoch": epoch,
        "kind": EPOCH_DESTROYED,
        "records": len(leaves),
        "root": b64url(root(leaves)),
    }


def expunged(at: datetime, positions: Iterable[int]) -> list[Record]:
    """Which leaves are nobody's any more, as ranges from the first to before `past`; as many records as that takes."""
    ranges = _runs(positions)
    return [
        {"at": written(at), "kind": EXPUNGED, "leaves": ranges[start : start + RANGES]}
        for start in range(0, len(ranges), RANGES)
    ]


def _runs(positions: Iterable[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for position in sorted(set(positions)):
        if runs and runs[-1][1] == position:
            runs[-1][1] += 1
        else:
            runs.append([position, position + 1])
    return runs
