"""A database that comes back from a backup stays sealed until everything that was erased since is erased again."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from postgres import on_sqlite
from whole.stores import ANN, BEN, Store

from lifecycle import verify
from lifecycle.domain.subject.refusals import UnknownSubject
from lifecycle.engine import open_engine, vault_dumps
from lifecycle.engine.bundling import sid_of_receipt, write_bundle
from lifecycle.engine.engine import Engine
from lifecycle.engine.sealing_off import AnchorLost, SealedOff, Watch
from lifecycle.ledger.checkpoint_rows import RolledBack
from lifecycle.storage.database import Database
from lifecycle.vault.epochs import EpochKeys
from lifecycle.vault.files import KeyMissing, KeysUnavailable
from lifecycle.vault.journal import ErasureJournal

CEM = {"email": "cem@example.com"}


class Backups:
    """Copies of a store's SQLite file, put back as an operator would: without its keys."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.file = Path(store.settings.db.removeprefix("sqlite:///"))
        self.kept = folder / "backup.db"

    def make(self) -> None:
        self.store.engine.close()
        shutil.copyfile(self.file, self.kept)
        self.store.reopen()

    def put_back(self) -> None:
        self.store.engine.close()
        for suffix in ("-wal", "-shm"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)
        shutil.copyfile(self.kept, self.file)

    def open(self, **how: Any) -> Engine:
        return open_engine(self.store.settings.db, keys=self.store.settings.keys, **how)


@pytest.fixture
def store(store: Store) -> Store:
    for person in (ANN, BEN, CEM):
        store.consent(subject=person)
        store.collect(subject=person, data={"name": "Somebody", "phone": "+6591234567"})
    return store


@pytest.fixture
def backups(store: Store, tmp_path: Path) -> Backups:
    return Backups(store, tmp_path)


def states(engine: Engine, subject: dict[str, str]) -> dict[str, str]:
    return {row["category"]: row["state"] for row in engine.read.holdings(subject)}


@on_sqlite
def test_erased_people_holdings_and_identifiers_do_not_come_back(store: Store, backups: Backups):
    store.do("link-identifier", subject=CEM, identifier={"ref": "cem-1"})
    backups.make()
    ann = store.engine.read.subject_id(ANN)
    store.do("erase", subject=ANN, ground="7.3c")
    store.do("erase", subject=BEN, ground="7.3d", categories=["phone"])
    store.do("unlink-identifier", subject=CEM, identifier={"ref": "cem-1"})
    backups.put_back()
    with pytest.raises(SealedOff) as refusal:
        backups.open()
    assert "3 later erasures" in refusal.value.message
    with backups.open(even_sealed_off=True) as engine:
        would = engine.restoring.would()
        assert (would.people, would.holdings, would.identifiers) == (1, 3, 1)
        assert engine.restoring.reapply() == would
        assert engine.restoring.would().people == 0
    with backups.open() as engine:
        assert {row["state"] for row in engine.read.holdings(ann)} == {"erased"}
        assert states(engine, BEN) == {"name": "held", "phone": "erased"}
        assert states(engine, CEM) == {"name": "held", "phone": "held"}
        with pytest.raises(UnknownSubject):
            engine.read.subject_id({"ref": "cem-1"})


@on_sqlite
def test_a_crash_while_catching_up_leaves_the_store_sealed(store: Store, backups: Backups, monkeypatch: Any):
    backups.make()
    for person in (ANN, BEN):
        store.do("erase", subject=person, ground="7.3c")
    backups.put_back()
    with backups.open(even_sealed_off=True) as engine:
        monkeypatch.setattr(engine.erasing, "complete", _crash)
        with pytest.raises(Crash):
            engine.restoring.reapply()
    with pytest.raises(SealedOff):
        backups.open()
    with backups.open(even_sealed_off=True) as engine:
        engine.restoring.reapply()
    with backups.open() as engine:
        for person in (ANN, BEN):
            with pytest.raises(UnknownSubject):
                engine.read.subject_id(person)
        assert states(engine, CEM) == {"name": "held", "phone": "held"}


class Crash(BaseException):
    """As if the process ended here."""


def _crash(*_: Any) -> None:
    raise Crash


@on_sqlite
def test_a_crash_between_journal_and_destruction_is_no_restore(store: Store, backups: Backups, monkeypatch: Any):
    monkeypatch.setattr(store.engine.erasing, "fence", _crash)
    with pytest.raises(Crash):
        store.do("erase", subject=ANN, ground="7.3c")
    store.engine.close()
    with backups.open() as engine, pytest.raises(UnknownSubject):  # the order was pending, and was gone on with
        engine.read.subject_id(ANN)
    store.reopen()


@on_sqlite
def test_a_database_without_its_journal_or_with_an_older_one_stays_closed(store: Store, backups: Backups):
    journal = store.settings.keys / "erasure.journal"
    older = journal.read_bytes()
    store.do("erase", subject=ANN, ground="7.3c")
    store.engine.close()
    journal.write_bytes(older)
    with pytest.raises(KeysUnavailable, match="older than the database"):
        backups.open()
    journal.unlink()
    with pytest.raises(KeysUnavailable, match="missing"):
        backups.open()


@on_sqlite
def test_a_database_that_was_published_needs_its_anchor(store: Store, backups: Backups):
    store.engine.publish()
    older = (store.settings.keys / "anchor").read_bytes()
    store.consent("quotation")
    store.engine.publish()
    store.engine.close()
    (store.settings.keys / "anchor").write_bytes(older)
    with pytest.raises(AnchorLost):
        backups.open()
    (store.settings.keys / "anchor").unlink()
    with pytest.raises(AnchorLost):
        backups.open()


@on_sqlite
def test_lost_leaves_are_declared_and_old_certificates_still_verify(
    store: Store, backups: Backups, tmp_path: Path, capsys: Any
):
    store.engine.publish()
    backups.make()
    receipt = store.do("erase", subject=ANN, ground="7.3c").receipt
    assert receipt is not None
    sid = sid_of_receipt(receipt)
    store.collect(subject=CEM, data={"company": "Lost Ltd"})  # nobody will know of this any more
    certificate = tmp_path / "certificate.zip"
    write_bundle(store.engine, certificate, sid=sid)
    with zipfile.ZipFile(certificate) as archive:
        (tmp_path / "seen").write_bytes(archive.read("checkpoint"))
    size = store.engine.publish().size
    backups.put_back()
    with pytest.raises(SealedOff, match="leaves of the log"):
        backups.open()
    with backups.open(even_sealed_off=True) as engine:
        with pytest.raises(RolledBack):
            engine.publish()  # nobody signs over a history that was cut off
        assert engine.restoring.reapply().leaves_lost > 0
    with backups.open() as engine:
        assert engine.publish().size > size
        assert states(engine, CEM) == {"name": "held", "phone": "held"}
        key = str(engine.log.folder.folder / "log.vkey")
        again = tmp_path / "again.zip"
        write_bundle(engine, again, sid=sid, previous=(size,))
    assert verify.main([str(certificate), "--key", key]) == 0
    assert verify.main([str(again), "--key", key, "--previous", str(tmp_path / "seen")]) == 0
    with zipfile.ZipFile(again) as archive:
        assert b"loss-declared/1" in archive.read("system.jsonl")
    assert "Traceback" not in capsys.readouterr().out


@on_sqlite
def test_after_the_epoch_ended_an_old_backup_needs_the_newest_keys(store: Store, backups: Backups):
    """Its own vault tables are dead; with the newest ones the living are read, and the erased stay erased."""
    backups.make()
    store.do("erase", subject=ANN, ground="7.3c")
    store.do("erase", subject=BEN, ground="7.3d", categories=["phone"])
    store.engine.rotate()
    dump = io.BytesIO()
    store.engine.back_up_vault(dump)
    backups.put_back()
    with pytest.raises(SealedOff):
        backups.open()
    with pytest.raises(KeyMissing):
        backups.open(even_sealed_off=True)
    database = Database(store.settings.db)
    vault_dumps.load(
        database, EpochKeys(store.settings.keys), ErasureJournal(store.settings.keys), dump.getvalue().splitlines()
    )
    database.close()
    with backups.open(even_sealed_off=True) as engine:
        engine.restoring.reapply()
    with backups.open() as engine:
        with pytest.raises(UnknownSubject):
            engine.read.subject_id(ANN)
        assert states(engine, BEN) == {"name": "held", "phone": "erased"}
        assert states(engine, CEM) == {"name": "held", "phone": "held"}
        rows = engine.read.holdings(CEM)
        assert all(row["value"] for row in rows)
    store.reopen()
    assert store.collect(subject=CEM, data={"company": "Acme"}).outcome == "done"


@on_sqlite
def test_an_old_dump_of_the_vault_brings_nobody_back(store: Store, backups: Backups):
    dump = io.BytesIO()
    store.engine.back_up_vault(dump)
    ann = store.engine.read.subject_id(ANN)
    store.do("erase", subject=ANN, ground="7.3c")
    store.do("erase", subject=BEN, ground="7.3d", categories=["phone"])
    store.engine.close()
    database = Database(store.settings.db)
    keys, journal = EpochKeys(store.settings.keys), ErasureJournal(store.settings.keys)
    vault_dumps.load(database, keys, journal, dump.getvalue().splitlines())
    database.close()
    with backups.open() as engine:
        assert {row["state"] for row in engine.read.holdings(ann)} == {"erased"}
        with pytest.raises(UnknownSubject):
            engine.read.subject_id(ANN)
        assert states(engine, BEN) == {"name": "held", "phone": "erased"}
        assert states(engine, CEM) == {"name": "held", "phone": "held"}


@on_sqlite
@pytest.mark.parametrize("spoil", [lambda said: said[:-20], lambda said: b"{}\n" + said, lambda said: b"\xff\n"])
def test_a_spoilt_dump_changes_nothing(store: Store, backups: Backups, spoil: Callable[[bytes], bytes]):
    dump = io.BytesIO()
    store.engine.back_up_vault(dump)
    store.engine.close()
    database = Database(store.settings.db)
    keys, journal = EpochKeys(store.settings.keys), ErasureJournal(store.settings.keys)
    with pytest.raises(vault_dumps.NotADump):
        vault_dumps.load(database, keys, journal, spoil(dump.getvalue()).splitlines())
    database.close()
    with backups.open() as engine:
        assert states(engine, CEM) == {"name": "held", "phone": "held"}


@on_sqlite
@pytest.mark.parametrize("how", ["renamed over it", "copied into it"])
def test_a_process_that_is_open_notices_before_it_reads_or_writes(
    store: Store, backups: Backups, monkeypatch: Any, how: str
):
    """Whoever restores should stop it first, and did not. It comes to itself when the database has caught up."""
    if how == "copied into it":
        monkeypatch.setattr(Watch, "EVERY", 0.0)  # otherwise within a second
        store.reopen()
    backups.make()
    store.do("erase", subject=ANN, ground="7.3c")
    opened = store.engine
    if how == "renamed over it":
        for suffix in ("-wal", "-shm"):
            backups.file.with_name(backups.file.name + suffix).unlink(missing_ok=True)
        os.replace(backups.kept, backups.file)
    else:
        opened.database.engine.dispose()  # else SQLite itself would find its pages damaged
        opened.database.watching._own.engine.dispose()
        for suffix in ("-wal", "-shm"):
            backups.file.with_name(backups.file.name + suffix).unlink(missing_ok=True)
        shutil.copyfile(backups.kept, backups.file)
    for act in (
        lambda: opened.read.holdings(BEN),
        lambda: store.consent(subject=BEN),
        opened.sweep,
        opened.publish,
        lambda: opened.read.holdings(ANN),
    ):
        with pytest.raises(SealedOff, match="older than its keys"):
            act()
    with backups.open(even_sealed_off=True) as restoring:
        restoring.restoring.reapply()
    assert states(opened, BEN)
    with pytest.raises(UnknownSubject):
        opened.read.holdings(ANN)
