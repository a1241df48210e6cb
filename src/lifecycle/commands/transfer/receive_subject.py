"""Receive a person's record from another controller. No document can ask this: it follows from an archive that was
checked as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from pydantic import Field, JsonValue

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Shape, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.open_records import Named
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import receiving
from lifecycle.domain.subject.transfer_events import Told
from lifecycle.policy.vocabulary import IdentifierType

Rekeyed = dict[str, str]


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
    """`subject` is named by the id that the person had: it stays theirs."""

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

    def all_normalised(self) -> Iterator[tuple[IdentifierType, str]]:
        for each in self.identifiers:
            yield each.type, each.normalised


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


def _rekeyed(command: ReceiveSubject, person: PersonContext) -> tuple[Told, ...]:
    """The record with the keyed references that this store will look for: the former ones mean nothing here."""
    said = {each.n: each.said or {} for each in command.opened}
    known: Rekeyed = {}
    return tuple(_with_references(each, said.get(each.n, {}), known, person) for each in command.history)


_REFERENCES = {e.LegalHoldPlaced.kind: ("hold", "name"), e.GuardianRecorded.kind: ("guardian", "reference")}


def _with_references(told: Told, said: dict[str, Any], known: Rekeyed, person: PersonContext) -> Told:
    what, words = _REFERENCES.get(told.kind, ("hold", None))
    if words is not None and isinstance(said.get(words), str):
        known[told.data[what]] = person.reference(what, said[words])
    if told.kind not in (*_REFERENCES, e.LegalHoldReleased.kind):
        return told
    return told.model_copy(update={"data": {**told.data, what: known.get(told.data[what], told.data[what])}})
