"""How a recipient answers: it names the instruction and shows the token that came with it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lifecycle.commands.document import Name, SubjectCommand
from lifecycle.domain.subject.instructing import Answer


class AnswerCommand(SubjectCommand):
    """The person is named as the instruction names it: by our id, which lasts longer than the person's data."""

    instruction: Name
    token: Annotated[str, Field(min_length=1, max_length=200)]

    @property
    def answer(self) -> Answer:
        return Answer(self.instruction, self.token)
