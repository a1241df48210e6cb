"""Duties of whoever has a copy: who is to be told what, and what became of it.

An instruction is decided together with the fact that causes it, from the record alone: whoever was given that holding,
and has not said that it is gone. So nothing between the two can be lost. Policy clauses 3.1a, 7.2 and 7.3; PDPA s 22;
GDPR Art. 19.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject import duty_events as d
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.fold import fold
from lifecycle.domain.subject.state import Duty, Holding, Subject
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import Period

GONE = ("erase", "return")
"""After one of these is confirmed, the recipient has no copy of what it was given before."""

NewInstruction = Callable[[], tuple[str, str]]
"""An id for an instruction, and the SHA-256 of its token."""


@dataclass(frozen=True, slots=True)
class _Told:
    duty: d.Act
    because: d.Cause


def instructions(
    before: Subject, events: Sequence[DomainEvent], now: datetime, policy: Policy, new: NewInstruction
) -> list[d.RecipientInstructed]:
    """What recipients have to be told because of these facts. Erasing covers stopping and correcting; one instruction
    for each recipient and duty."""
    after = before
    wanted: dict[tuple[str, str], _Told] = {}  # (recipient, holding) → the strongest duty
    for event in events:
        state, after = after, fold(after, event, now)
        for told, holdings in _caused(state, after, event, now):
            for id in holdings:
                for recipient in _recipients(before, after.holdings[id], told.duty, now, policy):
                    _take(wanted, (recipient, id), told)
    due = Period(days=policy.recipient_duties.days).due(now, policy.time_zone)
    together: dict[tuple[str, _Told], list[str]] = {}
    for (recipient, id), told in wanted.items():
        together.setdefault((recipient, told), []).append(id)
    return [
        _instructed(recipient, told, tuple(ids), now, due, new) for (recipient, told), ids in sorted(
            together.items(), key=lambda one: (one[0][0], one[0][1].duty, one[0][1].because)
        )
    ]


def _instructed(
    recipient: str, told: _Told, holdings: tuple[str, ...], now: datetime, due: datetime, new: NewInstruction
) -> d.RecipientInstructed:
    instruction, token_hash = new()
    return d.RecipientInstructed(
        occurred_at=now,
        instruction=instruction,
        recipient=recipient,
        duty=told.duty,
        holdings=holdings,
        because=told.because,
        due=due,
        token_hash=token_hash,
    )


_STRENGTH = ("correct", "stop", "return", "erase")


def _take(wanted: dict[tuple[str, str], _Told], key: tuple[str, str], told: _Told) -> None:
    """A correction and a stop are both needed; of everything else the stronger covers the weaker."""
    had = wanted.get(key)
    if had is None or _STRENGTH.index(told.duty) > _STRENGTH.index(had.duty):
        wanted[key] = told


def _caused(
    before: Subject, after: Subject, event: DomainEvent, now: datetime
) -> Iterable[tuple[_Told, Iterable[str]]]:
    """What one fact asks of recipients, and for which holdings."""
    match event:
        case e.PersonalDataCorrected() | e.PersonalDataSupplemented():
            yield _Told("correct", "corrected"), event.holdings
        case e.ErasureOrdered():
            yield _Told("erase", "erased"), event.holdings
        case e.ProcessingRestricted(because="asked"):
            yield _Told("stop", "restricted"), event.holdings
        case e.ConsentWithdrawn() | e.GroundEnded() | e.RetentionExpired():
            yield _Told("stop", "ground-ended"), _without_purpose(before, after, now)


def _without_purpose(before: Subject, after: Subject, now: datetime) -> list[str]:
    """Holdings that were given away for a purpose for which no ground is left now, though one was recorded before."""
    found = []
    for id, holding in after.holdings.items():
        had = {ground.purpose for ground in before.holdings[id].grounds if ground.ended is None} if id in before.holdings else set()
        has = {ground.purpose for ground in holding.grounds if ground.ended is None}
        lost = had - has
        if any(share.purpose in lost for share in holding.shares):
            found.append(id)
    return found


def _recipients(before: Subject, holding: Holding, duty: str, now: datetime, policy: Policy) -> list[str]:
    """Who was given this holding and has not said since that the copy is gone; corrections go back as far as law says."""
    since = None
    if duty == "correct":
        since = policy.corrections_go_back_to(now)
    found = {}
    for share in holding.shares:
        if since is not None and share.at < since:
            continue
        if not _is_gone(before, share.recipient, holding.id, share.at):
            found[share.recipient] = None
    return list(found)


def _is_gone(subject: Subject, recipient: str, holding: str, given_at: datetime) -> bool:
    return any(
        duty.recipient == recipient
        and duty.duty in GONE
        and holding in duty.holdings
        and duty.since >= given_at
        and duty.answer == "confirmed"
        for duty in subject.duties.values()
    )
