"""Legal holds and restriction of processing: storage only, until it is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.settling import HOLD, STATUTORY, Unfolding, effects_of, expire, keepers, settle
from lifecycle.domain.subject.state import Holding, Subject
from lifecycle.domain.subject.wording import chosen, known_categories, open_record


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
    """Cover present and future holdings of the categories (all, if none); stops erasure and correction, nothing else."""
    open_record(subject)
    known_categories(asked.policy, categories)
    if hold in subject.holds:
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
    unfolding.add(placed)
    settle(unfolding, "legal-hold-placed")
    return unfolding.decided()


def release_hold(subject: Subject, asked: Asked, *, hold: str, reason: str, authority: str) -> Decision:
    """What only the hold kept is erased at once."""
    open_record(subject)
    placed = subject.holds.get(hold)
    if placed is None:
        raise r.HoldMissing
    if placed.until is not None:
        return NOTHING
    covered = [h.id for h in subject.kept() if placed.covers(h.category, asked.now)]
    unfolding = Unfolding(subject, asked.now)
    unfolding.add(e.LegalHoldReleased(occurred_at=asked.at, hold=hold, reason=reason, authority=authority))
    expire(unfolding, asked.policy.time_zone)
    settle(unfolding, "legal-hold-released")
    return unfolding.decided(effects_of(subject, unfolding.subject, covered, asked.now))


def restrict(
    subject: Subject,
    asked: Asked,
    *,
    categories: Sequence[str],
    holdings: Sequence[str],
    reason: str,
    until: datetime | None,
    law: str | None,
) -> Decision:
    """Storage only for whole holdings; the clocks of their grounds run on. Prolongs life only if `law` is given."""
    open_record(subject)
    known_categories(asked.policy, categories)
    fresh = [
        holding.id
        for holding in chosen(subject, categories, holdings)
        if not subject.is_restricted(holding, asked.now) or law is not None or until is not None
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
        reason=reason,
    )
    return Decision((restricted,))


def lift_restriction(
    subject: Subject, asked: Asked, *, categories: Sequence[str], holdings: Sequence[str], reason: str
) -> Decision:
    """End a restriction that somebody asked for; what law or a hold imposes cannot be lifted by asking."""
    open_record(subject)
    known_categories(asked.policy, categories)
    named = chosen(subject, categories, holdings)
    lifted = [holding.id for holding in named if subject.is_restricted(holding, asked.now)]
    if not lifted:
        _refuse_imposed(subject, asked.now, named)
        return NOTHING
    unfolding = Unfolding(subject, asked.now)
    unfolding.add(
        e.RestrictionLifted(occurred_at=asked.at, holdings=tuple(lifted), because="asked", reason=reason)
    )
    expire(unfolding, asked.policy.time_zone)
    settle(unfolding, "restriction-lifted")
    return unfolding.decided(effects_of(subject, unfolding.subject, lifted, asked.now))


def _refuse_imposed(subject: Subject, now: datetime, named: Sequence[Holding]) -> None:
    stored = [holding for holding in named if not subject.live_grounds(holding, now)]
    why = {keeper.because: holding.category for holding in stored for keeper in keepers(subject, holding, now)}
    if HOLD in why:
        raise r.HoldInForce([why[HOLD]])
    if STATUTORY in why:
        raise r.RetentionInForce([why[STATUTORY]])
