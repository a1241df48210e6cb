"""Project: every projection follows the log, and is rebuilt; beside their rows bare, and the library's runner."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection as PeerProjection
from eventsourcing.projection import ProjectionRunner
from psycopg.sql import SQL, Identifier

from lifecycle.bench import lives
from lifecycle.bench.measuring import Measured, interleaved, seconds, tell
from lifecycle.bench.peers import peer
from lifecycle.bench.stores import Place, copy_in
from lifecycle.engine.engine import Engine
from lifecycle.ledger.many_rows import rows_of
from lifecycle.projections.registry import PROJECTIONS
from lifecycle.storage.following import BATCH, Follower

MOST_OF_THE_PEER = 800  # events a round: it commits each alone
_PATIENCE = 120.0  # seconds


def bench(place: Place, size: int, runs: int) -> Iterator[Measured]:
    """Events a second through all projections; eight events of each person, spread over the log."""
    number = max(1, size // lives.EIGHT)
    events = number * lives.EIGHT
    tell(f"{place.engine}: project, {events:,} events")
    with place.store() as engine:
        with _nobody_follows(engine):
            lives.lived(engine, number)
            engine.drain()
        engine.follower.catch_up()
        floor = _Bare(engine, events)
        rebuilding = partial(_rebuilt, engine, events)
        if place.server is None:
            ours, bare = interleaved(runs, rebuilding, floor)
            yield Measured("project", place.engine, events, "events/s", ours, bare)
        else:
            with _library(place, min(events, MOST_OF_THE_PEER)) as run:
                yield Measured("project", place.engine, events, "events/s", *interleaved(runs, rebuilding, floor, run))
        (ours,) = interleaved(runs, partial(_followed, engine, number))
        yield Measured("project-following", place.engine, events, "events/s", ours)


def _rebuilt(engine: Engine, events: int) -> float:
    """By a follower that remembers nobody."""
    follower = Follower(engine.database, engine.streams, engine.policies, PROJECTIONS)
    return events / seconds(follower.rebuild)


def _followed(engine: Engine, number: int) -> float:
    """New people, of whom the projections know nothing yet."""
    with _nobody_follows(engine):
        lives.lived(engine, number)
        engine.drain()
    return number * lives.EIGHT / seconds(engine.follower.catch_up)


@contextmanager
def _nobody_follows(engine: Engine) -> Iterator[None]:
    """On SQLite a command brings the projections up before it is answered; here that is measured by itself."""
    follower = engine.follower
    engine.follower = Follower(engine.database, engine.streams, engine.policies, ())
    try:
        yield
    finally:
        engine.follower = follower


class _Bare:
    """The rows that the projections hold at the end, into tables without an index, in as many transactions."""

    def __init__(self, engine: Engine, events: int) -> None:
        self._engine, self._events = engine, events
        self._rows: dict[str, tuple[list[str], list[tuple[Any, ...]]]] = {}
        names = [(table.schema, table.name) for projection in PROJECTIONS for table in projection.tables]
        with engine.database.own() as c:
            for schema, name in names:
                full = name if engine.database.is_sqlite else f"{schema}.{name}"
                c.exec_driver_sql(f"CREATE TABLE bare_{name} AS SELECT * FROM {full} WHERE false")  # noqa: S608
                rows = rows_of(c, f"SELECT * FROM {full}")  # noqa: S608
                columns = [
                    column.name
                    for projection in PROJECTIONS
                    for table in projection.tables
                    if table.name == name
                    for column in table.columns
                ]
                if rows:
                    self._rows[f"bare_{name}"] = (columns, rows)

    def __call__(self) -> float:
        return self._events / seconds(self._write)

    def _write(self) -> None:
        batches = -(-self._events // BATCH)
        for at in range(batches):
            with self._engine.database.own() as c:
                for table, (columns, rows) in self._rows.items():
                    some = rows[len(rows) * at // batches : len(rows) * (at + 1) // batches]
                    if some:
                        given = dict(zip(columns, zip(*some, strict=True), strict=True))
                        copy_in(c, table, {f'"{name}"': values for name, values in given.items()})


# -- the peer ---------------------------------------------------------------------------------------------------------


class Holder(Aggregate):
    """Somebody of whom values are collected, an event each."""

    @event("Registered")
    def __init__(self, email: str) -> None:
        self.held: list[str] = []

    @event("Collected")
    def collect(self, holding: str, category: str, purpose: str, basis: str, source: str) -> None:
        self.held.append(holding)


class CurrentHoldings(PostgresTrackingRecorder):
    """One projection, of the columns of ours: what is held about whom."""

    table: ClassVar[str]

    def __init__(self, datastore: PostgresDatastore, **kwargs: Any) -> None:
        super().__init__(datastore, **kwargs)
        made = (
            "CREATE TABLE {0} (subject_id uuid, holding text, category text, purpose text, basis text, source text, "
            "sealed_in integer, PRIMARY KEY (subject_id, holding))"
        )
        self.sql_create_statements.append(SQL(made).format(Identifier(self.table)))

    def put(self, holder: UUID, collected: Any, tracking: Tracking) -> None:
        upsert = (
            f"INSERT INTO {self.table} VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (subject_id, holding) "  # noqa: S608
            "DO UPDATE SET category = excluded.category, sealed_in = excluded.sealed_in"
        )
        said = (collected.holding, collected.category, collected.purpose, collected.basis, collected.source)
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(upsert, (holder, *said, collected.originator_version))


class IntoHoldings(PeerProjection[CurrentHoldings]):
    name = "holdings"
    topics = ()

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        if isinstance(domain_event, Holder.Collected):  # type: ignore[attr-defined]
            self.view.put(domain_event.originator_id, domain_event, tracking)
        else:
            self.view.insert_tracking(tracking)


@contextmanager
def _library(place: Place, events: int) -> Iterator[Any]:
    with peer(place) as library:
        people: Sequence[Holder] = [Holder(email="ann@example.com") for _ in range(max(1, events // lives.EIGHT))]
        for at in range(lives.EIGHT - 1):
            for person in people:
                person.collect(f"h{at}", "name", lives.PURPOSE, "consent", "web-form")
        library.save(*people)
        last = library.recorder.max_notification_id() or 0
        env = {name: value for name, value in library.env.items() if name.startswith(("POSTGRES", "PERSISTENCE"))}
        yield partial(_run, env, last, len(people) * lives.EIGHT)


def _run(env: dict[str, str], last: int, events: int) -> float:
    """Each time a projection of another name, which begins from the first event, and a table of its own."""

    class View(CurrentHoldings):
        table = f"holding_{secrets.token_hex(4)}"

    class Projection(IntoHoldings):
        name = f"holdings_{secrets.token_hex(4)}"

    with ProjectionRunner(
        application_class=Application[UUID], projection_class=Projection, view_class=View, env=env
    ) as runner:
        return events / seconds(lambda: runner.wait(last, timeout=_PATIENCE))
