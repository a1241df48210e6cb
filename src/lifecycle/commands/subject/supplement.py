"""Complete incomplete data: a value that is held, or a category that is missing where a purpose needs it."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name
from lifecycle.commands.subject.correct import Change, change_held, checked, to_open, wanted
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import supplementing
from lifecycle.domain.subject.refusals import GroundMissing
from lifecycle.domain.subject.wording import known_categories, known_purposes, open_record

__all__ = ["Supplement", "supplement", "to_open"]


class Supplement(Change):
    """`purpose` says for which purpose a missing category is added; needed only where several would do."""

    command: Literal["supplement"] = "supplement"
    purpose: Name | None = None


def supplement(command: Supplement, person: PersonContext) -> Decision:
    subject = person.subject
    open_record(subject)
    known_categories(person.asked.policy, command.data)
    held = [category for category in command.data if subject.of_category(category)]
    by_holding = wanted(command, subject, held) if held or command.holding is not None else {}
    _serve(command, person, list(by_holding))
    changed = change_held(command, person, by_holding, supplement=True) if by_holding else Decision()
    missing = [
        supplementing.Missing(category, checked(person, category, value), person.new_id())
        for category, value in command.data.items()
        if category not in held
    ]
    added = supplementing.add(
        subject,
        person.asked,
        missing=missing,
        purpose=command.purpose,
        reason=command.reason,
        evidence=command.evidence,
    )
    return Decision((*changed.events, *added.events))


def _serve(command: Supplement, person: PersonContext, holdings: list[str]) -> None:
    """What is held already has to serve the purpose that the caller names: otherwise it is to be collected for it."""
    if command.purpose is None:
        return
    known_purposes(person.asked.policy, [command.purpose])
    subject, now = person.subject, person.asked.now
    found = [subject.holdings[id] for id in holdings]
    idle = [h.category for h in found if all(g.purpose != command.purpose for g in subject.live_grounds(h, now))]
    if idle:
        raise GroundMissing(command.purpose, idle)
