"""Supervising a trustee: what it fails in, what it mends, whom it may entrust in turn. Policy clause 3.1a."""

from __future__ import annotations

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.trustee import supervision_events as e
from lifecycle.domain.trustee.findings import next_id
from lifecycle.domain.trustee.trustee import Trustee, TrusteeNotEngaged
from lifecycle.errors import Refused, shown


class UnknownFinding(Refused):
    code = "unknown-finding"
    clause = "3.1a"
    remedy = "name a finding of this trustee: `lifecycle trustee show`"

    def __init__(self, trustee: str) -> None:
        super().__init__(f"No such finding about trustee {shown(trustee)} is on record.")


class SubTrusteeNotApproved(Refused):
    """The refusal leaves a finding on the trustee's record."""

    code = "sub-trustee-not-approved"
    clause = "3.1a"
    rule = "policy clause 3.1a; PIPL Art. 21; GDPR Art. 28(2)"
    remedy = "have the trustee end it, or approve it first (`approve-sub-trustee`); then remedy the finding"

    def __init__(self, trustee: str, sub_trustee: str, facts: tuple[e.TrusteeFoundWanting, ...]) -> None:
        super().__init__(f"We never consented that {shown(trustee)} entrusts {shown(sub_trustee)}.")
        self.facts = facts


def find_fault(trustee: Trustee, asked: Asked, *, because: e.Fault, instruction: str) -> Decision:
    """About who was engaged at some time; the same is found once."""
    known = any((one.because, one.instruction) == (because, instruction) for one in trustee.findings)
    if trustee.version == 0 or known:
        return NOTHING
    return Decision((_found(trustee, asked, because, instruction=instruction),))


def _found(trustee: Trustee, asked: Asked, because: e.Fault, **about: str) -> e.TrusteeFoundWanting:
    named = {"trustee": trustee.name_id, "finding": next_id(trustee.findings)}
    return e.TrusteeFoundWanting(occurred_at=asked.at, because=because, **named, **about)


def remedy(trustee: Trustee, asked: Asked, *, finding: str, evidence: str) -> Decision:
    known = next((one for one in trustee.findings if one.id == finding), None)
    if known is None:
        raise UnknownFinding(trustee.name_id)
    if not known.is_open:
        return NOTHING
    remedied = e.FindingRemedied(occurred_at=asked.at, trustee=trustee.name_id, finding=finding, evidence=evidence)
    return Decision((remedied,))


def approve_sub_trustee(
    trustee: Trustee, asked: Asked, *, sub_trustee: str, name: str, contact: str, country: str
) -> Decision:
    if not trustee.engaged:
        raise TrusteeNotEngaged(trustee.name_id)
    if sub_trustee in trustee.approved:
        return NOTHING
    approved = e.SubTrusteeApproved(
        occurred_at=asked.at,
        trustee=trustee.name_id,
        sub_trustee=sub_trustee,
        country=country,
        name=name,
        contact=contact,
    )
    return Decision((approved,))


def report_sub_trustee(trustee: Trustee, asked: Asked, *, sub_trustee: str) -> Decision:
    """That it does entrust somebody: allowed with our recorded consent, otherwise a finding."""
    if not trustee.engaged:
        raise TrusteeNotEngaged(trustee.name_id)
    if sub_trustee in trustee.approved:
        if sub_trustee in trustee.entrusting:
            return NOTHING
        reported = e.SubTrusteeReported(occurred_at=asked.at, trustee=trustee.name_id, sub_trustee=sub_trustee)
        return Decision((reported,))
    known = any(one.sub_trustee == sub_trustee and one.is_open for one in trustee.findings)
    facts = () if known else (_found(trustee, asked, "sub-trustee", sub_trustee=sub_trustee),)
    raise SubTrusteeNotApproved(trustee.name_id, sub_trustee, facts)
