"""When an erasure was ordered: journal, fence, destroy, and say that it is completed (ledger.md 5.3, settled rule 6).

Every step is idempotent and leaves a state from which `resume` goes on. Orders of many people are carried out together:
one journal write, one transaction a step.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.domain.event import Judged, Recorded
from lifecycle.domain.streams import access_stream_of
from lifecycle.domain.subject.events import ErasureCompleted
from lifecycle.domain.subject.fold import fold
from lifecycle.domain.subject.state import Subject
from lifecycle.errors import StoreUnavailable
from lifecycle.policy.vocabulary import Role
from lifecycle.processes.doomed import Doomed, Order, both_streams, called_completed, doomed_by, order_of
from lifecycle.processes.obstructions import Obstructed, Obstructions
from lifecycle.processes.sinks import ErasureSink, ask
from lifecycle.processes.trying import again
from lifecycle.storage import erasing, journal_seen
from lifecycle.storage.appending import Appending, Head, load_heads
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.erasing import Ordered
from lifecycle.storage.failures import RecordDamaged
from lifecycle.storage.idempotency import KEPT
from lifecycle.storage.policies import Policies
from lifecycle.storage.portions import portions
from lifecycle.storage.tables import event_body
from lifecycle.value_lists import one_of
from lifecycle.vault.erasure import (
    Destroyed,
    destroy_holdings_of,
    destroy_identifiers,
    destroy_subjects,
    fence_subjects,
    keys_left,
)
from lifecycle.vault.installation import EpochChanged, lock_epochs
from lifecycle.vault.journal import ErasureJournal
from lifecycle.vault.journal_lines import JournalEntry
from lifecycle.vault.loading import open_epochs
from lifecycle.vault.sealing import OpenParts, Tampered
from lifecycle.vault.spent import Spending, names_of, spend_commands
from lifecycle.vault.vault import Vault

STORES = ("event-bodies", "vault")
OF_ONE_PERSON = (RecordDamaged, Tampered)
"""What is wrong with one record and keeps no other from being carried out."""


class NotDestroyed(AssertionError):
    """After destroying, something was still there: nothing may be called completed."""


class ErasureUnfinished(StoreUnavailable):
    """The order stands and is gone on with by whoever comes next; nothing is called completed."""

    remedy = "try again, or start again: what was ordered is carried out first"


class EraseWhatWasOrdered:
    """Carries out orders. Called after the append that ordered, at every start, and by the worker."""

    def __init__(
        self,
        database: Database,
        streams: Streams,
        vault: Vault,
        journal: ErasureJournal,
        policies: Policies,
        sinks: Sequence[ErasureSink] = (),
    ) -> None:
        self._database = database
        self._streams = streams
        self._vault = vault
        self._journal = journal
        self._policies = policies
        self._sinks = tuple(sinks)
        self._obstructions = Obstructions(database, streams, vault, policies)
        self.notes_journal = True  # not while a restored store still has to catch up with its journal

    def __call__(self, orders: Sequence[Order], now: datetime) -> None:
        """Errors: what kept an order from being completed, after all others were carried out."""
        failed: list[Exception] = []
        with self._database.read() as c:
            together = portions(c, orders, lambda order: order[0])
        for some in together:
            failed += self._each(some, now)
        if failed:
            raise failed[0]

    def _each(self, orders: Sequence[Order], now: datetime) -> list[Exception]:
        """Together; where one record is damaged, the others without it. Returns why some were not completed."""
        try:
            self._carry_out(orders, now)
        except ErasureUnfinished as error:
            return [error]
        except OF_ONE_PERSON as error:
            if len(orders) == 1:
                return [error]
            half = len(orders) // 2
            return [*self._each(orders[:half], now), *self._each(orders[half:], now)]
        return []

    def resume(self, now: datetime) -> int:
        """Go on with whatever a crash interrupted."""
        with self._database.read() as c:
            orders = list(dict.fromkeys(order_of(ordered) for ordered in erasing.pending(c)))
        self._journal.recall(orders)
        self(orders, now)
        return len(orders)

    def _carry_out(self, orders: Sequence[Order], now: datetime) -> None:
        with self._database.read() as c:
            doomed = doomed_by(c, self._streams, orders)
        if not doomed:
            return
        self.write_journal(doomed, now)
        self.fence([each.subject.id for each in doomed if each.whole], now)
        epochs = self.destroy(doomed, now)
        self._forget_deleted()
        self.verify(doomed)
        answered, obstructed, missing = self.ask_sinks(doomed)
        if answered:
            self.complete(answered, epochs, now)
        if obstructed:
            again(lambda: self._obstructions.say(obstructed, now), _unfinished())
        if missing:
            raise ErasureUnfinished(f"These have not erased: {', '.join(missing)}.")

    # -- the steps ---------------------------------------------------------------------------------------------------

    def write_journal(self, doomed: Sequence[Doomed], now: datetime) -> None:
        """Before anything is destroyed: what a restored database will have to erase again."""
        self._journal.append(
            *(
                JournalEntry(
                    *each.order,
                    now,
                    whole=each.whole,
                    kids=() if each.whole else each.kids,
                    identifiers=() if each.identifier is None else (each.identifier,),
                )
                for each in doomed
            )
        )

    def fence(self, people: Sequence[UUID], now: datetime) -> None:
        """From here on nobody gets these people's keys, and their streams take nothing that is sealed."""
        if not people:
            return
        again(lambda: self._fence(sorted(people), now), _unfinished())

    def _fence(self, people: Sequence[UUID], now: datetime) -> None:
        with self._database.write("eraser") as c:
            generations = fence_subjects(c, people, now)
            erasing.fence_all(c, _by_stream(generations))

    def destroy(self, doomed: Sequence[Doomed], now: datetime) -> dict[Order, int]:
        """Keys, bodies, look-ups and command ids, in one transaction. Returns the epoch whose end makes it final."""
        return again(lambda: self._destroy(doomed, now), _unfinished())

    def _destroy(self, doomed: Sequence[Doomed], now: datetime) -> dict[Order, int]:
        epochs: dict[Order, int] = {}
        with self._database.write("eraser") as c:
            if self.notes_journal:
                journal_seen.note(c, self._journal.mark())
            current = open_epochs(c)[0]
            in_order = sorted(doomed, key=lambda one: one.order)
            for each in in_order:
                if each.identifier is not None:
                    epochs[each.order] = destroy_identifiers(c, each.subject.id, [each.identifier]).epoch or current
            parts = [each for each in in_order if not each.whole and each.identifier is None]
            epochs |= _epochs(parts, self._destroy_parts(c, parts), current)
            whole = [each for each in in_order if each.whole]
            epochs |= _epochs(whole, self._destroy_whole(c, whole, now), current)
        return epochs

    def _destroy_whole(self, c: Connection, doomed: Sequence[Doomed], now: datetime) -> Mapping[UUID, Destroyed]:
        if not doomed:
            return {}
        people = dict.fromkeys(each.subject.id for each in doomed)
        streams = [stream for person in people for stream in both_streams(person)]
        erasing.extend(c, (Ordered(access_stream_of(each.subject.id), each.order[1], each.at) for each in doomed))
        names = names_of(c, self._vault.installation(c), people)
        answered = erasing.forget_commands(c, streams)
        spend_commands(
            c,
            (
                Spending(cmd, max(now, at) + KEPT, names[person])
                for person in people
                for cmd, at in answered.get(person, {}).items()
            ),
        )
        erasing.delete_all_bodies(c, streams)
        return destroy_subjects(c, list(people))

    def _destroy_parts(self, c: Connection, doomed: Sequence[Doomed]) -> Mapping[UUID, Destroyed]:
        if not doomed:
            return {}
        kids: dict[UUID, set[str]] = {}
        for each in doomed:
            kids.setdefault(each.subject.id, set()).update(each.kids)
        erasing.lock_heads(c, [stream for person in kids for stream in both_streams(person)])
        destroyed = destroy_holdings_of(c, self._vault, kids)
        erasing.delete_bodies_of(
            c, ((each.subject.id, version, index) for each in doomed for version, index, _ in each.parts)
        )
        renewed = {person: done.generation for person, done in destroyed.items() if done.generation is not None}
        erasing.regenerate_all(c, _by_stream(renewed))
        return destroyed

    def _forget_deleted(self) -> None:
        """A reader who stands in the way fails this erasure, and not the commands that were committed with it."""
        try:
            self._database.truncate_wal()
        except StoreUnavailable as error:
            raise ErasureUnfinished(error.message) from None

    def verify(self, doomed: Sequence[Doomed]) -> None:
        """Look again before anything is called completed."""
        whole = [each.subject.id for each in doomed if each.whole]
        streams = [stream for person in whole for stream in both_streams(person)]
        kids = {(each.subject.id, kid) for each in doomed if not each.whole for kid in each.kids}
        with self._database.read() as c:
            left = keys_left(c, whole, kids)
            bodies = select(event_body.c.version).where(one_of(event_body.c.stream_id, streams)).limit(1)
            if left or c.execute(bodies).first():
                raise NotDestroyed("Keys or bodies are left after an erasure.")

    def ask_sinks(self, doomed: Sequence[Doomed]) -> tuple[list[Doomed], list[Obstructed], list[str]]:
        """Other systems' copies. Returns the orders that every one of them has done, those of which some say that they
        cannot be done now, and who has failed to do some."""
        answered: list[Doomed] = []
        obstructed: list[Obstructed] = []
        missing: set[str] = set()
        for each in doomed:
            said = ask(self._sinks if each.identifier is None else (), each.for_sinks)
            missing |= set(said.missing)
            if said.obstructed:
                obstructed.append((each, said.obstructed))
            elif not said.missing:
                answered.append(replace(each, receipts=said.receipts))
        return answered, obstructed, sorted(missing)

    def complete(self, doomed: Sequence[Doomed], epochs: dict[Order, int], now: datetime) -> None:
        """Say so on each record, remember which epoch's end makes it final, and only then forget the order."""
        again(lambda: self._append_completed(doomed, epochs, now), _unfinished())
        with self._database.write("eraser") as c:
            erasing.forget_orders(c, ((stream, each.order[1]) for each in doomed for stream in each.streams))

    def _append_completed(self, doomed: Sequence[Doomed], epochs: dict[Order, int], now: datetime) -> None:
        """In a transaction during which no epoch ends: whoever ends one counts what was completed in it."""
        with self._database.read() as c:
            oldest = open_epochs(c)[-1]
            heads = load_heads(c, [each.order[0] for each in doomed])
            said = called_completed(c, [each.order[0] for each in doomed])
            left = [each for each in doomed if each.order not in said]
            # An epoch that ended since the keys were destroyed can make nothing final any more.
            final = {each.order: max(epochs[each.order], oldest) for each in left}
            pairs = dict.fromkeys((final[each.order], stream) for each in left for stream in each.streams)
            awaited = erasing.awaited(c, pairs)
            label = self._policies.label_at(now, c)
        appending = Appending()
        appending.rows.epoch_erasures += [{"epoch": e, "stream_id": s} for e, s in pairs if (e, s) not in awaited]
        states: list[Subject] = []
        for each in left:
            if each.identifier is None:
                completed = self._append(appending, heads, each, final[each.order], label, now)
                if completed.originator_version == each.subject.version + 1:
                    states.append(fold(each.subject, completed.event, completed.recorded_at))
        with self._database.write("writer") as c:
            lock_epochs(c, shared=True)
            if open_epochs(c)[-1] != oldest:
                raise EpochChanged("An epoch ended before an erasure in it was called completed.")
            self._streams.save(*appending.recorded, rows=appending.rows, connection=c)
        self._streams.remember(states)

    def _append(
        self, appending: Appending, heads: dict[UUID, Head], doomed: Doomed, epoch: int, label: str, now: datetime
    ) -> Recorded:
        stream, version = doomed.order
        event = ErasureCompleted(
            occurred_at=now,
            order=version,
            whole=doomed.whole,
            epoch=epoch,
            keys=doomed.destroyed,
            stores=(*STORES, *doomed.receipts),
            receipts=dict(doomed.receipts) or None,
        )
        judged = Judged(self._vault.cmd(secrets.token_hex(16)), Role.SYSTEM.value, label)
        recorded, heads[stream] = appending.append(heads[stream], OpenParts(), event, judged, now)
        return recorded


def _by_stream(generations: Mapping[UUID, int]) -> dict[UUID, int]:
    """A person's generation stands in both heads."""
    return {stream: generation for person, generation in generations.items() for stream in both_streams(person)}


def _epochs(doomed: Sequence[Doomed], destroyed: Mapping[UUID, Destroyed], current: int) -> dict[Order, int]:
    """By order the epoch whose end makes it final; of what was gone already, the present one."""
    return {each.order: destroyed[each.subject.id].epoch or current for each in doomed}


def _unfinished() -> ErasureUnfinished:
    return ErasureUnfinished("Others were always faster than the erasure.")
