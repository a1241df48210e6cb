"""Receive a request, an enquiry or a complaint."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, Said, Shape, SubjectCommand, SubjectRef
from lifecycle.commands.subject.naming import canonical
from lifecycle.commands.subject.requests import RequestName, id_for, id_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import requesting
from lifecycle.policy.vocabulary import RequestKind


class OnBehalf(Shape):
    """Somebody asks for the person: `evidence` shows by what authority; a guardian on record needs none."""

    relation: Literal["agent", "guardian"]
    name: Said | None = None
    reference: SubjectRef | None = None
    evidence: Said | None = None


class ReceiveRequest(SubjectCommand):
    """`request` is the caller's own name for it, `text` what is asked, `identity` how the requester was recognised.

    `about` names an earlier request, such as the one whose refusal is complained of. `region` is where the person is:
    its authority is named when the request is refused.
    """

    command: Literal["receive-request"] = "receive-request"
    request: RequestName | None = None
    kind: RequestKind
    channel: Name
    text: Said | None = None
    identity: Said | None = None
    on_behalf: OnBehalf | None = None
    about: RequestName | None = None
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None


def receive_request(command: ReceiveRequest, person: PersonContext) -> Decision:
    named = command.request if person.subject.erasure is None else None
    return requesting.receive(
        person.subject,
        person.asked,
        request=person.new_id() if named is None else id_for(person, named),
        asks=command.kind,
        channel=command.channel,
        requester=_requester(command, person),
        region=command.region,
        about=None if command.about is None else id_of(person, command.about),
        words=_words(command),
    )


def _requester(command: ReceiveRequest, person: PersonContext) -> requesting.Requester:
    proven, other = command.identity is not None, command.on_behalf
    if other is None:
        return requesting.Requester(proven)
    return requesting.Requester(proven, other.relation, other.evidence is not None or _is_guardian(other, person))


def _is_guardian(other: OnBehalf, person: PersonContext) -> bool:
    if other.relation != "guardian" or other.reference is None or person.subject.erasure is not None:
        return False
    return person.reference("guardian", canonical(other.reference)) in person.subject.guardians


def _words(command: ReceiveRequest) -> dict[str, str | None]:
    other = command.on_behalf
    words = {"name": command.request, "text": command.text, "identity": command.identity}
    if other is None:
        return words
    reference = None if other.reference is None else canonical(other.reference)
    return words | {"requester": other.name, "requester_reference": reference, "authority": other.evidence}
