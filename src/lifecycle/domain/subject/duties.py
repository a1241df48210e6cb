"""What recipients have to be told because of what was decided about a person.

An instruction is decided together with the fact that causes it, from the record alone: so nothing between the two can
be lost. Told is whoever was given that holding and has not confirmed that the copy is gone. Policy clauses 3.1a, 7.2
and 7.3; PDPA s 22; GDPR Art. 19.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject import duty_events as d
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.duty import COPY_GOES, Duty
from lifecycle.domain.subject.fold import fold
from lifecycle.domain.subject.outgoing_events import PersonalDataAnonymised
from lifecycle.domain.subject.state import Holding, Share, Subject
from lifecycle.policy.look_back import corrections_since
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import Period
from lifecycle.policy.vocabulary import RecipientKind

NewInstruction = Callable[[], tuple[str, str]]
"""An id for an instruction, and the SHA-256 of its token in hex."""


@dataclass(frozen=True, slots=True, order=True)
class Told:
    """What one recipient is told, about some holdings."""

    recipient: str
    duty: d.Act
    because: d.Cause
    purposes: tuple[str, ...] = ()
    agreement: str = ""


def instructions(
    before: Subject, events: Sequence[DomainEvent], now: datetime, policy: Policy, new: NewInstruction
) -> tuple[d.RecipientInstructed, ...]:
    """What follows for recipients from facts that are decided together about a person who was `before`."""
    if not events or not [True for holding in before.holdings.values() if holding.shares]:
        return ()
    after = before
    for event in events:
        after = fold(after, event, now)
    told = [*_erased(after, events), *_corrected(after, events, now, policy), *_stopped(before, after, events)]
    wanted = [(one, id) for one, id in told if not copy_is_gone(before, one.recipient, after.holdings[id])]
    erased = {(one.recipient, id) for one, id in wanted if one.duty == "erase"}
    left = [(one, id) for one, id in wanted if one.duty == "erase" or (one.recipient, id) not in erased]
    return together(left, now, policy, new)


def together(
    wanted: Iterable[tuple[Told, str]], now: datetime, policy: Policy, new: NewInstruction
) -> tuple[d.RecipientInstructed, ...]:
    """One instruction for all holdings about which a recipient is told the same."""
    by_told: dict[Told, dict[str, None]] = {}
    for told, id in wanted:
        by_told.setdefault(told, {})[id] = None
    due = Period(days=policy.recipient_duties.days).due(now, policy.time_zone)
    return tuple(_instructed(told, tuple(by_told[told]), now, due, new()) for told in sorted(by_told))


def _instructed(
    told: Told, holdings: tuple[str, ...], now: datetime, due: datetime, new: tuple[str, str]
) -> d.RecipientInstructed:
    instruction, token_hash = new
    return d.RecipientInstructed(
        occurred_at=now,
        instruction=instruction,
        recipient=told.recipient,
        duty=told.duty,
        holdings=holdings,
        purposes=told.purposes,
        agreement=told.agreement or None,
        because=told.because,
        due=due,
        token_hash=token_hash,
    )


# -- which fact asks what of whom ------------------------------------------------------------------------------------


def _erased(after: Subject, events: Sequence[DomainEvent]) -> Iterator[tuple[Told, str]]:
    anonymised = {id for event in events if isinstance(event, PersonalDataAnonymised) for id in event.holdings}
    for event in events:
        if isinstance(event, e.ErasureOrdered):
            for holding in _named(after, event.holdings):
                for recipient in given_to(holding):
                    yield Told(recipient, "erase", "anonymised" if holding.id in anonymised else "erased"), holding.id


def _corrected(
    after: Subject, events: Sequence[DomainEvent], now: datetime, policy: Policy
) -> Iterator[tuple[Told, str]]:
    since = corrections_since(policy, now)
    for event in events:
        if isinstance(event, e.PersonalDataCorrected | e.PersonalDataSupplemented):
            for holding in _named(after, event.holdings):
                for recipient in given_to(holding, lambda share: is_ours(share) or since is None or share.at >= since):
                    yield Told(recipient, "correct", "corrected"), holding.id


def _stopped(before: Subject, after: Subject, events: Sequence[DomainEvent]) -> Iterator[tuple[Told, str]]:
    """Altogether when the person asked for storage only; otherwise for the purposes that have no ground any more."""
    asked = {
        id
        for event in events
        if isinstance(event, e.ProcessingRestricted) and event.because == "asked"
        for id in event.holdings
    }
    for holding in after.holdings.values():
        if holding.id in asked:
            for recipient in given_to(holding):
                yield Told(recipient, "stop", "restricted"), holding.id
            continue
        lost = _purposes(before.holdings.get(holding.id)) - _purposes(holding)
        for recipient in given_to(holding) if lost else ():
            if purposes := _lost_to(holding, recipient, lost):
                yield Told(recipient, "stop", "ground-ended", purposes), holding.id


def _purposes(holding: Holding | None) -> set[str]:
    """Those for which an end is not on record."""
    return set() if holding is None else {ground.purpose for ground in holding.grounds if ground.ended is None}


def _lost_to(holding: Holding, recipient: str, lost: set[str]) -> tuple[str, ...]:
    """For which of these the recipient was given the holding; without a purpose it was given it for all."""
    given = {share.purpose for share in holding.shares if share.recipient == recipient}
    return tuple(sorted(lost if None in given else lost.intersection(given)))


def _named(subject: Subject, ids: Iterable[str]) -> Iterator[Holding]:
    """An order to erase may name requests too."""
    return (subject.holdings[id] for id in ids if id in subject.holdings)


# -- who has a copy ------------------------------------------------------------------------------------------------


def given_to(holding: Holding, which: Callable[[Share], bool] = lambda _: True) -> tuple[str, ...]:
    """Everybody who was ever given this holding, but for authorities: they have it by law, and act by law."""
    given = (share for share in holding.shares if share.kind is not RecipientKind.AUTHORITY)
    return tuple(dict.fromkeys(share.recipient for share in given if which(share)))


def is_ours(share: Share) -> bool:
    """Whether the copy is kept on our behalf: it is ours to correct however long ago it was given (PDPA s 4(3))."""
    return share.kind in (RecipientKind.TRUSTEE, RecipientKind.TECHNOLOGY, RecipientKind.SYSTEM)


def copy_is_gone(subject: Subject, recipient: str, holding: Holding) -> bool:
    """Whether the recipient has confirmed it, and was given nothing since it was told."""
    given = max(share.at for share in holding.shares if share.recipient == recipient)
    return any(
        duty.answer == "confirmed" and duty.since >= given
        for duty in told_of(subject, recipient, holding.id)
        if duty.duty in COPY_GOES
    )


def told_of(subject: Subject, recipient: str, holding: str) -> Iterator[Duty]:
    return (each for each in subject.duties.values() if each.recipient == recipient and holding in each.holdings)
