"""Who was given anything under which agreement? Asked when the agreement is over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import Column, Connection, Index, Table, Text, Uuid, select

from lifecycle.domain.subject.state import Subject
from lifecycle.policy.model import Policy
from lifecycle.projections.projection import Change, Portrait, rewrite, tables_of_a_projection
from lifecycle.projections.rows import Row

given_under = Table(
    "given_under",
    tables_of_a_projection(),
    Column("subject_id", Uuid, primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("agreement", Text, primary_key=True),
    Index("ix_given_under_agreement", "recipient", "agreement", "subject_id"),
)
column = given_under.c
PAGE = 1_000
Under = tuple[str, str]  # recipient and agreement


def received_of(subject: Subject) -> list[Under]:
    """Under which agreements something of this person was given to whom."""
    shares = [share for holding in subject.holdings.values() for share in holding.shares]
    return sorted({(share.recipient, share.agreement) for share in shares if share.agreement is not None})


class GivenUnder:
    """Rewrites the rows of each person who changed."""

    name = "given-under"
    version = 1
    tables = (given_under,)

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        rewrite(c, changes, PORTRAIT)


def _describe(subject: Subject) -> list[list[Row]]:
    return [[(subject.id, *under) for under in received_of(subject)]]


PORTRAIT = Portrait((given_under,), ("holdings",), _describe)


def people_given(c: Connection, recipient: str, agreement: str) -> Iterator[UUID]:
    """Everybody of whom something was given under the agreement, erased people too; a page at a time."""
    chosen = select(column.subject_id).where(column.recipient == recipient, column.agreement == agreement)
    page = list(c.execute(chosen.order_by(column.subject_id).limit(PAGE)).scalars())
    while page:
        yield from page
        further = chosen.where(column.subject_id > page[-1])
        page = list(c.execute(further.order_by(column.subject_id).limit(PAGE)).scalars())
