"""A full audit goes over the log once: each of its queries reads its own stretch, and finds it by an index."""

from __future__ import annotations

from pathlib import Path

from plans import assert_walks_over_no, plans_of
from sqlalchemy import insert

from lifecycle.audit.full_findings import Findings
from lifecycle.audit.full_leaves import _LEAVES, Leaves
from lifecycle.domain.streams import SYSTEM
from lifecycle.ledger.ledger_files import LedgerFolder
from lifecycle.ledger.many_rows import insert_many
from lifecycle.ledger.tables import event_position, log_entry, log_system
from lifecycle.storage.database import Database

LEAVES = 20_000


def test_a_stretch_of_leaves_and_what_was_declared_are_found_by_an_index(database: Database, tmp_path: Path):
    with database.own() as c:
        places = range(LEAVES)
        insert_many(c, log_entry, {"position": places, "entry": [b"\x01" + bytes(48)] * LEAVES})
        stream = SYSTEM.hex if database.is_sqlite else SYSTEM
        insert_many(c, event_position, {"position": places, "stream_id": [stream] * LEAVES, "version": places})
        c.execute(insert(log_system), {"position": 0})
    with database.read() as c:
        plans = plans_of(c, lambda: Leaves(c, LedgerFolder(tmp_path), LEAVES, "example.com/log", Findings()))
        plans += plans_of(c, lambda: c.execute(_LEAVES, {"first": 10_000, "past": 10_100}).all())
        assert len(plans) >= 3
        assert_walks_over_no(plans, "log_entry", "event_position")
