"""The log of a real store, on both engines: witnessed, mirrored, searched; and told when it was rolled back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from appends import Person
from published import ORIGIN, Log, backed_up, restored
from sqlalchemy import select

from lifecycle import verify
from lifecycle.ledger.checkpoint_rows import Published
from lifecycle.ledger.log_proofs import LogProofs
from lifecycle.ledger.log_sources import FolderSource
from lifecycle.ledger.mirror import LogContradicts, mirror
from lifecycle.ledger.note import VerifyingKey, read_note
from lifecycle.ledger.tag_scan import Found, scan
from lifecycle.ledger.witness_doors import DropDoor
from lifecycle.ledger.witnessing import Cosignatures, WitnessAt, WitnessContradicts, ask_witnesses
from lifecycle.storage.database import Database
from lifecycle.storage.tables import stream_head
from lifecycle.witness.file_drop import once
from lifecycle.witness.folder import WitnessFolder


@pytest.fixture
def store(database: Database, tmp_path: Path) -> Log:
    return Log(database, tmp_path / "home").begin()


@pytest.fixture
def auditor(store: Log, tmp_path: Path) -> WitnessFolder:
    return told_of(store, tmp_path / "auditor")


def told_of(store: Log, folder: Path) -> WitnessFolder:
    its = WitnessFolder(folder)
    its.create("witness.example/dpo")
    its.add_log(store.keys.signing(ORIGIN)[0].vkey)
    return its


def log_keys(store: Log) -> list[VerifyingKey]:
    return [key.verifying for key in store.keys.signing(ORIGIN)]


def witnessed(store: Log, published: Published, auditor: WitnessFolder, last: int) -> Cosignatures:
    """Ask, let the auditor look into the folder, and ask again: this collects the answer."""
    at = WitnessAt(auditor.key().verifying, DropDoor(auditor.drop), last)
    with store.database.read() as c:
        proofs = LogProofs(c, store.folder, published.size)
        genesis = store.entries()[0]
        for _ in range(2):  # the first answer may only say from which size to ask
            ask_witnesses(published.note, [at], proofs.consistency, genesis=genesis)
            once(auditor.folder)
        return ask_witnesses(published.note, [at], proofs.consistency, genesis=genesis)


def test_each_checkpoint_is_cosigned_from_the_one_before(store, auditor):
    last = 0
    for people in (3, 20, 1):
        store.live(*[Person() for _ in range(people)])
        published = store.publish()
        [note] = witnessed(store, published, auditor, last).earlier
        assert [each.name for each in read_note(note).signatures] == [ORIGIN, "witness.example/dpo"]
        last = published.size


def test_the_mirror_is_what_the_verifier_reads_and_a_withheld_event_is_found_in_it(store, tmp_path):
    person = Person()
    store.live(*[Person() for _ in range(20)], person, person)
    store.publish()
    copy = tmp_path / "mirror"
    mirror(FolderSource(store.folder.folder), copy, log_keys(store))
    store.live(person)
    published = store.publish()
    assert mirror(FolderSource(store.folder.folder), copy, log_keys(store)).checkpoint.root == published.root
    assert list(verify.mirror_entries(copy, published.size)) == store.entries()
    with store.database.read() as c:
        key = c.execute(
            select(stream_head.c.stream_key).where(stream_head.c.stream_id == person.subject_id)
        ).scalar_one()
    assert scan(copy, log_keys(store), key, 3).withheld == ()
    found = scan(copy, log_keys(store), key, 2).withheld
    assert [each.n for each in found] == [3]
    assert store.entries()[found[0].leaf][0] == 1
    assert isinstance(found[0], Found)


def test_a_store_that_was_put_back_whole_and_went_on_is_told_by_witness_and_mirror(migrated_file, tmp_path):
    """Attack 11 with the anchor put back too: nothing inside the store can notice any more, and outsiders do."""
    shutil.copyfile(migrated_file, tmp_path / "store.db")
    store = Log(Database(f"sqlite:///{tmp_path / 'store.db'}"), tmp_path / "home").begin()
    auditor = told_of(store, tmp_path / "auditor")
    store.live(Person())
    before = store.publish()
    backed_up(store, tmp_path / "backup.db")
    shutil.copytree(store.home, tmp_path / "backup")
    store.live(Person(), Person())
    lost = store.publish()
    witnessed(store, lost, auditor, 0)
    copy = tmp_path / "mirror"
    mirror(FolderSource(store.folder.folder), copy, log_keys(store))

    shutil.rmtree(store.home)
    shutil.copytree(tmp_path / "backup", store.home)
    again = restored(store, tmp_path / "backup.db")
    again.live(*[Person() for _ in range(5)])
    fork = again.publish()
    assert fork.size > lost.size > before.size
    with pytest.raises(WitnessContradicts, match=r"witness\.example/dpo"):
        witnessed(again, fork, auditor, before.size)
    with pytest.raises(LogContradicts, match="rewritten"):
        mirror(FolderSource(again.folder.folder), copy, log_keys(again))
    kinds = {path.name.split("-")[0] for place in (auditor.evidence, copy / "evidence") for path in place.iterdir()}
    assert kinds == {"unproven", "rewritten"}
    again.streams.close()
    again.database.close()
