"""Receive a person's record from another controller. No document can ask this: it follows from an archive that was
checked as a whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, JsonValue

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Shape, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.open_records import Named
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import receiving
from lifecycle.domain.subject.transfer_events import SubjectReceived, Told
from lifecycle.policy.vocabulary import IdentifierType

Words = Callable[[int], Mapping[str, Any]]
"""By the number of the event, what callers wrote with it."""


class Linked(Shape):
    """An identifier of the person: our id of it, which came along, and its normalised text."""

    identifier: str
    type: IdentifierType
    normalised: str


class Opened(Shape):
    """What the sealed parts of event `n` said."""

    n: int
    values: dict[str, JsonValue] = Field(default_factory=dict)
    said: dict[str, Any] | None = None


class ReceiveSubject(SubjectCommand):
    """`subject` is named by the id that the person had: it stays theirs, unless they were erased here under it."""

    brings_its_id: ClassVar[bool] = True

    command: Literal["receive-subject"] = "receive-subject"
    transfer: str
    purposes: tuple[str, ...] | None
    origin: str
    checkpoint: str
    sid: str
    count: int
    last: str
    history: tuple[Told, ...]
    opened: tuple[Opened, ...]
    identifiers: tuple[Linked, ...] = ()

    def reads(self) -> Iterable[Named]:
        """The transfer is another controller's: there is no record of it here."""
        return ()

    def also_named(self) -> list[tuple[IdentifierType, str]]:
        return [(each.type, each.normalised) for each in self.identifiers]


def receive_subject(command: ReceiveSubject, person: PersonContext) -> Decision:
    taken = tuple(each.identifier for each in command.identifiers if _is_taken(each, person))
    arrived = receiving.Arrived(
        transfer=command.transfer,
        purposes=command.purposes,
        origin=command.origin,
        checkpoint=command.checkpoint,
        sid=command.sid,
        count=command.count,
        last=command.last,
        history=() if person.subject.version else _rekeyed(command, person),
        opened=tuple(receiving.Opened(each.n, each.values, each.said) for each in command.opened),
        unlinked=taken,
    )
    decision = receiving.receive(person.subject, person.asked, arrived)
    if decision.events:
        for each in command.identifiers:
            if each.identifier not in taken:
                person.link_as(each.identifier, each.type, each.normalised)
    return decision


def _is_taken(each: Linked, person: PersonContext) -> bool:
    found = person.find(each.type, each.normalised)
    return found is not None and not found.is_own


# -- keyed references -------------------------------------------------------------------------------------------------

_REFERENCES = {e.LegalHoldPlaced.kind: ("hold", "name"), e.GuardianRecorded.kind: ("guardian", "reference")}


def _rekeyed(command: ReceiveSubject, person: PersonContext) -> tuple[Told, ...]:
    """The record with the keyed references that this store will look for: the former ones mean nothing here."""
    said = {each.n: each.said or {} for each in command.opened}
    return _anew(command.history, lambda n: said.get(n, {}), {}, person)


def _anew(history: Iterable[Told], words: Words, known: dict[str, str], person: PersonContext) -> tuple[Told, ...]:
    return tuple(_with_references(each, words, known, person) for each in history)


def _with_references(told: Told, words: Words, known: dict[str, str], person: PersonContext) -> Told:
    if told.kind == SubjectReceived.kind:
        inner = _anew((Told.model_validate(each) for each in told.data["history"]), _within(told, words), known, person)
        history = [each.model_dump(mode="json") for each in inner]
        return told.model_copy(update={"data": {**told.data, "history": history}})
    if told.kind not in (*_REFERENCES, e.LegalHoldReleased.kind):
        return told
    what, name = _REFERENCES.get(told.kind, ("hold", ""))
    if isinstance(said := words(told.n).get(name), str):
        known[told.data[what]] = person.reference(what, said)
    return told.model_copy(update={"data": {**told.data, what: known.get(told.data[what], told.data[what])}})


def _within(told: Told, words: Words) -> Words:
    """What was said in a record that had been received before: its words are in the events that follow."""
    sealed = list(told.data.get("sealed", ()))

    def said(n: int) -> Mapping[str, Any]:
        outer = words(told.n + 1 + sealed.index(n)).get("said") if n in sealed else None
        return json.loads(outer) if isinstance(outer, str) else {}

    return said
