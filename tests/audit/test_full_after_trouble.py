"""A full audit of stores to which something happened that is no tampering, and how it differs from tampering."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, insert, select
from uuid_utils.compat import uuid7
from whole.stores import ANN, BEN, Store

from lifecycle.audit.full import Audited
from lifecycle.domain.streams import access_stream_of
from lifecycle.engine import open_engine
from lifecycle.engine.engine import Engine
from lifecycle.ledger.sequencer import enqueue_system_entry
from lifecycle.ledger.tables import event_position, map_expunged
from lifecycle.storage import erasing
from lifecycle.storage.tables import stream_head

CEM = {"email": "cem@example.com"}


@pytest.fixture
def store(empty_database_url: str, tmp_path: Path) -> Iterator[Store]:
    store = Store(empty_database_url, tmp_path / "keys")
    for person in (ANN, BEN, CEM):
        store.consent(subject=person)
        store.collect(subject=person, data={"name": "Somebody", "phone": "+6591234567"})
    store.collect(subject=ANN, data={"ip-address": "192.0.2.1"})  # refused: on the second stream
    store.engine.publish()
    yield store
    store.engine.close()


def audited(engine: Engine) -> Audited:
    return engine.log.audit(datetime.now(UTC), engine.vault)


@pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
def test_a_restored_store_whose_loss_was_declared_has_nothing_to_find(store: Store, tmp_path: Path):
    file = Path(store.settings.db.removeprefix("sqlite:///"))
    store.engine.close()
    shutil.copyfile(file, tmp_path / "backup.db")
    store.reopen()
    store.do("erase", subject=ANN, ground="7.3c")
    store.collect(subject=BEN, data={"company": "Acme"})
    store.consent(subject={"email": "dora@example.com"})
    store.engine.publish()
    assert audited(store.engine).findings == ()
    store.engine.close()
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(tmp_path / "backup.db", file)
    with open_engine(store.settings.db, keys=store.settings.keys, even_sealed_off=True) as engine:
        assert engine.restoring.reapply().leaves_lost > 5
    engine = store.reopen()
    assert audited(engine).findings == ()
    engine.rotate()
    store.collect(subject=BEN, data={"company": "Other"})
    engine.publish()
    assert audited(engine).findings == ()


# -- expunging ----------------------------------------------------------------------------------------------------------


def streams_of(store: Store) -> list[UUID]:
    subject = store.engine.read.subject_id(ANN)
    store.do("erase", subject=ANN, ground="7.3c")
    store.engine.rotate()
    store.engine.publish()
    assert audited(store.engine).findings == ()
    return [subject, access_stream_of(subject)]


def places(c: Connection, streams: Sequence[UUID]) -> tuple[list[bytes], list[int]]:
    sids = c.execute(select(stream_head.c.sid).where(stream_head.c.stream_id.in_(streams))).scalars().all()
    its = event_position.c
    leaves = c.execute(select(its.position).where(its.stream_id.in_(streams)).order_by(its.position)).scalars().all()
    return [bytes(sid) for sid in sids], list(leaves)


def expunge(store: Store, *, declared: bool = True, in_map: bool = True) -> None:
    streams, now = streams_of(store), store.engine.clock.now()
    with store.engine.database.own() as c:
        sids, leaves = places(c, streams)
        erasing.expunge(c, streams, now)
        if in_map:
            c.execute(insert(map_expunged), [{"sid": sid} for sid in sids])
        if declared:
            record: dict[str, Any] = {"at": "2030-01-01T00:00:00.000000Z", "kind": "expunged/1"}
            enqueue_system_entry(c, record | {"leaves": [[leaf, leaf + 1] for leaf in leaves]}, uuid7())
    store.collect(subject=BEN, data={"company": "Acme"})
    store.engine.publish()


def test_what_was_expunged_and_declared_is_nothing_to_find(store: Store):
    expunge(store)
    assert audited(store.engine).findings == ()


def test_what_was_expunged_in_silence_is_found(store: Store):
    expunge(store, declared=False)
    assert set(audited(store.engine).counts) >= {"leaf-without-event", "map-leaf-unknown"}


def test_what_was_expunged_and_stayed_in_the_map_is_found(store: Store):
    expunge(store, in_map=False)
    assert {"map-leaf-unknown"} <= set(audited(store.engine).counts)
