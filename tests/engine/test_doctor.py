"""Each check of the doctor finds what it is for, on a store in which that was broken; a healthy store is clean."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from engine.stores import QUOTE, document
from schedule.leading import leads_soon
from sessions import begin_all_anew_in
from sqlalchemy import Connection, insert, select, text, update
from whole.stores import ANN, TRIAL

from lifecycle.audit.history import events_of
from lifecycle.cli.main import answer
from lifecycle.columns import microseconds
from lifecycle.engine import Engine, open_engine
from lifecycle.engine.creation import create
from lifecycle.engine.doctor import Finding, Level, Limits, examine
from lifecycle.engine.doctor.examining import OF_FILES, OF_THE_STORE
from lifecycle.engine.doctor.following import reactions_of
from lifecycle.policy.examples import example_policy_text
from lifecycle.projections.duties import recipient_duty
from lifecycle.projections.requests import rights_request
from lifecycle.projections.retention_calendar import retention_calendar
from lifecycle.schedule.leader import leader_of
from lifecycle.settings import Settings
from lifecycle.storage.server_clock import ServerClock
from lifecycle.storage.tables import epoch_erasure, expunge_order, pending_custody, pending_erasure

NAMES = {check.name for check in (*OF_FILES, *OF_THE_STORE)}
LONG_AGO = timedelta(hours=3)


@pytest.fixture
def engine(database_url: str, keys: Path) -> Iterator[Engine]:
    """A store in real time, with one person of whom something is held; all of it followed and published."""
    engine, _ = create(Settings(database_url, keys), example_policy_text())
    with engine:
        assert (
            engine.execute(document("collect", "c-1", ANN, data={"phone": TRIAL["phone"]}, **QUOTE)).outcome == "done"
        )
        engine.publish()
        yield engine


def looked(engine: Engine, notices: Path | None = None, **given: Any) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for each in examine(Settings(engine.database.url, engine.keys, notices=notices), **given):
        assert each.level is Level.OK or (each.what and each.remedy), each
        assert ANN["email"] not in str(each)
        assert TRIAL["phone"] not in str(each)
        found.setdefault(each.check, []).append(each)
    return found


def wrong(found: dict[str, list[Finding]]) -> dict[str, Level]:
    worst = {check: max(each.level for each in some) for check, some in found.items()}
    return {check: level for check, level in worst.items() if level is not Level.OK}


@contextmanager
def led(engine: Engine) -> Iterator[None]:
    with leader_of(engine.database) as leader:
        assert leads_soon(leader)
        yield


def test_a_healthy_store_is_clean(engine: Engine):
    with led(engine):
        found = looked(engine)
    assert wrong(found) == {}
    assert found.keys() == NAMES


def test_without_a_worker_it_says_so_and_monitoring_stays_quiet(engine: Engine, capsys: pytest.CaptureFixture[str]):
    assert wrong(looked(engine)) == {"worker": Level.WARNING}
    line = ("--db", engine.database.url, "--keys", str(engine.keys), "doctor")
    assert answer(["--json", *line]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["level"] == "warning"
    assert {each["check"] for each in said["findings"]} == NAMES
    assert all(each.keys() == {"check", "level", "what", "since", "remedy"} for each in said["findings"])
    assert answer(list(line)) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("warning  worker")


def rows_of_long_ago(c: Connection, person: Any, then: datetime) -> None:
    """What a worker that died three hours ago leaves behind."""
    for orders in (pending_erasure, pending_custody):
        c.execute(insert(orders).values(stream_id=person, version=1, at=then))
    c.execute(insert(expunge_order).values(stream_id=person, at=then))
    c.execute(update(retention_calendar).values(due=microseconds(then)))
    c.execute(insert(epoch_erasure).values(epoch=1, stream_id=person))
    asked = {"subject_id": person, "request": "r-1", "asks": "access", "status": "open", "is_open": True}
    counted = {"due_on": then.date(), "rule": "r", "calendar": "c", "counted_by": "c", "provisional": False}
    times = {"received": then, "received_on": then.date(), "channel": "web-form", "due": then, "extended": False}
    c.execute(insert(rights_request).values(**asked, **counted, **times))
    told = {
        "subject_id": person,
        "instruction": "i-1",
        "recipient": "acme",
        "duty": "erase",
        "holdings": [],
        "purposes": [],
    }
    c.execute(insert(recipient_duty).values(**told, because="x", since=then, due=then, is_open=True, overdue=True))


def test_what_was_left_undone_is_told_with_since_when(engine: Engine):
    then = datetime.now(UTC) - LONG_AGO
    person = engine.read.subject_id(ANN)
    with engine.database.own() as c:
        rows_of_long_ago(c, person, then)
    with led(engine):
        found = looked(engine, limits=Limits(finality=timedelta(0)))
    late = dict.fromkeys(("sweep", "erasures", "custody"), Level.FAILED)
    assert wrong(found) == late | dict.fromkeys(("finality", "requests", "duties"), Level.WARNING)
    assert {found[check][0].since for check in ("sweep", "erasures", "custody", "requests", "duties")} == {then}
    assert len(found["erasures"]) == 2  # ordered, and being expunged
    assert wrong(looked(engine, limits=Limits(late=LONG_AGO * 2, too_late=LONG_AGO * 2))).keys() == {
        "worker", "requests", "duties",
    }  # fmt: skip


def test_what_nobody_sequences_or_follows_is_told_and_so_is_what_nobody_signs(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    engine.execute_many([document("collect", "c-2", ANN, data={"company": "Acme"}, **QUOTE)])
    with engine.database.own() as c:  # as on a server without a worker
        name = "projection_position" if c.dialect.name == "sqlite" else "projection.projection_position"
        c.execute(text(f"UPDATE {name} SET position = 1"))
        c.execute(
            text("INSERT INTO ledger_queue SELECT stream_id, 99, event_id, sid FROM stream_head WHERE version > 0")
        )
    later = datetime.now(UTC) + LONG_AGO
    with monkeypatch.context() as patched:
        patched.setattr(ServerClock, "now", lambda clock: later)
        found = looked(engine, now=later)
    assert found["sequencing"][0].level is Level.FAILED
    assert found["projections"][0].level is Level.FAILED
    assert "leaves behind" in found["projections"][0].what
    assert found["projections"][0].since is not None
    assert looked(engine)["sequencing"][0].level is Level.OK  # it has not waited for long


def test_a_process_that_does_not_do_what_follows_from_an_event_is_told(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A policy was published and somebody registered, and nobody looked whether there is anything to tell them."""
    later, notices = datetime.now(UTC) + LONG_AGO, tmp_path / "notices"
    with monkeypatch.context() as patched:
        patched.setattr(ServerClock, "now", lambda clock: later)
        assert looked(engine, now=later)["reactions"][0].level is Level.OK  # without a place for notices nobody does
        revised, registered = looked(engine, notices, now=later)["reactions"]
        assert revised.level is registered.level is Level.FAILED
        assert "'tell-people-of-a-revision'" in revised.what
        assert "'tell-whoever-comes-before-the-day'" in registered.what
        assert registered.since == registered_at(engine)
        with open_engine(engine.database.url, keys=engine.keys, notices=notices) as telling:
            telling.reacting()
        assert looked(engine, notices, now=later)["reactions"][0].level is Level.OK


@pytest.mark.parametrize("outside", [(), ("outbox",), ("notices",), ("outbox", "notices")], ids="-".join)
def test_the_doctor_looks_at_every_process_that_there_is(engine: Engine, tmp_path: Path, outside: tuple[str, ...]):
    places = {name: tmp_path / name for name in outside}
    settings = Settings(engine.database.url, engine.keys, **places)
    with open_engine(settings.db, keys=settings.keys, **places) as reacting:
        assert set(reacting.reacting.behind()) == {each.name for each in reactions_of(settings)}


def registered_at(engine: Engine) -> datetime:
    with engine.database.read() as c:
        first, *_ = events_of(c, engine.read.subject_id(ANN))
    return first[0].recorded_at


def test_clocks_that_differ_and_events_of_tomorrow_are_told(engine: Engine):
    """On a server its clock counts: by that nothing was recorded in the future, and the machine is what is wrong."""
    found = looked(engine, now=datetime.now(UTC) - timedelta(minutes=30))
    (clock,) = found["clock"]
    assert clock.level is Level.FAILED
    if engine.database.is_sqlite:
        assert "in the future" in clock.what
        assert clock.since is not None
    else:
        assert "behind the server's" in clock.what


def test_keys_that_others_may_read_and_keys_of_ended_epochs_are_told(engine: Engine):
    key = engine.vault.epoch_keys.path(1)
    key.chmod(0o644)
    assert wrong(looked(engine))["key-files"] is Level.FAILED
    key.chmod(0o600)
    kept = key.read_bytes()
    engine.rotate()
    key.write_bytes(kept)  # from somebody's backup
    key.chmod(0o600)
    found = looked(engine)
    assert wrong(found)["epoch-keys"] is Level.FAILED
    assert "ended epochs" in found["epoch-keys"][0].what


def test_a_key_that_is_missing_is_told_and_everything_else_still_looked_at(engine: Engine):
    engine.vault.epoch_keys.path(1).unlink()
    found = looked(engine)
    assert wrong(found) == {"epoch-keys": Level.FAILED, "worker": Level.WARNING}
    assert found.keys() == NAMES


@pytest.mark.parametrize("how", ["gone", "cut"])
def test_a_journal_that_cannot_be_read_is_told(engine: Engine, how: str):
    engine.execute(document("erase", "e-1", ANN, ground="7.3d"))
    path = engine.journal.path
    said = path.read_bytes()
    path.unlink() if how == "gone" else path.write_bytes(said[: len(said) // 2] + b"\n")
    assert wrong(looked(engine)).items() >= {("journal", Level.FAILED), ("anchor", Level.FAILED)}


def test_an_anchor_that_is_lost_and_a_folder_without_its_checkpoint_are_told(engine: Engine):
    (engine.keys / "anchor").unlink()
    (engine.log.folder.folder / "checkpoint").unlink()
    found = looked(engine)
    assert wrong(found) == {"anchor": Level.FAILED, "ledger": Level.FAILED, "worker": Level.WARNING}
    assert "0 leaves" in found["ledger"][0].what


def test_a_log_whose_rows_do_not_fit_is_told(engine: Engine):
    with engine.database.own() as c:
        c.execute(text("UPDATE log_state SET size = size - 1"))
    assert wrong(looked(engine))["ledger"] is Level.FAILED


def test_a_store_of_another_version_is_told_and_nothing_else_is_asked_of_it(engine: Engine):
    with engine.database.own() as c:
        c.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    found = looked(engine)
    assert wrong(found) == {"schema": Level.FAILED}
    assert "newer" in found["schema"][0].what
    assert found.keys() == {"journal", "key-files", "store", "schema"}


def test_a_store_that_is_not_there_fails_and_monitoring_hears_it(engine: Engine, capsys: pytest.CaptureFixture[str]):
    url = "sqlite:////nowhere/x.db" if engine.database.is_sqlite else "postgresql://postgres@127.0.0.1:1/postgres"
    found = {each.check: each for each in examine(Settings(url, engine.keys))}
    assert found["store"].level is Level.FAILED
    assert found["store"].remedy
    assert answer(["--db", url, "--keys", str(engine.keys), "doctor"]) == 1
    assert capsys.readouterr().out.startswith("failed   store")


def test_a_store_that_takes_no_writes_is_told(engine: Engine):
    if engine.database.is_sqlite:
        with engine.database.own():  # somebody who holds the write lock for ever
            assert wrong(looked(engine))["writable"] is Level.FAILED
        return
    name = str(engine.database.engine.url.database)
    begin_all_anew_in(name)
    with engine.database.own() as c:
        c.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    found = looked(engine)
    with engine.database.engine.connect() as c, c.begin():
        c.execute(text("SET TRANSACTION READ WRITE"))
        c.execute(text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
    assert wrong(found)["writable"] is Level.FAILED
    assert "read-only" in found["writable"][0].what


def test_damage_of_the_database_itself_is_told(engine: Engine):
    if not engine.database.is_sqlite:
        mark = "UPDATE pg_index SET indisvalid = {} WHERE indexrelid = 'ix_stream_head_sid'::regclass"
        with engine.database.own() as c:
            c.execute(text(mark.format("false")))
        found = looked(engine)
        with engine.database.own() as c:
            c.execute(text(mark.format("true")))  # other tests are given this database
        assert "1 indexes are invalid" in found["integrity"][0].what
        return
    with engine.database.read() as c:
        page = c.execute(text("SELECT rootpage FROM sqlite_master WHERE name = 'event_header'")).scalar_one()
        size = c.execute(text("PRAGMA page_size")).scalar_one()
    engine.database.truncate_wal()
    path = engine.database.path
    assert path is not None
    with path.open("r+b") as file:
        file.seek((page - 1) * size + 8)
        file.write(b"\xff" * 64)
    broken = shutil.copy(path, path.with_name("broken.db"))  # opened by nobody who remembers the page
    found = {each.check: each for each in examine(Settings(f"sqlite:///{broken}", engine.keys))}
    assert found["integrity"].level is Level.FAILED


def test_a_write_ahead_log_that_is_kept_and_a_transaction_that_lasts_are_told(engine: Engine):
    limits = Limits(wal=-1, transaction=timedelta(0))
    with engine.database.read() as c:
        c.execute(select(1))
        found = looked(engine, limits=limits)
    assert wrong(found)["write-ahead-log"] is Level.WARNING
    if not engine.database.is_sqlite:
        assert wrong(found)["transactions"] is Level.WARNING
        assert found["transactions"][0].since is not None


def test_in_a_simulated_store_what_is_due_waits_for_the_next_command_and_nobody_works(database_url: str, keys: Path):
    engine, _ = create(Settings(database_url, keys), example_policy_text(), simulated_clock=True)
    with engine:
        engine.execute(document("collect", "c-1", ANN, data={"phone": TRIAL["phone"]}, **QUOTE))
        engine.publish()
        engine.move_clock(engine.clock.now() + timedelta(days=800))
        assert wrong(looked(engine)) == {}
