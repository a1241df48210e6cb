"""How each fact of a transfer to another controller, or from one, changes the state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject import transfer_events as e
from lifecycle.domain.subject.requests import Request
from lifecycle.domain.subject.state import Consent, Generation, Ground, Holding, Subject
from lifecycle.domain.subject.transfers import Moving

CHANGED = "purpose-changed"
"""Why a consent or a ground did not come along: this controller's policy asks for more, or has no such purpose."""

Place = Callable[[int], int]


def _notified(subject: Subject, event: e.SubjectTransferNotified, _: datetime) -> Subject:
    moving = Moving(event.transfer, event.occurred_at)
    return subject.changed(transfers={**subject.transfers, event.transfer: moving})


def _transferred(subject: Subject, event: e.SubjectTransferred, recorded_at: datetime) -> Subject:
    moving = replace(
        subject.transfers[event.transfer],
        transferred_at=recorded_at,
        transferred_in=subject.version,
        whole=event.whole,
        holdings=event.holdings,
    )
    gone = [subject.holdings[id]._replace(transferred_at=recorded_at) for id in event.holdings]
    return subject.with_holdings(gone).changed(transfers={**subject.transfers, event.transfer: moving})


def _received(subject: Subject, event: e.SubjectReceived, recorded_at: datetime) -> Subject:
    before = with_history(subject, event, subject.version, lambda n: n)
    return before.changed(version=subject.version, access_sid=subject.access_sid, last_event_at=recorded_at)


def with_history(subject: Subject, event: e.SubjectReceived, number: int, place: Place) -> Subject:
    """Fold what the former controller recorded, each event as if it stood where its sealed parts stand here.

    `number` is that of the event itself, and `place` says where an event of its stream is found: a record that was
    received twice has a history within its history.
    """
    here = {n: place(number + 1 + index) for index, n in enumerate(event.sealed)}
    return carried_on(told(Subject(subject.id), event.history, lambda n: here.get(n, 0)), event)


def carried_on(state: Subject, event: e.SubjectReceived) -> Subject:
    """Of a record as it stood, what goes on here."""
    state = state.changed(
        transfers={},
        holdings={id: _found(each) for id, each in state.holdings.items() if id not in event.left},
        identifiers={id: type for id, type in state.identifiers.items() if id not in event.unlinked},
        consents=tuple(_anew(each, event) for each in state.consents),
        requests={id: _with_words(each) for id, each in state.requests.items() if id not in event.left},
        birth_date=None if state.birth_date in event.left else state.birth_date,
    )
    ended = {(ref.holding, ref.ground) for ref in event.ended}
    return state.with_holdings(_without(each, ended, event) for each in state.kept())


def told(state: Subject, history: Iterable[e.Told], place: Place) -> Subject:
    """The state that these events add up to; of each, `place` says where it is found."""
    from lifecycle.domain.catalogue import decode  # noqa: PLC0415 -- the catalogue and the fold know every family
    from lifecycle.domain.subject.fold import fold  # noqa: PLC0415

    for each in history:
        event = decode(each.kind, each.data)
        if isinstance(event, e.SubjectReceived):
            state = with_history(state, event, each.n, place)
        else:
            state = fold(state.changed(version=place(each.n) - 1), event, each.at)
    return state


def _found(holding: Holding) -> Holding:
    """Only with the values that came along."""
    return holding._replace(generations=_placed(holding.generations), annotations=_placed(holding.annotations))


def _placed(generations: tuple[Generation, ...]) -> tuple[Generation, ...]:
    return tuple(each for each in generations if each.version > 0)


def _with_words(request: Request) -> Request:
    return replace(request, told_in=tuple(version for version in request.told_in if version > 0))


def _anew(consent: Consent, event: e.SubjectReceived) -> Consent:
    if consent.ended is not None or consent.purpose not in event.asked_anew:
        return consent
    return replace(consent, until=max(event.occurred_at, consent.since), ended=CHANGED)


def _without(holding: Holding, ended: set[tuple[str, int]], event: e.SubjectReceived) -> Holding:
    def over(ground: Ground) -> Ground:
        if (holding.id, ground.number) not in ended:
            return ground
        return ground._replace(until=max(event.occurred_at, ground.since), ended=CHANGED)

    return holding._replace(grounds=tuple(map(over, holding.grounds)))


CHANGES: dict[type[DomainEvent], Callable[[Subject, Any, datetime], Subject]] = {
    e.SubjectTransferNotified: _notified,
    e.SubjectTransferred: _transferred,
    e.SubjectReceived: _received,
}
