"""Record personal data obtained for one purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, Said, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import collecting, custody
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.wording import possible_birth_date
from lifecycle.policy.values import check_value, normal_form
from lifecycle.policy.vocabulary import LegalBasis


class Collect(SubjectCommand):
    """`data` is category → value; `evidence` the contract's reference, the law or whatever the basis needs.

    `held_by` is a system that keeps the values instead of us: what we keep is the `locator` by which it finds them, and
    a value that is given all the same is not kept.
    """

    command: Literal["collect"] = "collect"
    purpose: Name
    basis: LegalBasis
    technology: Name | None = None
    locator: Said | None = None
    held_by: Name | None = Field(default=None, validate_default=True)
    data: Mapping[Name, str | None] = Field(min_length=1, max_length=100)
    source: Name
    evidence: Said | None = None

    @field_validator("held_by")
    @classmethod
    def _one_place(cls, held_by: str | None, so_far: ValidationInfo) -> str | None:
        if (held_by is None) != (so_far.data.get("locator") is None) and "locator" in so_far.data:
            raise ValueError("`held_by` and `locator` go together")
        return held_by

    @field_validator("data")
    @classmethod
    def _here_or_there(cls, data: Mapping[str, str | None], so_far: ValidationInfo) -> Mapping[str, str | None]:
        if None in data.values() and so_far.data.get("held_by") is None:
            raise ValueError("a value may be null only with `held_by`")
        return data

    def kept(self, category: str) -> str:
        """What is sealed here: the value, or where it is."""
        return self.locator or self.data[category] or ""


def collect(command: Collect, person: PersonContext) -> Decision:
    asked = person.asked
    categories = asked.policy.categories
    for category, value in command.data.items():
        if category in categories and value is not None:
            check_value(categories[category].format, value, category=category)
            possible_birth_date(asked.policy, category, value, asked.now)
    equal = _equal_holdings(command, person)
    items = [
        collecting.Item(category, command.kept(category), person.new_id(), equal.get(category))
        for category in command.data
    ]
    return collecting.collect(
        person.subject,
        asked,
        purpose=command.purpose,
        basis=command.basis,
        items=items,
        source=command.source,
        evidence=command.evidence,
        technology=command.technology,
        held_by=command.held_by,
    )


def _equal_holdings(command: Collect, person: PersonContext) -> dict[str, str]:
    """Category → the live holding with an equal value (settled rule 26), or kept by the same system under the same
    locator; what is stored only stays closed, and an equal value becomes another holding."""
    subject, asked, held_by = person.subject, person.asked, command.held_by
    equal: dict[str, str] = {}
    for category, holdings in subject.of_categories(command.data).items():
        declared = asked.policy.categories.get(category)
        if not holdings or declared is None:
            continue
        format = declared.format if held_by is None else None
        normal = normal_form(format, command.kept(category))
        held = [
            holding.id
            for holding in holdings
            if holding.held_by == held_by
            and person.may_say(holding, format, normal)
            and custody.is_in_use(subject, holding, asked.now)
        ]
        values = person.values_of(held)
        found = [id for id in held if isinstance(value := values[id], str) and normal_form(format, value) == normal]
        if found:
            equal[category] = found[0]
    return equal


def to_open(command: Collect, subject: Subject) -> list[str]:
    """The holdings whose values the decision will compare, so that a batch can read them at once."""
    kept = [holding for category in command.data for holding in subject.of_category(category)]
    return [holding.id for holding in kept if any(ground.ended is None for ground in holding.grounds)]
