"""Crashes at every arrow, several publishers, restores and damage: one history is signed, or none."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from appends import MONDAY, Person, an_activity
from forked import Forks
from postgres import on_postgresql, on_sqlite
from published import Log, backed_up, restored
from sqlalchemy import select, text

from lifecycle.ledger import integration, publisher
from lifecycle.ledger.anchor import Anchor
from lifecycle.ledger.checkpoint_rows import Published, RolledBack, remember
from lifecycle.ledger.integration import IntegratedMeanwhile, LogDamaged, integrate, read_tree
from lifecycle.ledger.ledger_files import LedgerDamaged, LedgerFolder
from lifecycle.ledger.log_keys import LogKeyMissing
from lifecycle.ledger.publisher import AnchorMissing, Publisher
from lifecycle.ledger.tables import checkpoint, log_tree
from lifecycle.storage.database import Database
from lifecycle.storage.map_facts import facts_of

STEPS = ("integrate", "add_files", "sign", "record", "show")


class Killed(BaseException):
    """As the process had ended here."""


@pytest.fixture
def log(database: Database, tmp_path: Path) -> Log:
    log = Log(database, tmp_path).begin()
    log.live(*(Person() for _ in range(40)), events=7)
    log.publish()
    return log


def checkpoints(log: Log) -> list[tuple[int, str]]:
    with log.database.read() as c:
        return [(row.size, row.note) for row in c.execute(select(checkpoint).order_by(checkpoint.c.size))]


def dying(log: Log, step: str, when: str) -> Publisher:
    """A publisher that ends before or after one of its steps."""

    def die(self: Publisher, *args: Any) -> None:
        if when == "after":
            getattr(Publisher, step)(self, *args)
        raise Killed

    return log.another(type("Dying", (Publisher,), {step: die}))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_after_a_crash_at_any_arrow_publishing_again_gives_the_same_log(log: Log, step: str, when: str):
    log.live(*(Person() for _ in range(30)), events=2)
    with pytest.raises(Killed):
        dying(log, step, when).publish(MONDAY)
    published = log.publish()
    log.assert_published(published)
    sizes = [size for size, _ in checkpoints(log)]
    assert sizes == [282, 343]
    assert log.publish() == published


def test_after_several_crashes_with_new_events_between_them_all_is_published(log: Log):
    for step in STEPS:
        log.live(Person(), Person())
        with pytest.raises(Killed):
            dying(log, step, "before").publish(MONDAY)
    published = log.publish()
    log.assert_published(published)
    assert log.shown().size == published.size


@pytest.mark.parametrize("statement", range(2, 20, 2))
def test_a_publisher_that_is_killed_in_its_transactions_harms_nothing(log: Log, forks: Forks, statement: int):
    log.live(Person(), Person())
    said = {"url": log.database.url, "home": str(log.home)}
    assert forks("working:publish_and_die", statement=statement, **said).wait() == -signal.SIGKILL
    log.assert_published(log.publish())
    assert [size for size, _ in checkpoints(log)] == [282, 285]


def test_a_crash_between_two_batches_of_a_backlog_leaves_no_map_entry_behind(log: Log):
    log.live(*(Person() for _ in range(20)), events=2)
    with log.database.write("sequencer") as c:
        assert integrate(c, facts_of, 25)
    published = log.publish()
    assert published.size == 282 + 40 + 1
    log.assert_published(published)


def test_several_publish_at_once_while_others_write(log: Log):
    start, failed, seen = Barrier(4), [], []

    def run(work: Callable[[int], object]) -> None:
        try:
            start.wait()
            for turn in range(12):
                work(turn)
        except BaseException as error:  # noqa: BLE001 -- told by the test
            failed.append(error)

    def write(_: int) -> None:
        Person().append(log.streams, an_activity())
        log.sequence()

    publishers = [log.another() for _ in range(3)]
    threads = [Thread(target=run, args=(lambda _, one=one: seen.append(one.publish(MONDAY)),)) for one in publishers]
    threads.append(Thread(target=run, args=(write,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failed == []
    log.assert_published(log.publish())
    assert len({size for size, _ in checkpoints(log)}) == len(checkpoints(log))
    roots: dict[int, bytes] = {}
    for published in seen:
        assert roots.setdefault(published.size, published.root) == published.root


def test_a_publisher_that_slept_signs_nothing_old(log: Log):
    """It wakes up with a tree that another one has overtaken."""
    log.live(Person())
    woken, asleep = Event(), Event()

    class Sleeper(Publisher):
        def sign(self, *args: Any) -> bytes:
            asleep.set()
            assert woken.wait(30)
            return super().sign(*args)

    done: list[Published] = []
    thread = Thread(target=lambda: done.append(log.another(Sleeper).publish(MONDAY)))
    thread.start()
    assert asleep.wait(30)
    log.live(Person(), Person())
    newer = log.publish()
    woken.set()
    thread.join(30)
    assert done == [newer]
    assert log.shown().size == newer.size
    log.assert_published(newer)


def test_the_row_of_the_tree_refuses_who_comes_late(log: Log, monkeypatch: pytest.MonkeyPatch):
    """As if the lock had been lost: the size that was read is not there any more."""
    log.live(Person())

    def stale(c: Any, *, locked: bool = False) -> Any:
        tree = read_tree(c)
        if locked:
            c.execute(log_tree.update().values(size=tree.size + 1))
        return tree

    monkeypatch.setattr(integration, "read_tree", stale)
    with pytest.raises(IntegratedMeanwhile), log.database.write("sequencer") as c:
        integrate(c, facts_of)


# -- restores and damage -----------------------------------------------------------------------------------------------


@on_sqlite
def test_a_database_that_was_rolled_back_is_not_signed(log: Log, tmp_path: Path):
    backed_up(log, tmp_path / "backup.db")
    log.live(Person(), Person())
    newest = log.publish()
    old = restored(log, tmp_path / "backup.db")
    with pytest.raises(RolledBack, match="restore check"):
        old.publish()
    assert old.shown().size == newest.size
    assert len(old.entries()) == 282  # not even a map entry was added


@on_sqlite
@pytest.mark.parametrize("events", [2, 3, 9])
def test_a_fork_is_not_signed_even_when_it_has_outgrown_what_was_signed(log: Log, tmp_path: Path, events: int):
    backed_up(log, tmp_path / "backup.db")
    log.live(Person(), Person())
    newest = log.publish()
    old = restored(log, tmp_path / "backup.db")
    old.live(Person(), events=events)
    with pytest.raises(RolledBack, match="restore check"):
        old.publish()
    assert old.shown() == log.shown()
    assert old.shown().root == newest.root


@on_sqlite
def test_a_fork_is_not_signed_when_the_tiles_are_gone_too(log: Log, tmp_path: Path):
    backed_up(log, tmp_path / "backup.db")
    log.live(Person(), Person())
    log.publish()
    shutil.rmtree(log.folder.folder / "tile")
    old = restored(log, tmp_path / "backup.db")
    old.live(Person(), events=9)
    with pytest.raises(RolledBack):
        old.publish()


@on_sqlite
def test_a_forged_memory_of_the_checkpoint_does_not_help_a_fork(log: Log, tmp_path: Path):
    backed_up(log, tmp_path / "backup.db")
    log.live(Person(), Person())
    newest = log.publish()
    old = restored(log, tmp_path / "backup.db")
    old.live(Person(), events=9)
    with old.database.write("sequencer") as c:
        remember(c, newest.size, newest.note, MONDAY)
    with pytest.raises((RolledBack, LogDamaged)):
        old.publish()
    assert old.shown().size == newest.size


def test_without_its_anchor_a_published_log_is_not_signed(log: Log):
    log.live(Person())
    log.anchor.path.unlink()
    with pytest.raises(AnchorMissing, match="anchor"):
        log.publish()
    shutil.rmtree(log.folder.folder)
    with pytest.raises(AnchorMissing):
        log.publish()


def test_an_anchor_from_a_backup_of_the_keys_is_noticed(log: Log):
    old = log.anchor.path.read_bytes()
    log.live(Person())
    log.publish()
    log.anchor.path.write_bytes(old)
    with pytest.raises(AnchorMissing):
        log.publish()
    log.live(Person())
    with pytest.raises(AnchorMissing):
        log.publish()


@on_postgresql
def test_rows_of_the_log_that_were_changed_are_not_signed(log: Log):
    with log.database.own() as c:
        c.execute(text("UPDATE log_entry SET entry = entry || 'x'::bytea WHERE position = 281"))
    log.live(Person())
    log.publish()  # an old row: the tree goes on from its edge, and proofs and audits find it
    with log.database.own() as c:
        c.execute(text("UPDATE log_tree SET root = '\\x00'::bytea"))
    log.live(Person())
    with pytest.raises(LogDamaged):
        log.publish()


def test_rows_changed_after_integration_and_before_signing_are_not_signed(log: Log):
    log.live(Person())

    class Interrupted(Publisher):
        def integrate(self, at_once: int) -> None:
            super().integrate(at_once)
            with log.database.own() as c:
                if log.database.is_sqlite:
                    c.execute(text("DROP TRIGGER log_entry_update_03"))
                c.execute(text("UPDATE log_entry SET entry = :put WHERE position = 282"), {"put": bytes(49)})

    before = log.shown()
    with pytest.raises(LogDamaged):
        log.another(Interrupted).publish(MONDAY)
    assert log.shown() == before


def test_a_published_file_is_never_overwritten_by_other_bytes(log: Log):
    log.live(Person())
    tile = log.folder.folder / "tile" / "0" / "001.p" / f"{284 - 256}"
    tile.parent.mkdir(parents=True, exist_ok=True)
    tile.write_bytes(b"something else")
    with pytest.raises(LedgerDamaged, match=r"tile/0/001\.p/28"):
        log.publish()
    assert tile.read_bytes() == b"something else"
    assert log.shown().size == 282
    tile.unlink()
    log.assert_published(log.publish())


def test_a_damaged_old_tile_does_not_spread_into_new_ones(log: Log):
    (log.folder.folder / "tile" / "0" / "001.p" / f"{282 - 256}").write_bytes(bytes(26 * 32))
    log.live(Person())
    log.assert_published(log.publish())


def test_a_lost_folder_is_filled_again_from_the_rows(log: Log):
    log.live(Person())
    shutil.rmtree(log.folder.folder)
    log.assert_published(log.publish())
    shutil.rmtree(log.folder.folder)
    log.assert_published(log.publish())


def test_whoever_lacks_the_log_s_key_is_told_so(log: Log):
    log.live(Person())
    log.keys.path.unlink()
    with pytest.raises(LogKeyMissing, match=r"log\.key"):
        log.publish()


def test_the_keys_of_another_log_sign_nothing(log: Log):
    log.keys.path.unlink()
    log.keys.create("lifecycle/other")
    log.live(Person())
    with pytest.raises(publisher.LedgerUnavailable, match="another store"):
        log.publish()


def test_files_that_a_crash_left_unfinished_are_forgotten_in_time(log: Log):
    left = log.folder.folder / ".unfinished" / "0123456789abcdef"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    young = left.with_name("fedcba9876543210")
    young.write_bytes(b"another publisher's")
    log.live(Person())
    log.publish()
    assert not left.exists()
    assert young.exists()


def test_the_anchor_and_the_keys_are_for_their_owner_alone(log: Log):
    for path in (Anchor(log.home / "keys").path, log.keys.path):
        assert path.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in b"".join(
        p.read_bytes() for p in LedgerFolder(log.home / "ledger").folder.rglob("*") if p.is_file()
    )
