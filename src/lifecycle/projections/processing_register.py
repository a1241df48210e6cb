"""For which purposes are how many people's data processed now, of which categories and on which bases? GDPR Art. 30.

It asks the rows of `holdings` and has none of its own: it is read seldom, and an append should not pay for it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from lifecycle.projections.holdings import HAS_GROUND, current_holding


@dataclass(frozen=True, slots=True)
class Processed:
    """How many people have a live ground for one purpose: altogether, by category, and by basis."""

    people: int = 0
    by_category: dict[str, int] = field(default_factory=dict)
    by_basis: dict[str, int] = field(default_factory=dict)


def processed_now(c: Connection, now: datetime) -> dict[str, Processed]:
    """By purpose. Time passes at reading: a period that is over counts no more, swept or not."""
    by_category, by_basis = defaultdict[str, dict[str, int]](dict), defaultdict[str, dict[str, int]](dict)
    for purpose, category, people in c.execute(_people(now, current_holding.c.category)):
        by_category[purpose][category] = people
    for purpose, basis, people in c.execute(_people(now, current_holding.c.basis)):
        by_basis[purpose][basis] = people
    return {
        purpose: Processed(people, by_category[purpose], by_basis[purpose])
        for purpose, people in c.execute(_people(now))
    }


def _people(now: datetime, *by: Any) -> Select[Any]:
    held = current_holding.c
    return (
        select(held.purpose, *by, func.count(func.distinct(held.subject_id)))
        .where(HAS_GROUND, held.ground_since <= now, (held.until > now) | held.until.is_(None))
        .where((held.erased_at > now) | held.erased_at.is_(None))
        .group_by(held.purpose, *by)
    )
