"""An incident: how far it has come, and which clocks run. Policy clause 6; PIPL Art. 57; GDPR Arts. 33 and 34."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.event import DomainEvent
from lifecycle.domain.incident import events as e
from lifecycle.policy.model import Policy


class Status(StrEnum):
    UNKNOWN = "unknown"
    DETECTED = "detected"
    ASSESSED = "assessed"
    WAIVED = "waived"  # people need not be told
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Clock:
    """One limit: answered when who it is about was told, missed when that had been said."""

    due: e.Due
    answered: bool = False
    missed: bool = False

    @property
    def runs(self) -> bool:
        return not self.answered and not self.missed


@dataclass(frozen=True, slots=True)
class Incident:
    name_id: str
    version: int = 0
    status: Status = Status.UNKNOWN
    detected: e.IncidentDetected | None = None
    assessed: e.IncidentAssessed | None = None
    assessed_in: int = 0  # version of the newest assessment
    counted: e.AffectedCounted | None = None
    remedies: int = 0
    jurisdictions: frozenset[str] = frozenset()  # whose authority was told
    notice: e.SubjectNoticeBegun | None = None  # the newest
    notices: int = 0
    told: int = 0
    untold: int | None = None  # None until it is counted
    skipped: tuple[tuple[str, int], ...] = ()
    to_count: bool = False
    to_tell: bool = False
    ordered: bool = False  # by an authority: people are told whatever measures were taken
    clocks: tuple[Clock, ...] = ()
    closed_at: datetime | None = None

    def fold(self, event: DomainEvent) -> Incident:
        change = _CHANGES.get(type(event))
        after = replace(self, version=self.version + 1)
        return change(after, event) if change is not None else after

    def calendar(self, policy: Policy) -> Sequence[tuple[datetime, str]]:
        return [(clock.due.due, f"{clock.due.whom}:{clock.due.rule}") for clock in self.clocks if clock.runs]

    def fall_due(self, asked: Asked) -> Decision:
        return Decision(
            tuple(
                e.IncidentDeadlineMissed(
                    occurred_at=clock.due.due,
                    incident=self.name_id,
                    whom=clock.due.whom,
                    rule=clock.due.rule,
                    due=clock.due.due,
                )
                for clock in self.clocks
                if clock.runs and clock.due.due <= asked.now
            )
        )

    @property
    def is_open(self) -> bool:
        return self.status not in (Status.UNKNOWN, Status.CLOSED)

    @property
    def people_are_settled(self) -> bool:
        """Nobody is left who has to be told."""
        return self.status is Status.WAIVED or (self.untold == 0 and not self.to_tell)


def _answer(incident: Incident, whom: str, which: Callable[[e.Due], bool] = lambda _: True) -> Incident:
    clocks = tuple(
        replace(clock, answered=True) if clock.due.whom == whom and which(clock.due) else clock
        for clock in incident.clocks
    )
    return replace(incident, clocks=clocks)


def _more(incident: Incident, dues: Iterable[e.Due]) -> tuple[Clock, ...]:
    """With further limits; one for people that had been answered runs again when it is said again."""
    again = tuple(dues)
    kept = (
        replace(clock, answered=False) if clock.due in again and clock.due.whom == "subjects" else clock
        for clock in incident.clocks
    )
    known = {clock.due for clock in incident.clocks}
    return (*kept, *(Clock(due) for due in again if due not in known))


def _detected(incident: Incident, event: e.IncidentDetected) -> Incident:
    return replace(incident, status=Status.DETECTED, detected=event, clocks=_more(incident, event.dues))


def _assessed(incident: Incident, event: e.IncidentAssessed) -> Incident:
    status = Status.ASSESSED if incident.status is Status.DETECTED else incident.status
    return replace(incident, status=status, assessed=event, assessed_in=incident.version, to_count=True)


def _counted(incident: Incident, event: e.AffectedCounted) -> Incident:
    clocks = _more(incident, event.dues)
    incident = replace(
        incident,
        counted=event,
        to_count=False,
        untold=event.untold,
        to_tell=incident.notice is not None and event.untold > 0 and incident.status is not Status.WAIVED,
        clocks=clocks,
    )
    # An authority that knew before its limit was known is not told again.
    incident = _answer(incident, "authority", lambda due: due.rule.partition(".")[0] in incident.jurisdictions)
    return _answer(incident, "subjects") if event.untold == 0 else incident


def _remedied(incident: Incident, _: e.RemedyTaken) -> Incident:
    return replace(incident, remedies=incident.remedies + 1)


def _authority(incident: Incident, event: e.AuthorityNotified) -> Incident:
    incident = replace(incident, jurisdictions=incident.jurisdictions | set(event.jurisdictions))
    return _answer(incident, "authority", lambda due: due.rule.partition(".")[0] in event.jurisdictions or _ours(due))


def _ours(due: e.Due) -> bool:
    return due.rule.startswith("policy@")


def _begun(incident: Incident, event: e.SubjectNoticeBegun) -> Incident:
    status = Status.ASSESSED if incident.status is Status.WAIVED else incident.status
    return replace(incident, status=status, notice=event, notices=event.notice, to_tell=True)


def _notified(incident: Incident, event: e.SubjectsNotified) -> Incident:
    incident = replace(
        incident, told=event.people, untold=0, to_tell=False, skipped=tuple(sorted(event.skipped.items()))
    )
    return _answer(incident, "subjects")


def _waived(incident: Incident, _: e.SubjectNoticeWaived) -> Incident:
    return _answer(replace(incident, status=Status.WAIVED, to_tell=False), "subjects")


def _reopened(incident: Incident, event: e.IncidentReopened) -> Incident:
    status = Status.ASSESSED if event.ordered or incident.status is Status.CLOSED else incident.status
    ordered = incident.ordered or event.ordered
    clocks = _more(incident, event.dues)
    return replace(incident, status=status, ordered=ordered, to_count=True, clocks=clocks, closed_at=None)


def _closed(incident: Incident, event: e.IncidentClosed) -> Incident:
    """A window that had no end has one now, also if the incident is opened again."""
    said = incident.assessed
    if said is not None and said.ends is None:
        said = said.model_copy(update={"ends": event.occurred_at})
    return replace(incident, status=Status.CLOSED, assessed=said, to_count=False, closed_at=event.occurred_at)


def _missed(incident: Incident, event: e.IncidentDeadlineMissed) -> Incident:
    said = (event.whom, event.rule, event.due)
    clocks = tuple(
        replace(clock, missed=True) if (clock.due.whom, clock.due.rule, clock.due.due) == said else clock
        for clock in incident.clocks
    )
    return replace(incident, clocks=clocks)


_CHANGES: dict[type[DomainEvent], Callable[[Incident, Any], Incident]] = {
    e.IncidentDetected: _detected,
    e.IncidentAssessed: _assessed,
    e.AffectedCounted: _counted,
    e.RemedyTaken: _remedied,
    e.AuthorityNotified: _authority,
    e.SubjectNoticeBegun: _begun,
    e.SubjectsNotified: _notified,
    e.SubjectNoticeWaived: _waived,
    e.IncidentReopened: _reopened,
    e.IncidentClosed: _closed,
    e.IncidentDeadlineMissed: _missed,
}
