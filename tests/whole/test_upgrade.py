"""A store that an older program wrote: it says what to do, migrates even if killed half-way, and is read and goes on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forked import Forks
from projections.tables import everything
from sqlalchemy import event, text
from typer.testing import CliRunner
from whole.golden_stores import ANN, BEN, CEM, documents, names, restored

from lifecycle.cli.main import command_line
from lifecycle.domain.subject.refusals import UnknownSubject
from lifecycle.engine import Engine, open_engine
from lifecycle.ledger.log_keys import LogKeys
from lifecycle.settings import Settings
from lifecycle.storage import schema
from lifecycle.storage.database import Database

OLDEST = names()[0]
BEFORE_THE_FIRST_RELEASE = "0001"  # what a repeat has to say again was compared otherwise


@pytest.fixture
def golden(request: pytest.FixtureRequest, kind_of_database: str, tmp_path: Path) -> Iterator[Settings]:
    server = request.getfixturevalue("postgresql") if kind_of_database == "postgresql" else None
    with restored(getattr(request, "param", OLDEST), kind_of_database, tmp_path, server) as settings:
        yield settings


def migrated(settings: Settings) -> Engine:
    database = Database(settings.db)
    schema.migrate(database)
    database.close()
    return open_engine(settings.db, keys=settings.keys)


def held(engine: Engine, who: dict[str, str]) -> set[tuple[str, str]]:
    return {(row["category"], row["state"]) for row in engine.read.holdings(who)}


def clear(engine: Engine, who: dict[str, str]) -> dict[str, Any]:
    rows = engine.read_clear(who, "free-trial", {"id": "dpo", "role": "officer"})
    return {row["category"]: row["value"] for row in rows if row["state"] == "held"}


def repeated(engine: Engine) -> set[str | None]:
    """The codes with which everything that was said of Ann and Ben is answered when it is said again."""
    before = engine.subject_state(engine.read.subject_id(ANN)).version
    again = engine.execute_many([each for each in documents() if each["subject"] != CEM])
    assert engine.subject_state(engine.read.subject_id(ANN)).version == before
    return {each.code for each in again}


@pytest.mark.parametrize(("golden", "name"), [(name, name) for name in names()], indirect=["golden"])
def test_what_an_older_program_wrote_is_read_checked_and_gone_on_with(golden: Settings, name: str):
    with migrated(golden) as engine:
        assert held(engine, ANN) == {("name", "held"), ("phone", "held")}
        assert clear(engine, ANN) == {"name": "Somebody", "phone": "+6591234567"}
        assert clear(engine, BEN)["name"] == "Benjamin"
        with pytest.raises(UnknownSubject):
            engine.read.holdings(CEM)
        assert repeated(engine) == (
            {"id-reused"} if name == BEFORE_THE_FIRST_RELEASE else {None, "more-than-necessary"}
        )
        assert engine.execute(documents()[-1] | {"id": "g-new", "hold": "case-8"}).outcome == "done"
        erased = engine.execute(documents()[-3] | {"id": "g-gone", "subject": ANN})
        assert erased.receipt is not None
        engine.rotate()
        followed = everything(engine.database)
        engine.follower.rebuild()
        assert everything(engine.database) == followed
        if not engine.log.may_sign:  # written before there were checkpoints
            LogKeys(golden.keys).create(engine.log.origin)
        engine.publish()
        assert engine.log.audit(engine.clock.now(), engine.vault).findings == ()
        assert engine.log.faults(engine.clock.now(), deep=True) == []


def test_a_store_that_was_not_migrated_says_what_to_do(golden: Settings):
    with pytest.raises(schema.Outdated, match="0001") as caught:
        open_engine(golden.db, keys=golden.keys)
    assert "lifecycle migrate" in caught.value.remedy


def test_the_command_migrates_it(golden: Settings):
    said = CliRunner().invoke(command_line(), ["--db", golden.db, "--keys", str(golden.keys), "migrate"])
    assert said.exit_code == 0, said.output
    open_engine(golden.db, keys=golden.keys).close()


STATEMENTS: dict[str, int] = {}
"""Of a whole migration, counted once on each engine."""


def statements_of_migrating(settings: Settings) -> int:
    database, seen = Database(settings.db), []
    event.listen(database.engine, "after_cursor_execute", lambda *_: seen.append(None))
    schema.migrate(database)
    database.close()
    return len(seen)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 1.1])
def test_a_migration_that_is_killed_is_gone_on_with(
    golden: Settings, forks: Forks, part: float, tmp_path: Path, request: Any
):
    """Between the revisions and inside of one, and just after the commit."""
    kind = "sqlite" if golden.db.startswith("sqlite") else "postgresql"
    if kind not in STATEMENTS:
        other = tmp_path / "other"
        other.mkdir()
        server = request.getfixturevalue("postgresql") if kind == "postgresql" else None
        with restored(OLDEST, kind, other, server) as measured:
            STATEMENTS[kind] = statements_of_migrating(measured)
    dying = forks("working:migrate_and_die", url=golden.db, statement=int(STATEMENTS[kind] * part))
    assert dying.wait() == -signal.SIGKILL
    database = Database(golden.db)
    with database.read() as c:
        found = c.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    assert found == (OLDEST if part < 1 else schema.HEAD)
    database.close()
    with migrated(golden) as engine:
        assert held(engine, ANN) == {("name", "held"), ("phone", "held")}


def test_a_newer_store_is_refused_and_says_by_what_it_can_be_opened(golden: Settings):
    database = Database(golden.db)
    with database.own() as c:
        c.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(schema.TooNew, match="newer than this program") as caught:
        open_engine(golden.db, keys=golden.keys)
    assert "install" in caught.value.remedy
