"""The sweep: find what is due, ask each person's record, append what it decides, and let erasures follow.

The calendar proposes, the person's state disposes: so a stale calendar can neither erase early nor twice. What a sweep
costs follows what is due, not what is stored.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from uuid import UUID

from eventsourcing.persistence import IntegrityError

from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.event import Judged
from lifecycle.domain.subject.custody import MOVING
from lifecycle.domain.subject.duties import instructions
from lifecycle.domain.subject.events import ErasureOrdered, RetentionExpired
from lifecycle.domain.subject.fold import fold
from lifecycle.domain.subject.revising import revisions_until, version_for
from lifecycle.domain.subject.settling import fall_due
from lifecycle.domain.subject.state import Subject
from lifecycle.errors import StoreUnavailable
from lifecycle.policy.calendars import Calendars
from lifecycle.policy.countries import STANDARD
from lifecycle.policy.model import Policy
from lifecycle.policy.succession import in_force
from lifecycle.policy.vocabulary import Role
from lifecycle.projections.retention_calendar import Falling, due
from lifecycle.storage.appending import Appending, load_heads
from lifecycle.storage.application import Streams
from lifecycle.storage.custody_orders import Moving
from lifecycle.storage.database import Database
from lifecycle.storage.failures import RecordDamaged, let_go
from lifecycle.storage.folding import folded
from lifecycle.storage.policies import Policies
from lifecycle.storage.portions import PEOPLE, portions
from lifecycle.storage.uncollected import uncollected
from lifecycle.vault.sealing import OpenParts, Tampered
from lifecycle.vault.vault import Vault

TRIES = 8
Order = tuple[UUID, int]
Progress = Callable[[int, int], None]
Decide = Callable[[Subject, Asked], Decision]


class CalendarStands(StoreUnavailable):
    """The calendar names what no record finds due: it is wrong, and sweeping on would never end."""

    remedy = "run `lifecycle projections rebuild`"


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did: people asked, periods that ended, erasures that were ordered, evidence that went."""

    people: int = 0
    expired: int = 0
    erased: int = 0
    expunged: int = 0  # people whose evidence was over
    records: int = 0  # open records for which something was due: trustees, incidents, transfers
    busy: int = 0  # people whom somebody else was writing about all the time: the next tick asks them

    def plus(self, other: Swept) -> Swept:
        return Swept(
            self.people + other.people,
            self.expired + other.expired,
            self.erased + other.erased,
            self.expunged + other.expunged,
            self.records + other.records,
            self.busy + other.busy,
        )


@dataclass(slots=True)
class _Failed:
    """What went wrong with single people while everybody else was swept."""

    people: set[UUID] = field(default_factory=set)
    errors: list[Exception] = field(default_factory=list)

    def tell(self) -> None:
        if self.errors:
            raise self.errors[0]


class Sweep:
    """`erase` carries out what was ordered, `move` takes into custody what is stored only and gives back what is not;
    `follow` brings the calendar up to date, and may be told whose states it will need."""

    def __init__(
        self,
        database: Database,
        streams: Streams,
        policies: Policies,
        vault: Vault,
        erase: Callable[[Sequence[Order], datetime], None],
        move: Callable[[Sequence[Moving], datetime], None],
        follow: Callable[[], None],
        about_to_change: Callable[[Collection[Subject]], object],
        calendars: Calendars = STANDARD,
    ) -> None:
        self._database = database
        self._streams = streams
        self._policies = policies
        self._vault = vault
        self._erase = erase
        self._move = move
        self._follow = follow
        self._about_to_change = about_to_change
        self._calendars = calendars

    def due(self, now: datetime, limit: int = PEOPLE, after: Falling | None = None) -> list[Falling]:
        """What a sweep at `now` would act on: the selector of the real run."""
        self._follow()
        with self._database.read() as c:
            return list(due(c, now, limit, after, self._calendars))

    def __call__(self, now: datetime, progress: Progress | None = None) -> Swept:
        """Carry out everything that is due by `now`. Called again, or by two at once, it does nothing twice.

        Errors: what kept somebody's record from being read or somebody's erasure from being completed, after everybody
        else was swept. What is due for them stays in the calendar, and the next tick tries again.
        """
        swept = Swept()
        before: set[UUID] = set()
        failed = _Failed()
        after: Falling | None = None  # behind those of whom nothing can be done
        while falling := self.due(now, PEOPLE, after):
            people = [id for id in dict.fromkeys(each.subject_id for each in falling) if id not in failed.people]
            one = self._ask(people, now, failed) if people else Swept()
            if one.busy:
                return swept.plus(one)
            if one.people == 0:
                if people and set(people) == before - failed.people:
                    raise CalendarStands("The retention calendar names people for whom nothing is due.")
                after = falling[-1] if failed.people else None
            before = set(people)
            swept = swept.plus(one)
            if progress is not None:
                progress(swept.people, swept.people + len(people))
        failed.tell()
        return swept

    def together(self, people: Sequence[UUID], now: datetime, decide: Decide) -> Swept:
        """What is decided of these people without their asking, and the erasures that follow, in one go."""
        failed = _Failed()
        swept = self._ask(people, now, failed, decide)
        failed.tell()
        return swept

    def _ask(self, people: Sequence[UUID], now: datetime, failed: _Failed, decide: Decide | None = None) -> Swept:
        with self._database.read() as c:
            some = portions(c, people, lambda person: person)
        return reduce(Swept.plus, (self._ask_together(each, now, failed, decide) for each in some), Swept())

    def _ask_together(self, people: Sequence[UUID], now: datetime, failed: _Failed, decide: Decide | None) -> Swept:
        """Whoever writes about one of them meanwhile is in the way of all: so each half is then tried by itself."""
        for _ in range(TRIES if len(people) == 1 else 1):
            try:
                with uncollected():
                    return self._try(people, now, failed, decide)
            except IntegrityError as error:
                let_go(error)
        if len(people) == 1:
            return Swept(busy=1)
        half = len(people) // 2
        first = self._ask_together(people[:half], now, failed, decide)
        return first.plus(self._ask_together(people[half:], now, failed, decide))

    def _try(self, people: Sequence[UUID], now: datetime, failed: _Failed, decide: Decide | None) -> Swept:
        published = self._policies.all()
        if in_force(published, now) is None:
            return Swept()
        decisions, appending, states = self._decide(people, now, published, decide, failed)
        orders: list[Order] = []
        if not appending.recorded:
            return Swept()
        for recorded in appending.recorded:
            if isinstance(recorded.event, ErasureOrdered):
                orders.append((recorded.originator_id, recorded.originator_version))
                appending.rows.pending_erasures.append(
                    {"stream_id": recorded.originator_id, "version": recorded.originator_version, "at": now}
                )
        self._streams.save(*appending.recorded, rows=appending.rows)
        self._streams.remember(states)  # erasing and following go on from them
        self._move([Moving(row["stream_id"], row["version"]) for row in appending.rows.pending_custody], now)
        try:
            self._erase(orders, now)
        except (StoreUnavailable, Tampered) as error:
            failed.errors.append(error)  # the others' keys are destroyed; this order stands, and is resumed
        expired = sum(isinstance(recorded.event, RetentionExpired) for recorded in appending.recorded)
        return Swept(sum(bool(decision.events) for decision in decisions), expired, len(orders))

    def _decide(
        self,
        people: Sequence[UUID],
        now: datetime,
        published: Sequence[Policy],
        decide: Decide | None = None,
        failed: _Failed | None = None,
    ) -> tuple[list[Decision], Appending, list[Subject]]:
        """Each person by the version that is in force for them; and as what is decided leaves them."""
        appending = Appending()
        states: list[Subject] = []
        decisions: list[Decision] = []
        before: list[Subject] = []
        with self._database.read() as c:
            heads = load_heads(c, people)
            known = [person for person in people if person in heads]
            with self._streams.prefetched(known, c, {person: heads[person].version for person in known}):
                for person in known:
                    try:
                        subject = self._streams.repository.get(person, projector_func=folded)
                    except RecordDamaged as error:
                        if failed is None:
                            raise
                        failed.people.add(person)
                        failed.errors.append(error)
                        continue
                    before.append(subject)
                    policy = version_for(subject, published, now)
                    if policy is None:
                        continue
                    revisions, then = revisions_until(subject, published, now), subject.now(now)
                    if decide is None:
                        decision = fall_due(subject, then, policy, self._calendars, revisions)
                        told = instructions(subject, decision.events, then, policy, self._vault.new_instruction)
                        decision = decision.followed_by(told)
                    else:
                        decision = decide(subject, Asked(then, then, policy, calendars=self._calendars))
                    decisions.append(decision)
                    # Nobody asked: each decision has a number of its own, as a command would.
                    judged = Judged(self._vault.cmd(secrets.token_hex(16)), Role.SYSTEM.value, policy.judged_by)
                    for event in decision.events:
                        noted, heads[person] = appending.append(heads[person], OpenParts(), event, judged, now)
                        subject = fold(subject, event, noted.recorded_at)
                    states.append(subject)
                    if any(type(event) in MOVING for event in decision.events):
                        appending.rows.pending_custody.append(
                            {"stream_id": person, "version": heads[person].version, "at": now}
                        )
        self._about_to_change(before)
        return decisions, appending, states
