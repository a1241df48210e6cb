"""What every projection has: a name, a version, tables, and how it takes up what has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias
from uuid import UUID

from sqlalchemy import Connection, MetaData, Table

from lifecycle.domain.event import Recorded
from lifecycle.domain.open_records import Named, OpenRecord
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.model import Policy
from lifecycle.projections.rows import Row, put, take_out

SCHEMA = "projection"
Said: TypeAlias = dict[tuple[Table, ...], Sequence[Sequence[Row]]]


def tables_of_a_projection() -> MetaData:
    """On PostgreSQL a schema of their own; on SQLite they lie beside the others, so names are unique over all rooms."""
    return MetaData(schema=SCHEMA)


class Sequenced(NamedTuple):
    """An event with its position in the log."""

    position: int
    recorded: Recorded


@dataclass(frozen=True, slots=True)
class Change:
    """What a batch of positions brought to one stream, in order. While tables are filled from the beginning, the batch
    in which a person begins brings everything that happened to them, and no other does (ADR 0085).

    `before` and `after` are a person's state; they are None for every other stream, and `before` for a new person.
    `record` is the state of an open record after the batch, `named` says whose.
    An access stream carries the id of its person; streams without a person have no `subject_id`.
    `said` is for projections to note what they say of the person now: they find it in `said_before` the next time.
    """

    stream_id: UUID
    subject_id: UUID | None
    events: tuple[Sequenced, ...]
    before: Subject | None = None
    after: Subject | None = None
    named: Named | None = None
    record: OpenRecord | None = None
    said_before: Said = field(default_factory=dict, repr=False)
    said: Said = field(default_factory=dict, repr=False)


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


class Portrait(NamedTuple):
    """What a projection says of one person, as rows of its tables.

    `describe` gives the rows of each table, in the order of its columns. `reads` names every field of a state that it
    looks at, but the id: while they are the same objects, what it says is the same.
    """

    tables: tuple[Table, ...]
    reads: tuple[str, ...]
    describe: Callable[[Subject], Sequence[Sequence[Row]]]


def rewrite(c: Connection, changes: Iterable[Change], portrait: Portrait) -> None:
    """Replace the rows of those people of whom something else is to be said than before, and leave the others alone.

    A row follows from the state alone, never from rows: so a projection that was followed equals one that was rebuilt.
    """
    stale: list[list[UUID]] = [[] for _ in portrait.tables]
    fresh: list[list[Row]] = [[] for _ in portrait.tables]
    for change in changes:
        if change.after is None:
            continue
        said = change.said_before.get(portrait.tables)
        if change.before is not None and _reads_the_same(change.before, change.after, portrait.reads):
            if said is not None:
                change.said[portrait.tables] = said
            continue
        old = said if said is not None or change.before is None else portrait.describe(change.before)
        new = change.said[portrait.tables] = portrait.describe(change.after)
        for was, becomes, gone, come in zip(old or ((),) * len(new), new, stale, fresh, strict=True):
            if was != becomes:
                come.extend(becomes)
                if was:
                    gone.append(change.stream_id)
    for table, gone, come in zip(portrait.tables, stale, fresh, strict=True):
        take_out(c, table, gone)
        put(c, table, come)


def _reads_the_same(before: Subject, after: Subject, fields: Iterable[str]) -> bool:
    for name in fields:  # noqa: SIM110 -- asked nine times for everybody who changed: a generator costs twice as much
        if getattr(before, name) is not getattr(after, name):
            return False
    return True


def records_of(noun: str, changes: Iterable[Change]) -> Iterator[tuple[Change, Any]]:
    """The changes of open records of one sort, each with the record. Their classes are loaded by whoever folds one."""
    return ((change, change.record) for change in changes if change.named is not None and change.named[0] == noun)


def columns(one: object, names: Sequence[str]) -> dict[str, Any]:
    """The fields of a dataclass as a row; `dataclasses.asdict` would copy every value."""
    return {name: getattr(one, name) for name in names}
