"""Who was given anything under which agreement? Asked when the agreement is over."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, Index, Table, Text, Uuid, func, select

from lifecycle.domain.subject.state import Subject
from lifecycle.policy.model import Policy
from lifecycle.projections.duties import recipient_duty
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


def to_ask_back(
    c: Connection, recipient: str, agreements: Sequence[str], after: tuple[str, UUID] | None, limit: int
) -> list[tuple[str, UUID]]:
    """The next people of whom something was given under these agreements, which are over, and was not asked back;
    erased people too. In the order of the agreements, then of the people, behind the place `after`."""
    found: list[tuple[str, UUID]] = []
    for agreement in sorted(agreements):
        if after is not None and agreement < after[0]:
            continue
        chosen = select(column.subject_id).where(column.recipient == recipient, column.agreement == agreement)
        if after is not None and agreement == after[0]:
            chosen = chosen.where(column.subject_id > after[1])
        some = chosen.where(~_asked(agreement)).order_by(column.subject_id).limit(limit - len(found))
        found += [(agreement, person) for person in c.execute(some).scalars()]
        if len(found) == limit:
            break
    return found


def _asked(agreement: str) -> ColumnElement[bool]:
    """By an instruction that came of the agreement's end: it stands on the person's record.

    The recipient is compared as no index has it: SQLite went through all that the recipient owes for each person.
    """
    duty = recipient_duty.c
    same = func.coalesce(duty.recipient, "") == column.recipient
    its = (duty.subject_id == column.subject_id) & same & (duty.agreement == agreement)
    return select(duty.instruction).where(its, duty.because == "agreement-ended").exists()
