"""What the log says about itself and its keys, for ever and to everybody: the records of its system entries."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from lifecycle.ledger.envelope import b64url, written
from lifecycle.ledger.tree import leaf_hash, root

Record = dict[str, Any]
FORMAT = "1"


def genesis(at: datetime, origin: str, *, simulated: bool) -> Record:
    """Leaf 0: what this log is (settled rule 8)."""
    return {"at": written(at), "format": FORMAT, "kind": "genesis/1", "origin": origin, "simulated": simulated}


def epoch_destroyed(at: datetime, epoch: int, sids: Iterable[bytes]) -> Record:
    """Which epoch's key died, how many streams' erasures that makes final, and the RFC 6962 root over their sids."""
    final = sorted(sids)
    return {
        "at": written(at),
        "epoch": epoch,
        "kind": "epoch-destroyed/1",
        "records": len(final),
        "root": b64url(root([leaf_hash(sid) for sid in final])),
    }
