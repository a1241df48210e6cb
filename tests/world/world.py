"""One interleaving of a seed: the same is said at the same times, and who does it, and what goes wrong, is another."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from audit.portfolios import BEGIN, POLICY_TEXT
from projections.tables import everything
from sqlalchemy import func, select
from whole.stores import ACTOR
from world.ends import state_of
from world.plans import Moment, Plan, Said
from world.trouble import Died, dying, overtaken
from world.watching import Watch

from lifecycle.commands.outcome import Outcome
from lifecycle.engine import Engine, open_engine
from lifecycle.engine.creation import create
from lifecycle.settings import Settings
from lifecycle.storage.tables import pending_erasure

T = TypeVar("T")
WORKERS = 3
ERASED = ("erased altogether",)
PROMISED = timedelta(days=90) - timedelta(days=8)
"""How long an id answers as the first time, whatever the clocks are off by."""


@dataclass
class Clock:
    """What all machines show."""

    at: datetime = BEGIN

    def now(self) -> datetime:
        return self.at.astimezone(UTC)


@dataclass
class Lived:
    """What an interleaving came to, and what it went through."""

    state: dict[str, Any]
    outcomes: dict[str, tuple[Any, ...]]
    deaths: int = 0
    overtaken: int = 0
    repeats: int = 0
    erased: int = 0
    old_ids: int = 0  # that were good for another command


@dataclass(frozen=True)
class Answered:
    """What was said, and the first answer; `epochs` had ended by then."""

    said: Said
    outcome: Outcome
    epochs: int
    at: datetime


def found(settings: Settings) -> None:
    """The store in which every world of the tests begins."""
    engine, outcome = create(settings, POLICY_TEXT, clock=Clock())
    assert outcome.outcome == "done"
    engine.close()


class World:
    def __init__(self, plan: Plan, interleaving: int, settings: Settings) -> None:
        self.plan, self.settings = plan, settings
        self.random = Random(f"{plan.seed} {interleaving}")
        self.clock = Clock()
        self.workers = [self._opened() for _ in range(WORKERS)]
        self.watch = Watch(plan)
        self.lived = Lived({}, {})
        self._answered: list[Answered] = []
        self._epochs = 0  # that have ended

    def _opened(self) -> Engine:
        return open_engine(self.settings.db, keys=self.settings.keys, clock=self.clock)

    def close(self) -> None:
        for engine in self.workers:
            engine.close()

    def live(self) -> Lived:
        for moment in self.plan.moments:
            self.clock.at = moment.clock
            self._live(moment)
        self._check()
        self.lived.state = state_of(self.workers[0], self.watch)
        return self.lived

    def _live(self, moment: Moment) -> None:
        for batch in self._batches(moment.said):
            self._say(batch)
        self._idle()
        if moment.publishes is not None:
            text = {"command": "publish-policy", "id": "policy-1.1", "actor": ACTOR, "text": moment.publishes}
            (outcome,) = self._whatever_happens(lambda engine: engine.execute_many([text]))
            assert outcome.outcome == "done", outcome
        if moment.sweeps:
            for _ in range(self.random.choice([1, 1, 2])):
                self._whatever_happens(Engine.sweep)
            self.watch.swept(self.clock.at)
        if moment.rotates:
            self._whatever_happens(Engine.rotate)
            self._epochs += 1
            self.watch.rotated(self.workers[0], self.clock.at)
        if moment.forgets:
            self._whatever_happens(Engine.forget_old_commands)

    # -- what is said -------------------------------------------------------------------------------------------

    def _batches(self, said: Sequence[Said]) -> Iterator[list[Said]]:
        """What is said of one person keeps its order; of several people it mixes in any way."""
        queues: dict[int, list[Said]] = {}
        for each in said:
            queues.setdefault(each.person, []).append(each)
        mixed: list[Said] = []
        while queues:
            person = self.random.choice(sorted(queues))
            mixed.append(queues[person].pop(0))
            if not queues[person]:
                del queues[person]
        batch: list[Said] = []
        size = self.random.choice([1, 2, 5])
        for each in mixed:
            # What was said before an erasure is another answer when it is repeated together with it.
            is_erasure = each.document["command"] == "erase"
            if len(batch) >= size or (is_erasure and any(said.person == each.person for said in batch)):
                yield batch
                batch = []
            batch.append(each)
        if batch:
            yield batch

    def _say(self, batch: list[Said]) -> None:
        documents = [each.document for each in batch]
        outcomes = self._whatever_happens(lambda engine: engine.execute_many(documents))
        for said, outcome in zip(batch, outcomes, strict=True):
            assert outcome.outcome in ("done", "nothing", "refused"), outcome
            self.lived.outcomes[f"{outcome.id} at {self.clock.at}"] = _told(outcome)
            if said.takes_an_old_id and outcome.code == "subject-erased":
                continue  # of its person: the id is spent for ninety days more, and nothing was done
            self.lived.old_ids += said.takes_an_old_id
            self.watch.heard(said, outcome, self.clock.at)
            if said.person >= 0:
                self._answered.append(Answered(said, outcome, self._epochs, self.clock.at))
        if self.random.random() < 0.2:
            self.lived.repeats += 1
            again = self.random.choice(self.workers).execute_many(documents)
            for one, before in zip(again, outcomes, strict=True):
                assert _told(one) == _told(before), (one, before)

    def _idle(self) -> None:
        """What changes nothing: a late repeat, publishing, following, filling the projections again, looking."""
        engine = self.random.choice(self.workers)
        match self.random.randrange(12):
            case 0 | 1 if self._answered:
                self._repeat(self.random.choice(self._answered))
            case 2:
                self._whatever_happens(Engine.publish)
            case 3:
                self._whatever_happens(Engine.drain)
            case 4 if self.random.random() < 0.3:
                engine.follower.rebuild()
            case 5:
                self._look(engine)

    def _repeat(self, before: Answered) -> None:
        """Whoever they are by now: of somebody erased since, the id is spent. What was told a stranger is forgotten when the
        epoch ends (ADR 0063)."""
        said, outcome = before.said, before.outcome
        if outcome.subject is None and before.epochs != self._epochs:
            return
        if self.clock.at > before.at + PROMISED:
            return
        is_another = outcome.subject is not None and self.watch.newest(said.person) != outcome.subject
        self.lived.repeats += 1
        (again,) = self._whatever_happens(lambda engine: engine.execute_many([said.document]))
        expected = {_told(outcome)} if outcome.subject is None else {_told(outcome), ERASED}
        if is_another:
            expected = {ERASED}
        assert _told(again) in expected, (self.plan.seed, again, before)

    def _look(self, engine: Engine) -> None:
        """From the due instant on nothing reads as held, whether anybody swept or not."""
        for lives in self.watch.lives.values():
            life = lives[-1]
            if self.clock.at < life.recorded or life.is_expunged:
                continue
            names = [name for name, item in life.story.items.items()]
            lawful = sum(life.story.verdict(name, self.clock.at) == "lawful" for name in names)
            rows = engine.read.holdings(life.subject_id)
            assert sum(row["state"] == "held" for row in rows) == lawful, (self.plan.seed, life.subject_id, rows)

    # -- what goes wrong ----------------------------------------------------------------------------------------

    def _whatever_happens(self, act: Callable[[Engine], T]) -> T:
        while True:
            number = self.random.randrange(WORKERS)
            try:
                with self._trouble(self.workers[number], act):
                    return act(self.workers[number])
            except Died:
                self.lived.deaths += 1
                self.workers[number].close()
                self.workers[number] = self._opened()

    @contextmanager
    def _trouble(self, engine: Engine, act: Callable[[Engine], object]) -> Iterator[None]:
        chance = self.random.random()
        trouble: Any = nullcontext()
        if chance < 0.15:
            trouble = dying(engine, self.random.choice([self.random.randint(1, 25), self.random.randint(10, 120)]))
        elif chance < 0.25:
            self.lived.overtaken += 1
            other = self.random.choice([each for each in self.workers if each is not engine])
            trouble = overtaken(engine, lambda: act(other))
        with trouble:
            yield

    # -- how it ends --------------------------------------------------------------------------------------------

    def _check(self) -> None:
        engine = self.workers[0]
        self.watch.check(engine)
        with engine.database.read() as c:
            assert c.execute(select(func.count()).select_from(pending_erasure)).scalar_one() == 0
        assert engine.due() == []
        engine.publish()
        audited = engine.log.audit(self.clock.now(), engine.vault)
        assert audited.findings == (), (self.plan.seed, audited.findings)
        followed = everything(engine.database)
        engine.follower.rebuild()
        assert everything(engine.database) == followed
        stories = [life.story for lives in self.watch.lives.values() for life in lives]
        self.lived.erased = sum(item.erased.year < 9999 for story in stories for item in story.items.values())


def _told(outcome: Outcome) -> tuple[Any, ...]:
    """Who was erased altogether is not told a second time what was done: settled by `subject-erased`."""
    if outcome.receipt is not None or outcome.code == "subject-erased":
        return ERASED
    return outcome.outcome, outcome.code, outcome.events


def copied(home: Path, to: Path) -> Settings:
    """A SQLite store with its keys, as it was founded."""
    shutil.copytree(home, to)
    return Settings(f"sqlite:///{to / 'store.db'}", to / "keys")


def live(plan: Plan, interleaving: int, settings: Settings) -> Lived:
    world = World(plan, interleaving, settings)
    try:
        return world.live()
    finally:
        world.close()
