"""Records about no person: a trustee's, and whatever else has a name and a stream of its own.

Their words are sealed under nobody's key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self
from uuid import UUID

from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.event import DomainEvent, Recorded
from lifecycle.domain.streams import incident_stream, transfer_stream, trustee_stream
from lifecycle.policy.model import Policy


class OpenRecord(Protocol):
    """The state of one such record; version 0 is one of which nothing is recorded yet."""

    @property
    def version(self) -> int: ...

    def fold(self, event: DomainEvent) -> Self: ...

    def calendar(self, policy: Policy) -> Sequence[tuple[datetime, str]]:
        """What time will bring, and when; each is gone from here once `fall_due` has recorded it."""
        ...

    def fall_due(self, asked: Asked) -> Decision:
        """What time has brought by `asked.now`."""
        ...


@dataclass(frozen=True, slots=True)
class Noun:
    """One sort of open record. Its name is the field by which commands and events name the record."""

    stream: Callable[[str], UUID]
    born: Callable[[str], OpenRecord]


def _trustee(name: str) -> OpenRecord:
    from lifecycle.domain.trustee.trustee import Trustee  # noqa: PLC0415 -- most of what is done is about people alone

    return Trustee(name)


def _transfer(name: str) -> OpenRecord:
    from lifecycle.domain.transfer.transfer import Transfer  # noqa: PLC0415

    return Transfer(name)


def _incident(name: str) -> OpenRecord:
    from lifecycle.domain.incident.incident import Incident  # noqa: PLC0415

    return Incident(name)


NOUNS: dict[str, Noun] = {
    "trustee": Noun(trustee_stream, _trustee),
    "transfer": Noun(transfer_stream, _transfer),
    "incident": Noun(incident_stream, _incident),
}

Named = tuple[str, str]  # noun and name


def stream_of(named: Named) -> UUID:
    noun, name = named
    return NOUNS[noun].stream(name)


def replay(named: Named, events: Iterable[Recorded]) -> OpenRecord:
    noun, name = named
    return folded_on(NOUNS[noun].born(name), events)


def folded_on(record: OpenRecord, events: Iterable[Recorded]) -> OpenRecord:
    for recorded in events:
        record = record.fold(recorded.event)
    return record


def named_by(stream_id: UUID, event: DomainEvent) -> Named | None:
    """Whose record an event on this stream belongs to; None if it is no open record's."""
    for noun in NOUNS:
        name = getattr(event, noun, None)
        if isinstance(name, str) and stream_of((noun, name)) == stream_id:
            return noun, name
    return None
