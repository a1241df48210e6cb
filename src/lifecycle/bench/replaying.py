"""Replay: one person's state from the first event on, as the engine loads people; beside the library's repository."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from lifecycle.bench import lives
from lifecycle.bench.measuring import Measured, interleaved, seconds, tell
from lifecycle.bench.peers import peer
from lifecycle.bench.stores import Place, driver_id
from lifecycle.bench.workload import people
from lifecycle.engine.engine import Engine
from lifecycle.ledger.many_rows import rows_of
from lifecycle.storage.packing import unpacked

SIZES = (10, 100, 1_000)
EVENTS = 2_000  # in one measurement: a person is loaded as often as it takes
_BEGUN = 4  # of somebody unknown: registered, linked, consented, collected
_ROWS = "SELECT version, header FROM event_header WHERE stream_id = {mark} ORDER BY version"


class Visitor(Aggregate):
    """The peer's person, to whom the same happens. Its events say what ours say: the fact, its time, the rule that it
    quotes, and by whom and under which policy it was judged. Nothing in them proves anything."""

    @event("Registered")
    def __init__(self, email: str) -> None:
        self.email = email
        self.consents: set[str] = set()
        self.values: dict[str, str] = {}
        self.active: dict[str, datetime] = {}

    @event("Consented")
    def consent(self, purposes: list[str], notice: str, channel: str, at: datetime, judged: dict[str, str]) -> None:
        self.consents |= set(purposes)

    @event("Collected")
    def collect(
        self,
        purpose: str,
        basis: str,
        source: str,
        rule: dict[str, Any],
        data: dict[str, str],
        at: datetime,
        judged: dict[str, str],
    ) -> None:
        self.values |= data
        self.active[purpose] = max(at, self.active.get(purpose, at))

    @event("WasActive")
    def be_active(self, purpose: str, at: datetime, judged: dict[str, str]) -> None:
        self.active[purpose] = max(at, self.active.get(purpose, at))


def bench(place: Place, size: int, runs: int) -> Iterator[Measured]:
    """Events a second, of people with 10, 100 and 1,000 events, as far as `size` allows."""
    with place.store() as engine, peer(place) as library:
        for events in [each for each in SIZES if each <= size] or [size]:
            tell(f"{place.engine}: replay of {events:,} events")
            ours, theirs = _person(engine, events), _visitor(library, events)
            times = max(1, EVENTS // events)
            works = (
                partial(_replayed, engine, ours, events, times),
                partial(_bare, engine, ours, events, times),
                partial(_loaded, library, theirs, events, times),
            )
            yield Measured("replay", place.engine, events, "events/s", *interleaved(runs, *works))


def _person(engine: Engine, events: int) -> UUID:
    (email,) = people(1)
    (person,) = lives.asked(engine, [lives.consents(email)])
    lives.asked(engine, [lives.gives_a_name(email)])
    lives.active(engine, person, max(0, events - _BEGUN))
    return person


def _visitor(library: Application[UUID], events: int) -> UUID:
    visitor = Visitor(email="ann@example.com")
    now = datetime.now(UTC)
    rule = {
        "name": "free-trial@1.0",
        "counts_from": "last-activity",
        "period": {"months": 24},
        "zone": "Asia/Singapore",
    }

    def judged() -> dict[str, str]:
        return {"cmd": secrets.token_hex(32), "role": "service", "policy": f"recruiting-site/1.0#{'9f' * 32}"}

    visitor.consent([lives.PURPOSE], "1.0", "web-form", now, judged())
    for at in range(max(0, events - _BEGUN + 1)):
        then = now + timedelta(microseconds=at)
        if at % lives.GIVEN_EACH == lives.GIVEN_EACH - 1:
            data = {"name": "Ann", "company": "Acme"}
            visitor.collect(lives.PURPOSE, "consent", "web-form", rule, data, then, judged())
        else:
            visitor.be_active(lives.PURPOSE, then, judged())
    library.save(visitor)
    return visitor.id


def _replayed(engine: Engine, person: UUID, events: int, times: int) -> float:
    def load() -> None:
        for _ in range(times):
            engine.streams.forget([person])
            assert engine.subject_state(person).version == max(events, _BEGUN)

    return events * times / seconds(load)


def _loaded(library: Application[UUID], visitor: UUID, events: int, times: int) -> float:
    def load() -> None:
        for _ in range(times):
            found: Visitor = library.repository.get(visitor)
            assert found.version >= events - 1

    return events * times / seconds(load)


def _bare(engine: Engine, person: UUID, events: int, times: int) -> float:
    """The same rows are read, parsed, and counted by kind."""
    query = _ROWS.format(mark="?" if engine.database.is_sqlite else "%s")

    def load() -> None:
        for _ in range(times):
            with engine.database.read() as c:
                kinds: Counter[Any] = Counter()
                for _, header in rows_of(c, query, (driver_id(engine.database, person),)):
                    kinds[orjson.loads(unpacked(header))["type"]] += 1

    return events * times / seconds(load)
