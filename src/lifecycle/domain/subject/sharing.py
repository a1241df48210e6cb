"""Sharing with a trustee: under an agreement that is in force, and no wider than it. Policy clause 3.1a."""

from __future__ import annotations

from collections.abc import Sequence

from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.fold import TERM_OVER
from lifecycle.domain.subject.state import Ground, Holding, Subject
from lifecycle.domain.subject.wording import (
    chosen,
    known_categories,
    known_method,
    known_purposes,
    open_record,
    still_ours,
)
from lifecycle.domain.trustee.trustee import Agreement, Trustee
from lifecycle.errors import listed, shown
from lifecycle.policy.model import Policy
from lifecycle.policy.vocabulary import LegalBasis


def share(
    subject: Subject,
    asked: Asked,
    *,
    trustee: Trustee,
    purpose: str,
    categories: Sequence[str],
    holdings: Sequence[str],
    method: str,
) -> Decision:
    """A report of the past, judged at `at` with what is known now (settled rule 19)."""
    open_record(subject)
    known_purposes(asked.policy, [purpose])
    known_categories(asked.policy, categories)
    known_method(asked.policy, method)
    _declared(asked.policy, trustee.name_id, purpose, method)
    named = chosen(subject, categories, holdings, asked.at)
    agreement = covering(trustee, asked, purpose, {holding.category for holding in named}, method)
    shared = shareable(subject, asked, purpose, named, by_category=not holdings)
    _agreed_to(subject, asked, purpose, shared, trustee.name_id, method)
    event = e.PersonalDataShared(
        occurred_at=asked.at,
        trustee=trustee.name_id,
        agreement=agreement.id,
        agreement_version=trustee.version,
        purpose=purpose,
        holdings=tuple(holding.id for holding in shared),
        method=method,
    )
    return Decision((event,))


def _declared(policy: Policy, trustee: str, purpose: str, method: str) -> None:
    """People were told, and agreed to, these recipients and methods: an agreement alone does not widen that."""
    if trustee not in policy.purposes[purpose].recipients or trustee not in policy.trustees:
        raise r.RecipientNotDeclared(trustee, purpose)
    if method not in policy.trustees[trustee].methods:
        raise r.RecipientNotDeclared(trustee, purpose, method)


def covering(trustee: Trustee, asked: Asked, purpose: str, categories: set[str], method: str) -> Agreement:
    """The agreement under which this may go out, or the refusal that says what is lacking."""
    if not trustee.agreements:
        raise r.AgreementMissing(trustee.name_id)
    day = asked.policy.day_of(asked.at)
    live = [agreement for agreement in trustee.agreements if agreement.in_force(asked.at, day)]
    if not live:
        raise r.AgreementLapsed(trustee.name_id)
    for_purpose = [agreement for agreement in live if agreement.purpose == purpose]
    if not for_purpose:
        raise r.OutsideAgreement(trustee.name_id, f"purpose {shown(purpose)}")
    by_method = [agreement for agreement in for_purpose if agreement.method == method]
    if not by_method:
        raise r.OutsideAgreement(trustee.name_id, f"method {shown(method)}")
    for agreement in reversed(by_method):  # the terms agreed on last
        if categories <= agreement.categories:
            return agreement
    excess = categories - by_method[-1].categories
    raise r.OutsideAgreement(trustee.name_id, listed(excess))


def _agreed_to(
    subject: Subject, asked: Asked, purpose: str, shared: Sequence[Holding], trustee: str, method: str
) -> None:
    """What stands on consent alone goes only to those whom a consent names: a later policy does not widen it."""
    on_consent = [
        holding.category
        for holding in shared
        if all(ground.basis is LegalBasis.CONSENT for ground in _grounds(subject, asked, purpose, holding))
    ]
    given = [c for c in subject.consents if (c.purpose, c.technology) == (purpose, None) and c.since <= asked.at]
    standing = [c for c in given if c.until is None or asked.at < c.until or c.ended == TERM_OVER]
    if on_consent and not any(trustee in c.scope.recipients and method in c.scope.methods for c in standing):
        raise r.ConsentMissing(purpose, f"names recipient {shown(trustee)} and method {shown(method)}")


def _grounds(subject: Subject, asked: Asked, purpose: str, holding: Holding) -> list[Ground]:
    """Those that carry a share for the purpose. What a technology collected was agreed to for its provider alone."""
    live = subject.live_grounds(holding, asked.at)
    return [ground for ground in live if ground.purpose == purpose and ground.technology is None]


def shareable(
    subject: Subject, asked: Asked, purpose: str, named: Sequence[Holding], *, by_category: bool
) -> list[Holding]:
    """Those with a live ground of the purpose; by category, others of the same category are simply not meant."""
    live = [holding for holding in named if _grounds(subject, asked, purpose, holding)]
    meant = live if by_category else named
    still_ours(holding for holding in meant if subject.is_restricted(holding, asked.at))
    restricted = [holding.category for holding in meant if subject.is_restricted(holding, asked.at)]
    if restricted:
        raise r.HoldingRestricted(restricted)
    lacking = {h.category for h in named if h not in live}
    if by_category:
        lacking -= {holding.category for holding in live}
    if lacking:
        stored_only = [h for h in named if h.category in lacking and not subject.live_grounds(h, asked.at)]
        if stored_only:
            raise r.HoldingRestricted(lacking)
        raise r.GroundMissing(purpose, lacking)
    return live
