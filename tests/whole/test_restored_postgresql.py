"""PostgreSQL put back from pg_dump and from pg_basebackup: sealed until what was erased since is erased again."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from founding import copy_keys
from postgres import base_backup, dump, load, start, start_copy, stop
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from whole.stores import ANN, BEN, Store

from lifecycle import verify
from lifecycle.domain.subject.refusals import UnknownSubject
from lifecycle.engine import open_engine, vault_dumps
from lifecycle.engine.bundling import sid_of_receipt, write_bundle
from lifecycle.engine.sealing_off import SealedOff, Watch
from lifecycle.errors import StoreUnavailable
from lifecycle.storage.database import Database
from lifecycle.vault.epochs import EpochKeys
from lifecycle.vault.files import KeyMissing
from lifecycle.vault.journal import ErasureJournal

Started = dict[str, object]


def url_of(started: Started, database: str = "privacy") -> str:
    return f"postgresql://postgres@/{database}?host={conninfo_to_dict(str(started['dsn']))['host']}"


def run(started: Started, statement: str) -> None:
    with psycopg.connect(str(started["dsn"]), autocommit=True) as c:
        c.execute(sql.SQL(statement))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def server() -> Iterator[Started]:
    started = start()
    yield started
    stop(started)


@pytest.fixture(scope="module")
def published(server: Started, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys of the database `published`, with which every test begins."""
    run(server, "CREATE DATABASE published")
    keys = tmp_path_factory.mktemp("published") / "keys"
    store = Store(url_of(server, "published"), keys)
    for person in (ANN, BEN):
        store.consent(subject=person)
        store.collect(subject=person, data={"name": "Somebody", "phone": "+6591234567"})
    store.engine.publish()
    store.engine.close()
    return keys


@pytest.fixture
def store(server: Started, published: Path, keys: Path) -> Iterator[Store]:
    run(server, "CREATE DATABASE privacy TEMPLATE published")
    copy_keys(published, keys)
    store = Store.opened(url_of(server), keys, said=4)
    yield store
    store.engine.close()
    run(server, "DROP DATABASE privacy WITH (FORCE)")


def erase_ann(store: Store, folder: Path) -> Path:
    """Returns her certificate."""
    receipt = store.do("erase", subject=ANN, ground="7.3c").receipt
    assert receipt is not None
    store.engine.drain()
    certificate = folder / "certificate.zip"
    write_bundle(store.engine, certificate, sid=sid_of_receipt(receipt))
    return certificate


def assert_ann_stays_erased(store: Store, url: str, certificate: Path) -> None:
    keys = store.settings.keys
    with pytest.raises(SealedOff):
        open_engine(url, keys=keys)
    with open_engine(url, keys=keys, even_sealed_off=True) as engine:
        done = engine.restoring.reapply()
        assert (done.people, done.leaves_lost > 0) == (1, True)
    with open_engine(url, keys=keys) as engine:
        with pytest.raises(UnknownSubject):
            engine.read.subject_id(ANN)
        assert {row["state"] for row in engine.read.holdings(BEN)} == {"held"}
        assert all(row["value"] for row in engine.read.holdings(BEN))
        assert verify.main([str(certificate), "--key", str(engine.log.folder.folder / "log.vkey")]) == 0


def test_after_pg_restore_the_erased_stay_erased(store: Store, server: Started, tmp_path: Path):
    dumped = tmp_path / "dumped"
    dump(server, "privacy", dumped)
    certificate = erase_ann(store, tmp_path)
    store.engine.close()
    run(server, "DROP DATABASE privacy WITH (FORCE)")
    run(server, "CREATE DATABASE privacy")
    load(server, "privacy", dumped)
    assert_ann_stays_erased(store, url_of(server), certificate)


@pytest.mark.parametrize("seconds", [0.0, 3600.0], ids=["looks each time", "looked just now"])
def test_a_process_that_is_open_notices_before_it_reads_or_writes(
    store: Store, server: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
):
    """However lately it looked: what it had open was lost with the old database, and that makes it look."""
    monkeypatch.setattr(Watch, "EVERY", seconds)
    store.reopen()
    dumped = tmp_path / "dumped"
    dump(server, "privacy", dumped)
    erase_ann(store, tmp_path)
    run(server, "DROP DATABASE privacy WITH (FORCE)")
    run(server, "CREATE DATABASE privacy")
    load(server, "privacy", dumped)
    opened = store.engine
    with pytest.raises(StoreUnavailable):  # its connections are dead, and it says no more than that
        opened.read.holdings(BEN)
    for act in (lambda: opened.read.holdings(BEN), lambda: store.consent(subject=BEN), opened.sweep, opened.publish):
        with pytest.raises(SealedOff, match="older than its keys"):
            act()
    with open_engine(url_of(server), keys=store.settings.keys, even_sealed_off=True) as engine:
        engine.restoring.reapply()
    assert {row["state"] for row in opened.read.holdings(BEN)} == {"held"}


def test_a_cluster_from_pg_basebackup_is_sealed_too(store: Store, server: Started, tmp_path: Path):
    copied = base_backup(server)
    certificate = erase_ann(store, tmp_path)
    store.engine.close()
    copy = start_copy(copied)
    try:
        assert_ann_stays_erased(store, url_of(copy), certificate)
    finally:
        stop(copy)


def test_a_dump_of_an_ended_epoch_is_dead_without_the_newest_keys(store: Store, server: Started, tmp_path: Path):
    dumped, newest = tmp_path / "dumped", io.BytesIO()
    dump(server, "privacy", dumped)
    certificate = erase_ann(store, tmp_path)
    store.engine.rotate()
    store.engine.back_up_vault(newest)
    store.engine.close()
    run(server, "DROP DATABASE privacy WITH (FORCE)")
    run(server, "CREATE DATABASE privacy")
    load(server, "privacy", dumped)
    with pytest.raises(KeyMissing):
        open_engine(url_of(server), keys=store.settings.keys, even_sealed_off=True)
    database = Database(url_of(server))
    keys = store.settings.keys
    vault_dumps.load(database, EpochKeys(keys), ErasureJournal(keys), newest.getvalue().splitlines())
    database.close()
    assert_ann_stays_erased(store, url_of(server), certificate)
