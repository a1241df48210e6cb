"""What tests of the whole write path look at in a store, beside what its doors say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, event, func, select, text
from whole.stores import ACTOR

from lifecycle.engine import Engine
from lifecycle.ledger.envelope import Header, read_header
from lifecycle.storage.database import Database
from lifecycle.storage.tables import event_header

CONSENT = {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"}
COLLECT = {"purpose": "free-trial", "basis": "consent", "source": "web-form"}
QUOTE = {"purpose": "quotation", "basis": "contract", "evidence": "K-1", "source": "web-form"}


def document(command: str, id: str, subject: dict[str, str] | None, **fields: Any) -> dict[str, Any]:
    named = {} if subject is None else {"subject": subject}
    return {"command": command, "id": id, "actor": ACTOR} | named | fields


def count_of(database: Database, table: Table, *where: Any) -> int:
    with database.read() as c:
        return c.execute(select(func.count()).select_from(table).where(*where)).scalar_one()


def headers_of(database: Database, stream: UUID) -> list[Header]:
    with database.read() as c:
        rows = c.execute(
            select(event_header.c.header).where(event_header.c.stream_id == stream).order_by(event_header.c.version)
        )
        return [read_header(bytes(row.header)) for row in rows]


def times_of(database: Database, kind: str) -> int:
    return count_of(database, event_header, event_header.c.kind.startswith(f"{kind}/"))


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Every statement that is executed in the block."""
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def value_in_clear(engine: Engine, subject: dict[str, str], purpose: str = "free-trial") -> dict[str, str]:
    rows = engine.read_clear(subject, purpose, {"id": "dpo", "role": "officer"})
    return {row["category"]: row["value"] for row in rows if row["state"] == "held" and not row["masked"]}


def lift_triggers(c: Connection, table: Table) -> None:
    """What somebody with the file in hand can do: SQLite's triggers are part of it."""
    if c.dialect.name == "sqlite":
        named = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table")
        for name in c.execute(named, {"table": table.name}).scalars().all():
            c.execute(text(f'DROP TRIGGER "{name}"'))
