"""The fact that a person was told of an incident that hit them. Policy clause 6."""

from __future__ import annotations

from typing import ClassVar

from lifecycle.domain.event import DomainEvent


class SubjectToldOfIncident(DomainEvent):
    """What the notice said is on the incident's own record; `notice` is its number there. Not after a whole erasure:
    nobody can be reached any more, and the incident's record counts them as skipped."""

    kind: ClassVar[str] = "subject-told-of-incident/1"
    incident: str
    notice: int
    nature: str
    categories: tuple[str, ...]
    channel: str
