"""Was this person hit? From the person's record alone, as it was at any instant of the window. Policy clause 6."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from lifecycle.domain.incident.events import Nature, Scope
from lifecycle.domain.subject.duty import COPY_GOES
from lifecycle.domain.subject.settling import minimum_until
from lifecycle.domain.subject.state import Holding, Subject
from lifecycle.policy.vocabulary import RecipientKind

ENGINE = "engine"  # the running service, which opens values
DATABASE = "database"  # what lies at rest, sealed
OURS = (ENGINE, DATABASE)

SEALED = "sealed-key-not-exposed"
IN_CUSTODY = "in-custody-key-not-exposed"
ELSEWHERE = "value-held-elsewhere"


@dataclass(frozen=True, slots=True)
class Window:
    """From `starts` on, and before or at `ends`."""

    starts: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Reach:
    """What happened to whom it may concern: its nature, window and scope."""

    nature: Nature
    window: Window
    scope: Scope


@dataclass(frozen=True, slots=True)
class Exposure:
    """Categories of the person's holdings that were hit, by holding; and why others were not, by holding."""

    hit: dict[str, str] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)

    @property
    def categories(self) -> frozenset[str]:
        return frozenset(self.hit.values())


def exposure(subject: Subject, reach: Reach) -> Exposure:
    """Every holding of the categories meant that was where the incident happened, during the window."""
    found = Exposure()
    for holding in subject.holdings.values():
        if reach.scope.categories and holding.category not in reach.scope.categories:
            continue
        reasons = list(_reasons(subject, holding, reach))
        if None in reasons:
            found.hit[holding.id] = holding.category
        elif reasons:
            found.excluded[holding.id] = str(reasons[0])
    return found


def _reasons(subject: Subject, holding: Holding, reach: Reach) -> Iterator[str | None]:
    """For each way in which the holding was within reach: None if it was hit, or why it was not."""
    scope, window = reach.scope, reach.window
    if scope.trustee is not None and _had_a_copy(subject, holding, scope.trustee, window):
        yield None
    if scope.store is not None and scope.store not in OURS:
        given = _had_a_copy(subject, holding, scope.store, window, RecipientKind.SYSTEM)
        if given or (holding.held_by == scope.store and _was_there(holding, window)):
            yield None
    if (scope.store in OURS or scope.keys) and _was_there(holding, window):
        yield _in_our_store(subject, holding, reach)


def _in_our_store(subject: Subject, holding: Holding, reach: Reach) -> str | None:
    """Sealing protects against a leak, and against nothing else: what is changed or lost is so sealed or not."""
    if holding.held_by is not None:
        return ELSEWHERE
    if reach.nature != "leak":
        return None
    keys = reach.scope.keys
    if _in_custody_throughout(subject, holding, reach.window):
        return None if "custody" in keys else IN_CUSTODY
    return None if reach.scope.store == ENGINE or "epoch" in keys else SEALED


def _was_there(holding: Holding, window: Window) -> bool:
    """An order of erasure that a store could not carry out leaves the value where it is."""
    gone = holding.erased_at if holding.obstructed_at is None else None
    return holding.since <= window.ends and (gone is None or gone > window.starts)


def _had_a_copy(
    subject: Subject, holding: Holding, recipient: str, window: Window, kind: RecipientKind | None = None
) -> bool:
    """Given by the end of the window, and not confirmed to be gone before it began. What we did with our own copy
    does not matter."""
    kinds = (kind,) if kind is not None else tuple(each for each in RecipientKind if each is not RecipientKind.SYSTEM)
    shares = [s.at for s in holding.shares if s.recipient == recipient and s.kind in kinds and s.at <= window.ends]
    gone = [(told, at) for told, at in _gone(subject, holding, recipient) if at <= window.starts]
    return any(all(told < given for told, _ in gone) for given in shares)


def _gone(subject: Subject, holding: Holding, recipient: str) -> Iterator[tuple[datetime, datetime]]:
    """When the recipient was told to erase or return it, and when it confirmed that it had."""
    for duty in subject.duties.values():
        told = duty.recipient == recipient and holding.id in duty.holdings and duty.duty in COPY_GOES
        if told and duty.answer == "confirmed" and duty.answered_at is not None:
            yield duty.since, duty.answered_at


def _in_custody_throughout(subject: Subject, holding: Holding, window: Window) -> bool:
    """Stored only at every instant of the window at which it was there: its key was in custody."""
    if holding.id == subject.birth_date:
        return False
    first = max(window.starts, holding.since)
    moments = [first, *(at for at in _turns(subject, holding) if first < at <= window.ends)]
    erased = holding.erased_at
    seen = [_stored_only(subject, holding, at) for at in moments if erased is None or at < erased]
    return bool(seen) and all(seen)


def _stored_only(subject: Subject, holding: Holding, at: datetime) -> bool:
    """As `custody.stored_only` says of what is still there, for an instant that is past."""
    if subject.is_restricted(holding, at):
        return True
    return not subject.live_grounds(holding, at) and _was_kept(subject, holding, at)


def _was_kept(subject: Subject, holding: Holding, at: datetime) -> bool:
    minimum, copy = minimum_until(subject, holding), subject.mandatory_copies.get(holding.id)
    by_minimum = minimum is not None and at < minimum
    by_copy = copy is not None and copy.since <= at < copy.until
    return by_minimum or by_copy or subject.is_on_hold(holding, at)


def _turns(subject: Subject, holding: Holding) -> Iterable[datetime]:
    """Every instant at which it may come into custody or leave it."""
    for ground in holding.grounds:
        end = subject.end_of(ground)
        yield ground.since
        if end is not None:
            yield end
            if ground.minimum is not None:
                yield ground.minimum.until(end)
    for restriction in holding.restrictions:
        yield from (at for at in (restriction.since, restriction.until) if at is not None)
    for hold in subject.holds.values():
        yield from (at for at in (hold.since, hold.until) if at is not None)
    copy = subject.mandatory_copies.get(holding.id)
    if copy is not None:
        yield from (copy.since, copy.until)
