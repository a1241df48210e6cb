"""Several processes decide the lines of one file: each is an engine of its own over the same store.

What people said stays within pipes between the processes; no file is written.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, Self

import orjson

from lifecycle.clock import SystemClock
from lifecycle.commands.outcome import Outcome
from lifecycle.engine.documents import Told, told_of
from lifecycle.engine.engine import Engine
from lifecycle.engine.import_windows import Ahead, Line, Window
from lifecycle.engine.lanes import Name, identifiers_in, lanes_of
from lifecycle.errors import Invalid, LifecycleError, StoreUnavailable
from lifecycle.policy.calendars import Calendars
from lifecycle.storage.database import Database
from lifecycle.storage.server_clock import ServerClock
from lifecycle.storage.simulated import SimulatedClock
from lifecycle.storage.uncollected import uncollected
from lifecycle.vault.installation import EpochChanged

TRANSACTIONS = 4  # of each process, before all wait for each other and the next lines are shared out
READING = 0.04  # of the time that a line takes, before it was measured: what the first process does for all
_PATIENCE = 10.0  # seconds, for a process that has nothing left to do
_TRIES = 8


class WorkerGone(StoreUnavailable):
    remedy = "import the file again: what was committed answers by its id, and nothing is doubled"

    def __init__(self, exit_code: int | None) -> None:
        how = f"by signal {-exit_code}" if exit_code is not None and exit_code < 0 else f"with code {exit_code}"
        super().__init__(f"A worker process of the import ended {how}.")


class WorkerFailed(StoreUnavailable):
    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.message)
        self.remedy = failed.remedy  # type: ignore[misc]  # what the process was told


class NoWorkers(Invalid):
    remedy = "give at least one"

    def __init__(self) -> None:
        super().__init__("Without any process nothing is imported.")


class CannotShare(Invalid):
    remedy = "import with one worker"

    def __init__(self, what: str) -> None:
        super().__init__(f"Only the command line's own store can be shared out among processes: this one has {what}.")


@dataclass(frozen=True, slots=True)
class Opening:
    """How another process opens the same store."""

    url: str = field(repr=False)  # may hold a password
    keys: Path
    custody: Path
    calendars: Calendars
    remembered: int | None = None

    def engine(self) -> Engine:
        """Without going on with what was interrupted: that is the first process's."""
        database, remembered = Database(self.url), self.remembered
        return Engine(database, self.keys, custody=self.custody, calendars=self.calendars, remembered=remembered)


@dataclass(frozen=True, slots=True)
class Share:
    """Lines for one process, in order, and how many of them go into a transaction."""

    lines: Sequence[bytes] = field(repr=False)
    batch: int


class Failed(NamedTuple):
    """Why a process could not go on."""

    message: str
    remedy: str


class ImportWorkers:
    """The process that reads the file, with others beside it. Each is given whole people (`lanes.py`), so that every
    person's documents are decided in the order of the file; what is about nobody is decided alone, between the rest.
    """

    def __init__(self, engine: Engine, number: int) -> None:
        if number < 1:
            raise NoWorkers
        _refuse_what_cannot_travel(engine)
        self._engine = engine
        self._number = number
        self._others: list[_Worker] = []
        self._reading = READING

    def __enter__(self) -> Self:
        engine = self._engine
        opened = engine.keys, engine.custody_keys.folder, engine.calendars, engine.remembered
        opening = Opening(engine.database.url, *opened)
        self._others = [_Worker(opening) for _ in range(self._number - 1)]
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for other in self._others:
            other.end(at_once=kind is not None)

    def at_once(self, batch: int) -> int:
        """Lines of a window: what all decide before they wait for each other."""
        return self._number * batch * TRANSACTIONS

    def carry_out(self, windows: Iterable[Sequence[bytes]], folder: Path, batch: int) -> Iterator[list[Told]]:
        """As `documents.carry_out`, of each window of lines, `batch` of one process to a transaction."""
        ahead = Ahead(windows, folder)
        while (window := ahead.taken()) is not None:
            yield self._carried_out(window, batch, ahead)

    def _carried_out(self, window: Window, batch: int, ahead: Ahead) -> list[Told]:
        told = dict(window.told)
        beside: list[Line] = []
        for line in window.lines:
            if line.names is not None:
                beside.append(line)
            else:
                told |= self._beside_each_other(beside, batch, ahead)
                beside.clear()
                told[line.at] = _told(self._engine, [line.document])[0]
        told |= self._beside_each_other(beside, batch, ahead)
        return [told[at] for at in range(len(told))]

    def _beside_each_other(self, lines: Sequence[Line], batch: int, ahead: Ahead) -> dict[int, Told]:
        if not lines:
            return {}
        names = [line.names or () for line in lines]
        lanes = lanes_of(names, self._owners(names), self._number, self._own_share(ahead))
        shares = [[lines[at] for at in lane] for lane in lanes]
        others = [(other, share) for other, share in zip(self._others, shares[1:], strict=True) if share]
        for other, share in others:
            other.give(Share([line.line for line in share], batch))
        own = [line.document for line in shares[0]]
        begun = time.perf_counter()
        answered = [told for some in _in_lots(own, batch) for told in _told(self._engine, some)]
        decided = time.perf_counter() - begun
        found = list(zip(shares[0], answered, strict=True))
        ahead.read()
        if ahead.seconds_a_line is not None and decided > 0:
            self._reading = ahead.seconds_a_line * len(own) / decided
        for other, share in others:
            found += zip(share, other.take(), strict=True)
        return {line.at: each for line, each in found}

    def _own_share(self, ahead: Ahead) -> float:
        """Of what each other process is given: whoever has to read on meanwhile decides less."""
        if self._number == 1 or ahead.is_over:
            return 1.0
        return max(0.0, 1 - self._number * self._reading)

    def _owners(self, names: Sequence[tuple[Name, ...]]) -> Mapping[Any, Any]:
        """Whose the identifiers are by now: nobody else links any while the lines are shared out."""
        identifiers = identifiers_in(names)
        for tried in range(_TRIES):
            try:
                with self._engine.database.read() as c:
                    found = self._engine.vault.installation(c).find(c, identifiers)
                return {identifier: owner for identifier, (owner, _) in found.items()}
            except EpochChanged:
                if tried == _TRIES - 1:
                    raise
        raise AssertionError("the last try returns or raises")


class _Worker:
    """One of the other processes, as the first one sees it."""

    def __init__(self, opening: Opening) -> None:
        spawn = multiprocessing.get_context("spawn")  # a fork would share the driver's connections
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=work, args=(theirs, opening), daemon=True)
        self._process.start()
        theirs.close()  # so that its end is noticed

    def give(self, share: Share) -> None:
        try:
            self._pipe.send(share)
        except OSError:
            raise self._why_gone() from None

    def take(self) -> list[Told]:
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError):
            raise self._why_gone() from None
        if isinstance(answer, Failed):
            raise WorkerFailed(answer)
        told: list[Told] = answer
        return told

    def _why_gone(self) -> StoreUnavailable:
        with suppress(EOFError, OSError):
            if isinstance(answer := self._pipe.recv(), Failed):  # its last word, before it could be given anything
                return WorkerFailed(answer)
        self._process.join(_PATIENCE)
        return WorkerGone(self._process.exitcode)

    def end(self, *, at_once: bool) -> None:
        """At once: what it has not committed is undone, as after any crash."""
        self._pipe.close()
        if at_once:
            self._process.terminate()
        self._process.join(_PATIENCE)


def work(pipe: Connection, opening: Opening) -> None:
    """What another process does, until the first one closes the pipe, or is no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of an interruption the first process tells
    try:
        with opening.engine() as engine:
            while True:
                share: Share = pipe.recv()
                pipe.send(_carried_out(engine, share))
    except LifecycleError as error:
        with suppress(OSError):  # nobody may be there any more
            pipe.send(Failed(error.message, error.remedy))
    except (EOFError, OSError):
        return


def _carried_out(engine: Engine, share: Share) -> list[Told]:
    told: list[Told] = []
    for some in _in_lots(share.lines, share.batch):
        told += _told(engine, [orjson.loads(line) for line in some])  # the first process found them to be documents
    return told


def _told(engine: Engine, documents: Sequence[dict[str, Any] | Outcome]) -> list[Told]:
    """In one transaction."""
    with uncollected():
        return [told_of(outcome) for outcome in engine.executing.answer_all(engine.executing.questions(documents))]


def _in_lots(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _refuse_what_cannot_travel(engine: Engine) -> None:
    if engine.sinks:
        raise CannotShare("stores beside it that answer for erasures")
    if not isinstance(engine.clock, SystemClock | ServerClock | SimulatedClock):
        raise CannotShare("a clock of its own")
