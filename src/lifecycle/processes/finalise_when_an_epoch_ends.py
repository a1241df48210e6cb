"""When an epoch ends, its key is destroyed and every erasure completed in it is final (ledger.md 5.2, 5.4).

Begin, wrap the living again, destroy the old key, say so in the log and on each record. A crash between any two steps
is repaired by asking again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, func, insert, select
from uuid_utils.compat import uuid7

from lifecycle.domain.event import Judged
from lifecycle.domain.streams import is_access_stream, subject_of_access
from lifecycle.domain.subject.events import ErasureFinalised
from lifecycle.errors import Conflict
from lifecycle.ledger.envelope import read_header
from lifecycle.ledger.sequencer import enqueue_system_entry
from lifecycle.ledger.system_records import epoch_destroyed, final_leaves
from lifecycle.ledger.tables import final_record
from lifecycle.policy.vocabulary import Role
from lifecycle.processes.trying import again
from lifecycle.storage import erasing, evidence_periods
from lifecycle.storage.appending import Appending, load_heads
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.policies import Policies
from lifecycle.storage.tables import epoch_erasure, event_header, stream_head
from lifecycle.value_lists import one_of
from lifecycle.vault.custody import refuse_without_keys
from lifecycle.vault.custody_keys import CustodyKeys
from lifecycle.vault.epochs import EpochKeys
from lifecycle.vault.loading import open_epochs
from lifecycle.vault.rotation import Rotation, RotationUnfinished, waiting
from lifecycle.vault.sealing import OpenParts
from lifecycle.vault.tables import epoch as epochs
from lifecycle.vault.vault import Vault

LASTS = timedelta(hours=24)
BATCH = 1_000
WRAPPED_AT_ONCE = 5_000  # keys in one transaction: whoever writes meanwhile waits for some tens of milliseconds
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Ended:
    """The epoch whose key is gone, on how many streams erasures became final, and of how many people these are: whoever
    has a second stream that was used counts twice among the streams."""

    epoch: int
    finalised: int
    people: int


class FinaliseWhenAnEpochEnds:
    def __init__(
        self,
        database: Database,
        streams: Streams,
        vault: Vault,
        keys: EpochKeys,
        policies: Policies,
        custody: CustodyKeys | None = None,
    ) -> None:
        self._database = database
        self._streams = streams
        self._vault = vault
        self._keys = keys
        self._custody = custody
        self._policies = policies

    def is_due(self, now: datetime) -> bool:
        """An epoch ends of itself only if something was destroyed in it, at most once in 24 hours (settled rule 4)."""
        with self._database.read() as c:
            open_now = open_epochs(c)
            if len(open_now) > 1:
                return True  # a rotation was interrupted
            began = c.execute(select(epochs.c.began_at).where(epochs.c.epoch == open_now[0])).scalar_one()
            destroyed = c.execute(select(func.count()).select_from(epoch_erasure)).scalar_one()
        return bool(destroyed) and now - began >= LASTS

    def resume(self, now: datetime) -> int:
        """Say what an interrupted rotation left unsaid; return how many streams became final."""
        with self._database.read() as c:
            open_now = open_epochs(c)
        return len(self.finalise(open_now[-1] - 1, now))

    def __call__(self, now: datetime, progress: Progress | None = None) -> Ended:
        """End the present epoch, or go on with a rotation that was interrupted. Errors: CustodyKeyNeeded, before
        anything has begun."""
        with self._database.read() as c:
            refuse_without_keys(c, self._custody or CustodyKeys(self._keys.folder))
        rotation = Rotation(self._keys, self._custody)
        number = self.begin(rotation, now)
        self.wrap_again(rotation, progress)
        ended = self.destroy(rotation, now) or number - 1
        self._database.truncate_wal()
        final = self.finalise(ended, now)
        return Ended(ended, len(final), len({_person(stream) for stream in final}))

    def begin(self, rotation: Rotation, now: datetime) -> int:
        """Begin the next epoch; of a rotation under way, return the one that was begun."""
        with self._database.write("eraser") as c:
            return rotation.begin(c, now)

    def wrap_again(self, rotation: Rotation, progress: Progress | None = None) -> None:
        with self._database.read() as c:
            total = waiting(c)
        done = 0
        while done < total or total == 0:
            with self._database.write("eraser") as c:
                left = rotation.rewrap_batch(c, WRAPPED_AT_ONCE)
            done = min(total, done + WRAPPED_AT_ONCE)
            if progress is not None:
                progress(done, total)
            if left == 0:
                break

    def destroy(self, rotation: Rotation, now: datetime) -> int | None:
        """Destroy the old key and let the log say so, in one transaction; None when it was done before."""
        return again(lambda: self._destroy(rotation, now), _overtaken("The epoch could not be ended"))

    def _destroy(self, rotation: Rotation, now: datetime) -> int | None:
        try:
            with self._database.write("eraser") as c:
                ended = rotation.finish(c, now)
                if ended is not None:
                    leaves = _final(c, ended)
                    enqueue_system_entry(c, epoch_destroyed(now, ended, leaves), uuid7())
                return ended
        except RotationUnfinished:
            self.wrap_again(rotation)  # somebody registered, or held a row, while the last batch was wrapped
            raise

    def finalise(self, ended: int, now: datetime) -> list[UUID]:
        """Say on each stream that nothing can bring back what was erased; return on which it was said."""
        finalised: list[UUID] = []
        with self._database.read() as c:
            numbers = c.execute(select(epoch_erasure.c.epoch).where(epoch_erasure.c.epoch <= ended).distinct())
            past = sorted(numbers.scalars())
        for number in past:
            finalised += self._finalise(number, now)
        return finalised

    def _finalise(self, number: int, now: datetime) -> list[UUID]:
        with self._database.read() as c:
            streams = erasing.awaiting(c, number)
        said: list[UUID] = []
        for start in range(0, len(streams), BATCH):
            said += self._say(streams[start : start + BATCH], number, now)
        with self._database.write("eraser") as c:
            evidence_periods.remember(c, streams)
            erasing.finalise(c, number)
        return said

    def _say(self, streams: Sequence[UUID], number: int, now: datetime) -> list[UUID]:
        return again(lambda: self._append(streams, number, now), _overtaken("Records could not be finalised"))

    def _append(self, streams: Sequence[UUID], number: int, now: datetime) -> list[UUID]:
        label = self._policies.label_at(now)
        appending = Appending()
        with self._database.read() as c:
            heads = load_heads(c, streams)
            said = _said(c, streams, number)
        for stream in streams:
            # A second stream that was never used has nothing that could become final.
            if stream not in said and stream in heads and heads[stream].version:
                judged = Judged(self._vault.cmd(secrets.token_hex(16)), Role.SYSTEM.value, label)
                event = ErasureFinalised(occurred_at=now, epoch=number)
                appending.append(heads[stream], OpenParts(), event, judged, now)
        if appending.recorded:
            self._streams.save(*appending.recorded, rows=appending.rows)
        return [recorded.originator_id for recorded in appending.recorded]


def _person(stream: UUID) -> UUID:
    return subject_of_access(stream) if is_access_stream(stream) else stream


def _overtaken(what: str) -> Conflict:
    return Conflict(f"{what}: others were always faster.")


def _said(c: Connection, streams: Sequence[UUID], number: int) -> set[UUID]:
    """Records that were finalised before a crash took the rest."""
    head = event_header.c
    rows = c.execute(
        select(head.stream_id, head.header).where(one_of(head.stream_id, streams), head.kind == ErasureFinalised.kind)
    )
    return {row.stream_id for row in rows if read_header(row.header).data["epoch"] == number}


def _final(c: Connection, ended: int) -> list[bytes]:
    """The streams that become final, kept as what the log's record says of them: any of them can be proved later."""
    used = one_of(stream_head.c.stream_id, erasing.awaiting(c, ended)) & (stream_head.c.version > 0)
    leaves = final_leaves(bytes(sid) for sid in c.execute(select(stream_head.c.sid).where(used)).scalars())
    if leaves:
        rows = [{"epoch": ended, "number": number, "leaf": leaf} for number, leaf in enumerate(leaves)]
        c.execute(insert(final_record), rows)
    return leaves
