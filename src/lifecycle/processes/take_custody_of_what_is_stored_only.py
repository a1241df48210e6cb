"""When something became storage only, or ceased to be: its keys go into custody, or come back (policy clauses 5, 7.3).

Noted with the events, carried out right after the commit, and resumed by whoever comes next; asked again it does
nothing. What has to move follows from the record alone, so that a late or repeated step cannot move the wrong keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.domain.subject.custody import in_use, stored_only
from lifecycle.domain.subject.state import Subject
from lifecycle.errors import StoreUnavailable
from lifecycle.processes.doomed import both_streams
from lifecycle.processes.trying import again
from lifecycle.storage import custody_orders, erasing
from lifecycle.storage.application import Streams
from lifecycle.storage.custody_orders import Moving
from lifecycle.storage.database import Database
from lifecycle.storage.folding import folded
from lifecycle.vault.custody import Custodian, Moved, in_custody, take_all
from lifecycle.vault.files import KeysUnavailable
from lifecycle.vault.vault import Vault

TOGETHER = 500


class CustodyUnfinished(StoreUnavailable):
    """What was decided stands, and is gone on with by whoever comes next."""

    remedy = "try again, or start again: keys that have to move are moved first"


class TakeCustodyOfWhatIsStoredOnly:
    """Called after the append, at every start, and by the sweep."""

    def __init__(self, database: Database, streams: Streams, vault: Vault, custodian: Custodian) -> None:
        self._database = database
        self._streams = streams
        self._vault = vault
        self._custodian = custodian

    def __call__(self, asked: Sequence[Moving], now: datetime) -> None:
        for start in range(0, len(asked), TOGETHER):
            if again(partial(self._move, asked[start : start + TOGETHER], now), _unfinished()):
                with suppress(StoreUnavailable):  # a reader in the way delays that, and nothing else
                    self._database.truncate_wal()

    def resume(self, now: datetime) -> int:
        """Go on with what a crash interrupted, or what waits for somebody who has the custody key."""
        with self._database.read() as c:
            asked = custody_orders.pending(c)
        self(asked, now)
        return len(asked)

    def _move(self, asked: Sequence[Moving], now: datetime) -> int:
        """One transaction for all of them. Returns how many keys went into custody."""
        people = sorted({each.stream_id for each in asked})
        waiting: set[UUID] = set()
        with self._database.write("eraser") as c:
            known = erasing.lock_heads(c, [stream for person in people for stream in both_streams(person)])
            subjects = self._states(c, [person for person in people if person in known])
            inside = in_custody(c, [subject.id for subject in subjects])
            moved = self._take(c, subjects, now)
            for subject in subjects:
                not_taken = moved is None and stored_only(subject, subject.now(now))
                if not_taken or (subject.id in inside and not self._give_back(c, subject, now)):
                    waiting.add(subject.id)
            custody_orders.done(c, [each for each in asked if each.stream_id not in waiting])
        return sum(each.taken for each in (moved or {}).values())

    def _states(self, c: Connection, people: Sequence[UUID]) -> list[Subject]:
        with self._streams.prefetched(people, c):
            return [self._streams.repository.get(each, projector_func=folded) for each in people]

    def _take(self, c: Connection, subjects: Sequence[Subject], now: datetime) -> dict[UUID, Moved] | None:
        """None where the epoch has no custody key yet and this process may not make one: it stays noted."""
        try:
            moved = take_all(
                c, self._vault, self._custodian.keys, {one.id: stored_only(one, one.now(now)) for one in subjects}
            )
        except KeysUnavailable:
            return None
        fresh = {id: each.generation for id, each in moved.items() if each.generation is not None}
        erasing.regenerate_all(c, {stream: fresh[id] for id in fresh for stream in both_streams(id)})
        return moved

    def _give_back(self, c: Connection, subject: Subject, now: datetime) -> bool:
        """False where this process has no custody key: it stays noted, for one that has."""
        try:
            self._custodian.give_back(c, self._vault, subject.id, in_use(subject, subject.now(now)))
        except KeysUnavailable:
            return False
        return True


def _unfinished() -> CustodyUnfinished:
    return CustodyUnfinished("Keys could not be moved: others were always faster.")
