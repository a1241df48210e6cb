"""A trustee: its agreements, and what may happen next with it. Policy clause 3.1a; PIPL Art. 21; GDPR Art. 28."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, TypeVar

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.event import DomainEvent, Personal, Recorded, Withheld
from lifecycle.domain.subject.refusals import AgreementMissing, UnknownCategory, UnknownPurpose, UnknownWord
from lifecycle.domain.trustee import dues
from lifecycle.domain.trustee import events as e
from lifecycle.domain.trustee import supervision_events as s
from lifecycle.domain.trustee.findings import Finding, next_id
from lifecycle.errors import Refused, listed, shown
from lifecycle.policy.model import Policy


class TrusteeNotEngaged(Refused):
    code = "trustee-not-engaged"
    clause = "3.1a"
    remedy = "engage the trustee first: `lifecycle trustee engage`"

    def __init__(self, trustee: str) -> None:
        super().__init__(f"Trustee {shown(trustee)} is not engaged.")


class AgreementIncomplete(Refused):
    code = "agreement-incomplete"
    clause = "3.1a"
    rule = "policy clause 3.1a; PIPL Art. 21; GDPR Art. 28(3)"
    remedy = "agree on all seven terms before signing"

    def __init__(self, missing: Iterable[str]) -> None:
        super().__init__(f"The agreement lacks: {listed(missing)}.")


@dataclass(frozen=True, slots=True)
class Agreement:
    """From `starts` to `ends`, both days included, in the policy's time zone, but not before it was signed.

    Measures, rights and obligations are the parties' own words: withheld where nothing is decided about the trustee.
    """

    id: str
    purpose: str
    starts: date
    ends: date
    method: str
    categories: frozenset[str]
    signed_at: datetime
    ended_at: datetime | None = None
    warned: bool = field(default=False, compare=False)  # of its last day; no term of it
    lapsed: bool = field(default=False, compare=False)  # said so
    measures: Personal[str | None] = field(default=Withheld.SEALED, repr=False)
    rights_and_obligations: Personal[str | None] = field(default=Withheld.SEALED, repr=False)

    def in_force(self, at: datetime, day: date) -> bool:
        signed = self.signed_at <= at
        return signed and self.starts <= day <= self.ends and (self.ended_at is None or at < self.ended_at)

    def is_renewed_by(self, other: Agreement) -> bool:
        """Whether the other says anything that this one, which has not been ended, did not say by then."""
        return self.signed_at > other.signed_at or replace(self, id=other.id, signed_at=other.signed_at) != other


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms as they were proposed; any may be missing."""

    purpose: str | None
    starts: date | None
    ends: date | None
    method: str | None
    categories: Sequence[str]
    measures: str | None
    rights_and_obligations: str | None

    def missing(self) -> list[str]:
        named = {
            "purpose": self.purpose,
            "from": self.starts,
            "to": self.ends,
            "method": self.method,
            "categories": tuple(self.categories),
            "measures": (self.measures or "").strip(),
            "rights_and_obligations": (self.rights_and_obligations or "").strip(),
        }
        return [name for name, value in named.items() if not value]


@dataclass(frozen=True, slots=True)
class Trustee:
    name_id: str
    version: int = 0
    engaged: bool = False
    agreements: tuple[Agreement, ...] = ()
    findings: tuple[Finding, ...] = ()
    approved: frozenset[str] = frozenset()  # whom it may entrust
    entrusting: frozenset[str] = frozenset()  # whom it does

    def calendar(self, policy: Policy) -> Sequence[tuple[datetime, str]]:
        return [(each.due, each.what) for each in dues.dues(self, policy)]

    def fall_due(self, asked: Asked) -> Decision:
        return Decision(tuple(dues.fallen(self, asked.policy, asked.now)))

    def fold(self, event: DomainEvent) -> Trustee:
        trustee = replace(self, version=self.version + 1)
        match event:
            case e.TrusteeEngaged():
                return replace(trustee, engaged=True)
            case e.AgreementSigned():
                return replace(trustee, agreements=(*self.agreements, _agreement(event)))
            case e.AgreementEnded(agreement=id, occurred_at=at):
                return replace(trustee, agreements=_end(self.agreements, at, id))
            case e.TrusteeDismissed(occurred_at=at):
                return replace(trustee, engaged=False, agreements=_end(self.agreements, at))
            case e.TrusteeReviewed(remedy_by=day) if day is not None:
                found = Finding(next_id(self.findings), "review", event.occurred_at, day)
                return replace(trustee, findings=(*self.findings, found))
            case _:
                return _supervised(trustee, event)


def _supervised(trustee: Trustee, event: DomainEvent) -> Trustee:
    change = _SUPERVISED.get(type(event))
    return trustee if change is None else replace(trustee, **change(trustee, event))


def _found(trustee: Trustee, event: s.TrusteeFoundWanting) -> dict[str, Any]:
    told, entrusted = event.instruction, event.sub_trustee
    found = Finding(event.finding, event.because, event.occurred_at, instruction=told, sub_trustee=entrusted)
    return {"findings": (*trustee.findings, found)}


_SUPERVISED: dict[type[DomainEvent], Callable[[Trustee, Any], dict[str, Any]]] = {
    s.TrusteeFoundWanting: _found,
    s.FindingRemedied: lambda t, e: {"findings": _changed(t.findings, e.finding, remedied_at=e.occurred_at)},
    s.RemedyOverdue: lambda t, e: {"findings": _changed(t.findings, e.finding, overdue=True)},
    s.AgreementEnding: lambda t, e: {"agreements": _changed(t.agreements, e.agreement, warned=True)},
    s.AgreementLapsed: lambda t, e: {"agreements": _changed(t.agreements, e.agreement, lapsed=True)},
    s.SubTrusteeApproved: lambda t, e: {"approved": t.approved | {e.sub_trustee}},
    s.SubTrusteeReported: lambda t, e: {"entrusting": t.entrusting | {e.sub_trustee}},
}


T = TypeVar("T", Agreement, Finding)


def _changed(all: tuple[T, ...], id: str, **how: Any) -> tuple[T, ...]:
    return tuple(replace(one, **how) if one.id == id else one for one in all)


def _agreement(event: e.AgreementSigned) -> Agreement:
    return Agreement(
        event.agreement,
        event.purpose,
        event.starts,
        event.ends,
        event.method,
        frozenset(event.categories),
        event.occurred_at,
        measures=event.measures,
        rights_and_obligations=event.rights_and_obligations,
    )


def _end(agreements: Sequence[Agreement], at: datetime, id: str | None = None) -> tuple[Agreement, ...]:
    return tuple(
        replace(agreement, ended_at=at) if agreement.ended_at is None and id in (None, agreement.id) else agreement
        for agreement in agreements
    )


def replay(trustee: Trustee, events: Iterable[Recorded]) -> Trustee:
    for recorded in events:
        trustee = trustee.fold(recorded.event)
    return trustee


def engage(trustee: Trustee, asked: Asked, *, name: str, contact: str, country: str) -> Decision:
    if trustee.engaged:
        return NOTHING
    engaged = e.TrusteeEngaged(
        occurred_at=asked.at, trustee=trustee.name_id, name=name, contact=contact, country=country
    )
    return Decision((engaged,))


def sign(trustee: Trustee, asked: Asked, *, terms: Terms) -> Decision:
    """Sign an agreement with all seven terms. The same terms again change nothing; other terms, in words too, are an
    agreement of its own beside the earlier one, which lasts until it is ended."""
    if not trustee.engaged:
        raise TrusteeNotEngaged(trustee.name_id)
    if missing := terms.missing():
        raise AgreementIncomplete(missing)
    assert terms.purpose and terms.starts and terms.ends and terms.method  # noqa: PT018 -- missing() saw to it
    _known(asked, terms.purpose, terms.categories, terms.method)
    proposed = Agreement(
        f"{trustee.name_id}-{len(trustee.agreements) + 1}",
        terms.purpose,
        terms.starts,
        terms.ends,
        terms.method,
        frozenset(terms.categories),
        asked.at,
        measures=terms.measures,
        rights_and_obligations=terms.rights_and_obligations,
    )
    if not all(agreement.is_renewed_by(proposed) for agreement in trustee.agreements):
        return NOTHING
    signed = e.AgreementSigned(
        occurred_at=asked.at,
        trustee=trustee.name_id,
        agreement=proposed.id,
        purpose=proposed.purpose,
        starts=proposed.starts,
        ends=proposed.ends,
        method=proposed.method,
        categories=tuple(sorted(proposed.categories)),
        measures=terms.measures,
        rights_and_obligations=terms.rights_and_obligations,
    )
    return Decision((signed,))


def _known(asked: Asked, purpose: str, categories: Sequence[str], method: str) -> None:
    if purpose not in asked.policy.purposes:
        raise UnknownPurpose(purpose)
    unknown = [category for category in categories if category not in asked.policy.categories]
    if unknown:
        raise UnknownCategory(unknown)
    if method not in asked.policy.methods:
        raise UnknownWord("method", method)


def end_agreement(trustee: Trustee, asked: Asked, *, agreement: str | None, reason: str) -> Decision:
    """End one agreement, or all that are open if none is named."""
    if not trustee.engaged:
        raise TrusteeNotEngaged(trustee.name_id)
    if agreement is not None and all(one.id != agreement for one in trustee.agreements):
        raise AgreementMissing(trustee.name_id)
    open_ones = [a for a in trustee.agreements if a.ended_at is None and agreement in (None, a.id)]
    return Decision(
        tuple(
            e.AgreementEnded(occurred_at=asked.at, trustee=trustee.name_id, agreement=one.id, reason=reason)
            for one in open_ones
        )
    )


def review(trustee: Trustee, asked: Asked, *, finding: str, remedy_by: date | None) -> Decision:
    if not trustee.engaged:
        raise TrusteeNotEngaged(trustee.name_id)
    reviewed = e.TrusteeReviewed(occurred_at=asked.at, trustee=trustee.name_id, finding=finding, remedy_by=remedy_by)
    return Decision((reviewed,))


def dismiss(trustee: Trustee, asked: Asked, *, reason: str) -> Decision:
    """End the engagement and every open agreement with it."""
    if not trustee.engaged:
        return NOTHING
    return Decision((e.TrusteeDismissed(occurred_at=asked.at, trustee=trustee.name_id, reason=reason),))
