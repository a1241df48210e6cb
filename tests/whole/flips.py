"""`python -m whole.flips --bits 1000 --seed 1`: single bits of a SQLite store are changed at random, and everything is
asked of it each time. Whatever is answered otherwise than before, and not refused, is shown with the table it lies in."""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from whole.stores import ANN, BEN, Store

from lifecycle.domain.subject.refusals import UnknownSubject
from lifecycle.engine import Engine, open_engine
from lifecycle.engine.creation import create
from lifecycle.errors import LifecycleError
from lifecycle.policy.examples import example_policy_text
from lifecycle.settings import Settings

PEOPLE = (ANN, BEN)
PAGE, _INTERIOR = 4096, (2, 5)  # as the format of SQLite's files has it
Answers = dict[str, Any]


def told(engine: Engine) -> Answers:
    """Everything that may be asked about two people, each by itself: an answer, or why there is none."""
    answers: Answers = {}
    for name in PEOPLE:
        for question, ask in _QUESTIONS.items():
            answers[f"{question} of {name['email']}"] = _answered(partial(ask, engine, name))
    return answers


def _answered(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except UnknownSubject:
        return "nobody"
    except Exception as error:  # noqa: BLE001 -- what is damaged may end in anything but an answer
        return error


_QUESTIONS: Mapping[str, Callable[[Engine, Any], Any]] = {
    "id": lambda engine, name: engine.read.subject_id(name),
    "holdings": lambda engine, name: engine.read.holdings(engine.read.subject_id(name)),
    "history": lambda engine, name: engine.read.history(name),
    "consents": lambda engine, name: engine.read.consents(name),
    "recipients": lambda engine, name: engine.read.recipients(name),
    "duties": lambda engine, name: engine.read.duties(name),
    "clear values": lambda engine, name: engine.read.clear(engine.read.subject_id(name), "free-trial"),
    "requests": lambda engine, name: engine.read.requests(name),
}


def made(folder: Path) -> Store:
    """Two people with consents, values and a request; everything published and in one file."""
    settings = Settings(f"sqlite:///{folder / 'store.db'}", folder / "keys")
    create(settings, example_policy_text())[0].close()  # by the clock of the machine, as stores are
    store = Store.opened(settings.db, settings.keys)
    for person in PEOPLE:
        store.consent(subject=person)
        store.collect(subject=person)
        store.do("receive-request", subject=person, request=f"r-{person['email']}", kind="access", channel="web-form")
    store.engine.read.holdings(ANN)
    store.engine.publish()
    return store


@contextmanager
def flipped(whole: bytes, place: int, bit: int, damaged: Path) -> Iterator[str]:
    """The URL of a copy in which that bit is the other way."""
    for suffix in ("-wal", "-shm"):
        damaged.with_name(damaged.name + suffix).unlink(missing_ok=True)
    damaged.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
    yield f"sqlite:///{damaged}"


def tables_of(file: Path) -> dict[int, str]:
    """By the number of a page, whose table or index it is; pages that continue a long row are nobody's."""
    whole, found = file.read_bytes(), dict[int, str]()
    with closing(sqlite3.connect(file)) as db:
        left = [
            (root, name) for name, root in db.execute("SELECT name, rootpage FROM sqlite_master WHERE rootpage > 0")
        ]
    while left:
        number, name = left.pop()
        found[number] = name
        page = whole[(number - 1) * PAGE : number * PAGE]
        if page[0] in _INTERIOR:
            cells = (int.from_bytes(page[at : at + 2]) for at in range(12, 12 + 2 * int.from_bytes(page[3:5]), 2))
            left += [(int.from_bytes(page[at : at + 4]), name) for at in (8, *cells)]
    return found


class Verdicts:
    """What came of each bit."""

    def __init__(self, truth: Answers) -> None:
        self.truth = truth
        self.came = Counter[str]()
        self.silent: list[str] = []
        self.said: list[str] = []

    def judge(self, url: str, keys: Path, where: str) -> None:
        try:
            with open_engine(url, keys=keys) as engine:
                answers = told(engine)
        except Exception as error:  # noqa: BLE001 -- as above
            self.came[_why(error)] += 1
            self.said.append(str(error))
            return
        failed = [answer for answer in answers.values() if isinstance(answer, Exception)]
        self.said += map(str, failed)
        changed = [asked for asked, one in answers.items() if one != self.truth[asked] and one not in failed]
        if changed:
            self.silent.append(f"{where}: {', '.join(changed)}")
        came = "changed an answer" if changed else _why(failed[0]) if failed else "changed nothing"
        self.came[came] += 1


def _why(error: Exception) -> str:
    return f"refused: {error.code}" if isinstance(error, LifecycleError) else f"another error: {type(error).__name__}"


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--bits", type=int, default=1_000)
    asked.add_argument("--seed", type=int, default=1)
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # noqa: S108
        store = made(Path(folder))
        truth = told(store.engine)
        store.engine.database.truncate_wal()
        store.engine.close()
        verdicts = Verdicts(truth)
        with suppress(KeyboardInterrupt):  # what came so far is told
            flip(Path(folder), store.settings.keys, verdicts, Random(options.seed), options.bits)
    for came, times in verdicts.came.most_common():
        print(f"{times:6} {came}")  # noqa: T201
    for each in verdicts.silent:
        print(f"silent: {each}")  # noqa: T201
    return 1 if verdicts.silent else 0


def flip(folder: Path, keys: Path, verdicts: Verdicts, chance: Random, bits: int) -> None:
    whole = (folder / "store.db").read_bytes()
    tables = tables_of(folder / "store.db")
    written = [place for place, byte in enumerate(whole) if byte]
    for _ in range(bits):
        place, bit = chance.choice(written), 1 << chance.randrange(8)
        with flipped(whole, place, bit, folder / "damaged.db") as url:
            kept = folder / "kept"
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(keys, kept)
            verdicts.judge(url, kept, f"{tables.get(place // PAGE + 1, 'a long row')}, byte {place}, bit {bit}")


if __name__ == "__main__":
    sys.exit(main())
