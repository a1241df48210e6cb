"""Whom does one change of the policy concern? Asked of the holdings and consents that are projected already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, func, select, union

from lifecycle.policy.differences import CONSENT, Difference
from lifecycle.projections.consents import consent_status
from lifecycle.projections.holdings import HAS_GROUND, current_holding
from lifecycle.projections.policy_versions import acquainted_person

held, consent = current_holding.c, consent_status.c


def concerned(found: Difference, now: datetime, *, asked: bool = False) -> Select[tuple[UUID]]:
    """People with a live ground, or a consent in force, that the change is about; of a change that is about no
    purpose, everybody about whom something is held. `asked`: only those whose consent it rests on."""
    if found.purpose is None and found.category is None:
        return select(acquainted_person.c.subject_id)
    live = select(held.subject_id).where(_live(found, now))
    if asked:
        live = live.where(held.basis == CONSENT)
    if found.purpose is None or found.loses_cover or found.basis not in (None, CONSENT):
        return select(live.distinct().subquery().c.subject_id)
    agreed = select(consent.subject_id).where(
        consent.purpose == found.purpose,
        consent.status == "given",
        (consent.lapses.is_(None)) | (consent.lapses > now),
    )
    return select(union(live, agreed).subquery().c.subject_id)


def _live(found: Difference, now: datetime) -> ColumnElement[bool]:
    live = HAS_GROUND & (held.until.is_(None) | (held.until > now)) & held.ended.is_(None) & held.erased_at.is_(None)
    if found.purpose is not None:
        live &= held.purpose == found.purpose
    if found.category is not None and (found.loses_cover or found.purpose is None or found.what == "sensitivity"):
        live &= held.category == found.category
    if found.basis is not None and found.loses_cover:
        live &= held.basis == found.basis
    return live


def how_many(c: Connection, found: Difference, now: datetime, *, asked: bool = False) -> int:
    return c.execute(select(func.count()).select_from(concerned(found, now, asked=asked).subquery())).scalar_one()


def page_of(c: Connection, found: Difference, now: datetime, limit: int, after: UUID | None = None) -> Sequence[UUID]:
    """The people themselves, in the order of their ids."""
    people = concerned(found, now).subquery().c.subject_id
    chosen = select(people) if after is None else select(people).where(people > after)
    return list(c.execute(chosen.order_by(people).limit(limit)).scalars())


def without_cover(c: Connection, found: Difference, now: datetime) -> int:
    """How many grounds on holdings would end because of it."""
    if not found.loses_cover:
        return 0
    return c.execute(select(func.count()).select_from(current_holding).where(_live(found, now))).scalar_one()
