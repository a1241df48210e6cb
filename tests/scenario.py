"""Given a person's past, when something is asked, then these facts follow, or nothing, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

from examples import ANN_ID, MARCH_1, MARCH_5, MARCH_9, POLICY
from lifecycle.commands.context import Found
from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.event import DomainEvent, Personal
from lifecycle.domain.open_records import NOUNS, Named, OpenRecord
from lifecycle.domain.subject import (
    collecting,
    consent,
    correcting,
    ending,
    identity,
    providing,
    restricting,
    settling,
    sharing,
)
from lifecycle.domain.subject.events import Effect, SubjectRegistered
from lifecycle.domain.subject.fold import fold
from lifecycle.domain.subject.state import Holding, Subject
from lifecycle.domain.trustee.trustee import Trustee
from lifecycle.errors import Refused
from lifecycle.policy.model import Policy
from lifecycle.policy.vocabulary import EndReason, ErasureGround, IdentifierType, LegalBasis, RecipientKind


@dataclass(frozen=True)
class Life:
    """One person's record so far, with the values that the vault would hold."""

    subject: Subject = field(default_factory=lambda: Subject(ANN_ID))
    history: tuple[tuple[DomainEvent, datetime], ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)

    def after(self, decision: Decision, now: datetime) -> Life:
        subject, values = self.subject, dict(self.values)
        for event in decision.events:
            subject = fold(subject, event, now)
            values |= {id: value for id, value in event.values.items() if isinstance(value, str)}
        said = tuple((event, now) for event in decision.events)
        return Life(subject, (*self.history, *said), values)

    def live_equal(self, category: str, value: str, now: datetime) -> str | None:
        found = (h.id for h in self.subject.of_category(category) if self.subject.live_grounds(h, now))
        return next((id for id in found if self.values[id] == value), None)

    def new_id(self, category: str) -> str:
        return f"{category}-{sum(h.category == category for h in self.subject.holdings.values()) + 1}"


@dataclass(frozen=True)
class Act:
    """Something asked at one time and recorded at another, by default at once."""

    decide: Callable[[Life, Asked], Decision]
    at: datetime
    now: datetime | None = None
    age: int | None = None
    policy: Policy | None = None

    @property
    def recorded(self) -> datetime:
        return self.now or self.at

    def __call__(self, life: Life, policy: Policy) -> Decision:
        return self.decide(life, Asked(self.at, self.recorded, self.policy or policy, self.age))

    def recorded_on(self, now: datetime) -> Act:
        return replace(self, now=now)

    def aged(self, age: int) -> Act:
        return replace(self, age=age)

    def under(self, policy: Policy) -> Act:
        return replace(self, policy=policy)


Step = Act | DomainEvent


def given(*past: Step, policy: Policy = POLICY) -> Given:
    life = Life()
    for step in past:
        if isinstance(step, Act):
            decision = step(life, policy)
            assert decision.events, "a step of the past changed nothing"
            life = life.after(decision, step.recorded)
        else:
            life = life.after(Decision((step,)), step.occurred_at)
    return Given(life, policy)


@dataclass(frozen=True)
class Given:
    life: Life
    policy: Policy

    @property
    def subject(self) -> Subject:
        return self.life.subject

    def when(self, act: Act) -> When:
        return When(self, act)

    def and_then(self, *acts: Act) -> Given:
        life = self.life
        for act in acts:
            life = life.after(act(life, self.policy), act.recorded)
        return Given(life, self.policy)

    def state(self, holding: str, at: datetime) -> str:
        """As the contract words it: held, restricted or erased."""
        one = self.subject.holdings[holding]
        if one.erased_at is not None:
            return "erased"
        live = self.subject.live_grounds(one, at) and not self.subject.is_restricted(one, at)
        return "held" if live else "restricted"

    def live(self, holding: str, at: datetime) -> list[tuple[str, str]]:
        one = self.subject.holdings[holding]
        return [(ground.purpose, ground.basis.value) for ground in self.subject.live_grounds(one, at)]


@dataclass(frozen=True)
class When:
    before: Given
    act: Act

    def decision(self) -> Decision:
        return self.act(self.before.life, self.before.policy)

    def then(self, *events: DomainEvent, effects: Sequence[Effect] = ()) -> Given:
        """These facts and no others, compared whole, words and values too."""
        decision = self.decision()
        assert [whole(event) for event in decision.events] == [whole(event) for event in events]
        assert decision.effects == tuple(effects)
        return self._after(decision)

    def then_kinds(self, *kinds: type[DomainEvent]) -> Given:
        """For what is only a step of the test, not what it is about."""
        decision = self.decision()
        assert [type(event) for event in decision.events] == list(kinds)
        return self._after(decision)

    def then_nothing(self, effects: Sequence[Effect] = ()) -> Given:
        return self.then(effects=effects)

    def then_refused(self, refusal: type[Refused]) -> Refused:
        with pytest.raises(refusal) as refused:
            self.decision()
        assert type(refused.value) is refusal
        return refused.value

    def _after(self, decision: Decision) -> Given:
        return Given(self.before.life.after(decision, self.act.recorded), self.before.policy)


def whole(event: DomainEvent) -> tuple[Any, ...]:
    return type(event), event.model_dump(), event.record_words(), dict(event.values)


# -- what can be asked ------------------------------------------------------------------------------------------------


def consenting(
    *purposes: str,
    at: datetime = MARCH_1,
    separate: bool = False,
    guardian: str | None = None,
    notice: str | None = None,
    channel: str = "web-form",
    technologies: Sequence[str] = (),
) -> Act:
    def decide(life: Life, asked: Asked) -> Decision:
        return consent.give_consent(
            life.subject,
            asked,
            purposes=purposes or ("free-trial",),
            technologies=technologies,
            notice=notice or asked.policy.version,
            channel=channel,
            separate=separate,
            guardian=guardian,
            guardian_reference=f"ref:{guardian}" if guardian else None,
        )

    return Act(decide, at)


def refusing(*purposes: str, at: datetime = MARCH_1, notice: str = "1.0", channel: str = "web-form") -> Act:
    return Act(
        lambda life, asked: consent.refuse_consent(
            life.subject, asked, purposes=purposes, notice=notice, channel=channel
        ),
        at,
    )


def withdrawing(*purposes: str, at: datetime = MARCH_5, channel: str = "web-form") -> Act:
    return Act(
        lambda life, asked: consent.withdraw_consent(life.subject, asked, purposes=purposes, channel=channel), at
    )


def collecting_(
    data: Mapping[str, str],
    *,
    purpose: str = "free-trial",
    basis: str = "consent",
    at: datetime = MARCH_1,
    evidence: str | None = None,
    source: str = "web-form",
    technology: str | None = None,
) -> Act:
    def decide(life: Life, asked: Asked) -> Decision:
        items = [
            collecting.Item(category, value, life.new_id(category), life.live_equal(category, value, asked.now))
            for category, value in data.items()
        ]
        return collecting.collect(
            life.subject,
            asked,
            purpose=purpose,
            basis=LegalBasis(basis),
            items=items,
            source=source,
            evidence=evidence if evidence is not None or basis == "consent" else f"{basis} 7",
            technology=technology,
        )

    return Act(decide, at)


def using(purpose: str = "free-trial", *, at: datetime = MARCH_5) -> Act:
    return Act(lambda life, asked: collecting.record_activity(life.subject, asked, purpose=purpose), at)


def born_on(birth_date: str, *, at: datetime = MARCH_1) -> Act:
    def decide(life: Life, asked: Asked) -> Decision:
        held = life.subject.birth_date
        return collecting.record_birth_date(
            life.subject,
            asked,
            birth_date=birth_date,
            new_id=life.new_id("birth-date"),
            known=life.values[held] if held else None,
            evidence="passport",
        )

    return Act(decide, at)


def ending_(purpose: str, reason: str, *, at: datetime = MARCH_5) -> Act:
    return Act(
        lambda life, asked: ending.end_purpose(life.subject, asked, purpose=purpose, reason=EndReason(reason)), at
    )


def erasing(
    ground: str, *, categories: Sequence[str] = (), purposes: Sequence[str] = (), at: datetime = MARCH_5
) -> Act:
    return Act(
        lambda life, asked: ending.erase(
            life.subject, asked, ground=ErasureGround(ground), categories=categories, purposes=purposes
        ),
        at,
    )


def holding_(name: str = "case-7", *categories: str, at: datetime = MARCH_5) -> Act:
    return Act(
        lambda life, asked: restricting.place_hold(
            life.subject,
            asked,
            hold=f"ref:{name}",
            name=name,
            reason="litigation",
            authority="court",
            categories=categories,
        ),
        at,
    )


def releasing(name: str = "case-7", *, at: datetime = MARCH_9) -> Act:
    return Act(
        lambda life, asked: restricting.release_hold(
            life.subject, asked, hold=f"ref:{name}", reason="settled", authority="court"
        ),
        at,
    )


def restricting_(
    *categories: str,
    holdings: Sequence[str] = (),
    at: datetime = MARCH_5,
    until: datetime | None = None,
    law: str | None = None,
) -> Act:
    return Act(
        lambda life, asked: restricting.restrict(
            life.subject,
            asked,
            categories=categories,
            holdings=holdings,
            reason="disputed",
            until=until,
            law=law,
        ),
        at,
    )


def lifting(*categories: str, holdings: Sequence[str] = (), at: datetime = MARCH_9) -> Act:
    return Act(
        lambda life, asked: restricting.lift_restriction(
            life.subject, asked, categories=categories, holdings=holdings, reason="settled"
        ),
        at,
    )


def correcting_(
    changes: Mapping[str, str], *, supplement: bool = False, at: datetime = MARCH_5, evidence: str | None = None
) -> Act:
    """`changes` is holding → new value."""

    def decide(life: Life, asked: Asked) -> Decision:
        return correcting.change(
            life.subject,
            asked,
            changes=[correcting.Change(id, value, life.values.get(id) == value) for id, value in changes.items()],
            supplement=supplement,
            reason="misspelt",
            evidence=evidence,
        )

    return Act(decide, at)


def sharing_(
    *categories: str,
    holdings: Sequence[str] = (),
    trustee: Trustee,
    purpose: str = "free-trial",
    method: str = "api",
    at: datetime = MARCH_5,
) -> Act:
    return Act(
        lambda life, asked: sharing.share(
            life.subject,
            asked,
            trustee=trustee,
            purpose=purpose,
            categories=categories,
            holdings=holdings,
            method=method,
        ),
        at,
    )


def providing_(
    *categories: str,
    recipient: str,
    purpose: str = "free-trial",
    basis: str = "consent",
    method: str = "api",
    evidence: str | None = None,
    at: datetime = MARCH_5,
) -> Act:
    def decide(life: Life, asked: Asked) -> Decision:
        kind = providing.declared(asked.policy, recipient)
        who = providing.Recipient(recipient, kind or RecipientKind.UNDECLARED, None if kind else recipient)
        return providing.provide(
            life.subject,
            asked,
            recipient=who,
            purpose=purpose,
            basis=LegalBasis(basis),
            categories=categories,
            holdings=(),
            method=method,
            evidence=evidence,
        )

    return Act(decide, at)


def linking(
    identifier: str, type: str = "email", *, at: datetime = MARCH_1, own: bool = False, taken: bool = False
) -> Act:
    return Act(
        lambda life, asked: identity.link_identifier(
            life.subject, asked, identifier=identifier, type=IdentifierType(type), is_own=own, is_taken=taken
        ),
        at,
    )


def unlinking(identifier: str | None, *, at: datetime = MARCH_5) -> Act:
    return Act(lambda life, asked: identity.unlink_identifier(life.subject, asked, identifier=identifier), at)


def guarded_by(guardian: str, *, at: datetime = MARCH_1) -> Act:
    return Act(
        lambda life, asked: identity.record_guardian(
            life.subject, asked, guardian=f"ref:{guardian}", reference=guardian, evidence="family book"
        ),
        at,
    )


def noticing(notice: str = "1.0", *, at: datetime = MARCH_1, channel: str = "email") -> Act:
    return Act(lambda life, asked: identity.give_notice(life.subject, asked, notice=notice, channel=channel), at)


def accepting(notice: str = "1.0", *, at: datetime = MARCH_1, channel: str = "web-form") -> Act:
    return Act(lambda life, asked: identity.accept_policy(life.subject, asked, notice=notice, channel=channel), at)


def time_passing(now: datetime) -> Act:
    """What the sweep does when it comes."""
    return Act(lambda life, asked: settling.fall_due(life.subject, asked.now, asked.policy), now)


def registered(at: datetime = MARCH_1) -> SubjectRegistered:
    return SubjectRegistered(occurred_at=at, access_sid="sid")


# -- the ports of the commands, over a life ---------------------------------------------------------------------------


@dataclass
class PersonInMemory:
    """Fills the ports of a handler from a life; `index` is what the blind index would know."""

    life: Life
    asked: Asked
    trustees: Mapping[str, Trustee] = field(default_factory=dict)
    index: dict[tuple[IdentifierType, str], Found] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)
    records: Mapping[Named, OpenRecord] = field(default_factory=dict)

    @property
    def subject(self) -> Subject:
        return self.life.subject

    def values_of(self, holdings: Sequence[str]) -> dict[str, Personal[str]]:
        self.opened.extend(holdings)
        return {id: self.life.values[id] for id in holdings}

    def may_say(self, holding: Holding, format: str | None, normal: str) -> bool:
        return True

    def reference(self, what: str, text: str) -> str:
        return f"ref:{text}"

    def trustee(self, trustee: str) -> Trustee:
        return self.trustees.get(trustee, Trustee(trustee))

    def open_record(self, named: Named) -> Any:
        return self.records.get(named) or NOUNS[named[0]].born(named[1])

    def find(self, type: IdentifierType, normalised: str) -> Found | None:
        return self.index.get((type, normalised))

    def link(self, type: IdentifierType, normalised: str) -> str:
        self.index[type, normalised] = Found(f"i{len(self.index) + 1}", is_own=True)
        return self.index[type, normalised].identifier

    def new_id(self) -> str:
        self._ids = getattr(self, "_ids", 0) + 1
        return f"new-{self._ids}"
