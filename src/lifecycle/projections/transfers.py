"""Which transfers are there, how far is each, whom does it concern, and who was told or went?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    ScalarSelect,
    Table,
    Text,
    Uuid,
    delete,
    distinct,
    func,
    insert,
    select,
)

from lifecycle.columns import Instant, insert_of
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.model import Policy
from lifecycle.projections.projection import Change, Portrait, records_of, rewrite, tables_of_a_projection
from lifecycle.projections.rows import Row
from lifecycle.value_lists import one_of

if TYPE_CHECKING:
    from lifecycle.domain.transfer.transfer import Transfer

metadata = tables_of_a_projection()

transfer_standing = Table(
    "transfer_standing",
    metadata,
    Column("transfer", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("announced_at", Instant),
    Column("handed_over", Integer),  # people in the newest archive
)

# Whom a transfer has reached. `version` is that of the event by which their data went.
transfer_person = Table(
    "transfer_person",
    metadata,
    Column("transfer", Text, primary_key=True),
    Column("subject_id", Uuid, primary_key=True),
    Column("notified_at", Instant, nullable=False),
    Column("transferred_at", Instant),
    Column("version", Integer),
    Column("erased", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

# Who had been told and was not transferred: digests that only a person's own pseudonym leads to.
transfer_skipped = Table(
    "transfer_skipped",
    metadata,
    Column("transfer", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
)

# Whom a transfer of this purpose would concern; under no purpose, everybody who is on record.
transfer_scope = Table(
    "transfer_scope",
    metadata,
    Column("purpose", Text, primary_key=True),
    Column("subject_id", Uuid, primary_key=True),
    Index("ix_transfer_scope_subject", "subject_id"),
    sqlite_with_rowid=False,
)
EVERYBODY = ""
Standing: TypeAlias = dict[str, Any]

person, scope = transfer_person.c, transfer_scope.c


class Transfers:
    """Rewrites the rows of each transfer and each person that changed."""

    name = "transfers"
    version = 3
    tables = (transfer_standing, transfer_person, transfer_scope, transfer_skipped)

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        rewrite(c, changes, REACHED)
        rewrite(c, changes, CONCERNED)
        records = {one.name_id: one for _, one in records_of("transfer", changes)}
        if records:
            c.execute(delete(transfer_standing).where(one_of(transfer_standing.c.transfer, records)))
            c.execute(insert(transfer_standing), [_standing(record) for record in records.values()])
        if skipped := [row for change, _ in records_of("transfer", changes) for row in _skipped(change)]:
            c.execute(insert_of(c, transfer_skipped).on_conflict_do_nothing(), skipped)


def _reached(subject: Subject) -> list[list[Row]]:
    erased = subject.erasure is not None
    reached = subject.transfers.values()
    return [
        [
            (each.transfer, subject.id, each.notified_at, each.transferred_at, each.transferred_in, erased)
            for each in reached
        ]
    ]


def _concerned(subject: Subject) -> list[list[Row]]:
    if subject.begun is None or subject.erasure is not None:
        return [[]]
    held = {ground.purpose for holding in subject.kept() for ground in holding.grounds}
    agreed = {consent.purpose for consent in subject.consents if consent.ended is None}
    return [[(purpose, subject.id) for purpose in (EVERYBODY, *sorted(held | agreed))]]


REACHED = Portrait((transfer_person,), ("transfers", "erasure"), _reached)
CONCERNED = Portrait((transfer_scope,), ("begun", "erasure", "holdings", "consents"), _concerned)
_STANDING = ("transfer", "status", "cause", "announced_at", "skipped", "handed_over")


def _skipped(change: Change) -> Iterator[dict[str, str]]:
    from lifecycle.domain.transfer.events import PeopleSkipped  # noqa: PLC0415 -- a change of a transfer has loaded it

    for _, recorded in change.events:
        if isinstance(event := recorded.event, PeopleSkipped):
            yield from ({"transfer": event.transfer, "digest": digest} for digest in event.skipped)


def _standing(record: Transfer) -> Standing:
    return {
        "transfer": record.name_id,
        "status": record.status.value,
        "cause": record.cause,
        "announced_at": record.announced_at,
        "handed_over": record.handovers[-1].people if record.handovers else None,
    }


# -- what is asked ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """People by how far they are. `concerned` may also count some of whom nothing that moves is left."""

    concerned: int
    notified: int
    transferred: int
    erased: int  # who had been told, and whose data was erased before it went
    skipped: int


class Reached(NamedTuple):
    subject_id: UUID
    erased: bool


def concerned(purposes: Sequence[str] | None) -> ColumnElement[bool]:
    return scope.purpose.in_(_named(purposes))


def _named(purposes: Sequence[str] | None) -> list[str]:
    return [EVERYBODY] if purposes is None else list(purposes)


def to_notify(
    c: Connection, transfer: str, purposes: Sequence[str] | None, after: UUID | None, limit: int
) -> list[UUID]:
    """The next people in scope who were not told yet. Each purpose is asked for itself: so each page is read in the
    order of its key, and nobody is sorted."""
    told = select(person.subject_id).where(person.transfer == transfer, person.subject_id == scope.subject_id)
    found: set[UUID] = set()
    for purpose in _named(purposes):
        chosen = select(scope.subject_id).where(scope.purpose == purpose, ~told.exists())
        if after is not None:
            chosen = chosen.where(scope.subject_id > after)
        found.update(c.execute(chosen.order_by(scope.subject_id).limit(limit)).scalars())
    return sorted(found)[:limit]


def to_transfer(c: Connection, transfer: str, after: UUID | None, limit: int) -> list[Reached]:
    """The next people who were told and have not gone."""
    waiting = (person.transfer == transfer) & person.transferred_at.is_(None)
    chosen = select(person.subject_id, person.erased).where(waiting)
    if after is not None:
        chosen = chosen.where(person.subject_id > after)
    return [Reached(row[0], row[1]) for row in c.execute(chosen.order_by(person.subject_id).limit(limit))]


def gone(c: Connection, transfer: str, after: UUID | None, limit: int) -> list[tuple[UUID, int]]:
    """The next people who went and are still on record here, with the version of the event by which they went."""
    there = person.transferred_at.is_not(None) & ~person.erased
    chosen = select(person.subject_id, person.version).where(there, person.transfer == transfer)
    if after is not None:
        chosen = chosen.where(person.subject_id > after)
    return [(row[0], row[1]) for row in c.execute(chosen.order_by(person.subject_id).limit(limit))]


def still_waiting(c: Connection, transfer: str, people: Sequence[UUID]) -> list[UUID]:
    """Those of the people who have not gone."""
    waiting = (person.transfer == transfer) & person.transferred_at.is_(None)
    return list(c.execute(select(person.subject_id).where(waiting, one_of(person.subject_id, people))).scalars())


def progress_of(c: Connection, transfer: str, purposes: Sequence[str] | None) -> Progress:
    everybody = c.execute(select(func.count(distinct(scope.subject_id))).where(concerned(purposes))).scalar_one()
    mine = person.transfer == transfer
    went = person.transferred_at.is_not(None)
    return Progress(
        everybody,
        _count(c, mine),
        _count(c, mine & went),
        _count(c, mine & ~went & person.erased),
        c.execute(select(_how_many_skipped(transfer_skipped.c.transfer == transfer))).scalar_one(),
    )


def not_skipped(c: Connection, transfer: str, digests: Collection[str]) -> list[str]:
    """Those of the digests that are not on record as skipped."""
    mine = (transfer_skipped.c.transfer == transfer) & transfer_skipped.c.digest.in_(digests)
    there = set(c.execute(select(transfer_skipped.c.digest).where(mine)).scalars())
    return sorted(set(digests) - there)


def _how_many_skipped(which: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(transfer_skipped).where(which).scalar_subquery()


def _count(c: Connection, which: ColumnElement[bool]) -> int:
    return c.execute(select(func.count()).select_from(transfer_person).where(which)).scalar_one()


def all_transfers(c: Connection) -> list[Standing]:
    standing = transfer_standing.c
    skipped = _how_many_skipped(transfer_skipped.c.transfer == standing.transfer)
    said = (standing.transfer, standing.status, standing.cause, standing.announced_at, skipped, standing.handed_over)
    rows = c.execute(select(*said).order_by(standing.announced_at, standing.transfer))
    return [dict(zip(_STANDING, row, strict=True)) for row in rows]


def confirmed(c: Connection) -> list[str]:
    """Transfers that the recipient confirmed, and that are not completed here."""
    from lifecycle.domain.transfer.transfer import Status  # noqa: PLC0415 -- most that follows is about people alone

    mine = transfer_standing.c.status == Status.CONFIRMED.value
    return list(c.execute(select(transfer_standing.c.transfer).where(mine)).scalars())
