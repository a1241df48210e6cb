"""After a restore: what was lost is declared, and what was erased since the backup is erased again."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.domain.event import DomainEvent, Judged
from lifecycle.domain.subject.duties import instructions
from lifecycle.domain.subject.events import Effect, ErasureOrdered, IdentifierUnlinked
from lifecycle.domain.subject.state import Holding, Subject
from lifecycle.engine.sealing_off import Findings, compare
from lifecycle.ledger.envelope import read_header
from lifecycle.policy.vocabulary import Role
from lifecycle.storage import erasing, journal_seen
from lifecycle.storage.appending import Appending, load_heads
from lifecycle.storage.folding import folded
from lifecycle.storage.tables import event_header
from lifecycle.value_lists import among
from lifecycle.vault.journal_lines import JournalEntry
from lifecycle.vault.sealing import OpenParts
from lifecycle.vault.tables import chunks

if TYPE_CHECKING:
    from lifecycle.engine.engine import Engine

Place = tuple[UUID, int, str]  # stream, version, holding
GROUND = "restored-from-backup"
AT_ONCE = 500  # people in one transaction


@dataclass(frozen=True, slots=True)
class Reapplied:
    """What a restored store has caught up with."""

    leaves_lost: int
    people: int
    holdings: int
    identifiers: int
    expired: int = 0

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Again:
    """What of one person the journal says is gone and this database still has."""

    subject: Subject
    whole: bool
    holdings: tuple[Holding, ...] = ()
    identifiers: tuple[str, ...] = ()

    def events(self, now: datetime) -> Iterator[DomainEvent]:
        if self.whole or self.holdings:
            effects = tuple(
                Effect(holding=each.id, category=each.category, result="erased", because=GROUND)
                for each in self.holdings
            )
            names = tuple(each.id for each in self.holdings)
            yield ErasureOrdered(occurred_at=now, ground=GROUND, holdings=names, whole=self.whole, effects=effects)
        for identifier in () if self.whole else self.identifiers:
            yield IdentifierUnlinked(occurred_at=now, identifier=identifier)


class Restoring:
    """Works on an engine that was opened sealed off. Every step may be repeated."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def check(self) -> Findings:
        engine = self._engine
        return compare(engine.database, engine.journal, engine.log.anchor)

    def missing(self, entries: Sequence[JournalEntry]) -> Iterator[Again]:
        """The selector of `reapply`: by person, what these entries doomed and the restored database still has."""
        by_person = sorted(entries, key=lambda entry: entry.subject_id.int)
        people = [(id, list(mine)) for id, mine in groupby(by_person, key=lambda entry: entry.subject_id)]
        for start in range(0, len(people), AT_ONCE):
            yield from self._missing(dict(people[start : start + AT_ONCE]))

    def would(self) -> Reapplied:
        """What `reapply` would do."""
        found = self.check()
        return _counted(found.leaves_lost, self.missing(found.to_reapply))

    def reapply(self) -> Reapplied:
        """Declare the loss, erase again, let time catch up, and publish. Only then the store opens as ever."""
        engine, found = self._engine, self.check()
        now = engine.clock.now()
        if found.leaves_lost:
            engine.log.declare_loss(now)
        engine.erasing.notes_journal = False  # a crash in here must leave the store sealed off
        try:
            engine.resume()
            again = list(self.missing(found.to_reapply))
            for start in range(0, len(again), AT_ONCE):
                self._order(again[start : start + AT_ONCE], now)
        finally:
            engine.erasing.notes_journal = True
        with engine.database.write("eraser") as c:
            journal_seen.note(c, engine.journal.mark())
        expired = 0 if engine.is_simulated else engine.sweep().expired
        engine.publish()
        done = _counted(found.leaves_lost, again)
        return Reapplied(done.leaves_lost, done.people, done.holdings, done.identifiers, expired)

    def _missing(self, people: dict[UUID, list[JournalEntry]]) -> Iterator[Again]:
        streams = self._engine.streams
        with self._engine.database.read() as c:
            heads = load_heads(c, people)
            there = [id for id in heads if id in people]
            pending = {order.stream_id for order in erasing.pending(c)}
            with streams.prefetched(there, c, {id: heads[id].version for id in there}):
                subjects = {id: streams.repository.get(id, projector_func=folded) for id in there}
            living = [each for each in subjects.values() if each.erasure is None and each.id not in pending]
            kids = _kids_of(c, living)
        for subject in living:
            again = _again(subject, people[subject.id], kids)
            if again is not None:
                yield again

    def _order(self, people: Sequence[Again], now: datetime) -> None:
        engine = self._engine
        appending, orders = Appending(), []
        label, policy = engine.policies.label_at(now), engine.policies.in_force(now)
        with engine.database.read() as c:
            heads = load_heads(c, [each.subject.id for each in people])
        for each in people:
            head = heads[each.subject.id]
            facts = list(each.events(now))
            told = instructions(each.subject, facts, now, policy, engine.vault.new_instruction) if policy else ()
            for event in (*facts, *told):  # what recipients were told is lost too
                judged = Judged(engine.vault.cmd(secrets.token_hex(16)), Role.SYSTEM.value, label)
                recorded, head = appending.append(head, OpenParts(), event, judged, now)
                if event in facts:
                    orders.append((recorded.originator_id, recorded.originator_version))
        appending.rows.pending_erasures += [
            {"stream_id": stream, "version": version, "at": now} for stream, version in orders
        ]
        engine.streams.save(*appending.recorded, rows=appending.rows)
        engine.erasing(orders, now)


def _again(subject: Subject, entries: Iterable[JournalEntry], kids_of: Mapping[Place, set[str]]) -> Again | None:
    entries = list(entries)
    if any(entry.whole for entry in entries):
        return Again(subject, True, subject.kept())
    kids = {kid for entry in entries for kid in entry.kids}
    named = {identifier for entry in entries for identifier in entry.identifiers}
    holdings = tuple(
        each
        for each in subject.kept()
        if any(not kids.isdisjoint(kids_of[subject.id, version, each.id]) for version in each.parts)
    )
    identifiers = tuple(sorted(named.intersection(subject.identifiers)))
    return Again(subject, False, holdings, identifiers) if holdings or identifiers else None


def _kids_of(c: Connection, people: Iterable[Subject]) -> dict[Place, set[str]]:
    """The key ids of every kept holding's parts, in one query for many people."""
    places = [(subject.id, version) for subject in people for each in subject.kept() for version in each.parts]
    kids: dict[Place, set[str]] = {}
    head = event_header.c
    for some in chunks(list(dict.fromkeys(places))):
        wanted = select(head.stream_id, head.version, head.header).where(among(head.stream_id, head.version, some))
        for row in c.execute(wanted):
            for part in read_header(row.header).parts:
                kids.setdefault((row.stream_id, row.version, part.hid), set()).add(part.kid)
    return kids


def _counted(lost: int, again: Iterable[Again]) -> Reapplied:
    people = holdings = identifiers = 0
    for each in again:
        people += each.whole
        holdings += len(each.holdings)
        identifiers += 0 if each.whole else len(each.identifiers)
    return Reapplied(lost, people, holdings, identifiers)
