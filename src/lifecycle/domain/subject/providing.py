"""Giving to a third party, which decides for itself what to do with it, on one of seven bases. Policy clause 3.1c."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.subject import outgoing_events as o
from lifecycle.domain.subject.outgoing_refusals import (
    OutsideDeclaration,
    RecipientNotAgreed,
    SeparateConsentToProvide,
)
from lifecycle.domain.subject.refusals import BasisNotAllowed, EvidenceMissing, GuardianMissing, OutsideAgreement
from lifecycle.domain.subject.sharing import shareable
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.wording import chosen, known_categories, known_method, known_purposes, open_record
from lifecycle.policy.model import Policy
from lifecycle.policy.vocabulary import LegalBasis, RecipientKind

FORESEEN = (LegalBasis.CONSENT, LegalBasis.CONTRACT)
"""Bases that a purpose has to allow: what law, an emergency or the public ask for, no purpose can list beforehand."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who gets it: the id of one that the policy declares, or the keyed form of the name of anybody else."""

    id: str
    kind: RecipientKind
    name: str | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        return self.id if self.name is None else self.name


def declared(policy: Policy, recipient: str) -> RecipientKind | None:
    """What the policy says that somebody is; None if it does not know the name."""
    if recipient in policy.third_parties:
        return RecipientKind.THIRD_PARTY
    return RecipientKind.PRODUCT if recipient in policy.third_party_products else None


def provide(
    subject: Subject,
    asked: Asked,
    *,
    recipient: Recipient,
    purpose: str,
    basis: LegalBasis,
    categories: Sequence[str],
    holdings: Sequence[str],
    method: str,
    evidence: str | None,
) -> Decision:
    """A report of the past, judged at `at` with what is known now (settled rule 19)."""
    open_record(subject)
    known_purposes(asked.policy, [purpose])
    known_categories(asked.policy, categories)
    known_method(asked.policy, method)
    if recipient.shown in asked.policy.trustees:
        raise OutsideAgreement(recipient.shown, "what it would get as a third party")
    _allowed(asked.policy, recipient, purpose, basis, method)
    if basis is not LegalBasis.CONSENT and not (evidence or "").strip():
        raise EvidenceMissing(basis)
    named = chosen(subject, categories, holdings, asked.at)
    given = shareable(subject, asked, purpose, named, by_category=not holdings)
    if basis is LegalBasis.CONSENT:
        _agreed(subject, asked, recipient, purpose, {holding.category for holding in given}, method)
    event = o.PersonalDataProvided(
        occurred_at=asked.at,
        recipient=recipient.id,
        to=recipient.kind,
        purpose=purpose,
        basis=basis,
        holdings=tuple(holding.id for holding in given),
        method=method,
        name=recipient.name,
        evidence=evidence,
    )
    return Decision((event,))


def _allowed(policy: Policy, recipient: Recipient, purpose: str, basis: LegalBasis, method: str) -> None:
    """A basis that the policy describes, for what is foreseen also the purpose; within what is declared of whom."""
    if basis not in policy.bases or (basis in FORESEEN and basis not in policy.purposes[purpose].bases):
        raise BasisNotAllowed(purpose, basis)
    third = policy.third_parties.get(recipient.id)
    if third is None or basis not in FORESEEN:
        return
    if purpose not in third.purposes:
        raise OutsideDeclaration(recipient.id, purpose)
    if method not in third.methods:
        raise OutsideDeclaration(recipient.id, purpose, method)


def _agreed(
    subject: Subject, asked: Asked, recipient: Recipient, purpose: str, categories: set[str], method: str
) -> None:
    """Consent that names whom, how and what, given separately: PIPL Art. 23 asks it for every provision."""
    given = [c for c in subject.consents if (c.purpose, c.technology) == (purpose, None) and c.in_force(asked.at)]
    naming = [
        consent
        for consent in given
        if recipient.id in consent.scope.recipients
        and method in consent.scope.methods
        and categories <= set(consent.scope.categories)
    ]
    if not naming:
        raise RecipientNotAgreed(purpose, recipient.shown)
    if asked.is_minor and not any(consent.by_guardian for consent in naming):
        raise GuardianMissing
    if not any(consent.separate and (consent.by_guardian or not asked.is_minor) for consent in naming):
        raise SeparateConsentToProvide(purpose, recipient.shown)
