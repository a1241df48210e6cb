"""What the processes of a soak do: some write, one imports, one reads, one keeps time and sweeps."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from whole.stores import ACTOR
from world.plans import WORDS, Planning, fields_of

from lifecycle.engine import Engine, open_engine
from lifecycle.errors import LifecycleError, StoreUnavailable

THREADS = 3
ROOMY = 400  # people of one thread
AN_HOUR, A_DAY = timedelta(hours=1), timedelta(days=1)
AT_HAND = 256  # people of one process: all of them are met soon, and memory that grows on is not that of who is at hand
PLAIN = "recommended-customers"  # kept for 20 days from its collection, whatever happens


class Noted:
    """A process's own file: a line for each command that was acknowledged; and what it counted."""

    def __init__(self, folder: Path, name: str) -> None:
        self._file = (folder / f"{name}.jsonl").open("w", encoding="utf-8")
        self._lock = threading.Lock()
        self._counts_in = folder / f"{name}.counts.json"
        self.counts: Counter[str] = Counter()

    def answered(self, document: dict[str, Any], outcome: Any) -> None:
        with self._lock:
            self.counts[outcome.outcome] += 1
            if outcome.outcome == "done":
                answer = {"events": outcome.events, "subject": str(outcome.subject), "version": outcome.version}
                self._file.write(json.dumps({"document": document, **answer}) + "\n")

    def close(self) -> None:
        self._file.close()
        self._counts_in.write_text(json.dumps(self.counts))


def write(url: str, keys: str, folder: str, number: int, stop: Any, ready: Any) -> None:
    """Threads of one engine, each about people of its own."""
    noted = Noted(Path(folder), f"writer-{number}")
    with open_engine(url, keys=keys, remembered=AT_HAND) as engine:
        ready.wait()
        threads = [
            threading.Thread(target=_write, args=(engine, f"w{number}-{each}", noted, stop)) for each in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    noted.close()


def _write(engine: Engine, name: str, noted: Noted, stop: Any) -> None:
    random = Random(name)
    planning = Planning(random, 1, is_plain=False)
    while not stop.is_set():
        planning.number += 1
        now = engine.clock.now()
        for fact in planning.facts(random.choice(WORDS), now, now):
            person = f"{name}-{random.randrange(ROOMY)}"
            document = {"id": f"{name}-{noted.counts.total()}-{planning.number}-{fact.what}", "actor": ACTOR}
            document |= {"subject": {"ref": person}, **fields_of(fact)}
            _execute(engine, document, noted, stop)


def _execute(engine: Engine, document: dict[str, Any], noted: Noted, stop: Any) -> None:
    while not stop.is_set():
        try:
            noted.answered(document, engine.execute(document))
        except StoreUnavailable as error:
            noted.counts[f"unavailable: {type(error).__name__}"] += 1
            time.sleep(0.05)
        else:
            return


def import_many(url: str, keys: str, folder: str, stop: Any, ready: Any) -> None:
    """People of whom one thing is collected, in transactions of two hundred; the oracle knows when each goes."""
    noted, lot = Noted(Path(folder), "importer"), 0
    with open_engine(url, keys=keys, remembered=AT_HAND) as engine:
        ready.wait()
        while not stop.wait(1.0):
            lot += 1
            documents = [
                {"command": command, "id": f"{command}-{lot}-{each}", "actor": ACTOR,
                 "subject": {"ref": f"import-{lot}-{each}"}, **fields}
                for each in range(100)
                for command, fields in (
                    ("give-consent", {"purposes": [PLAIN], "notice": "1.0", "channel": "web-form"}),
                    ("collect", {"purpose": PLAIN, "basis": "consent", "source": "web-form",
                                 "data": {"email": f"a{lot}-{each}@example.com"}}),
                )
            ]  # fmt: skip
            try:
                outcomes = engine.execute_many(documents)
            except StoreUnavailable as error:
                noted.counts[f"unavailable: {type(error).__name__}"] += 1
                continue
            for document, outcome in zip(documents, outcomes, strict=True):
                noted.answered(document, outcome)
    noted.close()


def read(url: str, keys: str, folder: str, stop: Any, ready: Any) -> None:
    noted, random = Noted(Path(folder), "reader"), Random(7)
    with open_engine(url, keys=keys, remembered=AT_HAND) as engine:
        ready.wait()
        while not stop.wait(0.01):
            named = {"ref": f"w0-{random.randrange(THREADS)}-{random.randrange(ROOMY)}"}
            try:
                engine.read.holdings(named)
                engine.read.history(named)
                noted.counts["read"] += 1
            except LifecycleError as error:
                noted.counts[f"not answered: {type(error).__name__}"] += 1
    noted.close()


def keep_time(url: str, keys: str, folder: str, stop: Any, ready: Any) -> None:
    """Two hours pass each second; every day is swept, every eight days published and an epoch ended."""
    noted, days = Noted(Path(folder), "worker"), 0
    with open_engine(url, keys=keys, remembered=AT_HAND) as engine:
        ready.wait()
        begun, swept_at, seen = engine.clock.now(), engine.clock.now(), time.monotonic()
        while not stop.wait(0.5):
            elapsed, seen = time.monotonic() - seen, time.monotonic()
            try:
                now = engine.clock.now() + min(2 * elapsed * AN_HOUR, A_DAY)
                engine.move_clock(now)
                engine.drain()
                if now - swept_at >= A_DAY:
                    swept, swept_at = engine.sweep(), now
                    noted.counts.update(sweeps=1, expired=swept.expired, erased=swept.erased)
                if (now - begun) // (8 * A_DAY) > days:
                    days += 1
                    engine.publish()
                    engine.rotate()
                    engine.forget_old_commands()
            except StoreUnavailable as error:
                noted.counts[f"unavailable: {type(error).__name__}"] += 1
    noted.close()
