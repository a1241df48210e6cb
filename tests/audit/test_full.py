"""A full audit: an honest store passes whatever happened in it, and each way to tamper with one is found by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from whole.stores import ANN, BEN, Store

from lifecycle.audit.full import Audited, full_audit

ENGINES = ("sqlite", "postgresql")
CORA, DAN, EVE = ({"email": f"{name}@example.com"} for name in ("cora", "dan", "eve"))


def lived(url: str, home: Path) -> Store:
    """Living, partly erased, erased and finalised people; two epochs ended; four checkpoints; something unpublished."""
    store = Store(url, home / "keys")
    for who in (ANN, BEN, CORA, DAN, EVE):
        store.consent(subject=who)
        store.collect(subject=who, data={"name": "Somebody", "phone": "+6591234567"})
    store.collect(subject=ANN, data={"ip-address": "192.0.2.1"})  # refused: on the second stream
    store.collect(subject=CORA, data={"ip-address": "192.0.2.1"})
    store.engine.publish()
    store.do("erase", subject=BEN, ground="7.3d", categories=["phone"])
    store.do("erase", subject=CORA, ground="7.3c")
    store.engine.publish()
    store.engine.rotate()
    store.engine.publish()
    store.do("erase", subject=DAN, ground="7.3c")
    store.do("erase", subject=BEN, ground="7.3d", categories=["name"])
    store.engine.rotate()
    store.do("erase", subject=EVE, ground="7.3c")
    store.engine.publish()
    store.collect(subject=ANN, data={"company": "Acme"})
    return store


@pytest.fixture(scope="module", params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    home = tmp_path_factory.mktemp("audited")
    if request.param == "sqlite":
        made = lived(f"sqlite:///{home}/store.db", home)
        yield made
        made.engine.close()
        return
    with request.getfixturevalue("postgresql").database(migrated=False) as url:
        made = lived(url, home)
        yield made
        made.engine.close()


def audited(store: Store, c: Connection, **how: Any) -> Audited:
    log = store.engine.log
    keys = [key.verifying for key in log.keys.signing(log.origin)]
    return full_audit(c, log.folder, log.origin, keys, now=datetime.now(UTC), **how)


@contextmanager
def tampering(store: Store) -> Iterator[Connection]:
    """As whoever owns the tables, without triggers; all of it is taken back."""
    with store.engine.database.engine.connect() as c, c.begin() as transaction:
        if store.engine.database.is_sqlite:
            triggers = c.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            for name in triggers:
                c.execute(text(f"DROP TRIGGER {name}"))
        yield c
        transaction.rollback()


def test_an_honest_store_has_nothing_to_find(store: Store):
    with store.engine.database.read() as c:
        answer = audited(store, c)
    assert answer.findings == (), answer.findings
    assert answer.events > answer.streams > 10
