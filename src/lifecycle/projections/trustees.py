"""Which trustees were ever engaged, under which agreements, and what was found about them?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Boolean, Column, Connection, Date, Integer, Table, Text, delete, insert, select

from lifecycle.columns import Instant
from lifecycle.policy.model import Policy
from lifecycle.projections.projection import Change, columns, records_of, tables_of_a_projection

if TYPE_CHECKING:
    from lifecycle.domain.trustee.trustee import Trustee

_TABLES = tables_of_a_projection()

trustee_record = Table(
    "trustee_record",
    _TABLES,
    Column("trustee", Text, primary_key=True),
    Column("engaged", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("findings_open", Integer, nullable=False),
    Column("remedies_overdue", Integer, nullable=False),
)
trustee_agreement = Table(
    "trustee_agreement",
    _TABLES,
    Column("trustee", Text, primary_key=True),
    Column("agreement", Text, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("starts", Date, nullable=False),
    Column("ends", Date, nullable=False),
    Column("ended_at", Instant),
    Column("warned", Boolean, nullable=False),
    Column("lapsed", Boolean, nullable=False),
)
agreed = trustee_agreement.c
_OF_AN_AGREEMENT = ("purpose", "method", "starts", "ends", "ended_at", "warned", "lapsed")


class Trustees:
    """Rewrites the record of each trustee that changed."""

    name = "trustees"
    version = 1
    tables = (trustee_record, trustee_agreement)

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        for _, trustee in records_of("trustee", changes):
            _rewrite(c, trustee)


def _rewrite(c: Connection, trustee: Trustee) -> None:
    for table in (trustee_record, trustee_agreement):
        c.execute(delete(table).where(table.c.trustee == trustee.name_id))
    found = [finding for finding in trustee.findings if finding.is_open]
    c.execute(
        insert(trustee_record),
        {
            "trustee": trustee.name_id,
            "engaged": trustee.engaged,
            "version": trustee.version,
            "findings_open": len(found),
            "remedies_overdue": sum(finding.overdue for finding in found),
        },
    )
    for one in trustee.agreements:
        named = {"trustee": trustee.name_id, "agreement": one.id}
        c.execute(insert(trustee_agreement), named | columns(one, _OF_AN_AGREEMENT))


def ever_engaged(c: Connection) -> list[str]:
    """Every trustee of which anything is on record."""
    return list(c.execute(select(trustee_record.c.trustee).order_by(trustee_record.c.trustee)).scalars())


def agreements_over(c: Connection, trustee: str) -> list[str]:
    """Those that were ended, or whose last day is on record as passed."""
    over = agreed.ended_at.is_not(None) | agreed.lapsed
    return list(c.execute(select(agreed.agreement).where(agreed.trustee == trustee, over)).scalars())
