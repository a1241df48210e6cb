"""The facts that a person was told of an incident that hit them, and that the words of a notice went out. Policy
clauses 3.1b, 3.2, 6, 9.1."""

from typing import ClassVar

from lifecycle.domain.event import DomainEvent


class SubjectToldOfIncident(DomainEvent):
    """What the notice said is on the incident's own record; `notice` is its number there. Not after a whole erasure:
    nobody can be reached any more, and the incident's record counts them as skipped."""

    kind: ClassVar[str] = "subject-told-of-incident/1"
    incident: str
    notice: int
    nature: str
    categories: tuple[str, ...]
    channel: str


class NoticeSent(DomainEvent):
    """The words of the notice that event `of` tells of are in the outbox, from where they cannot be lost; `notice` is
    what the outbox calls them."""

    kind: ClassVar[str] = "notice-sent/1"
    of: int
    notice: str
    channel: str
