"""How documents name a request: by our id, or by the caller's own name for it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import SubjectCommand

RequestName = Annotated[str, Field(min_length=1, max_length=200)]


class RequestCommand(SubjectCommand):
    """About one request: our id, as the receipt and `request list` tell it, or the name under which it came in."""

    request: RequestName


def id_of(person: PersonContext, name: str) -> str:
    """Our id. The caller's names may be personal data: what stands in headers is a keyed reference to them, and of
    somebody erased there is nothing but our ids."""
    subject = person.subject
    if name in subject.requests or subject.erasure is not None:
        return name
    return id_for(person, name)


def id_for(person: PersonContext, name: str) -> str:
    """A keyed reference to the caller's name of a request. It never begins as an option of a command line does."""
    reference = person.reference("request", name)
    return f"_{reference[1:]}" if reference.startswith("-") else reference
