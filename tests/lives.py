"""People who live under the example policy: facts come from the domain's own decisions and are really sealed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from uuid import UUID

from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from lifecycle.audit.views import Views
from lifecycle.clock import Clock
from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.event import DomainEvent, Judged
from lifecycle.domain.policy_events import PolicyPublished
from lifecycle.domain.streams import access_stream_of, policy_stream
from lifecycle.domain.subject import (
    answering,
    collecting,
    consent,
    correcting,
    ending,
    identity,
    requesting,
    restricting,
    settling,
    sharing,
)
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.fold import replay
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.wording import open_record
from lifecycle.domain.trustee.trustee import Agreement, Trustee
from lifecycle.errors import Refused
from lifecycle.ledger.envelope import read_header
from lifecycle.ledger.sequencer import sequence, write_genesis
from lifecycle.policy.examples import example_policy_text
from lifecycle.policy.loading import parse_policy
from lifecycle.policy.model import Policy
from lifecycle.policy.vocabulary import EndReason, ErasureGround, IdentifierType, LegalBasis, RequestKind
from lifecycle.projections.projection import Projection
from lifecycle.projections.registry import PROJECTIONS
from lifecycle.storage import erasing
from lifecycle.storage.appending import Appending, Head, Sealer, load_heads
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.following import Follower
from lifecycle.storage.packing import unpacked
from lifecycle.storage.policies import Policies
from lifecycle.vault.epochs import EpochKeys
from lifecycle.vault.erasure import destroy_holdings, destroy_subject, fence_subject, kids_of
from lifecycle.vault.sealing import OpenParts
from lifecycle.vault.vault import Vault

SUMMER = datetime(2025, 6, 2, 9, tzinfo=UTC)
POLICY = parse_policy(example_policy_text())
VALUES = {
    "name": "Ann",
    "company": "Acme",
    "phone": "+6591234567",
    "email": "ann@example.com",
    "login-account": "ann@example.com",
    "ip-address": "192.0.2.7",
}
ALL_OF_A_TRIAL = frozenset(POLICY.purposes["free-trial"].categories)
UDESK = Trustee(
    "udesk",
    version=2,
    engaged=True,
    agreements=(
        Agreement(
            "a1",
            "free-trial",
            date(2024, 1, 1),
            date(2099, 1, 1),
            "api",
            ALL_OF_A_TRIAL,
            datetime(2024, 1, 1, tzinfo=UTC),
        ),
    ),
)

Decide = Callable[[Subject, Asked], Decision]


@dataclass
class Standing(Clock):
    """A clock that tests set."""

    at: datetime = SUMMER

    def now(self) -> datetime:
        return self.at


@dataclass(repr=False)
class Town:
    """A store with a policy in force, and the people who live in it; one process's view."""

    database: Database
    folder: Path
    clock: Standing = field(default_factory=Standing)
    policy: Policy = POLICY
    people: dict[UUID, Subject] = field(default_factory=dict)
    _heads: dict[UUID, Head] = field(default_factory=dict)
    _numbers: Iterable[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.streams = Streams(self.database)
        self.vault = Vault(EpochKeys(self.folder))
        self.policies = Policies(self.database)

    def founded(self) -> Town:
        with self.database.write("eraser") as c:
            self.vault.initialise(c, self.clock.now())
        with self.database.write("sequencer") as c:
            write_genesis(c, {"log": "test"})
        self.publish(example_policy_text())
        return self

    def publish(self, text: str) -> None:
        self.policy = parse_policy(text)
        published = PolicyPublished(
            occurred_at=self.clock.now(),
            policy=self.policy.id,
            version=self.policy.version,
            effective=self.policy.effective,
            fingerprint=self.policy.fingerprint,
            text=text,
        )
        self.append(policy_stream(), OpenParts(), [published])

    # -- people -------------------------------------------------------------------------------------------------

    def register(self) -> UUID:
        with self.database.read() as c:
            keys, rows = self.vault.installation(c).new_subject(uuid7())
        access_sid = os.urandom(32)
        registered = e.SubjectRegistered(occurred_at=self.clock.now(), access_sid=access_sid.hex())
        linked = e.IdentifierLinked(occurred_at=self.clock.now(), identifier="i1", type=IdentifierType.EMAIL)
        appending = Appending()
        appending.rows.subject_keys.append(rows.subject_key)
        appending.rows.data_keys.append(rows.data_key)
        access = access_stream_of(keys.subject_id)
        self._heads[access] = Head.new(access, access_sid)
        self._heads[keys.subject_id] = Head.new(keys.subject_id, keys.sid)
        self.append(keys.subject_id, keys, [registered, linked], appending)
        return keys.subject_id

    def append(
        self, stream_id: UUID, sealer: Sealer, facts: Iterable[DomainEvent], appending: Appending | None = None
    ) -> None:
        appending = appending or Appending()
        head = self._heads.get(stream_id) or Head.new(stream_id, os.urandom(32))
        judged = Judged(os.urandom(32).hex(), "service", self.policy.judged_by, actor="web-7")
        for fact in facts:
            recorded, head = appending.append(head, sealer, fact, judged, self.clock.now())
            if isinstance(fact, e.ErasureOrdered):
                order = {"stream_id": stream_id, "version": recorded.originator_version, "at": recorded.recorded_at}
                appending.rows.pending_erasures.append(order)
        self.streams.save(*appending.recorded, rows=appending.rows)
        self._heads[stream_id] = appending.rows.moves[stream_id][1]
        if stream_id.version == 7:
            self.people[stream_id] = replay(self.people.get(stream_id), appending.recorded)

    def note(self, subject_id: UUID, fact: DomainEvent) -> None:
        """On the person's access stream."""
        with self.database.read() as c:
            keys = self.vault.keys_of(c, [subject_id])[subject_id]
        self.append(access_stream_of(subject_id), keys, [fact])

    def act(self, subject_id: UUID, decide: Decide, at: datetime | None = None) -> list[str]:
        """What was decided, by kind; nothing if it was refused. Erasures that follow are carried out at once."""
        now = self.clock.now()
        try:
            decision = decide(self.people[subject_id], Asked(at or now, now, self.policy))
        except Refused:
            return []
        if decision.events:
            with self.database.read() as c:
                sealer = self.vault.keys_of(c, [subject_id]).get(subject_id) or OpenParts()
            self.append(subject_id, sealer, decision.events)
            self._carry_out(subject_id)
        return [event.kind for event in decision.events]

    def pass_time(self, time: timedelta, people: Iterable[UUID] | None = None) -> None:
        """Days go by, and the sweep comes."""
        self.clock.at += time
        for subject_id in self.people if people is None else people:
            self.act(subject_id, lambda subject, asked: settling.fall_due(subject, asked.now, asked.policy))

    def _carry_out(self, subject_id: UUID) -> None:
        """The saga of an erasure, as short as can be: keys, bodies, completion."""
        with self.database.read() as c:
            orders = [order for order in erasing.pending(c) if order.stream_id == subject_id]
        for order in orders:
            whole = self.people[subject_id].erasure is not None
            with self.database.write("eraser") as c:
                generation = self._destroy(c, subject_id, whole)
                erasing.complete(c, [subject_id], order.version, None)
            with self.database.read() as c:
                self._heads[subject_id] = load_heads(c, [subject_id])[subject_id]
            completed = e.ErasureCompleted(
                occurred_at=self.clock.now(), order=order.version, whole=whole, epoch=1, keys=(), stores=("database",)
            )
            assert generation is None or self._heads[subject_id].generation == generation
            self._append_mute(subject_id, completed)

    def _destroy(self, c, subject_id: UUID, whole: bool) -> int | None:
        subject = self.people[subject_id]
        if whole:
            generation = fence_subject(c, subject_id, self.clock.now())
            destroy_subject(c, subject_id)
            erasing.delete_all_bodies(c, [subject_id])
            erasing.fence(c, [subject_id], generation)
            return generation
        gone = {holding.id: holding for holding in subject.holdings.values() if holding.erased_at is not None}
        kids = kids_of(c, subject_id, gone)
        done = destroy_holdings(c, self.vault, subject_id, [kid for some in kids.values() for kid in some])
        erasing.delete_bodies(c, subject_id, self._parts(c, subject_id, gone.values()))
        if done.generation is not None:
            erasing.regenerate(c, [subject_id], done.generation)
        return done.generation

    def _parts(self, c, subject_id: UUID, gone) -> list[tuple[int, int]]:
        wanted = {(version, holding.id) for holding in gone for version in holding.parts}
        stored = self.streams.recorder.select_events(subject_id)
        headers = {event.originator_version: read_header(unpacked(event.state)) for event in stored}
        return [
            (version, index)
            for version, hid in wanted
            for index, part in enumerate(headers[version].parts)
            if part.hid == hid
        ]

    def _append_mute(self, subject_id: UUID, fact: DomainEvent) -> None:
        appending = Appending()
        judged = Judged(os.urandom(32).hex(), "system", self.policy.judged_by)
        appending.append(self._heads[subject_id], OpenParts(), fact, judged, self.clock.now())
        self.streams.save(*appending.recorded, rows=appending.rows)
        self._heads[subject_id] = appending.rows.moves[subject_id][1]
        self.people[subject_id] = replay(self.people[subject_id], appending.recorded)

    # -- reading ------------------------------------------------------------------------------------------------

    def sequence(self) -> None:
        with self.database.write("sequencer") as c:
            while sequence(c):
                pass

    def views(self, *, with_keys: bool = True) -> Views:
        """As another process would read: it remembers nobody."""
        vault = Vault(EpochKeys(self.folder)) if with_keys else None
        return Views(self.database, vault, self.policies, self.clock, self.follower())

    def follower(self, projections: tuple[Projection, ...] = PROJECTIONS, batch: int = 1_000) -> Follower:
        return Follower(self.database, Streams(self.database), Policies(self.database), projections, batch)


# -- what may happen to a person -------------------------------------------------------------------------------------


def consents(*purposes: str) -> Decide:
    return lambda subject, asked: consent.give_consent(
        subject, asked, purposes=purposes, notice="1.0", channel="web-form", separate=False, guardian=None
    )


def refuses(*purposes: str) -> Decide:
    return lambda subject, asked: consent.refuse_consent(
        subject, asked, purposes=purposes, notice="1.0", channel="web-form"
    )


def withdraws(*purposes: str) -> Decide:
    return lambda subject, asked: consent.withdraw_consent(subject, asked, purposes=purposes, channel="web-form")


def gives(purpose: str, *categories: str, basis: LegalBasis = LegalBasis.CONSENT, fresh: bool = False) -> Decide:
    """Equal values are recognised, as a command would; with `fresh` they are other values."""

    def decide(subject: Subject, asked: Asked) -> Decision:
        items = []
        for category in categories:
            held = subject.of_category(category)
            new = f"h{len(subject.holdings) + len(items) + 1}"
            items.append(collecting.Item(category, VALUES[category], new, held[0].id if held and not fresh else None))
        return collecting.collect(
            subject, asked, purpose=purpose, basis=basis, items=items, source="web-form", evidence="contract 7"
        )

    return decide


def is_active(purpose: str) -> Decide:
    return lambda subject, asked: collecting.record_activity(subject, asked, purpose=purpose)


def is_over(purpose: str, reason: EndReason = EndReason.FULFILLED) -> Decide:
    return lambda subject, asked: ending.end_purpose(subject, asked, purpose=purpose, reason=reason)


def corrects(category: str, value: str = "Anne") -> Decide:
    def decide(subject: Subject, asked: Asked) -> Decision:
        changes = [correcting.Change(correcting.holding_to_change(subject, category).id, value)]
        return correcting.change(subject, asked, changes=changes, supplement=False, reason="wrong", evidence=None)

    return decide


def is_shared(*categories: str) -> Decide:
    return lambda subject, asked: sharing.share(
        subject, asked, trustee=UDESK, purpose="free-trial", categories=categories, holdings=(), method="api"
    )


def is_held(hold: str = "k1", *categories: str) -> Decide:
    return lambda subject, asked: restricting.place_hold(
        subject, asked, hold=hold, name="case", reason="court", authority="court", categories=categories
    )


def is_released(hold: str = "k1") -> Decide:
    return lambda subject, asked: restricting.release_hold(subject, asked, hold=hold, reason="over", authority="court")


def is_restricted(*categories: str, until: datetime | None = None, law: str | None = None) -> Decide:
    return lambda subject, asked: restricting.restrict(
        subject, asked, categories=categories, holdings=(), reason="disputed", until=until, law=law
    )


def is_lifted(*categories: str) -> Decide:
    return lambda subject, asked: restricting.lift_restriction(
        subject, asked, categories=categories, holdings=(), reason="settled"
    )


def asks_erasure(ground: ErasureGround = ErasureGround.UNLAWFUL_PROCESSING, *categories: str) -> Decide:
    return lambda subject, asked: ending.erase(subject, asked, ground=ground, categories=categories, purposes=())


def is_noticed() -> Decide:
    return lambda subject, asked: identity.give_notice(subject, asked, notice="1.0", channel="email")


def asks(id: str, kind: str, *, proven: bool = False) -> Decide:
    """About somebody erased only the engine knows how to record it."""

    def decide(subject: Subject, asked: Asked) -> Decision:
        open_record(subject)
        return requesting.receive(
            subject,
            asked,
            request=id,
            asks=RequestKind(kind),
            channel="phone",
            requester=requesting.Requester(proven),
            words={"text": "where is my data?"},
        )

    return decide


def is_answered(id: str) -> Decide:
    def decide(subject: Subject, asked: Asked) -> Decision:
        open_record(subject)
        return answering.refuse_request(subject, asked, request=id, reason="unfounded")

    return decide


# -- random lives ----------------------------------------------------------------------------------------------------

_PURPOSES = st.sampled_from(["free-trial", "quotation", "customer-service", "recommended-customers"])
_CATEGORIES = st.sampled_from(["name", "company", "phone", "email"])
_ACTS = st.one_of(
    st.builds(consents, _PURPOSES),
    st.builds(refuses, _PURPOSES),
    st.builds(withdraws, _PURPOSES),
    st.builds(gives, _PURPOSES, _CATEGORIES, fresh=st.booleans()),
    st.builds(gives, _PURPOSES, _CATEGORIES, basis=st.just(LegalBasis.CONTRACT)),
    st.just(gives("account-login", "login-account", basis=LegalBasis.CONTRACT)),
    st.just(is_over("account-login", EndReason.CONTRACT_ENDED)),
    st.builds(is_active, _PURPOSES),
    st.builds(is_over, _PURPOSES, st.sampled_from(EndReason)),
    st.builds(corrects, _CATEGORIES),
    st.builds(is_shared, _CATEGORIES),
    st.builds(is_held, st.sampled_from(["k1", "k2"]), _CATEGORIES),
    st.just(is_held("k3")),
    st.builds(is_released, st.sampled_from(["k1", "k2", "k3"])),
    st.builds(is_restricted, _CATEGORIES, law=st.sampled_from([None, "law"])),
    st.builds(is_restricted, _CATEGORIES, until=st.just(SUMMER + timedelta(days=800))),
    st.builds(is_lifted, _CATEGORIES),
    st.builds(asks_erasure, st.sampled_from(ErasureGround), _CATEGORIES),
    st.just(asks_erasure()),
    st.just(is_noticed()),
    st.builds(asks, st.sampled_from(["q1", "q2", "q3"]), st.sampled_from(["access", "enquiry"]), proven=st.booleans()),
    st.builds(is_answered, st.sampled_from(["q1", "q2"])),
)


@dataclass(frozen=True)
class Step:
    """After `days`, person `who` does something, perhaps reported late."""

    who: int
    act: Decide = field(repr=False)
    days: int
    late_hours: int


steps = st.lists(
    st.builds(
        Step,
        who=st.integers(0, 1),
        act=_ACTS,
        days=st.sampled_from([0, 0, 0, 1, 40, 200, 700]),
        late_hours=st.sampled_from([0, 0, 5, 60]),
    ),
    min_size=3,
    max_size=14,
)


def live(town: Town, lived: Iterable[Step], people: list[UUID] | None = None) -> list[UUID]:
    """Let two people live these steps; new ones begin with something, so that there is something to end."""
    if people is None:
        people = [town.register(), town.register()]
        for subject_id in people:
            town.act(subject_id, consents("free-trial", "quotation"))
            town.act(subject_id, gives("free-trial", "name", "email", "phone"))
    for step in lived:
        if step.days:
            town.pass_time(timedelta(days=step.days), people)
        town.act(people[step.who], step.act, town.clock.now() - timedelta(hours=step.late_hours))
    return people


def with_identifiers_kept(days: int, effective: date = date(2025, 1, 1)) -> str:
    """The example policy as a later version that keeps identifiers for so many days."""
    later = example_policy_text().replace('version = "1.0"', 'version = "1.1"', 1)
    later = later.replace("effective = 2024-07-15", f"effective = {effective.isoformat()}")
    return later.replace("kept_days_after_last_event = 30", f"kept_days_after_last_event = {days}")


def follow_and_die(url: str, batch: int) -> None:
    """In a process of its own: follow, and be killed in the transaction of that batch, after it has written."""
    from projections.tables import Tally  # noqa: PLC0415 -- tests import this module first

    class Dying(Tally):
        left = batch

        def apply(self, c, changes, policies) -> None:
            super().apply(c, changes, policies)
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    database = Database(url)
    Follower(database, Streams(database), Policies(database), (Dying(),), batch=5).catch_up()
