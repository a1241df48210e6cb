"""After a restore that lost events the log goes on above its last checkpoint, and says for ever what was lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from appends import MONDAY, Person, an_activity
from postgres import on_postgresql, on_sqlite
from published import Log, backed_up, restored
from sqlalchemy import Connection, delete, func, select, update

from lifecycle.ledger import tree
from lifecycle.ledger.checkpoint_rows import Published, RolledBack
from lifecycle.ledger.log_proofs import LogProofs
from lifecycle.ledger.loss import LeavesMissing, NotOurs
from lifecycle.ledger.publisher import AnchorMissing
from lifecycle.ledger.sequencer import waiting_entries
from lifecycle.ledger.tables import checkpoint, event_position, log_entry, log_state, log_system, log_tree
from lifecycle.storage.database import Database
from lifecycle.storage.tables import event_header, stream_head


@pytest.fixture
def log(database: Database, tmp_path: Path) -> Log:
    return Log(database, tmp_path).begin()


def declared(log: Log) -> list[dict[str, object]]:
    with log.database.read() as c:
        rows = c.execute(
            select(log_entry.c.entry)
            .join(log_system, log_system.c.position == log_entry.c.position)
            .order_by(log_entry.c.position)
        ).scalars()
        records = [json.loads(entry[1:]) for entry in rows]
    return [record for record in records if record["kind"] == "loss-declared/1"]


def assert_continues(log: Log, old: Published, new: Published) -> None:
    with log.database.read() as c:
        proof = LogProofs(c, log.folder, new.size).consistency(old.size)
    tree.verify_consistency(old.size, new.size, old.root, new.root, proof)


@on_sqlite
def test_what_was_lost_is_declared_and_the_log_goes_on(log: Log, tmp_path: Path):
    ann, ben = Person(), Person()
    log.live(ann, ben, events=3)
    log.publish()
    known = ann.head
    waiting = ben.append(log.streams, *[an_activity()] * 2)  # in the backup's queue, and published later
    backed_up(log, tmp_path / "backup.db")
    log.live(ann, Person(), events=2)
    newest = log.publish()

    old = restored(log, tmp_path / "backup.db")
    with pytest.raises(RolledBack):
        old.publish()
    loss = old.publisher.declare_loss(MONDAY)
    assert (loss.first, loss.past, loss.recovered) == (8, newest.size, 2)
    assert loss.ranges == ((10, 14),)
    old.sequence()
    after = old.publish()
    assert_continues(old, newest, after)
    entry = old.assert_published(after)
    assert (entry.streams, entry.events) == (2, 12)
    assert declared(old) == [{"at": "2026-11-23T09:00:00.000000Z", "first": 10, "kind": "loss-declared/1", "past": 14}]
    with old.database.read() as c:
        placed = c.execute(select(event_position.c.position).where(event_position.c.stream_id == ben.subject_id))
        assert sorted(placed.scalars())[3:] == [8, 9]
        assert waiting_entries(c) == 0
    assert len(waiting) == 2

    ann.head = known  # the person lives on from what the restored database knows
    old.live(ann, ben)
    later = old.publish()
    assert_continues(old, newest, later)
    assert_continues(old, after, later)
    old.assert_published(later)


@on_sqlite
def test_where_only_the_log_s_own_leaves_were_lost_nothing_is_declared(log: Log, tmp_path: Path):
    ann = Person()
    ann.append(log.streams, an_activity())
    backed_up(log, tmp_path / "backup.db")
    log.sequence()
    newest = log.publish()
    old = restored(log, tmp_path / "backup.db")
    loss = old.publisher.declare_loss(MONDAY)
    assert (loss.first, loss.past, loss.recovered, loss.ranges) == (1, 3, 1, ())
    old.live(Person())
    assert_continues(old, newest, old.publish())
    assert declared(old) == []


@on_sqlite
def test_recovered_events_divide_what_is_declared(log: Log, tmp_path: Path):
    """A late commit of the backup's queue stands between two that were lost."""
    first, between, last = Person(), Person(), Person()
    early = first.appending(an_activity())
    between.append(log.streams, an_activity())
    backed_up(log, tmp_path / "backup.db")
    log.streams.save(*early.recorded, rows=early.rows)
    log.live(last)
    log.publish()
    old = restored(log, tmp_path / "backup.db")
    assert old.publisher.declare_loss(MONDAY).ranges == ((1, 2), (3, 4))


@on_sqlite
def test_a_restored_database_that_was_written_to_is_not_joined_to_the_log(log: Log, tmp_path: Path):
    backed_up(log, tmp_path / "backup.db")
    log.live(Person(), Person())
    log.publish()
    old = restored(log, tmp_path / "backup.db")
    old.live(Person())
    before = old.entries()
    with pytest.raises(NotOurs, match="restore the backup again"):
        old.publisher.declare_loss(MONDAY)
    assert old.entries() == before


@on_sqlite
@pytest.mark.parametrize("how", ["missing", "damaged", "changed"])
def test_leaves_that_the_folder_lacks_are_not_made_up(log: Log, tmp_path: Path, how: str):
    backed_up(log, tmp_path / "backup.db")
    log.live(Person(), Person())
    log.publish()
    (bundle,) = [path for path in (log.folder.folder / "tile" / "entries").rglob("4") if path.is_file()]
    content = bundle.read_bytes()
    if how == "missing":
        bundle.unlink()
    else:
        bundle.write_bytes(content[:-1] if how == "damaged" else content[:-1] + bytes([content[-1] ^ 1]))
    old = restored(log, tmp_path / "backup.db")
    with pytest.raises(NotOurs if how == "changed" else LeavesMissing):
        old.publisher.declare_loss(MONDAY)


@on_sqlite
def test_without_an_anchor_there_is_nothing_to_compare_with(log: Log):
    with pytest.raises(AnchorMissing):
        log.publisher.declare_loss(MONDAY)


@on_postgresql
def test_a_loss_is_declared_on_postgresql_too(log: Log):
    """The newest rows are taken away by their owner, as a restore to an earlier moment would have it."""
    ann, ben = Person(), Person()
    log.live(ann)
    known = log.publish()
    with log.database.read() as c:
        tree_then = c.execute(select(log_tree)).one()._mapping
        before = ann.head
    log.live(ann, ben, events=300)
    newest = log.publish()

    def roll_back(c: Connection) -> None:
        c.execute(delete(log_entry).where(log_entry.c.position >= known.size))
        c.execute(delete(event_position).where(event_position.c.position >= known.size))
        c.execute(delete(checkpoint).where(checkpoint.c.size > known.size))
        c.execute(
            delete(event_header).where((event_header.c.version > 1) | (event_header.c.stream_id == ben.subject_id))
        )
        c.execute(delete(stream_head).where(stream_head.c.stream_id == ben.subject_id))
        c.execute(update(stream_head).values(version=1, commitment=before.commitment, event_id=before.event_id))
        c.execute(update(log_state).values(size=known.size))
        c.execute(update(log_tree).values(**tree_then))

    with log.database.own() as c:
        roll_back(c)
        c.exec_driver_sql("DELETE FROM map_bucket")
        c.exec_driver_sql("DELETE FROM map_tile")
    log.rebuild_map()
    with pytest.raises(RolledBack):
        log.publish()
    loss = log.publisher.declare_loss(MONDAY)
    assert loss.ranges == ((known.size, newest.size - 1),)
    log.sequence()
    after = log.publish()
    assert_continues(log, newest, after)
    assert log.assert_published(after).streams == 1
    with log.database.read() as c:
        assert c.execute(select(func.count()).select_from(log_entry)).scalar_one() == after.size
    shutil.rmtree(log.folder.folder)
    log.assert_published(log.publish())
