"""Personal data reaches no log, no exception and no representation, whatever goes wrong."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from engine.stores import COLLECT, CONSENT, QUOTE, document, lift_triggers
from sqlalchemy import update
from whole.stores import Store

from lifecycle.commands.parsing import parse_command
from lifecycle.engine.asking import question_of
from lifecycle.engine.deciding import decide_all
from lifecycle.errors import LifecycleError
from lifecycle.ledger.tables import ledger_queue
from lifecycle.storage.tables import event_header
from lifecycle.vault.tables import data_key

CANARY = "quirinalia"
NO_NAME = f"{CANARY} {CANARY}"  # what looks like a name of ours is shown, so that a typing error can be seen
EMAIL = {"email": f"{CANARY}@example.com"}
REF = {"ref": f"user-{CANARY}"}
ACTOR = {"id": f"agent-{CANARY}", "role": "service"}
DATA = {"name": f"Ann {CANARY}", "company": f"{CANARY} works", "email": EMAIL["email"]}


def asked(command: str, number: int, subject: dict[str, str] = EMAIL, **fields: Any) -> dict[str, Any]:
    return document(command, f"{CANARY}-{number}", subject, correlation=f"job {CANARY}", **fields) | {"actor": ACTOR}


def a_life() -> list[dict[str, Any]]:
    return [
        asked("collect", 0, data=DATA, **COLLECT),
        asked("give-consent", 1, **CONSENT, guardian=REF),
        asked("collect", 2, data=DATA, **COLLECT),
        asked("collect", 2, data=DATA | {"name": "Zoe"}, **COLLECT),  # id reused
        asked("collect", 3, data=DATA | {NO_NAME: CANARY}, **COLLECT),  # unknown category
        asked("collect", 4, data={"phone": CANARY}, **COLLECT),  # wrong format
        asked("collect", 5, data={"company": DATA["company"]}, **QUOTE),
        asked("collect", 6, data=DATA, **COLLECT | {"purpose": NO_NAME}),
        asked("link-identifier", 7, identifier=REF),
        asked("correct", 8, REF, data={"name": f"Anne {CANARY}"}, reason=f"it is {CANARY}"),
        asked("record-birth-date", 9, birth_date="2000-01-01", evidence=f"passport {CANARY}"),
        asked("place-hold", 10, hold="case-1", reason=f"about {CANARY}", authority=CANARY),
        asked("give-consent", 11, {"email": CANARY}, **CONSENT),  # no e-mail address
        asked("give-consent", 12, {"email": f"{CANARY}@example.com", NO_NAME: CANARY}, **CONSENT),
        {NO_NAME: CANARY, "command": NO_NAME},
        asked("withdraw-consent", 13, purposes=[], channel="web-form"),
        asked("erase", 14, ground="7.3c"),
        asked("release-hold", 15, hold="case-1", reason=CANARY, authority=CANARY),
        asked("unlink-identifier", 16, identifier=REF),
    ]


def without_ids(outcome: Any) -> str:
    """The caller's own id is the one thing of theirs that an answer repeats."""
    return repr(outcome.model_copy(update={"id": None})) + outcome.model_dump_json(exclude={"id"})


def test_no_log_and_no_answer_has_a_value_even_at_the_lowest_level(store: Store, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG):
        single = [store.engine.execute(each) for each in a_life()]
        many = store.engine.execute_many([each | {"id": f"again-{each.get('id')}"} for each in a_life()])
        store.engine.sweep()
        store.engine.rotate()
    assert {outcome.outcome for outcome in single} == {"done", "refused", "invalid", "nothing"}
    assert CANARY not in "".join(map(without_ids, [*single, *many]))
    assert CANARY not in caplog.text


def test_representations_of_everything_on_the_way_have_no_value(store: Store):
    documents = [a_life()[number] for number in (8, 6, 10)]
    documents += [asked("give-consent", 30, {"ref": f"new-{CANARY}"}, **CONSENT, guardian=REF)]
    engine = store.engine
    engine.execute_many(a_life()[1:3])
    commands = [parse_command(each) for each in documents]
    questions = [question_of(command, engine.vault.cmd(command.id), b"content") for command in commands]
    with engine.database.read() as c:
        known = engine.executing.snapshot.read(c, questions, engine.clock.now())
        deciding, outcomes = decide_all(known, questions, engine.clock.now(), c)
    appending = deciding.decided.appending
    recorded = appending.recorded
    everything = [
        *commands, *questions, known, deciding, deciding.decided, deciding.people, *recorded, *map(without_ids, outcomes),
        *(each.event for each in recorded), *(each.judged for each in recorded),
        *deciding.people.persons.values(), *known.states.values(), *known.keys.values(),
    ]  # fmt: skip
    assert len(recorded) >= 2
    assert deciding.people.persons
    for each in everything:
        assert CANARY not in repr(each) + str(each), type(each).__name__


def provoked(store: Store, question: dict[str, Any]) -> str:
    with pytest.raises((LifecycleError, AssertionError)) as caught:
        store.engine.execute(question)
    error: BaseException | None = caught.value
    said = ""
    while error is not None:
        said += repr(error) + str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return said


def test_exceptions_have_no_value(store: Store):
    """Damaged keys, a missing key file and a lost table: each is told without whom it is about."""
    store.engine.execute_many(a_life()[1:3])
    with store.engine.database.own() as c:
        lift_triggers(c, data_key)
        c.execute(update(data_key).where(data_key.c.hid != "record").values(wrapped=b"\x00" * 60))
    same = asked("collect", 20, data={"company": DATA["company"]}, **QUOTE)
    said = provoked(store, same)
    with store.engine.database.own() as c:
        ledger_queue.drop(c)
    said += provoked(store, asked("give-consent", 21, {"ref": f"new-{CANARY}"}, **CONSENT))
    with store.engine.database.own() as c:
        c.exec_driver_sql(f"ALTER TABLE {event_header.name} RENAME TO gone")
    said += provoked(store, asked("give-consent", 22, {"ref": f"newer-{CANARY}"}, **CONSENT))
    assert CANARY not in said
