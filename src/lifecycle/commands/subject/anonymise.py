"""End holdings by anonymisation: what is left identifies nobody."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import anonymising


class Anonymise(SubjectCommand):
    """Everything held of these categories. Whatever statistics a caller keeps has left before: policy clause 1.1."""

    command: Literal["anonymise"] = "anonymise"
    categories: tuple[Name, ...] = Field(min_length=1)


def anonymise(command: Anonymise, person: PersonContext) -> Decision:
    return anonymising.anonymise(person.subject, person.asked, categories=command.categories)
