"""Epochs end: nobody is lost on the way, whatever crashes when, and the old key is gone for good."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from threading import Event, Thread
from uuid import UUID

import pytest
from sqlalchemy import Connection, select
from vault.people import NOON, Store, Stored

from lifecycle.errors import StoreUnavailable
from lifecycle.vault.installation import EpochChanged, hold_epoch
from lifecycle.vault.loading import load_installation, open_epochs
from lifecycle.vault.rotation import RotationUnfinished, waiting
from lifecycle.vault.tables import epoch, installation_key, lookup, subject_key

PEOPLE = ("ann@example.com", "bob@example.com", "carol@example.com")


class PowerCut(Exception):
    """Ends a transaction without a commit."""


Step = Callable[[Store, Connection], object]


def begin(store: Store, c: Connection) -> object:
    return store.rotation.begin(c, NOON)


def rewrap(store: Store, c: Connection) -> object:
    return store.rotation.rewrap_batch(c, 2)


def finish(store: Store, c: Connection) -> object:
    return store.rotation.finish(c, NOON)


STEPS: list[Step] = [begin, rewrap, rewrap, rewrap, finish]  # three people with a key and a look-up each


def peopled(store: Store) -> tuple[list[UUID], list[Stored], str]:
    people = store.register(*PEOPLE)
    return people, [store.keep(each, "h1", str(each)) for each in people], store.vault.cmd("c-1")


def run(store: Store, steps: list[Step]) -> None:
    for step in steps:
        with store.db.write("eraser") as c:
            step(store, c)


def cut_during(store: Store, step: Step) -> None:
    with suppress(PowerCut), store.db.write("eraser") as c:
        step(store, c)
        raise PowerCut


def assert_all_is_well(store: Store, people: list[UUID], kept: list[Stored], cmd: str) -> None:
    """In a process that remembers nothing."""
    fresh = store.reopened()
    assert fresh.find(*PEOPLE) == people
    assert fresh.open(*kept) == [str(each) for each in people]
    assert fresh.vault.cmd("c-1") == cmd


def test_a_rotation_changes_every_key_above_and_no_value_below(store: Store):
    people, kept, cmd = peopled(store)
    before = store.dump()
    store.rotate()
    assert_all_is_well(store, people, kept, cmd)
    after = store.dump()
    assert {row["epoch"] for name in ("subject_key", "lookup", "installation_key") for row in after[name]} == {2}
    assert sorted(row["name"] for row in after["installation_key"]) == ["command", "lookup"]
    assert after["data_key"] == before["data_key"]
    assert [row["generation"] for row in after["subject_key"]] == [1, 1, 1]
    assert {row["token"] for row in before["lookup"]}.isdisjoint(row["token"] for row in after["lookup"])
    assert store.vault.epoch_keys.present() == [2]
    assert [(row["epoch"], row["ended_at"]) for row in after["epoch"]] == [(1, NOON), (2, None)]


def test_epochs_can_end_again_and_again(store: Store):
    people, kept, cmd = peopled(store)
    for _ in range(3):
        store.rotate()
    assert_all_is_well(store, people, kept, cmd)
    assert store.vault.epoch_keys.present() == [4]


@pytest.mark.parametrize("done", range(len(STEPS) + 1))
def test_after_a_crash_between_two_steps_nothing_is_lost_and_the_rotation_goes_on(store: Store, done: int):
    people, kept, cmd = peopled(store)
    run(store, STEPS[:done])
    assert_all_is_well(store, people, kept, cmd)
    after_the_crash = store.reopened()
    run(after_the_crash, STEPS)
    assert_all_is_well(store, people, kept, cmd)
    expected = [3] if done == len(STEPS) else [2]
    assert store.vault.epoch_keys.present() == expected


@pytest.mark.parametrize("done", range(len(STEPS)))
def test_after_a_crash_before_a_step_s_commit_nothing_is_lost_and_the_rotation_goes_on(store: Store, done: int):
    people, kept, cmd = peopled(store)
    run(store, STEPS[:done])
    cut_during(store, STEPS[done])
    assert_all_is_well(store, people, kept, cmd)
    after_the_crash = store.reopened()
    run(after_the_crash, STEPS)
    assert_all_is_well(store, people, kept, cmd)
    assert store.vault.epoch_keys.present() == [2]
    assert [row["ended_at"] for row in store.dump()["epoch"]] == [NOON, None]


def test_a_key_made_just_before_a_crash_is_taken_up(store: Store):
    peopled(store)
    cut_during(store, begin)
    assert store.vault.epoch_keys.present() == [1, 2]
    made = store.vault.epoch_keys.load(2)
    run(store.reopened(), STEPS)
    assert store.vault.epoch_keys.load(2) == made


def test_when_the_key_is_destroyed_but_the_row_is_lost_people_can_still_register(store: Store):
    people, kept, cmd = peopled(store)
    run(store, STEPS[:-1])
    cut_during(store, finish)
    after_the_crash = store.reopened()
    (dora,) = after_the_crash.register("dora@example.com")
    assert after_the_crash.find("dora@example.com", *PEOPLE) == [dora, *people]
    run(after_the_crash, [finish])
    assert_all_is_well(store, people, kept, cmd)


def test_beginning_twice_begins_one_epoch(store: Store):
    peopled(store)
    for _ in range(2):
        with store.db.write("eraser") as c:
            assert store.rotation.begin(c, NOON) == 2


def test_the_old_key_is_not_destroyed_while_a_row_needs_it(store: Store):
    people, kept, cmd = peopled(store)
    run(store, STEPS[:-2])
    with store.db.read() as c:
        assert waiting(c) == 2
    with store.db.write("eraser") as c, pytest.raises(RotationUnfinished, match="still in use"):
        store.rotation.finish(c, NOON)
    assert store.vault.epoch_keys.present() == [1, 2]
    assert_all_is_well(store, people, kept, cmd)


def test_the_old_key_is_not_destroyed_before_the_new_rows_are_committed(store: Store):
    peopled(store)
    run(store, [begin])
    with store.db.write("eraser") as c:
        assert store.rotation.rewrap_batch(c, 100) == 0
        with pytest.raises(RotationUnfinished, match="not committed"):
            store.rotation.finish(c, NOON)
    assert store.vault.epoch_keys.present() == [1, 2]


def test_the_old_key_is_not_destroyed_when_the_new_one_is_missing(store: Store):
    peopled(store)
    run(store, STEPS[:-1])
    (store.folder / "epoch-000002.key").rename(store.folder / "elsewhere")
    with store.db.write("eraser") as c, pytest.raises(StoreUnavailable):
        store.rotation.finish(c, NOON)
    assert store.vault.epoch_keys.present() == [1]


def test_without_a_rotation_there_is_nothing_to_finish_or_to_wrap(store: Store):
    peopled(store)
    with store.db.write("eraser") as c:
        assert store.rotation.finish(c, NOON) is None
        assert store.rotation.rewrap_batch(c) == 0
    assert store.vault.epoch_keys.present() == [1]


def test_an_empty_database_can_rotate(store: Store):
    run(store, [begin, rewrap, finish])
    assert store.register("ann@example.com")


def test_during_a_rotation_both_tokens_find_and_new_people_get_the_new_key(store: Store):
    people, _, _ = peopled(store)
    run(store, STEPS[:3])
    (dora,) = store.register("dora@example.com")
    assert store.find("dora@example.com", *PEOPLE) == [dora, *people]
    rows = {row["subject_id"]: row["epoch"] for row in store.dump()["subject_key"]}
    assert rows[dora] == 2
    with store.db.read() as c:
        tokens = store.vault.installation(c).tokens([("email", "dora@example.com")])
    assert len(tokens) == 2


def test_a_process_that_slept_through_a_rotation_wakes_up_to_the_new_keys(store: Store):
    people, kept, cmd = peopled(store)
    asleep = store.reopened()
    assert asleep.find(*PEOPLE) == people
    store.rotate()
    assert asleep.find(*PEOPLE) == people
    assert asleep.open(*kept) == [str(each) for each in people]
    assert asleep.vault.cmd("c-1") == cmd


def test_rows_made_before_an_epoch_began_are_refused_after_it(store: Store):
    with store.db.read() as c:
        before = store.vault.installation(c)
    run(store, [begin])
    with store.db.write("writer") as c, pytest.raises(EpochChanged):
        hold_epoch(c, {before.epoch})
    with store.db.write("writer") as c:
        hold_epoch(c, {2})
        hold_epoch(c, set())
    with store.db.write("writer") as c, pytest.raises(EpochChanged):
        hold_epoch(c, {1, 2})


def test_a_look_up_with_keys_of_another_moment_is_refused_rather_than_answered_wrongly(store: Store):
    peopled(store)
    with store.db.read() as c:
        before = store.vault.installation(c)
    store.rotate()
    with store.db.read() as c, pytest.raises(EpochChanged):
        before.find(c, [("email", "ann@example.com")])


def test_an_epoch_does_not_begin_while_a_registration_is_being_written(store: Store):
    """On SQLite the write lock sees to it, on PostgreSQL the shared lock."""
    with store.db.read() as c:
        installation = store.vault.installation(c)
    held, begun = Event(), Event()

    def rotate() -> None:
        held.wait(10)
        run(store.reopened(), [begin])
        begun.set()

    other = Thread(target=rotate)
    other.start()
    with store.db.write("writer") as c:
        hold_epoch(c, {installation.epoch})
        held.set()
        assert not begun.wait(0.3)
        assert open_epochs(c) == (1,)
    other.join(10)
    assert begun.is_set()


def test_the_key_of_an_unfinished_rotation_cannot_be_lost_unnoticed(store: Store):
    peopled(store)
    run(store, [begin])
    store.vault.epoch_keys.destroy(1)
    with pytest.raises(EpochChanged, match="restore newer ones"):
        store.reopened().find(*PEOPLE)


def test_a_snapshot_from_before_a_whole_rotation_is_told_to_look_again(store: Store):
    """Another thread of the same process has seen the new epoch already; the old key is gone."""
    with store.db.read() as old:
        assert open_epochs(old) == (1,)
        store.rotate()
        assert store.find("ann@example.com") == [None]
        with pytest.raises(EpochChanged):
            store.vault.find(old, [("email", "ann@example.com")])
    assert store.find("ann@example.com") == [None]


def test_a_row_of_an_ended_epoch_is_unreadable_and_says_what_to_restore(store: Store):
    (ann,) = store.register("ann@example.com")
    with store.db.read() as c:
        row = c.execute(select(subject_key).where(subject_key.c.subject_id == ann)).one()
        installation = load_installation(c, store.vault.epoch_keys)
    assert row.epoch == 1
    with pytest.raises(StoreUnavailable, match="restore vault tables"):
        installation.kek(7)


def test_two_processes_can_wrap_at_once(store: Store):
    people, kept, cmd = peopled(store)
    run(store, [begin])
    others = [Thread(target=run, args=(store.reopened(), [rewrap] * 4)) for _ in range(2)]
    for each in others:
        each.start()
    for each in others:
        each.join(20)
    run(store, [rewrap, finish])
    assert_all_is_well(store, people, kept, cmd)


def test_people_who_register_while_epochs_come_and_go_are_all_found_once(store: Store):
    def register(worker: int, mine: Store) -> dict[str, UUID]:
        registered: dict[str, UUID] = {}
        while len(registered) < 15:
            email = f"w{worker}-{len(registered)}@example.com"
            with suppress(EpochChanged):  # then it decides again, as the engine does
                (registered[email],) = mine.register(email)
        return registered

    stores = [store.reopened(), store.reopened()]
    assert [each.find("warm-up@example.com") for each in stores] == [[None], [None]]
    with ThreadPoolExecutor(2) as pool:
        workers = [pool.submit(register, number, each) for number, each in enumerate(stores)]
        while wait(workers, timeout=0.02).not_done:
            store.rotate()
    registered = workers[0].result() | workers[1].result()
    fresh = store.reopened()
    assert fresh.find(*registered) == list(registered.values())
    assert all(fresh.keys(each) for each in registered.values())
    assert len(store.dump()["lookup"]) == len(registered) == 30


def test_two_people_cannot_take_one_address_while_an_epoch_begins(store: Store):
    """Both decide before, one writes before and one after the epoch began: the second must decide again."""
    with store.db.read() as c:
        decided = store.vault.installation(c)
        assert decided.find(c, [("email", "ann@example.com")]) == {}
    late = decided.lookup_row("email", "ann@example.com", UUID(int=7), "i1")
    (ann,) = store.register("ann@example.com")
    run(store, [begin])
    with store.db.write("writer") as c, pytest.raises(EpochChanged):
        hold_epoch(c, {late["epoch"]})
    assert store.find("ann@example.com") == [ann]


def test_finish_leaves_no_installation_key_of_the_old_epoch(store: Store):
    run(store, [begin])
    with store.db.read() as c:
        count = select(installation_key.c.epoch)
        assert sorted(c.execute(count).scalars()) == [1, 1, 2, 2]
    run(store, [rewrap, finish])
    with store.db.read() as c:
        assert sorted(c.execute(count).scalars()) == [2, 2]
        assert list(c.execute(select(lookup.c.epoch))) == []
        assert c.execute(select(epoch.c.epoch).where(epoch.c.ended_at.is_(None))).scalars().all() == [2]
