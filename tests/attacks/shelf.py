"""Copies of a store's database, kept under names and put back: fast enough for a fresh one for every attack."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Protocol

import psycopg
from sqlalchemy import make_url

_KEEP = """
DO $$
DECLARE it record;
BEGIN
    CREATE SCHEMA kept_{name};
    FOR it IN SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'vault', 'projection') LOOP
        EXECUTE format('CREATE TABLE kept_{name}.%I AS TABLE %I.%I',
                       it.schemaname || '__' || it.tablename, it.schemaname, it.tablename);
    END LOOP;
END $$
"""
_PUT_BACK = """
DO $$
DECLARE it record;
BEGIN
    FOR it IN SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'vault', 'projection') LOOP
        EXECUTE format('DELETE FROM %I.%I', it.schemaname, it.tablename);
        EXECUTE format('INSERT INTO %I.%I SELECT * FROM kept_{name}.%I',
                       it.schemaname, it.tablename, it.schemaname || '__' || it.tablename);
    END LOOP;
END $$
"""
_END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


class Shelf(Protocol):
    def keep(self, name: str) -> None:
        """Keep the database as it now is. Nobody may have it open."""

    def put_back(self, name: str, folder: Path) -> str:
        """The URL of a database that is as it was when it was kept; for SQLite a file in `folder`."""


class Files:
    """SQLite: copies of the file."""

    def __init__(self, url: str, folder: Path) -> None:
        self._live = Path(make_url(url).database or "")
        self._folder = folder

    def keep(self, name: str) -> None:
        shutil.copyfile(self._live, self._folder / f"{name}.db")

    def put_back(self, name: str, folder: Path) -> str:
        for suffix in ("-wal", "-shm"):
            (folder / f"store.db{suffix}").unlink(missing_ok=True)
        shutil.copyfile(self._folder / f"{name}.db", folder / "store.db")
        return f"sqlite:///{folder / 'store.db'}"


class Schemas:
    """PostgreSQL: copies of all rows, in schemas of their own beside them."""

    def __init__(self, url: str, dsn: str) -> None:
        self._url = url
        self._dsn = dsn
        self._name = make_url(url).database

    def keep(self, name: str) -> None:
        self._run(_KEEP.format(name=name))

    def put_back(self, name: str, folder: Path) -> str:
        self._run(_END_OTHERS, _PUT_BACK.format(name=name))
        return self._url

    def _run(self, *statements: str) -> None:
        with psycopg.connect(self._dsn, dbname=self._name, autocommit=True) as c:
            for statement in statements:
                c.execute(statement)
