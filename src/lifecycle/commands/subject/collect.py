"""Record personal data obtained for one purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, Said, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import collecting, custody
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.wording import possible_birth_date
from lifecycle.policy.values import check_value, normalise_value
from lifecycle.policy.vocabulary import LegalBasis


class Collect(SubjectCommand):
    """`data` is category → value; `evidence` the contract's reference, the law or whatever the basis needs."""

    command: Literal["collect"] = "collect"
    purpose: Name
    basis: LegalBasis
    data: Mapping[Name, str] = Field(min_length=1, max_length=100)
    source: Name
    evidence: Said | None = None


def collect(command: Collect, person: PersonContext) -> Decision:
    categories = person.asked.policy.categories
    for category, value in command.data.items():
        if category in categories:
            check_value(categories[category].format, value, category=category)
            possible_birth_date(person.asked.policy, category, value, person.asked.now)
    equal = _equal_holdings(command, person)
    items = [
        collecting.Item(category, value, person.new_id(), equal.get(category))
        for category, value in command.data.items()
    ]
    return collecting.collect(
        person.subject,
        person.asked,
        purpose=command.purpose,
        basis=command.basis,
        items=items,
        source=command.source,
        evidence=command.evidence,
    )


def _equal_holdings(command: Collect, person: PersonContext) -> dict[str, str]:
    """Category → the live holding with an equal value (settled rule 26); what is stored only stays closed, and an equal
    value becomes another holding."""
    subject, now = person.subject, person.asked.now
    kept = [holding for category in command.data for holding in subject.of_category(category)]
    in_use = custody.in_use(subject, now)
    held = [holding for holding in kept if holding.id in in_use]
    if not held:
        return {}
    categories = person.asked.policy.categories
    values = person.values_of([holding.id for holding in held])
    equal: dict[str, str] = {}
    for holding in held:
        value = values[holding.id]
        declared = categories.get(holding.category)
        if declared is None or not isinstance(value, str):
            continue
        wanted = normalise_value(declared.format, command.data[holding.category])
        if normalise_value(declared.format, value) == wanted:
            equal.setdefault(holding.category, holding.id)
    return equal


def to_open(command: Collect, subject: Subject) -> list[str]:
    """The holdings whose values the decision will compare, so that a batch can read them at once."""
    kept = [holding for category in command.data for holding in subject.of_category(category)]
    return [holding.id for holding in kept if any(ground.ended is None for ground in holding.grounds)]
