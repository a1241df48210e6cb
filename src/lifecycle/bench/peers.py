"""The peer: an application of the eventsourcing library over its own recorder, in the same place as our store.

It does the plain job: events as JSON in one table. Nothing is decided, sealed, committed to or projected.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from sqlalchemy import make_url

from lifecycle.bench.stores import Place, beside


class Person(Aggregate):
    """What an application without duties would keep: the values in its events."""

    @event("Registered")
    def __init__(self, email: str) -> None:
        self.email = email
        self.values: dict[str, str] = {}

    @event("Collected")
    def collect(self, purpose: str, basis: str, source: str, evidence: str, data: dict[str, str]) -> None:
        self.values |= data


@contextmanager
def peer(place: Place) -> Iterator[Application[UUID]]:
    """An empty application, gone afterwards. Both its recorders sync each commit to the disk, as our stores do."""
    with (
        TemporaryDirectory(dir=place.folder, prefix="peer-") as made,
        nullcontext() if place.server is None else beside(place.server) as url,
    ):
        application = Application[UUID](_settings(Path(made), url))
        try:
            yield application
        finally:
            application.close()


def _settings(folder: Path, url: str | None) -> dict[str, str]:
    if url is None:
        return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(folder / "peer.db")}
    address = make_url(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": address.database or "",
        "POSTGRES_HOST": str(address.query.get("host", address.host or "")),
        "POSTGRES_PORT": str(address.port or 5432),
        "POSTGRES_USER": address.username or "",
        "POSTGRES_PASSWORD": address.password or "",
        "POSTGRES_POOL_SIZE": "40",  # a thread never waits for a connection
        "POSTGRES_IDLE_IN_TRANSACTION_SESSION_TIMEOUT": "60",
    }
