"""Killed at any moment: nothing acknowledged is lost, nothing is doubled, and the next start goes on by itself."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from engine.stores import count_of
from forked import Forks, wait_until
from founding import InAFile, OnAServer
from postgres import Server
from projections.tables import everything
from sqlalchemy import func, select
from whole.lots import ACTS, PEOPLE, collected
from whole.stores import Store

from lifecycle.engine import Engine, open_engine
from lifecycle.engine.creation import AlreadyInitialised, create
from lifecycle.ledger.system_records import EXPUNGED
from lifecycle.ledger.tables import log_entry, log_system
from lifecycle.policy.examples import example_policy_text
from lifecycle.settings import Settings
from lifecycle.storage.tables import event_header, pending_erasure
from lifecycle.vault.files import KeysUnavailable

SOAKED = os.environ.get("LIFECYCLE_EXAMPLES") == "soak"
KILLS = 150 if SOAKED else 10  # at random moments, on each engine


class Killed:
    """One store in which lot after lot is begun, killed, and gone on with."""

    def __init__(self, store: Store, forks: Forks, folder: Path) -> None:
        self.store = store
        self._forks = forks
        self._folder = folder
        self.lot = 0

    def _begin(self, name: str) -> dict[str, Any]:
        self.lot += 1
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        ACTS[name].prepare(self.store, self.lot)
        self.store.engine.close()
        settings = self.store.settings
        lot = {"name": name, "lot": self.lot, "folder": str(self._folder)}
        return {"db": settings.db, "keys": str(settings.keys), **lot}

    def moments(self, name: str) -> list[str]:
        """What an act that is left alone comes to, each name once, in order."""
        self._forks.here("whole.lots:act", **self._begin(name))
        self.goes_on(name)
        return self._met()

    def at(self, name: str, moment: str) -> bool:
        """Killed at the first moment of that name. Returns whether it came there: some come once in a store's life."""
        ended = self._forks("whole.lots:act", **self._begin(name), at=moment).wait()
        assert ended == (-signal.SIGKILL if moment in self._met() else 0), moment
        return ended != 0

    def _met(self) -> list[str]:
        return list(dict.fromkeys((self._folder / "moments").read_text().splitlines()))

    def after(self, name: str, seconds: float) -> bool:
        """Killed after that time. Returns whether it was still at it."""
        with self._forks("whole.lots:act", **self._begin(name)) as running:
            time.sleep(seconds)
            running.kill()
            return running.wait() == -signal.SIGKILL

    def goes_on(self, name: str) -> None:
        """The next start: what was answered is answered again, the rest is done."""
        engine = self.store.reopen()
        file = self._folder / "said"
        said = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        if asked := ACTS[name].asked(self.lot):
            again = [outcome.model_dump(mode="json") for outcome in engine.execute_many(asked)]
            assert {outcome["outcome"] for outcome in again} == {"done"}
            assert all(outcome in again for outcome in said), "what was answered is answered otherwise"
        else:
            ACTS[name].run(engine, self.lot, lambda outcome: None)
        if SOAKED:
            self.is_sound()

    def is_sound(self) -> None:
        """Everybody is there once, everything has its place, the log is what the store says, and projections are what a
        rebuild makes of them."""
        engine, people = self.store.engine, PEOPLE * self.lot
        counted = kinds(engine)
        assert counted["subject-registered"] == counted["personal-data-collected"]
        if has_expunged(engine):  # years have gone by: of the erased no evidence is left
            assert counted["subject-registered"] < people
        else:
            assert counted["subject-registered"] == people
        assert counted["erasure-ordered"] == counted["erasure-completed"]
        assert count_of(engine.database, pending_erasure) == 0
        engine.publish()
        assert engine.log.audit(datetime.now(UTC), engine.vault).findings == ()
        before = everything(engine.database)
        engine.follower.rebuild()
        assert everything(engine.database) == before


def has_expunged(engine: Engine) -> bool:
    """The log says so of itself for good; the map's own note of it goes with the next checkpoint."""
    engine.publish()
    own = select(log_entry.c.entry).join(log_system, log_system.c.position == log_entry.c.position)
    with engine.database.read() as c:
        return any(EXPUNGED.encode() in bytes(entry) for entry in c.execute(own).scalars())


def kinds(engine: Engine) -> Counter[str]:
    with engine.database.read() as c:
        rows = c.execute(select(event_header.c.kind, func.count()).group_by(event_header.c.kind))
        return Counter({kind.partition("/")[0]: count for kind, count in rows})


@pytest.fixture
def killed(store: Store, forks: Forks, tmp_path: Path) -> Killed:
    return Killed(store, forks, tmp_path / "lot")


@pytest.fixture
def another(founded: InAFile | OnAServer, forks: Forks, tmp_path: Path) -> Callable[[], AbstractContextManager[Killed]]:
    numbers = count(1)

    @contextmanager
    def made() -> Iterator[Killed]:
        folder = tmp_path / f"another-{next(numbers)}"
        folder.mkdir()
        with founded.store(folder, folder / "keys") as store:
            yield Killed(store, forks, folder / "lot")

    return made


def chosen(moments: list[str]) -> list[str]:
    """After each: what is so before a commit was so after the moment before it. And once before."""
    return [moment for moment in moments if not moment.startswith("before ")] + moments[:1]


WITH_ALL_BEFORE = ("transfer", "hand over")  # each lot is transferred with everybody of the store who came before it
KILLS_OF_A_STORE = 3


@pytest.mark.parametrize("name", [name for name in ACTS if name not in WITH_ALL_BEFORE])
def test_killed_at_any_step_nothing_is_lost_or_doubled_and_the_next_start_goes_on(killed: Killed, name: str):
    died = 0
    for step in chosen(killed.moments(name)):
        died += killed.at(name, step)
        killed.goes_on(name)
    assert died > 1
    killed.is_sound()


@pytest.mark.parametrize("name", WITH_ALL_BEFORE)
def test_killed_at_any_step_of_a_transfer_nothing_is_lost_or_doubled_and_the_next_start_goes_on(
    killed: Killed, another: Callable[[], AbstractContextManager[Killed]], name: str
):
    steps = chosen(killed.moments(name))
    steps, died = steps if SOAKED else steps[::3], 0
    for start in range(0, len(steps), KILLS_OF_A_STORE):
        with another() as one:
            for step in steps[start : start + KILLS_OF_A_STORE]:
                died += one.at(name, step)
                one.goes_on(name)
            one.is_sound()
    assert died > 1


def test_killed_at_random_moments_nothing_is_lost_or_doubled_and_the_next_start_goes_on(killed: Killed):
    chance, lasted, died = random.Random(20260801), dict[str, float](), 0
    for _ in range(KILLS):
        name = chance.choice(list(ACTS))
        if name not in lasted:
            began = time.monotonic()
            killed.moments(name)
            lasted[name] = time.monotonic() - began
        died += killed.after(name, chance.uniform(0, lasted[name]))
        killed.goes_on(name)
    killed.is_sound()
    assert died > KILLS // 4


@pytest.mark.parametrize("few", [not SOAKED])
def test_killed_while_a_store_is_made_the_next_one_makes_it(
    kind_of_database: str, request: pytest.FixtureRequest, forks: Forks, tmp_path: Path, few: bool
):
    with empty_database(kind_of_database, request, tmp_path / "whole.db") as url:
        steps = chosen(making(forks, Settings(url, tmp_path / "whole" / "store" / "keys")))
    assert "a revision" in steps
    of_database = [step for step in steps if step.startswith(("a revision", "before", "after"))]
    later = steps[steps.index("after tables") + 1 : -1]  # begun with tables: whoever made them, that is what was kept
    for number, step in enumerate(of_database if few and kind_of_database == "postgresql" else steps):
        file = tmp_path / f"{number}.db"
        with empty_database(kind_of_database, request, file, migrated=few and step in later) as url:
            settings = Settings(url, tmp_path / str(number) / "store" / "keys")
            assert step in making(forks, settings, step)
            with made_at_last(settings) as engine:
                engine.publish()
                assert engine.log.audit(datetime.now(UTC), engine.vault).findings == ()
                assert kinds(engine) == {"policy-published": 1}


def making(forks: Forks, settings: Settings, at: str | None = None) -> list[str]:
    """The moments that it came to."""
    settings.keys.parent.mkdir(parents=True)
    file = settings.keys.parent / "moments"
    said = {"db": settings.db, "keys": str(settings.keys), "file": str(file), "at": at}
    if at is None:
        forks.here("whole.lots:make", **said)
    else:
        assert forks("whole.lots:make", **said).wait() == -signal.SIGKILL, at
    return list(dict.fromkeys(file.read_text().splitlines()))


def made_at_last(settings: Settings) -> Engine:
    """Whoever finds a key beside an empty database does as it is told: it might be another store's."""
    try:
        return made_again(settings)
    except KeysUnavailable:  # "if an earlier `lifecycle init` was interrupted, remove the epoch-*.key file"
        for file in settings.keys.glob("epoch-*.key"):
            file.unlink()
    return made_again(settings)


def made_again(settings: Settings) -> Engine:
    try:
        return create(settings, example_policy_text(), simulated_clock=True)[0]
    except AlreadyInitialised:
        return open_engine(settings.db, keys=settings.keys)


@contextmanager
def empty_database(kind: str, request: pytest.FixtureRequest, file: Path, *, migrated: bool = False) -> Iterator[str]:
    if kind == "sqlite":
        if migrated:
            shutil.copyfile(request.getfixturevalue("migrated_file"), file)
        yield f"sqlite:///{file}"
        return
    server: Server = request.getfixturevalue("postgresql")
    with server.database(migrated=migrated) as url:
        yield url


# -- by the command line: what it printed, it has kept -------------------------------------------------------------------


@pytest.mark.parametrize("acknowledged", [1, 5])
def test_an_apply_that_is_killed_has_kept_what_it_printed(
    killed: Killed, forks: Forks, tmp_path: Path, acknowledged: int
):
    path, out = tmp_path / "documents.jsonl", tmp_path / "out"
    path.write_text("".join(json.dumps(document) + "\n" for document in collected(1)), encoding="utf-8")
    killed.store.engine.close()
    settings = killed.store.settings
    said = {"db": settings.db, "keys": str(settings.keys), "arguments": ["apply", str(path)], "out": str(out)}
    with forks("whole.lots:command_line", **said) as running:
        wait_until(lambda: out.exists() and out.read_text().count("\n") >= acknowledged)
        running.kill()
    engine = killed.store.reopen()
    printed = [json.loads(line) for line in out.read_text().splitlines(keepends=True) if line.endswith("\n")]
    for document, outcome in zip(collected(1), printed, strict=False):
        assert engine.execute(document).model_dump(mode="json") == outcome
    killed.lot = 1
    engine.execute_many(collected(1))
    killed.is_sound()
