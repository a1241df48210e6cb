"""People with histories of some length, under the example policy, as the engine itself records them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.audit.history import events_of
from lifecycle.bench.workload import people
from lifecycle.domain.event import DomainEvent, Judged
from lifecycle.domain.subject.events import ActivityRecorded, PersonalDataCollected
from lifecycle.engine.engine import BATCH, Engine
from lifecycle.storage.appending import Appending, load_heads

PURPOSE = "free-trial"
EIGHT = 8  # events that each of `lived` has
GIVEN_EACH = 10  # of the events of `active`, every tenth


def lived(engine: Engine, number: int) -> list[UUID]:
    """So many people with eight events each. What happens to them is spread: everybody's first, then everybody's
    second."""
    named = people(number)
    steps = (consents, gives_a_name, _is_active, giving_a_phone, _is_active, _is_active)
    found: list[UUID] = []
    for step in steps:
        found = asked(engine, [step(each) for each in named])
    return found


def with_one_value(engine: Engine, named: Sequence[str]) -> list[UUID]:
    """So many people with a consent and one value."""
    asked(engine, [consents(each) for each in named])
    return asked(engine, [giving_a_phone(each) for each in named])


def active(engine: Engine, person: UUID, times: int) -> None:
    """So many further events of somebody who was collected from: activity, and at times the same value given again.

    They are appended as the engine appends them, and decided by nobody: of an act at the same instant it would say that
    it is on record already.
    """
    with engine.database.read() as c:
        keys = engine.vault.keys_of(c, [person])[person]
        given, judged = _collected(c, person)
    now = engine.clock.now()
    for start in range(0, times, BATCH):
        appending = Appending()
        with engine.database.read() as c:
            head = load_heads(c, [person])[person]
        for at in range(start, min(start + BATCH, times)):
            then = now + timedelta(microseconds=at)
            fact: DomainEvent = ActivityRecorded(occurred_at=then, purpose=PURPOSE)
            if at % GIVEN_EACH == GIVEN_EACH - 1:
                fact = given.model_copy(update={"occurred_at": then})
            _, head = appending.append(head, keys, fact, judged, now)
        engine.streams.save(*appending.recorded, rows=appending.rows)


def _collected(c: Connection, person: UUID) -> tuple[PersonalDataCollected, Judged]:
    """What says that the values of the person's collection were given again, and by what it was judged."""
    event, judged = next(
        (each.event, each.judged) for each, _ in events_of(c, person) if isinstance(each.event, PersonalDataCollected)
    )
    further = tuple(new.holding for new in event.new)
    again = event.model_copy(update={"new": (), "further": further, "values": {}}).without_words()
    return again, judged._replace(actor="bench", correlation=None)


def asked(engine: Engine, documents: Sequence[dict[str, Any]]) -> list[UUID]:
    """Ask them a thousand at a time; return whom each was about."""
    found: list[UUID] = []
    for start in range(0, len(documents), BATCH):
        for outcome in engine.execute_many(documents[start : start + BATCH]):
            assert outcome.outcome == "done", "a bench asks only what is permitted"
            assert outcome.subject is not None
            found.append(outcome.subject)
    return found


def _asks(command: str, email: str, **said: Any) -> dict[str, Any]:
    about = {"actor": {"id": "bench", "role": "service"}, "subject": {"email": email}}
    return {"command": command, "id": secrets.token_hex(16), **about, **said}


def consents(email: str) -> dict[str, Any]:
    return _asks("give-consent", email, purposes=[PURPOSE], notice="1.0", channel="web-form")


def _is_active(email: str) -> dict[str, Any]:
    return _asks("record-activity", email, purpose=PURPOSE)


def _gives(email: str, data: dict[str, str]) -> dict[str, Any]:
    return _asks("collect", email, purpose=PURPOSE, basis="consent", source="web-form", data=data)


def gives_a_name(email: str) -> dict[str, Any]:
    return _gives(email, {"name": f"Ann {email[:8]}", "company": "Acme"})


def giving_a_phone(email: str) -> dict[str, Any]:
    return _gives(email, {"phone": f"+6591{secrets.randbelow(1_000_000):06d}"})
