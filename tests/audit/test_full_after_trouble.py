"""A full audit of stores to which something happened that is no tampering, and how it differs from tampering."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from postgres import on_sqlite
from sqlalchemy import delete, select
from uuid_utils.compat import uuid7
from whole.stores import ANN, BEN, Store

from lifecycle.audit.full import Audited
from lifecycle.domain.streams import access_stream_of
from lifecycle.engine import open_engine
from lifecycle.engine.engine import Engine
from lifecycle.ledger.map_proofs import NotPublished
from lifecycle.ledger.sequencer import enqueue_system_entry
from lifecycle.ledger.system_records import expunged
from lifecycle.ledger.tables import map_expunged
from lifecycle.storage import erasing
from lifecycle.storage.tables import stream_head

CEM = {"email": "cem@example.com"}
STRANGERS = ({"email": "dan@example.com"}, {"email": "eve@example.com"})


@pytest.fixture
def store(store: Store) -> Store:
    for person in (ANN, BEN, CEM):
        store.consent(subject=person)
        store.collect(subject=person, data={"name": "Somebody", "phone": "+6591234567"})
    store.collect(subject=ANN, data={"ip-address": "192.0.2.1"})  # refused: on the second stream
    store.engine.publish()
    return store


def audited(engine: Engine) -> Audited:
    return engine.log.audit(datetime.now(UTC), engine.vault)


@on_sqlite
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


def test_a_log_that_replaces_its_key_has_nothing_to_find(store: Store):
    store.engine.log.add_key(store.engine.clock.now())
    store.engine.publish()
    assert audited(store.engine).findings == ()
    store.engine.log.retire_key(store.engine.clock.now())
    store.engine.publish()
    assert audited(store.engine).findings == ()


# -- expunging ----------------------------------------------------------------------------------------------------------


def erased_for_good(store: Store) -> list[UUID]:
    subject = store.engine.read.subject_id(ANN)
    store.do("erase", subject=ANN, ground="7.3c")
    store.engine.rotate()
    store.engine.publish()
    assert audited(store.engine).findings == ()
    return [subject, access_stream_of(subject)]


def test_what_was_expunged_when_its_time_was_over_is_nothing_to_find(store: Store):
    erased_for_good(store)
    assert store.engine.advance_clock(store.engine.clock.now() + timedelta(days=4 * 366)).expunged == 1
    store.engine.publish()
    answer = audited(store.engine)
    assert answer.findings == ()
    assert answer.events < answer.leaves - 10, "leaves are there whose events are gone"


def test_who_was_erased_in_the_same_epoch_as_somebody_expunged_has_nothing_to_find(store: Store):
    """Both stand under the record of that epoch's end, of which the expunged one's leaf comes first."""
    ids = [store.engine.read.subject_id(person) for person in (ANN, BEN, CEM)]
    for person in (ANN, BEN, CEM):
        store.do("erase", subject=person, ground="7.3c")
    store.engine.rotate()
    store.engine.publish()
    now = store.engine.clock.now()
    with store.engine.database.write("expunger") as c:
        sids = {row.stream_id: row.sid for row in c.execute(select(stream_head.c.stream_id, stream_head.c.sid))}
        first = min(ids, key=lambda id: bytes(sids[id]))
        gone = erasing.expunge(c, [first, access_stream_of(first)], now)
        for record in expunged(now, gone.positions):
            enqueue_system_entry(c, record, uuid7())
    store.engine.publish()
    assert audited(store.engine).findings == ()


def test_what_is_being_expunged_is_audited_when_it_is_published(store: Store):
    erased_for_good(store)
    store.engine.advance_clock(store.engine.clock.now() + timedelta(days=4 * 366))
    with pytest.raises(NotPublished):
        audited(store.engine)


def expunge_by_hand(store: Store, *, declared: bool = True, in_map: bool = True) -> None:
    streams, now = erased_for_good(store), store.engine.clock.now()
    with store.engine.database.own() as c:
        gone = erasing.expunge(c, streams, now)
        for record in expunged(now, gone.positions) if declared else ():
            enqueue_system_entry(c, record, uuid7())
        if not in_map:
            c.execute(delete(map_expunged))
    store.collect(subject=BEN, data={"company": "Acme"})
    store.engine.publish()


def test_what_was_expunged_in_silence_is_found(store: Store):
    expunge_by_hand(store, declared=False)
    assert set(audited(store.engine).counts) >= {"leaf-without-event", "map-leaf-unknown"}


def test_what_was_expunged_and_stayed_in_the_map_is_found(store: Store):
    expunge_by_hand(store, in_map=False)
    assert "map-leaf-unknown" in audited(store.engine).counts


def test_what_strangers_are_refused_again_and_again_is_no_command_recorded_twice(store: Store):
    """Of somebody whom nobody knows no id is remembered: each try is on record."""
    tries = [store.document("lift-restriction", subject=who, categories=["name"], reason="x") for who in STRANGERS]
    for _ in range(2):
        assert {each.outcome for each in store.engine.execute_many(tries)} == {"refused"}
    store.engine.publish()
    assert audited(store.engine).findings == ()
