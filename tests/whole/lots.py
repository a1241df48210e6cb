"""What a store can be doing when it is killed. Each act is about a lot of people of its own, so that it can be done
again and again in one store; what was done of it must stand, and the rest be gone on with."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from moments import killing, moments
from whole.stores import ACTOR, Store

from lifecycle.cli.main import run
from lifecycle.commands.outcome import Outcome
from lifecycle.engine import Engine, engine, hit_people, open_engine, transferring
from lifecycle.engine.archive_reading import opened_archive
from lifecycle.engine.creation import create
from lifecycle.engine.handing_over import write_archive
from lifecycle.policy.examples import example_policy_text
from lifecycle.processes import finalise_when_an_epoch_ends as ending
from lifecycle.settings import Settings
from lifecycle.storage import portions

PEOPLE = 4
FEW = 3  # at once
Documents = list[dict[str, Any]]
Said = Callable[[Outcome], None]
OFFICER = {"id": "officer", "role": "operator"}
RECIPIENT = {"name": "Newco", "contact": "dpo@newco.example", "country": "SG"}


def named(lot: int) -> list[dict[str, str]]:
    return [{"email": f"lot{lot}-p{number}@example.com"} for number in range(PEOPLE)]


def collected(lot: int) -> Documents:
    """Two documents a person: a consent that does not end, and a quotation that is kept for twelve months."""
    trial = {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"}
    quote = {"purpose": "quotation", "basis": "contract", "evidence": "K-1", "source": "web-form"}
    return [
        {"command": command, "id": f"{command}-{lot}", "actor": ACTOR, "subject": person, **fields}
        for person in named(lot)
        for command, fields in (("give-consent", trial), ("collect", quote | {"data": {"phone": "+6591234567"}}))
    ]


def erased(lot: int) -> Documents:
    return [
        {"command": "erase", "id": f"erase-{lot}", "actor": ACTOR, "subject": person, "ground": "7.3c"}
        for person in named(lot)
    ]


def announced(lot: int) -> Documents:
    told = {"transfer": f"newco-{lot}", "cause": "merger", "recipient": RECIPIENT}
    return [{"command": "announce-transfer", "id": f"announce-{lot}", "actor": ACTOR, **told}]


@dataclass(frozen=True)
class Act:
    """`prepare` is done before it, by who is not killed; `run` by who is, and to the end by the next one.
    `asked` are the documents that `run` executes, whose answers must come again."""

    run: Callable[[Engine, int, Said], None]
    prepare: Callable[[Store, int], None] = lambda store, lot: None
    asked: Callable[[int], Documents] = lambda lot: []


def _apply(engine: Engine, documents: Documents, said: Said) -> None:
    for document in documents:
        said(engine.execute(document))


def _import(engine: Engine, documents: Documents, said: Said) -> None:
    for start in range(0, len(documents), FEW):
        for outcome in engine.execute_many(documents[start : start + FEW]):
            said(outcome)


def _in_threads(engine: Engine, documents: Documents, said: Said) -> None:
    with ThreadPoolExecutor(FEW) as pool:
        for _ in pool.map(lambda document: said(engine.execute(document)), documents):
            pass


def _fill(store: Store, lot: int) -> None:
    store.engine.execute_many(collected(lot))


def _leave_waiting(store: Store, lot: int) -> None:
    """Committed, and without places yet."""
    store.engine.drain = lambda progress=None: None  # type: ignore[method-assign]
    _fill(store, lot)


def _become_due(store: Store, lot: int) -> None:
    _fill(store, lot)
    store.engine.move_clock(store.engine.clock.now() + timedelta(days=370))


def _erase_all(store: Store, lot: int) -> None:
    _fill(store, lot)
    store.engine.execute_many(erased(lot))


def _announce(store: Store, lot: int) -> None:
    _fill(store, lot)
    store.engine.execute_many(announced(lot))


def _transfer(engine: Engine, lot: int, _: Said) -> None:
    engine.transfers.notify(f"newco-{lot}", "email")
    engine.transfers.run(f"newco-{lot}")


def _transferred(store: Store, lot: int) -> None:
    _announce(store, lot)
    _transfer(store.engine, lot, lambda outcome: None)


def _hand_over(engine: Engine, lot: int, _: Said) -> None:
    """Everybody is in the archive once, however often writing it was begun."""
    out, key = engine.keys.parent / f"newco-{lot}.zip", X25519PrivateKey.from_private_bytes(bytes([lot % 256]) * 32)
    write_archive(engine, f"newco-{lot}", key.public_key(), out)
    with opened_archive(out, key, engine.log.known_keys()) as archive:
        people = len({found.subject for found, _ in archive.people()})
    status = engine.transfers.status(f"newco-{lot}")
    assert people == status["handed_over"] == status["transferred"] >= PEOPLE
    out.unlink()


def _detect(store: Store, lot: int) -> None:
    _fill(store, lot)
    store.engine.move_clock(store.engine.clock.now() + timedelta(hours=1))
    of_this = {"incident": f"leak-{lot}", "actor": OFFICER}
    until = (store.engine.clock.now() - timedelta(minutes=1)).isoformat()
    window = {"from": (store.engine.clock.now() - timedelta(minutes=61)).isoformat(), "to": until}
    what = {"nature": "leak", "window": window, "scope": {"store": "engine"}}
    found = {"severity": "high", "risk": "significant", "cause": "a laptop was stolen"}
    for command, fields in (("detect-incident", what), ("assess-incident", found)):
        outcome = store.engine.execute({"command": command, "id": f"{command}-{lot}", **of_this, **fields})
        assert outcome.outcome == "done", outcome


def _count(engine: Engine, lot: int, _: Said) -> None:
    engine.react()
    assert engine.incidents.show(f"leak-{lot}")["affected"]["people"] >= PEOPLE


ACTS = {
    "apply": Act(lambda engine, lot, said: _apply(engine, collected(lot), said), asked=collected),
    "import": Act(lambda engine, lot, said: _import(engine, collected(lot), said), asked=collected),
    "group commit": Act(lambda engine, lot, said: _in_threads(engine, collected(lot), said), asked=collected),
    "sequence": Act(lambda engine, *_: engine.drain(), _leave_waiting),
    "checkpoint": Act(lambda engine, *_: engine.publish() and None, _fill),
    "project": Act(lambda engine, *_: engine.follower.rebuild() and None, _fill),
    "sweep": Act(lambda engine, *_: engine.sweep() and None, _become_due),
    "erase": Act(lambda engine, lot, said: _apply(engine, erased(lot), said), _fill, erased),
    "rotate": Act(lambda engine, *_: engine.rotate() and None, _erase_all),
    "transfer": Act(_transfer, _announce),
    "hand over": Act(_hand_over, _transferred),
    "count who was hit": Act(_count, _detect),
}


def act(db: str, keys: str, name: str, lot: int, folder: str, at: str | None = None) -> None:
    """In a process of its own: run the act, noting what was answered, until the moment `at` kills it."""
    one_at_a_time = threading.Lock()

    def said(outcome: Outcome) -> None:
        with one_at_a_time, (Path(folder) / "said").open("a", encoding="utf-8") as lines:
            lines.write(outcome.model_dump_json() + "\n")

    with _few_at_once(), open_engine(db, keys=keys) as opened:
        opened.follower._batch = FEW
        with moments(killing(at, Path(folder) / "moments")):
            ACTS[name].run(opened, lot, said)


def make(db: str, keys: str, file: str, at: str | None = None) -> None:
    """Make a store and publish its log for the first time, until the moment `at`."""
    with moments(killing(at, Path(file))):
        made, _ = create(Settings(db, Path(keys)), example_policy_text(), simulated_clock=True)
        with made:
            made.publish()


@contextmanager
def _few_at_once() -> Iterator[None]:
    """So that every act has several transactions."""
    constants = (
        (engine, "BATCH"), (engine, "AT_ONCE"), (portions, "PEOPLE"), (transferring, "BATCH"), (ending, "BATCH"),
        (ending, "WRAPPED_AT_ONCE"), (hit_people, "PAGE"),
    )  # fmt: skip
    before = [getattr(module, name) for module, name in constants]
    for module, name in constants:
        setattr(module, name, FEW)
    try:
        yield
    finally:
        for (module, name), value in zip(constants, before, strict=True):
            setattr(module, name, value)


def command_line(db: str, keys: str, arguments: list[str], out: str) -> None:
    """The program itself, printing to a file."""
    os.environ |= {"LIFECYCLE_DB": db, "LIFECYCLE_KEYS": keys}
    sys.argv = ["lifecycle", *arguments]
    os.dup2(os.open(out, os.O_CREAT | os.O_WRONLY | os.O_APPEND), 1)
    run()
