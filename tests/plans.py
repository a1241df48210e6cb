"""The engine's own plans for the statements that some work sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, event


def plans_of(c: Connection, work: Callable[[], object]) -> list[str]:
    sent: list[tuple[str, Any]] = []

    def note(connection, cursor, statement, parameters, *rest):
        sent.append((statement, parameters))

    event.listen(c, "before_cursor_execute", note)
    work()
    event.remove(c, "before_cursor_execute", note)
    if c.dialect.name == "postgresql":  # a walk over a small table is cheaper; asked is whether an index can answer
        c.exec_driver_sql("SET LOCAL enable_seqscan = off")
    explain = "EXPLAIN QUERY PLAN " if c.dialect.name == "sqlite" else "EXPLAIN "
    return ["\n".join(str(tuple(row)) for row in c.exec_driver_sql(explain + each, given)) for each, given in sent]


def assert_walks_over_no(plans: list[str], *tables: str) -> None:
    for plan in plans:
        for table in tables:
            assert f"SCAN {table}" not in plan
            assert f"Seq Scan on {table}" not in plan
            assert f"{table}_pkey on {table}" not in plan or "Cond" in plan, "a whole index is a walk too"
