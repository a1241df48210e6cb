"""One stored event that does not fit is named by its place, and by nothing that it says; the audits still run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from sqlalchemy import select, text, update
from whole.stores import ANN, BEN, Store

from lifecycle.ledger.envelope import canonical
from lifecycle.storage.failures import RecordDamaged
from lifecycle.storage.tables import event_header

SAID = "planted-canary"


def without_scopes(header: dict[str, Any]) -> None:
    header["data"]["scopes"] = {}


def with_another_shape(header: dict[str, Any]) -> None:
    header["data"] = {"occurred_at": SAID}


def tampered(store: Store, stream: Any, version: int, change: Callable[[dict[str, Any]], None]) -> None:
    """As whoever owns the tables; then a program that remembers nothing opens the store."""
    here = (event_header.c.stream_id == stream) & (event_header.c.version == version)
    with store.engine.database.engine.connect() as c, c.begin():
        if store.engine.database.is_sqlite:
            names = c.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            triggers = [name for name in names if name.startswith("event_header_update")]
            assert triggers
            for name in triggers:
                c.execute(text(f'DROP TRIGGER "{name}"'))
        header = orjson.loads(c.execute(select(event_header.c.header).where(here)).scalar_one())
        change(header)
        c.execute(update(event_header).where(here).values(header=canonical(header)))
    store.reopen()


@pytest.mark.parametrize("change", [without_scopes, with_another_shape])
def test_a_stored_event_that_does_not_fit_is_named_by_stream_and_version(
    store: Store, change: Callable[[dict[str, Any]], None]
):
    person = store.consent().subject
    store.collect()
    store.engine.drain()
    version = 3  # registered, linked, then the consent
    tampered(store, person, version, change)
    assert store.consent(subject=BEN).outcome == "done"  # others are still decided about
    for ask in (
        store.engine.follower.rebuild,
        lambda: store.collect("free-trial", data={"name": "Anne"}),
        lambda: store.engine.read.replay(ANN),
    ):
        with pytest.raises(RecordDamaged) as damaged:
            ask()
        assert (damaged.value.stream_id, damaged.value.version) == (person, version)
        assert damaged.value.code == "record-damaged"
        told = str(damaged.value)
        assert str(person) in told
        assert f"Event {version} " in told
        assert "lifecycle audit full" in told
        assert "audit replay --re-decide" in told
        assert SAID not in told
    if change is without_scopes:  # an audit that decides again still says what nobody can have decided
        assert "different" in {row["verdict"] for row in store.engine.read.re_decide(ANN)}
