"""Who has been given what of a person, as what, when first, when last, and how often?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from sqlalchemy import Column, Connection, Integer, Table, Text, Uuid, bindparam, select

from lifecycle.columns import Ask, Instant, ask_together
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.model import Policy
from lifecycle.policy.vocabulary import RecipientKind
from lifecycle.projections.projection import Change, Portrait, rewrite, tables_of_a_projection
from lifecycle.projections.rows import Row

recipient_of_holding = Table(
    "recipient_of_holding",
    tables_of_a_projection(),
    Column("subject_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("holding", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("first", Instant, nullable=False),
    Column("last", Instant, nullable=False),
    Column("times", Integer, nullable=False),
    Column("gag_until", Instant),
)


@dataclass(frozen=True, slots=True)
class GivenTo:
    """A recipient keeps its copy until it confirms otherwise: erasing ours does not end this row.

    `recipient` is an id of the policy's, or a keyed reference to a name that the record seals. What an authority was
    given under a gag is a row of its own, so that neither the row nor its number of times tells of it early.
    """

    number: int
    holding: str
    recipient: str
    kind: str
    category: str
    first: datetime
    last: datetime
    times: int
    gag_until: datetime | None = None

    def may_be_told(self, at: datetime) -> bool:
        """Whether the person may know of it."""
        return self.gag_until is None or self.gag_until <= at


def given_by(subject: Subject, at: datetime | None = None) -> list[GivenTo]:
    """What a folded state says was given away; with `at`, until then."""
    given: list[GivenTo] = []
    for holding in subject.holdings.values():
        when: dict[tuple[str, RecipientKind, datetime | None], list[datetime]] = {}
        for share in holding.shares:
            if at is None or share.at <= at:
                when.setdefault((share.recipient, share.kind, share.gag_until), []).append(share.at)
        given.extend(
            GivenTo(0, holding.id, recipient, kind.value, holding.category, min(times), max(times), len(times), gag)
            for (recipient, kind, gag), times in when.items()
        )
    given.sort(key=lambda one: (one.recipient, one.kind, one.holding, one.first))
    return [replace(one, number=number) for number, one in enumerate(given, start=1)]


_FIELDS = tuple(GivenTo.__slots__)


class Recipients:
    """Rewrites all recipients of each person who changed."""

    name = "recipients"
    version = 2
    tables = (recipient_of_holding,)

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        rewrite(c, changes, PORTRAIT)


_values = attrgetter(*_FIELDS)


def _describe(subject: Subject) -> list[list[Row]]:
    return [[(subject.id, *_values(given)) for given in given_by(subject)]]


PORTRAIT = Portrait((recipient_of_holding,), ("holdings",), _describe)


_GIVEN = (
    select(*(recipient_of_holding.c[name] for name in _FIELDS))
    .where(recipient_of_holding.c.subject_id == bindparam("id"))
    .order_by(recipient_of_holding.c.number)
)


def asks_for_recipients(subject_id: UUID) -> Ask:
    """What `recipients_in` has to be given the answer to: so that it can be asked together with something else."""
    return Ask(_GIVEN, {"id": subject_id})


def recipients_in(rows: Iterable[Row]) -> list[GivenTo]:
    """Who was ever given something of one person, as it is projected now."""
    return [GivenTo(*row) for row in rows]


def current_recipients(c: Connection, subject_id: UUID) -> list[GivenTo]:
    """The same, asked by itself."""
    return recipients_in(ask_together(c, [asks_for_recipients(subject_id)])[0])
