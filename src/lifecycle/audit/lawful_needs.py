"""What an act needs beside a live ground of each holding: an agreement, a declared recipient, an instrument, a reader's
role, a title. Each rule yields what is lacking; nothing is lacking where it yields nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from lifecycle.audit.lawful import Judgement, Verdict
from lifecycle.audit.lawful_evidence import Evidence
from lifecycle.domain.event import DomainEvent, Recorded
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.custody import CUSTODIANS
from lifecycle.domain.subject.custody_events import CustodyOpened
from lifecycle.domain.subject.outgoing_events import PersonalDataDisclosed, PersonalDataProvided
from lifecycle.domain.subject.providing import FORESEEN
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.transfer_events import SubjectTransferNotified, SubjectTransferred
from lifecycle.policy.model import Policy
from lifecycle.policy.vocabulary import LegalBasis

Found: TypeAlias = tuple[Verdict, str]
Collecting = e.PersonalDataCollected | e.MissingDataAdded | e.BirthDateRecorded
Act = (
    Collecting
    | e.PersonalDataShared
    | PersonalDataProvided
    | PersonalDataDisclosed
    | SubjectTransferred
    | e.PersonalDataRead
    | CustodyOpened
)

POLICY_UNKNOWN = "policy-unknown"
AGREEMENT_UNKNOWN = "agreement-unknown"
AGREEMENT_LAPSED = "agreement-lapsed"
OUTSIDE_AGREEMENT = "outside-agreement"
NOT_DECLARED = "recipient-not-declared"
BASIS_NOT_ALLOWED = "basis-not-allowed"
NOT_AGREED = "recipient-not-agreed"
OUTSIDE_INSTRUMENT = "outside-instrument"
NOT_TOLD = "person-not-told"
NOT_PERMITTED = "not-permitted"
NO_TITLE = "custody-closed"


def needs(
    known: Evidence, recorded: Recorded, event: Act, subject: Subject, judgements: Mapping[str, Judgement]
) -> Iterator[Found]:
    policy = known.policy_named(recorded.judged.policy)
    rule = _RULES.get(type(event))
    if rule is None:
        return
    if policy is None:
        yield "cannot-tell", POLICY_UNKNOWN
        return
    yield from rule(_Asked(known, recorded, subject, policy, judgements), event)


class _Asked:
    """What the rules look at."""

    def __init__(
        self,
        known: Evidence,
        recorded: Recorded,
        subject: Subject,
        policy: Policy,
        judgements: Mapping[str, Judgement],
    ) -> None:
        self.known, self.recorded, self.subject = known, recorded, subject
        self.policy, self.judgements = policy, judgements

    def categories(self) -> set[str]:
        there = self.subject.holdings
        return {there[id].category for id in self.judgements if id in there}


def _sharing(asked: _Asked, shared: e.PersonalDataShared) -> Iterator[Found]:
    """An agreement in force that covers it, and a recipient that the policy names for the purpose. Clause 3.1a."""
    policy, agreement = asked.policy, asked.known.agreement(shared)
    declared, named = policy.purposes.get(shared.purpose), policy.trustees.get(shared.trustee)
    told = declared is not None and shared.trustee in declared.recipients
    if not told or named is None or shared.method not in named.methods:
        yield "unlawful", NOT_DECLARED
    if agreement is None:
        yield "cannot-tell", AGREEMENT_UNKNOWN
        return
    if not agreement.in_force(shared.occurred_at, policy.day_of(shared.occurred_at)):
        yield "unlawful", AGREEMENT_LAPSED
    wide = agreement.purpose == shared.purpose and agreement.method == shared.method
    if not wide or not asked.categories() <= agreement.categories:
        yield "unlawful", OUTSIDE_AGREEMENT


def _providing(asked: _Asked, given: PersonalDataProvided) -> Iterator[Found]:
    """A basis that the policy foresees for it, and on consent a separate one that names whom, how and what. Clauses
    3.1c, 8; PIPL Art. 23."""
    purpose, foreseen = asked.policy.purposes.get(given.purpose), given.basis in FORESEEN
    if given.basis not in asked.policy.bases or purpose is None or (foreseen and given.basis not in purpose.bases):
        yield "unlawful", BASIS_NOT_ALLOWED
    third = asked.policy.third_parties.get(given.recipient) if foreseen else None
    if third is not None and (given.purpose not in third.purposes or given.method not in third.methods):
        yield "unlawful", NOT_DECLARED
    if given.basis is LegalBasis.CONSENT and not any(_names(asked, given)):
        yield "unlawful", NOT_AGREED


def _names(asked: _Asked, given: PersonalDataProvided) -> Iterator[bool]:
    for consent in asked.subject.consents:
        scope = consent.scope
        if (consent.purpose, consent.technology) == (given.purpose, None) and consent.in_force(given.occurred_at):
            whom = given.recipient in scope.recipients and given.method in scope.methods
            yield consent.separate and whom and asked.categories() <= set(scope.categories)


def _disclosing(asked: _Asked, disclosed: PersonalDataDisclosed) -> Iterator[Found]:
    """Within the instrument: its days, the categories and the period that it names. Clause 3.1b."""
    day = asked.policy.day_of(disclosed.occurred_at)
    late = disclosed.expires_on is not None and disclosed.expires_on < day
    wide = disclosed.scope is not None and not asked.categories() <= set(disclosed.scope)
    if day < disclosed.issued_on or late or wide:
        yield "unlawful", OUTSIDE_INSTRUMENT
    for id in disclosed.holdings:
        since = asked.subject.holdings[id].since if id in asked.subject.holdings else disclosed.occurred_at
        collected = asked.policy.day_of(since)
        early = disclosed.period_from is not None and collected < disclosed.period_from
        if early or (disclosed.period_to is not None and disclosed.period_to < collected):
            yield "unlawful", OUTSIDE_INSTRUMENT


def _transferring(asked: _Asked, moved: SubjectTransferred) -> Iterator[Found]:
    """The person was told first. Clause 3.2; PIPL Art. 22."""
    notices = (each.event for each, _ in asked.known.events if isinstance(each.event, SubjectTransferNotified))
    if not any(each.transfer == moved.transfer and each.occurred_at <= moved.occurred_at for each in notices):
        yield "unlawful", NOT_TOLD


def _reading(asked: _Asked, read: e.PersonalDataRead) -> Iterator[Found]:
    """A role that the policy lets read for the purpose. Clause 4."""
    purpose = asked.policy.purposes.get(read.purpose)
    if purpose is None or asked.recorded.judged.role not in purpose.readers:
        yield "unlawful", NOT_PERMITTED


def _opening(asked: _Asked, opened: CustodyOpened) -> Iterator[Found]:
    """A custodian, and of each holding the title that was named kept it. Clauses 5, 7.3."""
    if asked.recorded.judged.role not in CUSTODIANS:
        yield "unlawful", NOT_PERMITTED
    if any(opened.because not in {each.because for each in one.keepers} for one in asked.judgements.values()):
        yield "unlawful", NO_TITLE


_RULES: Mapping[type[DomainEvent], Callable[[_Asked, Any], Iterator[Found]]] = {
    e.PersonalDataShared: _sharing,
    PersonalDataProvided: _providing,
    PersonalDataDisclosed: _disclosing,
    SubjectTransferred: _transferring,
    e.PersonalDataRead: _reading,
    CustodyOpened: _opening,
}
