"""Stores as released programs wrote them; each later program has to open them.

`python -m whole.golden_stores NAME`, in a checkout of the release, adds what this program writes: on both engines, with
keys and ledger. Nothing of what is there is ever made again.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from postgres import Server, binary, name_of, start, stop
from whole.stores import ACTOR

from lifecycle.engine import Engine
from lifecycle.engine.creation import create
from lifecycle.policy.examples import example_policy_text
from lifecycle.settings import Settings, ledger_beside

GOLDEN = Path(__file__).parent.parent / "golden" / "stores"
FILE, DUMP = "store.db.gz", "store.sql.gz"
ANN, BEN, CEM = ({"email": f"{name}@example.com"} for name in ("ann", "ben", "cem"))
AUGUST_1, AUGUST_2 = "2024-08-01T10:00:00+08:00", "2024-08-02T10:00:00+08:00"
_CONSENT = {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"}
_COLLECT = {"purpose": "free-trial", "basis": "consent", "source": "web-form"}
_COMMANDS: list[tuple[str, str | None, dict[str, Any]]] = [
    *(
        said
        for who in (ANN, BEN, CEM)
        for said in (
            ("give-consent", None, {"subject": who, **_CONSENT}),
            ("collect", AUGUST_1 if who is ANN else None,
             {"subject": who, **_COLLECT, "data": {"name": "Somebody", "phone": "+6591234567"}}),
        )
    ),
    ("collect", None, {"subject": ANN, **_COLLECT, "data": {"ip-address": "192.0.2.1"}}),  # refused
    ("erase", AUGUST_2, {"subject": CEM, "ground": "7.3c"}),
    ("correct", None, {"subject": BEN, "data": {"name": "Benjamin"}, "reason": "misspelt"}),
    ("place-hold", None, {"subject": BEN, "hold": "case-7", "reason": "litigation", "authority": "court",
                          "categories": ["phone"]}),
]  # fmt: skip


def documents() -> list[dict[str, Any]]:
    """What was said in every golden store, in this order; `moves` is where the clock had been set before."""
    return [
        {"command": command, "id": f"g-{number}", "actor": ACTOR, **fields}
        for number, (command, _, fields) in enumerate(_COMMANDS, start=1)
    ]


def live(engine: Engine) -> None:
    for (_, moves, _), document in zip(_COMMANDS, documents(), strict=True):
        if moves is not None:
            engine.move_clock(datetime.fromisoformat(moves))
        outcome = engine.execute(document)
        assert outcome.outcome == ("refused" if "ip-address" in str(document) else "done"), outcome


def names() -> list[str]:
    return sorted(folder.name for folder in GOLDEN.iterdir())


@contextmanager
def restored(name: str, kind: str, folder: Path, server: Server | None) -> Iterator[Settings]:
    """A golden store, put where it can be worked with."""
    golden = GOLDEN / name / kind
    keys = folder / "keys"
    shutil.copytree(golden / "keys", keys)
    for file in keys.iterdir():
        file.chmod(0o600)  # a checkout does not keep that
    if (golden / "ledger").exists():
        shutil.copytree(golden / "ledger", ledger_beside(keys))
    if kind == "sqlite":
        (folder / "store.db").write_bytes(gzip.decompress((golden / FILE).read_bytes()))
        yield Settings(f"sqlite:///{folder / 'store.db'}", keys)
        return
    assert server is not None
    with server.database(migrated=False) as url:
        said = gzip.decompress((golden / DUMP).read_bytes())
        arguments = [binary("psql"), "-q", "-X", "-v", "ON_ERROR_STOP=1", "-d", f"{server.dsn} dbname={name_of(url)}"]
        subprocess.run(arguments, input=said, check=True, stdout=subprocess.DEVNULL)
        yield Settings(url, keys)


def keep(name: str, kind: str, folder: Path, content: bytes) -> None:
    """Put away a store that nobody has open."""
    golden = GOLDEN / name / kind
    golden.mkdir(parents=True)
    (golden / (FILE if kind == "sqlite" else DUMP)).write_bytes(gzip.compress(content, mtime=0))
    shutil.copytree(folder / "keys", golden / "keys")
    if ledger_beside(folder / "keys").exists():
        shutil.copytree(ledger_beside(folder / "keys"), golden / "ledger")


def make(name: str) -> None:
    started = start()
    server = Server(str(started["dsn"]), "template0")
    try:
        for kind in ("sqlite", "postgresql"):
            with tempfile.TemporaryDirectory() as made:
                folder = Path(made)
                url = f"sqlite:///{folder / 'store.db'}" if kind == "sqlite" else server.url(server.copy("template0"))
                engine, _ = create(Settings(url, folder / "keys"), example_policy_text(), simulated_clock=True)
                live(engine)
                engine.publish()
                engine.database.truncate_wal()
                engine.close()
                if kind == "sqlite":
                    keep(name, kind, folder, (folder / "store.db").read_bytes())
                else:
                    keep(name, kind, folder, dumped(f"{started['dsn']} dbname={name_of(url)}"))
    finally:
        stop(started)


def dumped(dsn: str) -> bytes:
    """`pg_dump`, as SQL. The roles are the server's, and made by whoever migrates; what the projector made is its own,
    and the rest belongs to whoever restores it."""
    said = subprocess.run([binary("pg_dump"), "-d", dsn], check=True, capture_output=True).stdout
    return b"".join(line for line in said.splitlines(keepends=True) if not line.endswith(b" OWNER TO postgres;\n"))


if __name__ == "__main__":
    make(sys.argv[1])
    print(json.dumps(names()))  # noqa: T201
