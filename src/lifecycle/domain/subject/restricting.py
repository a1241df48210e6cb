"""Legal holds and restriction of processing: storage only, until it is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.settling import (
    COPY,
    HOLD,
    RETENTION,
    STATUTORY,
    Unfolding,
    effects_of,
    keepers,
    over,
    settle,
)
from lifecycle.domain.subject.state import Holding, Subject
from lifecycle.domain.subject.wording import chosen, known_categories, recorded_here


def place_hold(
    subject: Subject,
    asked: Asked,
    *,
    hold: str,
    name: str,
    reason: str,
    authority: str,
    categories: Sequence[str],
) -> Decision:
    """Cover present and future holdings of the categories (all, if none); stops erasure and correction only."""
    recorded_here(subject)
    known_categories(asked.policy, categories)
    if _holds_already(subject, hold, categories):
        return NOTHING
    placed = e.LegalHoldPlaced(
        occurred_at=asked.at,
        hold=hold,
        categories=tuple(sorted(set(categories))),
        name=name,
        reason=reason,
        authority=authority,
    )
    unfolding = Unfolding(subject, asked.now)
    unfolding.add(placed)  # before what time brought is carried out: it saves what is still here
    over(unfolding, asked.policy.time_zone)
    settle(unfolding, RETENTION)
    return unfolding.decided()


def _holds_already(subject: Subject, hold: str, categories: Sequence[str]) -> bool:
    """Whether the same hold is in force and covers all that this one would; a released one does not."""
    in_force = [one.categories for one in subject.holds.values() if one.reference == hold and one.until is None]
    covered = frozenset().union(*in_force)
    return any(not one for one in in_force) or (bool(categories) and covered.issuperset(categories))


def release_hold(subject: Subject, asked: Asked, *, hold: str, reason: str, authority: str) -> Decision:
    """What only the hold kept is erased at once."""
    recorded_here(subject)
    placed = [one for one in subject.holds.values() if one.reference == hold]
    if not placed:
        raise r.HoldMissing
    if all(one.until is not None for one in placed):
        return NOTHING
    covered = [h.id for h in subject.kept() if any(one.covers(h.category, asked.now) for one in placed)]
    unfolding = Unfolding(subject, asked.now)
    overdue = _unkept(subject, over(unfolding, asked.policy.time_zone), asked.now)
    unfolding.add(e.LegalHoldReleased(occurred_at=asked.at, hold=hold, reason=reason, authority=authority))
    settle(unfolding, "legal-hold-released", overdue=overdue)
    return unfolding.decided(effects_of(subject, unfolding.subject, covered, asked.now))


def _unkept(subject: Subject, ids: frozenset[str], now: datetime) -> frozenset[str]:
    """Those that time alone has done with; what a hold or a restriction kept goes because that ends."""
    return frozenset(id for id in ids if not keepers(subject, subject.holdings[id], now))


def restrict(
    subject: Subject,
    asked: Asked,
    *,
    categories: Sequence[str],
    holdings: Sequence[str],
    reason: str,
    until: datetime | None,
    law: str | None,
    law_reference: str | None = None,
) -> Decision:
    """Storage only for whole holdings; the clocks of their grounds run on. Prolongs life only if `law` is given."""
    recorded_here(subject)
    known_categories(asked.policy, categories)
    fresh = [
        holding.id
        for holding in chosen(subject, categories, holdings)
        if not _restricts_already(holding, asked.now, until, by_law=law is not None)
    ]
    if not fresh:
        return NOTHING
    restricted = e.ProcessingRestricted(
        occurred_at=asked.at,
        holdings=tuple(fresh),
        because="asked",
        until=until,
        by_law=law is not None,
        law=law,
        law_reference=law_reference,
        reason=reason,
    )
    return Decision((restricted,))


def _restricts_already(holding: Holding, now: datetime, until: datetime | None, *, by_law: bool) -> bool:
    """Whether a restriction in force lasts as long, and by law if this one would."""
    in_force = [one for one in holding.restrictions if one.until is None or now < one.until]
    return any(
        (one.by_law or not by_law) and (one.until is None or (until is not None and until <= one.until))
        for one in in_force
    )


def lift_restriction(
    subject: Subject, asked: Asked, *, categories: Sequence[str], holdings: Sequence[str], reason: str
) -> Decision:
    """End a restriction that somebody asked for; what law or a hold imposes cannot be lifted by asking."""
    recorded_here(subject)
    known_categories(asked.policy, categories)
    named = chosen(subject, categories, holdings)
    lifted = [holding.id for holding in named if subject.is_restricted(holding, asked.now)]
    if not lifted:
        _refuse_imposed(subject, asked.now, named)
        return NOTHING
    unfolding = Unfolding(subject, asked.now)
    overdue = _unkept(subject, over(unfolding, asked.policy.time_zone), asked.now)
    unfolding.add(e.RestrictionLifted(occurred_at=asked.at, holdings=tuple(lifted), because="asked", reason=reason))
    settle(unfolding, "restriction-lifted", overdue=overdue)
    return unfolding.decided(effects_of(subject, unfolding.subject, lifted, asked.now))


def _refuse_imposed(subject: Subject, now: datetime, named: Sequence[Holding]) -> None:
    stored = [holding for holding in named if not subject.live_grounds(holding, now)]
    why = {keeper.because: holding.category for holding in stored for keeper in keepers(subject, holding, now)}
    if HOLD in why:
        raise r.HoldInForce([why[HOLD]])
    for imposed in (STATUTORY, COPY):
        if imposed in why:
            raise r.RetentionInForce([why[imposed]])
