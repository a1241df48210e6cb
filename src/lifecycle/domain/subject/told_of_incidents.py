"""Of which incidents a person was told, and the decision to tell. Policy clause 6; PIPL Art. 57; GDPR Art. 34."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject.told_events import SubjectToldOfIncident

if TYPE_CHECKING:
    from lifecycle.domain.subject.state import Subject


@dataclass(frozen=True, slots=True)
class ToldOfIncident:
    incident: str
    notice: int
    nature: str
    categories: frozenset[str]
    channel: str
    at: datetime


def was_told(subject: Subject, incident: str, categories: frozenset[str]) -> bool:
    """Whether the person knows that data of all these categories was hit."""
    known = [told.categories for told in subject.incidents if told.incident == incident]
    return bool(known) and categories <= frozenset().union(*known)


def tell(
    subject: Subject, asked: Asked, *, incident: str, notice: int, nature: str, categories: Sequence[str], channel: str
) -> Decision:
    """Told once of the same; told again when more of theirs turns out to have been hit."""
    if was_told(subject, incident, frozenset(categories)):
        return NOTHING
    told = SubjectToldOfIncident(
        occurred_at=asked.at,
        incident=incident,
        notice=notice,
        nature=nature,
        categories=tuple(sorted(set(categories))),
        channel=channel,
    )
    return Decision((told,))


def _told(subject: Subject, event: SubjectToldOfIncident, _: datetime) -> Subject:
    told = ToldOfIncident(
        event.incident, event.notice, event.nature, frozenset(event.categories), event.channel, event.occurred_at
    )
    return subject.changed(incidents=(*subject.incidents, told))


CHANGES: dict[type[DomainEvent], Callable[[Subject, Any, datetime], Subject]] = {SubjectToldOfIncident: _told}
