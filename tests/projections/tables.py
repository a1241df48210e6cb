"""Everything that projections hold, for comparing."""

from __future__ import annotations

from sqlalchemy import select

from lifecycle.projections.registry import PROJECTIONS
from lifecycle.storage.database import Database


def everything(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.read() as c:
        return {
            table.name: [tuple(row) for row in c.execute(select(table).order_by(*table.primary_key.columns))]
            for projection in PROJECTIONS
            for table in projection.tables
        }
