"""Who looks for a few leaves of a long log reads these, and does not walk over the log."""

from __future__ import annotations

import pytest
from plans import assert_walks_over_no, plans_of
from sqlalchemy import Connection, insert, update

from lifecycle.domain.streams import SYSTEM
from lifecycle.ledger import faults, key_rotation
from lifecycle.ledger.envelope import system_entry
from lifecycle.ledger.integration import _NEWEST, rows_of
from lifecycle.ledger.log_proofs import system_leaves
from lifecycle.ledger.many_rows import insert_many
from lifecycle.ledger.sequencer import write_genesis
from lifecycle.ledger.tables import event_position, log_entry, log_state, log_system, log_tree
from lifecycle.storage.database import Database

LEAVES = 20_000
OWN = {0: b'\x03{"kind":"genesis"}', 7_000: system_entry({"kind": "noted"}), 19_000: system_entry({"kind": "noted"})}


@pytest.fixture
def long(database: Database) -> Database:
    """A long log of published leaves, of which three are its own. PostgreSQL has no statistics of it."""
    with database.own() as c:
        write_genesis(c, {"kind": "genesis"})
        places = range(1, LEAVES)
        entries = [OWN.get(at, b"\x01" + at.to_bytes(48, "big")) for at in places]
        insert_many(c, log_entry, {"position": places, "entry": entries})
        stream = SYSTEM.hex if database.is_sqlite else SYSTEM
        owned = {"position": places, "stream_id": [stream] * len(places), "version": places}
        insert_many(c, event_position, owned)
        c.execute(insert(log_system), [{"position": at} for at in OWN])
        c.execute(update(log_state).values(size=LEAVES))
        c.execute(update(log_tree).values(size=LEAVES))
    return database


def assert_walks_over_nothing(c: Connection, work) -> None:
    plans = plans_of(c, work)
    assert plans
    assert_walks_over_no(plans, "log_entry", "event_position")


def test_the_log_s_own_leaves_are_found_in_order_and_up_to_a_size(long: Database):
    with long.read() as c:
        assert system_leaves(c) == list(OWN.items())
        assert system_leaves(c, 19_000) == list(OWN.items())[:2]


def test_asking_what_the_log_says_of_itself_reads_its_own_leaves_alone(long: Database):
    with long.read() as c:
        assert_walks_over_nothing(c, lambda: key_rotation.system_entries(c))
        assert key_rotation.system_entries(c) == list(OWN.values())


def test_asking_what_was_declared_reads_the_log_s_own_leaves_alone(long: Database):
    with long.read() as c:
        assert_walks_over_nothing(c, lambda: faults._explained(c))


def test_the_newest_version_of_a_stream_in_a_batch_is_asked_of_that_batch(long: Database):
    plan = "NOT INDEXED" if long.is_sqlite else ""
    with long.read() as c:
        assert_walks_over_nothing(c, lambda: rows_of(c, _NEWEST.format(plan=plan, first=10_000, past=10_100)))
        ((_, version, position),) = rows_of(c, _NEWEST.format(plan=plan, first=10_000, past=10_100))
        assert (version, position) == (10_099, 10_099)
