"""What the engine asks of an incident when it has computed who was hit, or has told them. No document can."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from lifecycle.commands.incident.about import IncidentCommand, IncidentContext
from lifecycle.domain.decision import Decision
from lifecycle.domain.incident import deciding
from lifecycle.domain.incident.tally import Counted


class RecordAffected(IncidentCommand):
    command: Literal["record-affected"] = "record-affected"
    counted: Counted
    known_at: datetime


class RecordNotified(IncidentCommand):
    command: Literal["record-notified"] = "record-notified"
    people: int
    more: int | None = None
    skipped: dict[str, int] = Field(default_factory=dict)
    digest: str


def record_affected(command: RecordAffected, context: IncidentContext) -> Decision:
    return deciding.count(context.named, context.asked, command.counted, command.known_at)


def record_notified(command: RecordNotified, context: IncidentContext) -> Decision:
    said = {name: getattr(command, name) for name in ("people", "more", "skipped", "digest")}
    return deciding.notified(context.named, context.asked, **said)
