"""The sweep: never early, never twice, in the order of the calendar, at a cost that follows what is due."""

from __future__ import annotations

import gc
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from engine.costs import work_done
from engine.stores import QUOTE, count_of, document, headers_of, statements, times_of
from processes.dying import Death, Dying
from schedule.leading import leads_soon
from whole.stores import ANN, BEN, TRIAL, Store

from lifecycle.columns import microseconds
from lifecycle.domain.subject.state import Subject
from lifecycle.engine import Engine, open_engine
from lifecycle.projections.retention_calendar import retention_calendar
from lifecycle.schedule.leader import leader_of
from lifecycle.schedule.sweep import CalendarStands, Swept
from lifecycle.storage.appending import Appending
from lifecycle.storage.failures import WroteFirst
from lifecycle.storage.tables import event_header, pending_erasure
from lifecycle.vault.tables import data_key, subject_key

COLLECTED = "2024-08-01T10:00:00+08:00"
DUE = datetime.fromisoformat("2025-08-02T00:00:00+08:00")  # twelve months: the last day is 1 August 2025
MOMENT = timedelta(microseconds=1)
PHONE = {"phone": TRIAL["phone"]}


def quoted(store: Store, people: int, at: str = COLLECTED, lot: str = "p") -> None:
    """People with one holding each, which falls due twelve months after `at`."""
    store.engine.move_clock(max(datetime.fromisoformat(at), store.engine.clock.now()))
    named = [{"email": f"{lot}{number}@example.com"} for number in range(people)]
    documents = [document("collect", f"{lot}-1", each, data=PHONE, at=at, **QUOTE) for each in named]
    assert {outcome.outcome for outcome in store.engine.execute_many(documents)} == {"done"}
    store.engine.drain()


def test_nothing_happens_a_moment_too_early_and_everything_at_the_instant(store: Store):
    quoted(store, 3)
    store.engine.move_clock(DUE - MOMENT)
    assert store.engine.due() == []
    assert store.engine.sweep() == Swept()
    assert count_of(store.engine.database, data_key, data_key.c.hid != "record") == 3
    store.engine.move_clock(DUE)
    assert store.engine.sweep() == Swept(people=3, expired=3, erased=3)
    assert count_of(store.engine.database, data_key, data_key.c.hid != "record") == 0


def test_what_is_due_is_what_the_sweep_does_and_asking_does_nothing(store: Store):
    quoted(store, 4)
    quoted(store, 2, "2024-09-01T10:00:00+08:00", "later")
    store.engine.move_clock(DUE + timedelta(days=3))
    before = count_of(store.engine.database, event_header)
    due = store.engine.due()
    assert due == store.engine.due()
    assert count_of(store.engine.database, event_header) == before
    assert [(each.what, each.due) for each in due] == [("retention", DUE)] * 4
    assert store.engine.sweep().people == len({each.subject_id for each in due}) == 4
    for each in due:
        (expired,) = [h for h in headers_of(store.engine.database, each.subject_id) if h.kind == "retention-expired/1"]
        assert (expired.data["holding"], expired.data["ground"]) == (each.holding, each.ground)
        assert expired.data["rule"] == each.rule
    assert store.engine.due() == []


def test_a_second_sweep_does_nothing_and_costs_nothing(store: Store):
    quoted(store, 3)
    store.engine.move_clock(DUE)
    store.engine.sweep()
    before = count_of(store.engine.database, event_header)
    with statements(store.engine.database) as executed:
        assert store.engine.sweep() == Swept()
    assert count_of(store.engine.database, event_header) == before
    assert not [said for said in executed if said.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert len(executed) < 100


def test_after_a_month_of_silence_it_says_what_was_due_when_and_when_it_was_done(store: Store):
    quoted(store, 2)
    quoted(store, 2, "2024-08-20T10:00:00+08:00", "later")
    store.engine.move_clock(DUE + timedelta(days=40))
    assert store.engine.sweep() == Swept(people=4, expired=4, erased=4)
    due_on = set()
    for person in ("p0", "p1", "later0", "later1"):
        subject = store.engine.read.subject_id({"email": f"{person}@example.com"})
        (expired,) = [h for h in headers_of(store.engine.database, subject) if h.kind == "retention-expired/1"]
        due_on.add((expired.data["due_on"], expired.data["done_on"]))
    assert due_on == {("2025-08-02", "2025-09-11"), ("2025-08-21", "2025-09-11")}


def test_two_sweepers_at_once_do_everything_once(store: Store):
    quoted(store, 24)
    store.engine.move_clock(DUE)

    def swept(_: int) -> Swept:
        with open_engine(store.settings.db, keys=store.settings.keys) as engine:
            return engine.sweep()

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(swept, range(2)))
    assert sum(each.expired for each in done) == sum(each.people for each in done) == 24
    for kind in ("retention-expired", "erasure-ordered", "erasure-completed"):
        assert times_of(store.engine.database, kind) == 24


def cost(engine: Engine) -> tuple[int, int]:
    with statements(engine.database) as executed, work_done(engine.database) as done:
        assert engine.sweep().people == 5
    return len(executed), done[0]


def test_a_sweep_costs_what_is_due_and_not_what_is_stored(store: Store):
    quoted(store, 5, lot="first")
    quoted(store, 10, "2024-10-01T10:00:00+08:00", "few")
    store.engine.move_clock(DUE)
    store.engine.sweep()  # what is loaded once is loaded
    quoted(store, 5, "2024-08-09T10:00:00+08:00", "second")
    store.engine.move_clock(DUE + timedelta(days=8))
    store.engine.react()  # what is new was looked through, as the worker does each second
    few = cost(store.engine)
    quoted(store, 5, "2024-08-17T10:00:00+08:00", "third")
    quoted(store, 150, "2024-10-02T10:00:00+08:00", "many")
    store.engine.move_clock(DUE + timedelta(days=16))
    store.engine.react()
    many = cost(store.engine)
    assert many[0] == few[0]
    assert many[1] <= few[1] * 1.05


DEATHS = [
    ("sweeping", "_try", "INSERT event_header"),  # decided and not committed
    ("erasing", "write_journal", "fsync"),  # committed and not carried out
    ("erasing", "complete", "DELETE pending_erasure"),
]


def test_a_worker_that_is_killed_is_followed_by_another_and_everything_is_done_once(store: Store, dying: Dying):
    for number in range(len(DEATHS)):
        quoted(store, 3, (datetime.fromisoformat(COLLECTED) + timedelta(days=number)).isoformat(), f"p{number}-")
    for number, death in enumerate(DEATHS):
        store.engine.move_clock(DUE + timedelta(days=number))
        dying(store, Death(*death))  # it is opened again, so what was ordered is carried out
        database = store.engine.database
        with leader_of(database) as next_one:
            assert leads_soon(next_one)
            store.engine.sweep()
        for kind in ("retention-expired", "erasure-ordered", "erasure-completed"):
            assert times_of(database, kind) == 3 * (number + 1), death
    assert count_of(store.engine.database, pending_erasure) == 0
    assert count_of(store.engine.database, data_key, data_key.c.hid != "record") == 0
    assert store.engine.due() == []


def test_what_a_paused_sweeper_had_decided_is_refused_when_it_wakes(store: Store):
    """Asleep between deciding and writing; another one did its work meanwhile."""
    quoted(store, 3)
    store.engine.move_clock(DUE)
    asleep, now = store.engine.sweeping, store.engine.clock.now()
    people = [falling.subject_id for falling in asleep.due(now)]
    decisions, appending, _ = asleep._decide(people, now, store.engine.policies.all())
    assert [len(each.events) for each in decisions] == [2, 2, 2]
    with open_engine(store.settings.db, keys=store.settings.keys) as other:
        assert other.sweep() == Swept(people=3, expired=3, erased=3)
    with pytest.raises(WroteFirst):
        store.engine.streams.save(*appending.recorded, rows=appending.rows)
    assert asleep(now) == Swept()
    assert times_of(store.engine.database, "retention-expired") == 3


def test_a_record_that_changed_since_the_calendar_was_read_decides_for_itself(store: Store):
    """Activity that came at the last moment: the calendar proposes, the record disposes."""
    quoted(store, 2)
    store.engine.move_clock(DUE - timedelta(hours=1))
    with open_engine(store.settings.db, keys=store.settings.keys) as other:
        store.engine.move_clock(DUE - MOMENT)
        person = {"email": "p0@example.com"}
        assert other.execute(document("record-activity", "a-1", person, purpose="quotation")).outcome == "done"
    store.engine.move_clock(DUE)
    assert store.engine.sweep() == Swept(people=1, expired=1, erased=1)


def test_who_writes_about_one_of_many_holds_up_each_half_less_and_nothing_of_a_try_is_kept(store: Store):
    quoted(store, 8)
    store.engine.move_clock(DUE - MOMENT)
    tried: list[int] = []
    kept: list[int] = []
    gc.collect()
    of_others = _decided()
    sweeping = store.engine.sweeping
    knows = sweeping._about_to_change

    def somebody_writes(before: Collection[Subject]) -> None:
        """Between deciding and writing, during the first two tries, about one of whom they are."""
        tried.append(len(before))
        kept.append(_decided() - of_others)
        if len(tried) <= 2:
            person = {"id": str(list(before)[len(tried)].id)}
            active = document("record-activity", f"a-{len(tried)}", person, purpose="quotation")
            assert other.execute(active).outcome == "done"
        knows(before)

    sweeping._about_to_change = somebody_writes
    with open_engine(store.settings.db, keys=store.settings.keys) as other:
        store.engine.move_clock(DUE)
        assert store.engine.sweep() == Swept(people=8, expired=8, erased=8)
    assert tried == [8, 4, 2, 2, 4]
    assert max(kept) == 1, "what is being decided"


def _decided() -> int:
    """How much that is to be written is in this process's memory."""
    return sum(type(each) is Appending for each in gc.get_objects())


def test_a_calendar_that_names_what_no_record_finds_due_is_reported_and_ends(store: Store):
    quoted(store, 1)
    store.engine.move_clock(DUE - timedelta(days=30))
    with store.engine.database.write("projector") as c:
        c.execute(retention_calendar.update().values(due=microseconds(datetime(2024, 9, 1, tzinfo=UTC))))
    with pytest.raises(CalendarStands, match="rebuild"):
        store.engine.sweep()
    assert times_of(store.engine.database, "retention-expired") == 0
    store.engine.follower.rebuild()
    assert store.engine.sweep() == Swept()


def test_several_things_of_one_person_that_fall_due_together_are_one_decision(store: Store):
    store.engine.move_clock(datetime.fromisoformat(COLLECTED))
    store.consent("website-browsing", at=COLLECTED)
    store.collect("website-browsing", data={"ip-address": "192.0.2.1"})
    store.do("collect", subject=ANN, data=PHONE | {"company": "Acme"}, **QUOTE)
    store.engine.move_clock(DUE)
    assert store.engine.sweep() == Swept(people=1, expired=3, erased=1)
    assert {row["state"] for row in store.engine.read.holdings(ANN)} == {"erased"}


def test_advancing_the_clock_does_each_thing_at_its_own_instant(store: Store):
    """Kept until the contract ended, then storage only for three years, then nothing, then nobody."""
    account = {"purpose": "account-login", "basis": "contract", "evidence": "K-1", "source": "web-form"}
    store.do("collect", COLLECTED, subject=ANN, data={"login-account": "ann@example.com"}, **account)
    store.do("collect", subject=BEN, data=PHONE, **QUOTE)
    store.do("end-purpose", "2024-09-01T10:00:00+08:00", subject=ANN, purpose="account-login", reason="contract-ended")
    ann, ben = (store.engine.read.subject_id(who) for who in (ANN, BEN))
    to = datetime.fromisoformat("2028-06-01T00:00:00+08:00")
    swept = store.engine.advance_clock(to)
    assert store.engine.clock.now() == to
    assert swept.erased == 4  # Ann's account, Ben's phone, and both people altogether
    orders = [
        (header.data["occurred_at"], person == ann, header.data["whole"])
        for person in (ann, ben)
        for header in headers_of(store.engine.database, person)
        if header.kind == "erasure-ordered/1"
    ]
    # Days in Singapore begin at 16:00 UTC of the day before; a person of whom nothing is left stays for thirty more.
    assert sorted(orders) == [
        ("2025-08-01T16:00:00Z", False, False),
        ("2025-09-01T16:00:00Z", False, True),
        ("2027-09-01T16:00:00Z", True, False),
        ("2027-10-02T16:00:00Z", True, True),
    ]
    assert count_of(store.engine.database, subject_key) == 0


def test_advancing_by_small_steps_is_advancing_at_once(store: Store):
    quoted(store, 2)
    quoted(store, 1, "2024-08-20T10:00:00+08:00", "later")
    total = Swept()
    for day in range(0, 70, 7):
        total = total.plus(store.engine.advance_clock(DUE + timedelta(days=day - 10)))
    assert total == Swept(people=6, expired=3, erased=6)
