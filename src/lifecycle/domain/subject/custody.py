"""What is stored only and therefore in custody, who may open it, and what has to be preserved. Clauses 5, 7.3."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.custody_events import CopyPreserved, CustodyOpened, MandatoryCopyKept, RestrictionLapsed
from lifecycle.domain.subject.custody_refusals import CustodyClosed
from lifecycle.domain.subject.settling import BY_LAW, COPY, HOLD, STATUTORY, effects_of, keepers
from lifecycle.domain.subject.state import Holding, Subject
from lifecycle.domain.subject.transfer_events import SubjectTransferred
from lifecycle.domain.subject.wording import chosen, known_categories, open_record
from lifecycle.policy.model import Policy
from lifecycle.policy.packs import Topic, known_packs
from lifecycle.policy.vocabulary import RequestKind, Role

CUSTODIANS = frozenset({Role.CUSTODIAN, Role.OFFICER})
MOVING: frozenset[type[DomainEvent]] = frozenset(
    {e.ProcessingRestricted, e.RestrictionLifted, RestrictionLapsed, MandatoryCopyKept, SubjectTransferred}
)
Because = Literal["legal-hold", "statutory-minimum", "restricted-by-law", "mandatory-copy", "asked"]
FOR_THE_PERSON = frozenset({RequestKind.ACCESS, RequestKind.COPY, RequestKind.CORRECTION})
"""What cannot be answered without a look at what the person disputes. GDPR Arts. 15, 16, 18(1)(a), 18(2)."""


def stored_only(subject: Subject, at: datetime) -> frozenset[str]:
    """What nobody may use at `at`, and law, a hold or a request keeps: its keys belong into custody.

    Not the birth date: every command has to know whether the person is a child (settled rule 31).
    """
    return frozenset(holding.id for holding in subject.kept() if _is_stored_only(subject, holding, at))


def _is_stored_only(subject: Subject, holding: Holding, at: datetime) -> bool:
    if holding.id == subject.birth_date:
        return False
    return subject.is_restricted(holding, at) or (
        not subject.is_carried(holding, at) and bool(keepers(subject, holding, at))
    )


def in_use(subject: Subject, at: datetime) -> frozenset[str]:
    """What has a live ground and no restriction: its keys belong to the person's own. What is neither this nor stored
    only is about to be erased, and stays where it is."""
    return frozenset(holding.id for holding in subject.kept() if is_in_use(subject, holding, at))


def is_in_use(subject: Subject, holding: Holding, at: datetime) -> bool:
    """The same of one holding that is kept."""
    return subject.is_carried(holding, at) and not subject.is_restricted(holding, at)


def moves_keys(subject: Subject, events: Iterable[DomainEvent], at: datetime) -> bool:
    """Whether keys have to move after these events, of which `subject` is the outcome; too often rather than too
    seldom."""
    if subject.version == 0 or subject.erasure is not None:
        return False
    for event in events:
        if type(event) in MOVING:
            return True
        for id in event.values:
            held = subject.holdings.get(id)
            if held is not None and held.erased_at is None and _is_stored_only(subject, held, at):
                return True
    return False


# -- opening ----------------------------------------------------------------------------------------------------------


class Title(NamedTuple):
    """What somebody names who asks for custody to be opened: a hold, or a law, each by what it is called on record; of
    what is merely disputed, a request of the person's."""

    hold: str | None = None
    law: str | None = None
    law_reference: str | None = None
    request: str | None = None


def open_custody(
    subject: Subject,
    asked: Asked,
    *,
    role: Role,
    title: Title,
    categories: Sequence[str],
    holdings: Sequence[str],
    reason: str,
) -> Decision:
    """Only for a custodian, and only what the hold or the law that is named keeps. Holdings that are named by their
    ids are opened all, or none."""
    open_record(subject)
    known_categories(asked.policy, categories)
    if role not in CUSTODIANS:
        raise CustodyClosed(f"the role {role} is no custodian")
    inside = stored_only(subject, asked.now)
    named = chosen(subject, categories, holdings) if categories or holdings else subject.kept()
    stored = [holding for holding in named if holding.id in inside]
    titled = {each.id: because for each in stored if (because := _kept_by(subject, each, asked.now, title)) is not None}
    if not titled or (holdings and len(titled) < len(named)):
        raise CustodyClosed("nothing else is opened than what the hold or the law that is named keeps in custody")
    reasons = [because for because in _ORDER if because in titled.values()]
    opened = tuple(
        CustodyOpened(
            occurred_at=asked.now,
            holdings=tuple(id for id, why in titled.items() if why == because),
            because=because,
            hold=title.hold if because == HOLD else None,
            request=title.request,
            law=title.law,
            reason=reason,
        )
        for because in reasons
    )
    return Decision(opened, effects_of(subject, subject, titled, asked.now))


_ORDER: tuple[Because, ...] = ("legal-hold", "statutory-minimum", "restricted-by-law", "mandatory-copy", "asked")


def _kept_by(subject: Subject, holding: Holding, at: datetime, title: Title) -> Because | None:
    """Which of the things named keeps this holding at `at`."""
    if title.hold is not None:
        holds = (each for each in subject.holds.values() if each.reference == title.hold)
        return "legal-hold" if any(each.covers(holding.category, at) for each in holds) else None
    if title.request is not None:
        return "asked" if _is_for_the_person(subject, title.request) and _is_disputed(subject, holding, at) else None
    keeping = {keeper.because for keeper in keepers(subject, holding, at)}
    minimums = {ground.minimum.law for ground in holding.grounds if ground.minimum is not None}
    if STATUTORY in keeping and title.law in minimums:
        return "statutory-minimum"
    lasting = [each for each in holding.restrictions if each.by_law and (each.until is None or at < each.until)]
    if title.law_reference is not None and title.law_reference in {each.law for each in lasting}:
        return "restricted-by-law"
    copy = subject.mandatory_copies.get(holding.id)
    return "mandatory-copy" if COPY in keeping and copy is not None and copy.law == title.law else None


def _is_for_the_person(subject: Subject, request: str) -> bool:
    """An open request of the person's own, or of who has shown to act for them."""
    known = subject.requests.get(request)
    return known is not None and known.is_open and known.verified and known.asks in FOR_THE_PERSON


def _is_disputed(subject: Subject, holding: Holding, at: datetime) -> bool:
    """In storage only because somebody asked for that, and for no law: neither hold nor law could be named for it."""
    if holding.transferred_at is not None or not subject.is_carried(holding, at):
        return False
    in_force = [one for one in holding.restrictions if one.since <= at and (one.until is None or at < one.until)]
    return bool(in_force) and not any(one.by_law for one in in_force)


# -- what a refused request for access leaves --------------------------------------------------------------------------


def preserve_copies(
    subject: Subject, holdings: Iterable[str], at: datetime, policy: Policy, request: str | None = None
) -> tuple[CopyPreserved, ...]:
    """What the refusal of access to these holdings at `at` adds: a fact for each law that asks for a copy to stay."""
    kept = tuple(id for id in holdings if id in subject.holdings and subject.holdings[id].erased_at is None)
    if not kept:
        return ()
    return tuple(
        CopyPreserved(occurred_at=at, holdings=kept, law=law, until=until, request=request)
        for law, until in _periods(policy, at).items()
    )


def _periods(policy: Policy, at: datetime) -> Mapping[str, datetime]:
    packs = known_packs()
    return {
        f"{code}/{name}": number.period().due(at, policy.time_zone)
        for code in policy.jurisdictions
        for name, number in packs[code].about(Topic.COPIES).items()
    }


__all__ = ["BY_LAW", "Title", "in_use", "moves_keys", "open_custody", "preserve_copies", "stored_only"]
