"""Put on a person's record that they were told of an incident. The engine asks it of everybody who was hit."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import told_of_incidents
from lifecycle.domain.subject.wording import open_record


class TellOfIncident(SubjectCommand):
    command: Literal["tell-of-incident"] = "tell-of-incident"
    incident: Name
    notice: int
    nature: Name
    categories: tuple[Name, ...]
    channel: Name


def tell_of_incident(command: TellOfIncident, person: PersonContext) -> Decision:
    open_record(person.subject)
    return told_of_incidents.tell(
        person.subject,
        person.asked,
        incident=command.incident,
        notice=command.notice,
        nature=command.nature,
        categories=command.categories,
        channel=command.channel,
    )
