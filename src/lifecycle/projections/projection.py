"""What every projection has: a name, a version, tables, and how it takes up what has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import Connection, MetaData, Table, delete, insert

from lifecycle.domain.event import Recorded
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.model import Policy

SCHEMA = "projection"


def tables_of_a_projection() -> MetaData:
    """On PostgreSQL a schema of their own; on SQLite they lie beside the others, so names are unique over all rooms."""
    return MetaData(schema=SCHEMA)


class Sequenced(NamedTuple):
    """An event with its position in the log."""

    position: int
    recorded: Recorded


@dataclass(frozen=True, slots=True)
class Change:
    """What a batch of positions brought to one stream, in order.

    `before` and `after` are a person's state; they are None for every other stream, and `before` for a new person.
    An access stream carries the id of its person; streams without a person have no `subject_id`.
    """

    stream_id: UUID
    subject_id: UUID | None
    events: tuple[Sequenced, ...]
    before: Subject | None = None
    after: Subject | None = None


class Projection(Protocol):
    """Answers one question from its own tables.

    A new `version` has its tables dropped and filled again. `apply` runs in one transaction with the position that it
    brings the projection to, so each change arrives exactly once. `policies` are all versions published by then, or
    some time later, oldest first.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def tables(self) -> tuple[Table, ...]: ...

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None: ...


def states(changes: Iterable[Change]) -> dict[UUID, Subject]:
    """The people of the batch as they are after it."""
    return {change.stream_id: change.after for change in changes if change.after is not None}


def rewrite(c: Connection, table: Table, subject_ids: Iterable[UUID], rows: Sequence[Mapping[str, Any]]) -> None:
    """Replace all rows of these people, of whom a batch has at most as many as it has positions.

    So a projection that was followed equals one that was rebuilt.
    """
    c.execute(delete(table).where(table.c.subject_id.in_(list(subject_ids))))
    if rows:
        c.execute(insert(table), rows)
