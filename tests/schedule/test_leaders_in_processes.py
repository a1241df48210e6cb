"""Workers in processes of their own: killed, stopped, and started again beside each other."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from engine.stores import times_of
from forked import Forked, Forks, wait_until
from schedule.acting import lines_of
from schedule.leading import lease_runs_out
from schedule.test_sweep import DUE, quoted
from sqlalchemy import select
from whole.stores import Store

from lifecycle.engine import open_engine
from lifecycle.schedule.leader import leader_of
from lifecycle.schedule.worker import Duty, Worker
from lifecycle.storage.database import Database
from lifecycle.storage.tables import store_facts

LONG = 300.0  # seconds; whoever follows within the time of a test has not waited for that


def facts_of(database: Database) -> list[tuple[int, int]]:
    """The number under which each was written, and by which process."""
    with database.read() as c:
        rows = c.execute(select(store_facts).where(store_facts.c.name.like("%-%"))).all()
    return [(int(row.name.partition("-")[0]), int(row.value)) for row in rows if row.name[0].isdigit()]


def leading_among(workers: list[Forked], database: Database, number: int) -> Forked:
    wait_until(lambda: any(found == number for found, _ in facts_of(database)))
    pid = next(pid for found, pid in facts_of(database) if found == number)
    return next(worker for worker in workers if worker.pid == pid)


def test_of_eight_workers_one_leads_and_whoever_is_killed_is_followed_at_once(
    database: Database, database_url: str, forks: Forks, tmp_path: Path
):
    file = tmp_path / "said"
    with ExitStack() as stack:
        workers = [
            stack.enter_context(forks("schedule.acting:work", url=database_url, file=str(file), lasts=LONG))
            for _ in range(8)
        ]
        for number in (1, 2, 3):
            leading_among(workers, database, number).kill()
        leading_among(workers, database, 4)
    written = facts_of(database)
    by_number = {number: {pid for found, pid in written if found == number} for number, _ in written}
    assert sorted(by_number)[:4] == [1, 2, 3, 4]  # more of them while the rest was being ended
    assert all(len(pids) == 1 for pids in by_number.values())
    acted = [(int(line[1]), float(line[3])) for line in lines_of(file) if line[0] == "acts"]
    assert [number for number, _ in sorted(acted, key=lambda each: each[1])] == sorted(number for number, _ in acted)


def test_a_worker_that_is_stopped_is_followed_and_what_it_writes_when_it_wakes_is_refused(
    database: Database, database_url: str, forks: Forks, tmp_path: Path
):
    file, go = tmp_path / "said", tmp_path / "go"
    named = {"url": database_url, "file": str(file), "lasts": 1.0, "go": str(go)}
    with forks("schedule.acting:work", **named) as old, forks("schedule.acting:work", **named) as new:
        wait_until(lambda: lines_of(file))  # the file is there before its first line is
        leads = next(worker for worker in (old, new) if lines_of(file)[0][2] == str(worker.pid))
        follows = new if leads is old else old
        leads.send(signal.SIGSTOP)
        assert leading_among([old, new], database, 2) is follows
        go.touch()
        leads.send(signal.SIGCONT)
        wait_until(lambda: ["failed", "LeadLost", str(leads.pid)] in lines_of(file))
    assert {number for number, _ in facts_of(database)} == {2}


def test_a_sweep_that_lost_the_lead_while_it_slept_writes_nothing_and_the_next_one_does_everything_once(
    store: Store, forks: Forks, tmp_path: Path
):
    quoted(store, 3)
    store.engine.move_clock(DUE)
    store.engine.close()
    file = tmp_path / "said"
    said = {"db": store.settings.db, "keys": str(store.settings.keys), "file": str(file)}
    with forks("schedule.acting:sweep_and_stop", **said) as asleep:
        wait_until(asleep.is_stopped)
        store.engine = open_engine(store.settings.db, keys=store.settings.keys)
        # What the old one decided still fits: nothing but its number stands against it.
        assert times_of(store.engine.database, "retention-expired") == 0
        lease_runs_out(store.engine.database)
        with leader_of(store.engine.database) as leader:
            assert leader.leads()
            asleep.send(signal.SIGCONT)
            assert asleep.wait() == 0
            assert lines_of(file) == [["LeadLost"], ["ended"]]
            assert times_of(store.engine.database, "retention-expired") == 0
            failures: list[Exception] = []
            duty = Duty("sweep", timedelta(minutes=1), store.engine.sweep)
            Worker(leader, [duty], lambda _, error: failures.append(error)).tick_all()
            assert not failures
    for kind in ("retention-expired", "erasure-ordered", "erasure-completed"):
        assert times_of(store.engine.database, kind) == 3
