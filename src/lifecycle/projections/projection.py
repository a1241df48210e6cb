"""What every projection has: a name, a version, tables, and how it takes up what has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import Connection, MetaData, Table, delete, insert

from lifecycle.domain.event import Recorded
from lifecycle.domain.open_records import Named, OpenRecord
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.model import Policy

SCHEMA = "projection"
Row: TypeAlias = dict[str, Any]
T = TypeVar("T")


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
    `record` is the state of an open record after the batch, `named` says whose.
    An access stream carries the id of its person; streams without a person have no `subject_id`.
    """

    stream_id: UUID
    subject_id: UUID | None
    events: tuple[Sequenced, ...]
    before: Subject | None = None
    after: Subject | None = None
    named: Named | None = None
    record: OpenRecord | None = None


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


class Moved(NamedTuple, Generic[T]):
    """What a projection says of one person before and after a batch."""

    subject_id: UUID
    before: Sequence[T]
    after: Sequence[T]


def moved(changes: Iterable[Change], describe: Callable[[Subject], Sequence[T]]) -> list[Moved[T]]:
    """Describe the people of the batch as they were and as they are."""
    return [
        Moved(change.stream_id, () if change.before is None else describe(change.before), describe(change.after))
        for change in changes
        if change.after is not None
    ]


def rewrite(c: Connection, table: Table, people: Iterable[Moved[T]], row: Callable[[UUID, T], Sequence[Row]]) -> None:
    """Replace all rows of those people whose rows differ, and leave the others alone.

    A row follows from the state alone, never from rows: so a projection that was followed equals one that was rebuilt.
    """
    stale: list[UUID] = []
    fresh: list[Row] = []
    for subject_id, before, after in people:
        old = [one for described in before for one in row(subject_id, described)]
        new = [one for described in after for one in row(subject_id, described)]
        if old != new:
            fresh += new
            if old:
                stale.append(subject_id)
    if stale:
        c.execute(delete(table).where(table.c.subject_id.in_(stale)))
    if fresh:
        c.execute(insert(table), fresh)


def columns(one: object, names: Sequence[str]) -> dict[str, Any]:
    """The fields of a dataclass as a row; `dataclasses.asdict` would copy every value."""
    return {name: getattr(one, name) for name in names}
