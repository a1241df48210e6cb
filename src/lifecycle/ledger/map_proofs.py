"""What a bundle says of one stream and the subject map: its leaf and two proofs, or that it is not there."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from sqlalchemy import Connection

from lifecycle.ledger import tree
from lifecycle.ledger.envelope import b64url
from lifecycle.ledger.integration import LogTree, is_whole, read_tree
from lifecycle.ledger.log_proofs import LogProofs, entries_between
from lifecycle.ledger.map_rows import MapDamaged, StoredMap
from lifecycle.ledger.subject_map import State, bucket_of, read_entry, read_leaf, top_leaf


class NotPublished(MapDamaged):
    """The map has moved on since the last checkpoint, or there is none yet."""

    remedy = "publish the log, then ask again"


class MapProofs:
    """Proofs in the map of the newest checkpoint, as `map.json` of a bundle has them."""

    def __init__(self, c: Connection, proofs: LogProofs) -> None:
        now: LogTree = read_tree(c)
        if now.size != proofs.size or not is_whole(c, now):
            raise NotPublished("The subject map is not that of this checkpoint.")
        ((self._entry,),) = entries_between(c, now.size - 1, now.size)
        self._map = StoredMap(c, now.depth, now.streams)
        self._top_hashes = self._map.top_hashes()
        self._inclusion = proofs.inclusion(now.size - 1)
        self._top_root = read_entry(self._entry).top_root

    def document(self, *sids: bytes) -> dict[str, Any]:
        """All of `map.json`."""
        return {
            "entry": b64url(self._entry),
            "inclusion": proof_text(self._inclusion),
            "streams": [self.stream(sid) for sid in sids],
        }

    def state(self, sid: bytes) -> State | None:
        """What the map says of this stream; None where it knows nothing of it."""
        leaf = self._map.leaf(sid)
        return None if leaf is None else read_leaf(leaf).state

    def stream(self, sid: bytes) -> dict[str, Any]:
        """That the map has this stream, and with what; or that it has it not, by the neighbours it would have."""
        bucket = bucket_of(sid, self._map.depth)
        leaves = self._map.bucket(bucket)
        top = self._map.proof(bucket, self._top_hashes)
        hash = tree.leaf_hash(top_leaf(leaves))
        if tree.root_of_inclusion(hash, bucket, 1 << self._map.depth, top) != self._top_root:
            raise MapDamaged("The rows of the subject map do not lead to the root that was published.")
        at = bisect_left(leaves, sid)
        rest = {"bucket": {"n": len(leaves), "root": b64url(top_leaf(leaves)[4:])}, "top": proof_text(top)}
        if at < len(leaves) and leaves[at][:32] == sid:
            return {"present": True, **_told(leaves, at), **rest}
        neighbours = [_told(leaves, place) for place in (at - 1, at) if 0 <= place < len(leaves)]
        return {"sid": b64url(sid), "present": False, "neighbours": neighbours, **rest}


def proof_text(proof: list[bytes]) -> str:
    return b64url(b"".join(proof))


def _told(leaves: list[bytes], at: int) -> dict[str, Any]:
    leaf = read_leaf(leaves[at])
    return {
        "sid": b64url(leaf.sid),
        "count": leaf.count,
        "head": b64url(leaf.head),
        "state": int(leaf.state),
        "position": at,
        "inclusion": proof_text(tree.inclusion_proof(at, [tree.leaf_hash(each) for each in leaves])),
    }
