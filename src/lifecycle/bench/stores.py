"""Stores for benches: fresh ones, gone afterwards; never the one that somebody lives in."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, make_url, text

from lifecycle.engine.creation import create
from lifecycle.engine.engine import Engine
from lifecycle.errors import Invalid
from lifecycle.ledger.many_rows import Columns
from lifecycle.policy.examples import example_policy_text
from lifecycle.settings import Settings
from lifecycle.storage.database import Database


class NoServer(Invalid):
    remedy = "name a database of the server with --db postgresql://…; the bench makes others beside it, and drops them"

    def __init__(self) -> None:
        super().__init__("A bench on PostgreSQL needs a server.")


@dataclass(frozen=True, slots=True)
class Place:
    """Where stores are made. `server` is the URL of any database of a PostgreSQL server; None means SQLite."""

    folder: Path
    server: str | None = None

    @property
    def engine(self) -> str:
        return "sqlite" if self.server is None else "postgres"

    @contextmanager
    def store(self, policy: str | None = None) -> Iterator[Engine]:
        """A store under the example policy or the given one, empty."""
        with TemporaryDirectory(dir=self.folder, prefix="bench-") as made, self._database(Path(made)) as url:
            settings = Settings(url, Path(made) / "keys", Path(made) / "ledger")
            engine, _ = create(settings, policy or example_policy_text())
            with engine:
                yield engine

    def _database(self, folder: Path) -> Any:
        return nullcontext(f"sqlite:///{folder / 'bench.db'}") if self.server is None else beside(self.server)


@contextmanager
def beside(server: str) -> Iterator[str]:
    """The URL of an empty database of the server, dropped afterwards."""
    name = f"lifecycle_bench_{secrets.token_hex(6)}"
    administered = Database(server)
    administrator = administered.engine.execution_options(isolation_level="AUTOCOMMIT")
    try:
        with administrator.connect() as c:
            c.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            with administrator.connect() as c:
                c.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        administered.close()


def driver_id(database: Database, id: UUID) -> UUID | str:
    """An id as the driver has it."""
    return id.hex if database.is_sqlite else id


def copy_in(c: Connection, table: str, columns: Columns) -> None:
    """The floor of writing many rows: executemany on SQLite, COPY on PostgreSQL."""
    names = ", ".join(columns)
    rows: Sequence[Any] = list(zip(*columns.values(), strict=True))
    if c.dialect.name == "sqlite":
        c.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})", rows)  # noqa: S608
        return
    driver: Any = c.connection.driver_connection
    with driver.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def stored_bytes(database: Database) -> int:
    """Every table with its indexes, after tidying: on SQLite the file, on PostgreSQL what the server counts."""
    if database.path is not None:
        with database.engine.connect() as c:
            driver: Any = c.connection.driver_connection
            driver.execute("VACUUM")
        database.truncate_wal()
        return database.path.stat().st_size
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as c:
        ours = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND oid >= 16384"
        tables = c.exec_driver_sql(ours).scalars().all()
        c.exec_driver_sql(f"VACUUM FULL {', '.join(tables)}")
        sizes = "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class WHERE relkind = 'r' AND oid >= 16384"
        return int(c.exec_driver_sql(sizes).scalar_one())


def file_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
