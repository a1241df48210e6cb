"""The tables that migrations make are the tables that the program uses, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from postgres import on_postgresql
from sqlalchemy import Connection, MetaData, inspect, text

from lifecycle.ledger.integration import read_tree
from lifecycle.ledger.sequencer import write_genesis
from lifecycle.ledger.tables import metadata as of_the_ledger
from lifecycle.ledger.tree import EMPTY
from lifecycle.storage import schema
from lifecycle.storage.database import Database
from lifecycle.storage.tables import metadata as of_storage
from lifecycle.vault.tables import metadata as of_the_vault

ROOMS = (of_storage, of_the_ledger, of_the_vault)


def tables_for(c: Connection) -> MetaData:
    """All rooms' tables, without schemas on SQLite."""
    together = MetaData()
    for room in ROOMS:
        for table in room.sorted_tables:
            table.to_metadata(together, schema=None if c.dialect.name == "sqlite" else table.schema)
    return together


@pytest.fixture
def first(empty_database_url: str) -> Iterator[Database]:
    """A database as the first migration leaves it."""
    db = Database(empty_database_url)
    schema.migrate(db, to="0001")
    yield db
    db.close()


def ours(name: str | None, kind: str, parents: object) -> bool:
    return name in (None, "vault") if kind == "schema" else name != "alembic_version"


def test_migrations_make_exactly_the_tables_of_the_program(database: Database):
    with database.read() as c:
        context = MigrationContext.configure(
            c,
            opts={"include_schemas": True, "include_name": ours, "compare_type": True, "compare_server_default": True},
        )
        assert compare_metadata(context, tables_for(c)) == []


def test_keys_and_indexes_are_those_of_the_program(database: Database):
    with database.read() as c:
        reflected = inspect(c)
        for table in tables_for(c).sorted_tables:
            key = reflected.get_pk_constraint(table.name, table.schema)["constrained_columns"]
            assert key == [column.name for column in table.primary_key.columns], table.name
            indexes = {
                index["name"]: index["column_names"] for index in reflected.get_indexes(table.name, table.schema)
            }
            wanted = {str(index.name): [column.name for column in index.columns] for index in table.indexes}
            assert indexes.items() >= wanted.items(), table.name


def test_the_program_knows_every_revision():
    script = ScriptDirectory(str(files("lifecycle.storage.migrations")))
    assert tuple(reversed([found.revision for found in script.walk_revisions()])) == schema.REVISIONS


def test_an_empty_store_says_that_it_must_be_initialised(empty_database_url: str):
    db = Database(empty_database_url)
    db.create_file()
    with pytest.raises(schema.NotInitialised, match="lifecycle init"):
        schema.check(db)
    db.close()


def test_migrating_makes_the_store_usable_and_twice_changes_nothing(empty_database_url: str):
    db = Database(empty_database_url)
    schema.migrate(db)
    schema.migrate(db)
    schema.check(db)
    db.close()


def test_an_unknown_revision_is_a_newer_program_s(database: Database):
    with database.own() as c:
        c.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(schema.TooNew, match="newer than this program"):
        schema.check(database)
    with pytest.raises(schema.TooNew, match="newer than this program"):
        schema.migrate(database)


def test_an_older_revision_must_be_migrated(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "9998"))
    monkeypatch.setattr(schema, "HEAD", "9998")
    with pytest.raises(schema.Outdated, match="lifecycle migrate"):
        schema.check(database)


def test_migrating_prints_nothing(empty_database_url: str, capfd: pytest.CaptureFixture[str]):
    db = Database(empty_database_url)
    schema.migrate(db)
    db.close()
    assert capfd.readouterr() == ("", "")


@on_postgresql
def test_no_column_counts_by_itself_on_postgresql(database: Database):
    """A sequence would be one place that all writers of a distributed store meet at."""
    with database.read() as c:
        assert c.execute(text("SELECT count(*) FROM pg_sequences")).scalar_one() == 0
        assert c.execute(text("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal")).scalar_one() == 0
        foreign = "SELECT count(*) FROM information_schema.table_constraints WHERE constraint_type = 'FOREIGN KEY'"
        assert c.execute(text(foreign)).scalar_one() == 0


def test_several_may_migrate_at_once(empty_database_url: str):
    """As when several processes of one service start together."""

    def start(_: int) -> None:
        db = Database(empty_database_url)
        schema.migrate(db)
        schema.check(db)
        db.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(start, range(4))) == [None] * 4


def test_a_store_of_the_first_version_is_migrated_with_its_log(first: Database):
    """Nothing of its log is published yet."""
    with first.own() as c:
        c.execute(text("INSERT INTO log_state VALUES (1, 17)"))
    with pytest.raises(schema.Outdated):
        schema.check(first)
    schema.migrate(first)
    schema.check(first)
    with first.read() as c:
        tree = read_tree(c)
    assert (tree.size, tree.root, tree.grown().root()) == (0, EMPTY, EMPTY)


def test_a_store_without_a_log_is_migrated_too(first: Database):
    schema.migrate(first)
    with first.write("sequencer") as c:
        write_genesis(c, {"kind": "genesis"})
        assert read_tree(c).size == 0
