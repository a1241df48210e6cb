"""A full audit's comparison of two accounts: whom the records of epochs' ends make final, and whose events say so."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.audit.full_findings import Findings
from lifecycle.audit.full_leaves import final_leaves_kept
from lifecycle.ledger.tables import final_record
from lifecycle.ledger.tree import leaf_hash
from lifecycle.storage.appending import in_chunks
from lifecycle.storage.tables import epoch_erasure
from lifecycle.value_lists import one_of

_AT_ONCE = 64  # leaves in memory of each epoch


class Final:
    """Both accounts are in the order of pseudonyms, so of each epoch only the next leaf is waited for."""

    def __init__(self, c: Connection, destroyed: Collection[int], found: Findings) -> None:
        self._c = c
        self._found = found
        self._awaited: set[tuple[int, UUID]] = set()
        self._kept: dict[int, Iterator[bytes]] = {}
        self._next: dict[bytes, deque[int]] = {}  # a leaf: the epochs whose next leaf it is
        epochs = c.execute(select(final_record.c.epoch).distinct().order_by(final_record.c.epoch)).scalars().all()
        for epoch in epochs:
            if epoch not in destroyed:
                found.add("epoch-ended-unsaid", epoch=epoch)
            self._kept[epoch] = (leaf for some in final_leaves_kept(c, epoch, _AT_ONCE) for leaf in some)
            self._advance(epoch)

    def read(self, streams: Sequence[UUID]) -> None:
        """Between an epoch's end and the events that say so a crash may lie: then they are still awaited."""
        self._awaited = set()
        for some in in_chunks(streams):
            rows = self._c.execute(select(epoch_erasure).where(one_of(epoch_erasure.c.stream_id, some)))
            self._awaited.update((row.epoch, row.stream_id) for row in rows)

    def stream(self, stream_id: UUID, sid: bytes, said: Collection[int]) -> None:
        recorded = self._recorded(sid)
        for epoch in said:
            if epoch not in recorded:
                self._found.add("final-without-record", stream=sid, epoch=epoch)
        for epoch in recorded:
            if epoch not in said and (epoch, stream_id) not in self._awaited:
                self._found.add("record-without-final", stream=sid, epoch=epoch)

    def expunged(self, sid: bytes) -> None:
        """Its events are gone; its leaves stay, so that everybody else's proof goes on."""
        self._recorded(sid)

    def finish(self) -> None:
        for epochs in self._next.values():
            for epoch in epochs:
                self._found.add("final-record-of-nobody", epoch=epoch)

    def _recorded(self, sid: bytes) -> list[int]:
        epochs = list(self._next.pop(leaf_hash(sid), ()))
        for epoch in epochs:
            self._advance(epoch)
        return epochs

    def _advance(self, epoch: int) -> None:
        leaf = next(self._kept[epoch], None)
        if leaf is not None:
            self._next.setdefault(leaf, deque()).append(epoch)
