"""Was processing of a holding lawful at an instant, by what a folded record knows? Pure: a state and an instant.

What is known is the state's business: fold what was recorded until then (settled rule 19). Here only intervals count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lifecycle.domain.subject.fold import TERM_OVER
from lifecycle.domain.subject.settling import BY_LAW, Keeper, keepers
from lifecycle.domain.subject.state import Consent, Ground, Holding, Restriction, Subject
from lifecycle.policy.vocabulary import LegalBasis
from lifecycle.projections.held import ASKED, TECHNICAL

Verdict = Literal["lawful", "storage-only", "unlawful", "not-held", "cannot-tell"]

FUTURE = "in-the-future"
OTHER_PURPOSE = "no-ground-for-purpose"
NOT_YET = "not-yet-held"
ERASED = "erased"
ANONYMISED = "anonymised"
PERIOD_OVER = "retention-expired"
WITHDRAWN = "consent-withdrawn"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`grounds` are those that were live; `keepers` what kept it beside them, or instead of them."""

    verdict: Verdict
    because: str
    grounds: tuple[Ground, ...] = ()
    keepers: tuple[Keeper, ...] = ()


def judged(subject: Subject, holding: str, at: datetime, purpose: str | None = None) -> Judgement:
    """Whether the holding might be processed at `at`: for this purpose, or for any.

    `storage-only`: to keep it was lawful, anything else was not. `unlawful`: it was held, and nothing carried that.
    """
    held = subject.holdings.get(holding)
    if held is None or at < held.since:
        return Judgement("not-held", NOT_YET)
    if held.erased_at is not None and held.erased_at <= at:
        if held.obstructed_at is not None and held.obstructed_at <= at:
            return Judgement("storage-only", TECHNICAL, (), (Keeper(TECHNICAL, None),))
        return Judgement("not-held", ANONYMISED if held.anonymised else ERASED)
    copies = {id: copy for id, copy in subject.mandatory_copies.items() if copy.since <= at}
    return _of_held(subject.changed(mandatory_copies=copies), as_at(subject, held, at), at, purpose)


def _of_held(subject: Subject, then: Holding, at: datetime, purpose: str | None) -> Judgement:
    live = tuple(ground for ground in then.grounds if subject.is_live(ground, at))
    keeping = keepers(subject, then, at)
    asked = [each for each in then.restrictions if _lasts(each, at)]
    if live and asked:
        because = BY_LAW if any(each.by_law for each in asked) else ASKED
        return Judgement("storage-only", because, live, (*keeping, *_asked(asked)))
    if any(purpose in (None, ground.purpose) for ground in live):
        return Judgement("lawful", "ground", live, keeping)
    if live:
        return Judgement("unlawful", OTHER_PURPOSE, live, keeping)
    if keeping:
        return Judgement("storage-only", keeping[0].because, (), keeping)
    return Judgement("unlawful", _last_ended(subject, then))


def as_at(subject: Subject, holding: Holding, at: datetime) -> Holding:
    """The holding without what began later, its grounds on consent ending where their consent was taken back, even if
    that was told when they were over already."""
    return holding._replace(
        grounds=tuple(_carried(subject, ground, at) for ground in holding.grounds if ground.since <= at),
        restrictions=tuple(each for each in holding.restrictions if each.since <= at),
    )


def _carried(subject: Subject, ground: Ground, at: datetime) -> Ground:
    if ground.basis is not LegalBasis.CONSENT:
        return ground
    fell = [_taken_back(consent) for consent in carrying(subject, ground, at)]
    ends = [each for each in fell if each is not None and each <= at]
    if not fell or len(ends) < len(fell):
        return ground
    until = max(ground.since, *ends)
    end = subject.end_of(ground)
    return ground if end is not None and end <= until else ground._replace(until=until, ended=WITHDRAWN)


def carrying(subject: Subject, ground: Ground, at: datetime) -> list[Consent]:
    """The consents that a ground may stand on at `at`, oldest first: consent after the collection heals nothing."""
    latest = min(at, ground.counted_from)
    of = (ground.purpose, ground.technology)
    found = [each for each in subject.consents if (each.purpose, each.technology) == of and each.since <= latest]
    return sorted(found, key=lambda consent: consent.since)


def _taken_back(consent: Consent) -> datetime | None:
    """When somebody ended it; that its own term is over ends no ground (settled rule 20)."""
    return None if consent.ended in (None, TERM_OVER) else consent.until


def _lasts(restriction: Restriction, at: datetime) -> bool:
    return restriction.until is None or at < restriction.until


def _asked(restrictions: list[Restriction]) -> tuple[Keeper, ...]:
    return tuple(Keeper(ASKED, each.until) for each in restrictions if not each.by_law)


def _last_ended(subject: Subject, holding: Holding) -> str:
    """By what the last of its grounds ended: the recorded fact, or time that nobody has carried out yet."""
    over = [(end, ground.ended) for ground in holding.grounds if (end := subject.end_of(ground)) is not None]
    return max(over, key=lambda each: each[0], default=(None, None))[1] or PERIOD_OVER
