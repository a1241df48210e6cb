"""Replace wrong values by right ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, Said, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import correcting, custody
from lifecycle.domain.subject.refusals import HoldingErased
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.wording import known_categories, open_record, possible_birth_date
from lifecycle.policy.values import check_value


class Change(SubjectCommand):
    """`data` is category → new value; or one `holding` and its new `value`."""

    data: Mapping[Name, str] = Field(default_factory=dict, max_length=100)
    holding: Name | None = None
    value: str | None = Field(default=None)
    reason: Said
    evidence: Said | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_holding = self.holding is not None and self.value is not None
        if bool(self.data) == by_holding or (self.holding is None) != (self.value is None):
            raise ValueError("give either `data`, or `holding` and `value`")
        return self


class Correct(Change):
    command: Literal["correct"] = "correct"


def correct(command: Correct, person: PersonContext) -> Decision:
    open_record(person.subject)
    known_categories(person.asked.policy, command.data)
    return change_held(command, person, wanted(command, person.subject, command.data), supplement=False)


def change_held(command: Change, person: PersonContext, by_holding: Mapping[str, str], *, supplement: bool) -> Decision:
    """Give each holding its new value. Correcting and supplementing differ in what they say happened."""
    values = person.values_of(list(by_holding))
    changes = [_change(person, holding, new, values[holding]) for holding, new in by_holding.items()]
    return correcting.change(
        person.subject,
        person.asked,
        changes=changes,
        supplement=supplement,
        reason=command.reason,
        evidence=command.evidence,
    )


def wanted(command: Change, subject: Subject, categories: Iterable[str]) -> dict[str, str]:
    """Holding id → new value."""
    if command.holding is not None and command.value is not None:
        held = subject.holdings.get(command.holding)
        if held is None or held.erased_at is not None:
            raise HoldingErased([command.holding])
        return {command.holding: command.value}
    return {correcting.holding_to_change(subject, each).id: command.data[each] for each in categories}


def _change(person: PersonContext, holding: str, new: str, old: object) -> correcting.Change:
    new = checked(person, person.subject.holdings[holding].category, new)
    closed = holding in custody.stored_only(person.subject, person.asked.now)  # whether it is the same nobody can say
    same = not closed and isinstance(old, str) and old == new
    return correcting.Change(holding, new, same)


def checked(person: PersonContext, category: str, value: str) -> str:
    """The value as it is to be sealed. Errors: WrongFormat."""
    declared = person.asked.policy.categories.get(category)
    check_value(declared.format if declared else "text", value, category=category)
    return possible_birth_date(person.asked.policy, category, value, person.asked.now)


def to_open(command: Change, subject: Subject) -> list[str]:
    if command.holding is not None:
        return [command.holding] if command.holding in subject.holdings else []
    return [holding.id for category in command.data for holding in subject.of_category(category)]
