"""Anonymisation: the holding ends, its key is destroyed, and nothing that is left identifies anybody. Clause 1.1."""

from __future__ import annotations

from collections.abc import Sequence

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.subject import outgoing_events as o
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.outgoing_fold import ANONYMISED
from lifecycle.domain.subject.settling import HOLD, Unfolding, effects_of, keepers, over, settle
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.wording import known_categories, open_record
from lifecycle.policy.vocabulary import LegalBasis


def anonymise(subject: Subject, asked: Asked, *, categories: Sequence[str]) -> Decision:
    """Everything held of the categories. Asked again there is nothing left, and nothing happens.

    Refused where a hold, a statutory minimum or a legal duty needs the data as it is (settled rule 25), and where the
    person asked for storage only: to anonymise is to process.
    """
    open_record(subject)
    known_categories(asked.policy, categories)
    unfolding = Unfolding(subject, asked.now)
    overdue = over(unfolding, asked.policy.time_zone)
    kept = [h.id for category in dict.fromkeys(categories) for h in subject.of_category(category)]
    named = [id for id in kept if id not in overdue or keepers(subject, subject.holdings[id], asked.now)]
    if not named:
        return _nothing_left(subject, categories)
    _free_of_asking(unfolding.subject, asked, named)
    unfolding.add(o.PersonalDataAnonymised(occurred_at=asked.at, holdings=tuple(named)))
    _unkept(unfolding.subject, asked, named)
    settle(unfolding, ANONYMISED, overdue=overdue)
    return unfolding.decided(effects_of(subject, unfolding.subject, named, asked.now))


def _nothing_left(subject: Subject, categories: Sequence[str]) -> Decision:
    """So already if it was anonymised; otherwise there never was, or is no more, anything to anonymise."""
    done = {holding.category for holding in subject.holdings.values() if holding.anonymised}
    if left := set(categories) - done:
        raise r.HoldingErased(left)
    return NOTHING


def _free_of_asking(subject: Subject, asked: Asked, named: Sequence[str]) -> None:
    holdings = [subject.holdings[id] for id in named]
    duty = [
        holding.category
        for holding in holdings
        if any(g.basis is LegalBasis.LEGAL_DUTY for g in subject.live_grounds(holding, asked.now))
    ]
    if duty:
        raise r.RetentionInForce(duty)
    in_force = {
        holding.category: [x for x in holding.restrictions if x.until is None or asked.now < x.until]
        for holding in holdings
    }
    if asked_for := [category for category, some in in_force.items() if any(not one.by_law for one in some)]:
        raise r.HoldingRestricted(asked_for)


def _unkept(subject: Subject, asked: Asked, named: Sequence[str]) -> None:
    """`subject` as it would be: whatever would keep the holdings now that no ground does."""
    why: dict[str, set[str]] = {}
    for id in named:
        for keeper in keepers(subject, subject.holdings[id], asked.now):
            why.setdefault(keeper.because, set()).add(subject.holdings[id].category)
    if HOLD in why:
        raise r.HoldInForce(why[HOLD])
    if why:
        raise r.RetentionInForce(category for categories in why.values() for category in categories)
