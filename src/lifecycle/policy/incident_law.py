"""What law asks when data was leaked, changed or lost: who is told, when, until when, and what the notice contains."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Words = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Whom = Literal["authority", "subjects"]
Risk = Literal["none", "possible", "significant"]
RISKS: tuple[Risk, ...] = ("none", "possible", "significant")


class NoticeRule(BaseModel):
    """One duty to tell. Without conditions it always holds; with several, one that is met is enough.

    `number` is the pack's number for the time, `if_people` its number of people. A law that says "immediately" has no
    number, and the policy's own hours count.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    whom: Whom
    number: str | None = None
    counts_from: Literal["detection", "assessment"] = "detection"
    if_people: str | None = None
    if_risk: Risk | None = None
    citation: Words
    says: Words

    def holds(self, people: int, risk: Risk, numbers: Mapping[str, int]) -> bool:
        if self.if_people is None and self.if_risk is None:
            return True
        many = self.if_people is not None and people >= numbers[self.if_people]
        grave = self.if_risk is not None and RISKS.index(risk) >= RISKS.index(self.if_risk)
        return many or grave


class IncidentLaw(BaseModel):
    """One jurisdiction's duties to tell, and what a notice to the authority and to people has to contain."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    notices: tuple[NoticeRule, ...] = Field(min_length=1)
    authority_contents: tuple[Words, ...] = Field(min_length=1)
    authority_citation: Words
    subject_contents: tuple[Words, ...] = Field(min_length=1)
    subject_citation: Words

    def contents(self, whom: Whom) -> tuple[str, ...]:
        return self.authority_contents if whom == "authority" else self.subject_contents

    def citations(self) -> list[str]:
        return [self.authority_citation, self.subject_citation, *(rule.citation for rule in self.notices)]

    def numbers_named(self) -> Iterable[str]:
        for rule in self.notices:
            yield from (name for name in (rule.number, rule.if_people) if name is not None)
