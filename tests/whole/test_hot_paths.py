"""Every statement on a hot path finds its rows by an index, however many are stored: the engines' plans say so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, insert
from whole.stores import ANN, BEN, Store

from lifecycle.bench.crowds import crowd
from lifecycle.processes.reacting import move
from lifecycle.storage.database import Database
from lifecycle.vault.tables import tombstone

CROWD = 1_000
# Tables that do not grow with people or events, or are read whole because all that is in them is to be done.
SMALL = {
    "projection_position": "a row a projection",
    "reaction_position": "a row a process, and one an archive that was taken over",
    "published_version": "a row a policy version",
    "epoch": "a row an epoch, as they are kept",
    "installation_key": "a row a purpose of a key",
    "store_facts": "a handful of rows",
    "log_state": "one row",
    "log_tree": "one row",
    "journal_seen": "one row",
    "simulated_clock": "one row",
    "lease": "a row a duty",
    "ledger_queue": "what waits for a place, all of which is taken",
    "pending_erasure": "what has to be carried out, all of which is",
    "pending_custody": "what has to be carried out, all of which is",
    "epoch_erasure": "what has to be finalised, all of which is",
    "expunge_order": "what has to be expunged, all of which is",
    "transfer_standing": "a row a transfer",
    "trustee_record": "a row a trustee",
    "trustee_agreement": "a row an agreement",
    "incident": "a row an incident",
    "json_each": "the parameter",
    "wanted": "the parameters",
    "sqlite_master": "a row a table; once a process",
}
_FIRST = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)
_NAMED = re.compile(r'(?:FROM|JOIN|UPDATE|INTO)\s+(?:\w+\.)?"?(\w+)"?(?:\s+(?:AS\s+)?(\w+))?', re.IGNORECASE)


@contextmanager
def statements(database: Database) -> Iterator[dict[str, Any]]:
    """Every distinct statement of the block that has a plan, with the parameters of its first time."""
    sent: dict[str, Any] = {}

    def note(_c, _cursor, statement, parameters, _context, executemany):
        if _FIRST.match(statement) and "set_config" not in statement and "pg_advisory" not in statement:
            sent.setdefault(statement, parameters[0] if executemany else parameters)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def walks(database: Database, sent: dict[str, Any]) -> list[str]:
    """Of each statement, the tables that its plan goes through from one end to the other, with the plan."""
    found = []
    with database.own() as c:
        if not database.is_sqlite:
            for way in ("seqscan", "hashjoin", "mergejoin"):  # what is left has no index that serves
                c.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        for statement, parameters in sent.items():
            explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
            rows = [str(row[-1]) for row in c.exec_driver_sql(explain + statement, parameters)]
            names = {alias or table: table for table, alias in _NAMED.findall(statement)}
            walked = _scanned(rows, statement) if database.is_sqlite else _sequential(rows)
            if tables := {names.get(name, name) for name in walked} - SMALL.keys():
                found.append("\n".join([", ".join(sorted(tables)), statement, *rows]))
    return found


def _scanned(rows: list[str], statement: str) -> set[str]:
    """In SQLite's words; an index from end to end is a walk too, unless only its first entries are asked for."""
    walked = set()
    for row in rows:
        if scan := re.match(r"SCAN (?:\w+\.)?(\w+)(.*)", row):
            name, how = scan.groups()
            if "CONSTANT ROW" not in row and not ("USING" in how and "LIMIT" in statement):
                walked.add(name)
    return walked


def _sequential(rows: list[str]) -> set[str]:
    walked = set()
    for row, below in zip(rows, [*rows[1:], ""], strict=True):
        if scan := re.search(r"Seq Scan on (\w+)", row):
            walked.add(scan[1])
        whole = re.search(r"Index (?:Only )?Scan using \w+ on (\w+)", row) if "Index Cond" not in below else None
        if whole and not any("Limit" in each for each in rows):
            walked.add(whole[1])
    return walked


def tour(store: Store) -> None:
    """What every day brings: commands, alone and many, positions, projections, reads, sweeps, and an erasure."""
    engine = store.engine
    store.consent("website-browsing")
    store.collect("website-browsing", data={"ip-address": "192.0.2.7"}, source="cookie")
    for subject in (ANN, BEN):
        store.consent(subject=subject)
        store.collect(subject=subject)
    about = {"subject": ANN, "purpose": "free-trial"}
    engine.execute_many([store.document("record-activity", **about), store.document("record-activity", **about)])
    engine.drain()
    for read in (engine.read.holdings, engine.read.consents, engine.read.recipients, engine.read.history):
        assert read(ANN) is not None
    engine.read.audit_trail(ANN)
    engine.read_clear(ANN, "free-trial", {"id": "web", "role": "service"})
    engine.sweep()
    engine.move_clock(engine.clock.now() + timedelta(days=400))
    assert engine.sweep().expired > 0
    assert store.do("erase", subject=BEN, ground="7.3c").outcome == "done"
    engine.drain()


def many_were_erased(database: Database) -> None:
    """A table of one row may be read whole."""
    rows = [{"subject_id": uuid4(), "at": datetime.now(UTC), "generation": 2} for _ in range(CROWD)]
    with database.own() as c:
        c.execute(insert(tombstone), rows)
        c.exec_driver_sql("ANALYZE")


def long_ago(store: Store) -> None:
    """What is in the log was looked through by every reaction: what they look through next is little of it."""
    reacting = store.engine.reacting
    with store.engine.database.write("writer") as c:
        for name, behind in reacting.behind().items():
            move(c, name, 0, behind)


def test_no_statement_of_a_tour_walks_over_a_table_that_grows(store: Store):
    crowd(store.engine, CROWD)
    long_ago(store)
    store.reopen()
    with statements(store.engine.database) as sent:
        tour(store)
    assert len(sent) > 50
    many_were_erased(store.engine.database)
    assert walks(store.engine.database, sent) == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) FROM event_header h WHERE h.kind = 'x'",
        "SELECT version FROM stream_head WHERE generation = 7",
        "SELECT stream_id FROM event_position ORDER BY stream_id",
    ],
)
def test_a_statement_without_an_index_would_be_noticed(store: Store, statement: str):
    assert len(walks(store.engine.database, {statement: ()})) == 1
