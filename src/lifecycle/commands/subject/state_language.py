"""Record in which language a person wants to be written to."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import identity
from lifecycle.policy.vocabulary import Language


class StateLanguage(SubjectCommand):
    command: Literal["state-language"] = "state-language"
    language: Language


def state_language(command: StateLanguage, person: PersonContext) -> Decision:
    return identity.state_language(person.subject, person.asked, language=command.language)
