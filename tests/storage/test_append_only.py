"""History is not changed, and keys go only when that was ordered: by roles on PostgreSQL, by triggers on SQLite."""

from __future__ import annotations

from uuid import UUID

import pytest
from appends import MONDAY, Person, a_birth_date
from postgres import on_postgresql, on_sqlite
from sqlalchemy import text

from lifecycle.ledger.sequencer import sequence, write_genesis
from lifecycle.storage import erasing
from lifecycle.storage.append_only import (
    CUSTODIAN,
    GRANTS,
    ROLES,
    custody_triggers,
    evidence_triggers,
    final_triggers,
    publishing_triggers,
    trigger_statements,
)
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database, Role
from lifecycle.storage.failures import AppendOnly
from lifecycle.storage.schema import migrate

NEVER = (
    "UPDATE event_header SET kind = 'x'",
    "DELETE FROM event_header",
    "UPDATE event_body SET ct = ct",
    "UPDATE log_entry SET entry = entry",
    "DELETE FROM log_entry",
    "UPDATE event_position SET position = position + 100",
    "DELETE FROM event_position",
    "DELETE FROM stream_head",
    "UPDATE stream_head SET sid = sid",
    "UPDATE store_facts SET value = 'no'",
    "DELETE FROM store_facts",
    "UPDATE log_system SET position = position + 100",
    "DELETE FROM log_system",
    "UPDATE checkpoint SET size = size + 1",
    "DELETE FROM checkpoint",
    "DELETE FROM log_tree",
)
UNLESS_ORDERED = (
    "DELETE FROM event_body",
    "DELETE FROM vault.data_key",
    "DELETE FROM vault.subject_key",
    "UPDATE vault.data_key SET wrapped = wrapped",
    "UPDATE vault.subject_key SET generation = generation + 1",
)
# What each role may do beside reading: nothing that is not in this list.
MAY: dict[str, tuple[str, ...]] = {
    "writer": ("UPDATE stream_head SET version = version", "UPDATE simulated_clock SET at = at"),
    "sequencer": (
        "DELETE FROM ledger_queue",
        "UPDATE log_state SET size = size",
        "UPDATE log_tree SET size = size",
        "UPDATE checkpoint SET note = note",
        "UPDATE map_bucket SET leaves = leaves",
        "DELETE FROM map_tile",
        "DELETE FROM map_expunged",
    ),
    "eraser": (*UNLESS_ORDERED, "UPDATE stream_head SET fenced = true", "DELETE FROM pending_erasure"),
    "expunger": tuple(f"DELETE FROM {it}" for it in ("event_header", "event_position", "event_body", "stream_head")),
    "projector": (),
}
EVERYTHING = tuple(dict.fromkeys((*NEVER, *UNLESS_ORDERED, *(one for some in MAY.values() for one in some))))


@pytest.fixture
def lived(database: Database) -> tuple[Database, UUID]:
    """A store with a genesis entry and one person's sequenced event."""
    ann = Person()
    with database.own() as c:
        write_genesis(c, {"kind": "genesis"})
        c.execute(text("INSERT INTO store_facts VALUES ('simulated', 'yes')"))
        c.execute(text("INSERT INTO log_system VALUES (0)"))
        c.execute(text("INSERT INTO checkpoint VALUES (1, 'note', 0)"))
    streams = Streams(database)
    ann.append(streams, a_birth_date())
    with database.write("sequencer") as c:
        sequence(c)
    ann.append(streams, a_birth_date("h2"))
    return database, ann.subject_id


def tried(database: Database, role: Role, statement: str) -> bool:
    """Whether the statement went through, as `role` or, on SQLite, as anybody."""
    if database.is_sqlite:
        statement = statement.replace("vault.", "")
    try:
        with database.write(role) as c:
            c.execute(text(statement))
            c.rollback()
    except AppendOnly:
        return False
    return True


# Each statement is tried in a transaction of its own and taken back, so one store will do for all of them.
@on_postgresql
@pytest.mark.parametrize("role", MAY)
def test_a_role_may_do_its_own_work_and_nothing_else(lived: tuple[Database, UUID], role: Role):
    may = {statement for statement in EVERYTHING if tried(lived[0], role, statement)}
    assert may == set(MAY[role])


@on_sqlite
def test_a_trigger_refuses_what_was_not_ordered(lived: tuple[Database, UUID]):
    assert [it for it in (*NEVER, *UNLESS_ORDERED) if tried(lived[0], "writer", it)] == []


@on_sqlite
@pytest.mark.parametrize("statement", UNLESS_ORDERED)
def test_an_ordered_erasure_may_destroy(lived: tuple[Database, UUID], statement: str):
    database, subject_id = lived
    with database.write("eraser") as c:
        erasing.extend(c, [erasing.Ordered(subject_id, 1, MONDAY)])
    assert tried(database, "eraser", statement)


@on_sqlite
def test_an_order_about_one_person_destroys_nothing_of_another(lived: tuple[Database, UUID]):
    database, _ = lived
    bob = Person()
    bob.append(Streams(database), a_birth_date())
    with database.write("eraser") as c:
        erasing.extend(c, [erasing.Ordered(bob.subject_id, 1, MONDAY)])
    assert not tried(database, "eraser", "DELETE FROM event_body")


@on_sqlite
def test_a_subject_s_key_may_be_wrapped_for_a_later_epoch(lived: tuple[Database, UUID]):
    database, _ = lived
    assert tried(database, "eraser", "UPDATE subject_key SET wrapped = x'00', epoch = epoch + 1")
    assert not tried(database, "eraser", "UPDATE subject_key SET wrapped = x'00'")
    assert not tried(database, "eraser", "UPDATE subject_key SET epoch = epoch + 1, generation = generation + 1")


@on_sqlite
@pytest.mark.parametrize("table", ["event_header", "event_body", "log_entry", "event_position"])
def test_replacing_a_row_is_no_way_around(lived: tuple[Database, UUID], table: str):
    """SQLite's REPLACE deletes without firing triggers unless it is told to."""
    assert not tried(lived[0], "writer", f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")


@on_sqlite
def test_the_tree_of_the_log_never_gets_smaller(lived: tuple[Database, UUID]):
    assert tried(lived[0], "sequencer", "UPDATE log_tree SET size = size + 1")
    assert not tried(lived[0], "sequencer", "UPDATE log_tree SET size = size - 1")


@on_sqlite
def test_every_trigger_is_in_the_file(database: Database):
    with database.read() as c:
        found = set(c.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars())
    replaced = [it for it in trigger_statements() if it.split(" ON ")[1].split()[0] in ("data_key", "subject_key")]
    made = {*trigger_statements(), *publishing_triggers(), *final_triggers(), *evidence_triggers()} - {*replaced}
    assert found == {statement.split()[2] for statement in (*made, *custody_triggers())}


MOVES = ("UPDATE data_key SET wrapped = wrapped", "DELETE FROM data_key", "DELETE FROM custody_key")
KEPT = "INSERT INTO custody_key VALUES (:of, 'k', 'h', 1, x'00')"


@on_sqlite
def test_keys_move_only_while_a_move_is_noted(lived: tuple[Database, UUID]):
    database, subject_id = lived
    into = KEPT.replace(":of", f"x'{subject_id.hex}'")
    assert not tried(database, "eraser", into)
    with database.write("writer") as c:
        c.execute(text(f"INSERT INTO pending_custody VALUES ('{subject_id.hex}', 1, 0)"))
        c.execute(text(into.replace(f"x'{subject_id.hex}'", f"'{subject_id.hex}'")))
    assert [tried(database, "eraser", move) for move in MOVES] == [True] * 3
    assert not tried(database, "eraser", "UPDATE custody_key SET sealed = x'01'")
    assert not tried(database, "eraser", "UPDATE custody_key SET hid = 'other'")
    assert tried(database, "eraser", "UPDATE custody_key SET sealed = x'01', epoch = epoch + 1")
    with database.write("eraser") as c:
        c.execute(text("DELETE FROM pending_custody"))
    assert [tried(database, "eraser", move) for move in MOVES] == [False] * 3


@on_postgresql
def test_ordinary_roles_see_where_a_key_is_in_custody_and_never_the_key(lived: tuple[Database, UUID]):
    database, _ = lived
    with database.write("writer") as c:
        assert c.execute(text("SELECT subject_id, kid, hid, epoch FROM vault.custody_key")).all() == []
    for role in ("writer", "sequencer", "expunger", "projector"):
        with pytest.raises(AppendOnly), database.write(role) as c:
            c.execute(text("SELECT sealed FROM vault.custody_key"))
    with pytest.raises(AppendOnly), database.read("reader") as c:
        c.execute(text("SELECT kid FROM vault.custody_key"))
    with database.read("custodian") as c:
        assert c.execute(text("SELECT sealed FROM vault.custody_key")).all() == []
    with pytest.raises(AppendOnly), database.write("writer") as c:
        c.execute(text("DELETE FROM vault.custody_key"))


def test_expunging_deletes_the_evidence_of_one_stream_and_leaves_the_log(lived: tuple[Database, UUID]):
    database, subject_id = lived
    bob = Person()
    bob.append(Streams(database), a_birth_date())
    with database.write("sequencer") as c:
        sequence(c)
    with database.write("expunger") as c:
        assert erasing.expunge(c, [subject_id], MONDAY).positions == (1, 2)
        erasing.end_expunge(c, [subject_id])
    with database.read() as c:
        left = {
            table: c.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in ("event_header", "event_position", "stream_head", "expunge_order", "log_entry")
        }
    assert left == {"event_header": 1, "event_position": 1, "stream_head": 1, "expunge_order": 0, "log_entry": 4}


@on_postgresql
def test_a_reader_reads_everything_but_the_vault(lived: tuple[Database, UUID]):
    database, _ = lived
    with database.read("reader") as c:
        assert c.execute(text("SELECT count(*) FROM event_header")).scalar_one() == 2
    for table in ("subject_key", "data_key", "lookup", "installation_key", "epoch", "tombstone", "spent_command"):
        with pytest.raises(AppendOnly), database.read("reader") as c:
            c.execute(text(f"SELECT * FROM vault.{table}"))


@on_postgresql
@pytest.mark.parametrize("role", ["sequencer", "expunger", "projector"])
def test_who_needs_no_key_sees_none(lived: tuple[Database, UUID], role: Role):
    with pytest.raises(AppendOnly), lived[0].write(role) as c:
        c.execute(text("SELECT * FROM vault.data_key"))


@on_postgresql
def test_only_the_projector_makes_projections_and_everybody_reads_them(database: Database):
    with pytest.raises(AppendOnly), database.write("writer") as c:
        c.execute(text("CREATE TABLE projection.holdings (n int)"))
    with database.write("projector") as c:
        c.execute(text("CREATE TABLE projection.holdings (n int)"))
        c.execute(text("INSERT INTO projection.holdings VALUES (1)"))
    with database.read("reader") as c:
        assert c.execute(text("SELECT n FROM projection.holdings")).scalar_one() == 1
    with database.write("projector") as c:
        c.execute(text("DROP TABLE projection.holdings"))


@on_postgresql
def test_every_role_exists_and_has_grants(database: Database):
    assert set(GRANTS) == set(ROLES)
    with database.read() as c:
        found = c.execute(text("SELECT rolname FROM pg_roles WHERE rolname LIKE 'lifecycle\\_%'")).scalars()
        assert {f"lifecycle_{role}" for role in ROLES} <= set(found)


@on_postgresql
def test_an_ordinary_user_may_migrate_if_an_administrator_made_the_roles(database_url: str):
    """The roles exist for the whole server; the user needs to be granted them, and to create schemas."""
    owner = Database(database_url)
    with owner.own() as c:
        c.execute(text("CREATE ROLE lifecycle_test_user LOGIN"))
        c.execute(text("CREATE SCHEMA theirs AUTHORIZATION lifecycle_test_user"))
        c.execute(text("DROP SCHEMA vault CASCADE; DROP SCHEMA projection CASCADE"))
        name = c.execute(text("SELECT current_database()")).scalar_one()
        c.execute(text(f"GRANT CREATE ON DATABASE {name} TO lifecycle_test_user"))
        c.execute(text("ALTER ROLE lifecycle_test_user SET search_path = theirs"))
        for role in (*ROLES, CUSTODIAN):
            c.execute(text(f"GRANT lifecycle_{role} TO lifecycle_test_user"))
    try:
        theirs = Database(str(owner.engine.url.set(username="lifecycle_test_user")))
        migrate(theirs)
        ann = Person()
        ann.append(Streams(theirs), a_birth_date())
        theirs.close()
    finally:
        with owner.own() as c:
            c.execute(text("DROP OWNED BY lifecycle_test_user CASCADE"))
            c.execute(text("DROP ROLE lifecycle_test_user"))
        owner.close()
