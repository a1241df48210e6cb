"""Writing an archive, broken off anywhere: what is finished is kept, and what comes out is the same."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from clauses.successor import DAY, Handing, done, successor
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from engine.stores import value_in_clear
from founding import InAFile
from plans import assert_walks_over_no, plans_of
from whole.stores import ANN, Store

from lifecycle.audit import handover
from lifecycle.engine.archive_parts import AnotherArchive, PartDamaged, Parts
from lifecycle.engine.archive_reading import opened_archive
from lifecycle.engine.handing_over import write_archive
from lifecycle.engine.taking_over import take_over
from lifecycle.engine.transferring import archived
from lifecycle.ledger.note import VerifyingKey
from lifecycle.vault.handing_over import read_private

GOLDEN = Path(__file__).parents[1] / "golden" / "handover-v1"
PEOPLE = 3
FILES = 3 + 2  # the token, the policies, the trustees; two people a file


@pytest.fixture
def handing(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Handing:
    """Everybody has gone, and nothing is written yet."""
    monkeypatch.setattr("lifecycle.engine.transferring.BATCH", 2)
    store.engine.move_clock(datetime.fromisoformat(DAY))
    for number in range(PEOPLE):
        done(store.consent(subject={"ref": f"user-{number}"}))
        done(store.collect(subject={"ref": f"user-{number}"}))
    handing = Handing.of(store, tmp_path)
    handing.announce()
    handing.notify()
    handing.run()
    return handing


def told(handing: Handing) -> list[Any]:
    """What the recipient reads in it of each person, but for the proofs, which are those of the day of writing."""
    with opened_archive(handing.archive, handing.key, handing.ours.engine.log.known_keys()) as archive:
        return [(each.subject, each.history, each.opened, each.identifiers) for each, _ in archive.people()]


class Broken(Exception):
    pass


def broken_off(handing: Handing, after: int, *, listed: bool) -> None:
    """In the file after so many: before it is finished, or after."""
    real, seen = Parts._finish, []

    def last(self: Parts, name: str, *arguments: Any) -> None:
        if len(seen) == after and not listed:
            (self.folder / name).write_bytes(b"torn")
            raise Broken
        real(self, name, *arguments)
        seen.append(name)
        if len(seen) > after:
            raise Broken

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Parts, "_finish", last)
        with pytest.raises(Broken):
            handing.write()


def folder_of(handing: Handing) -> Path:
    return handing.archive.with_name(f".{handing.archive.name}.parts")


def finished(handing: Handing) -> dict[str, bytes]:
    kept = (folder_of(handing) / "finished.jsonl").read_text().splitlines()[1:]
    names = [line.split('"')[3] for line in kept]
    return {name: (folder_of(handing) / name).read_bytes() for name in names}


def test_broken_off_anywhere_it_goes_on_behind_what_is_finished_and_is_the_same_in_the_end(handing: Handing):
    written = handing.write()
    whole = told(handing)
    assert (written.people, len(whole)) == (PEOPLE, PEOPLE)
    for after, listed in ((0, False), (2, True), (3, False), (3, True), (FILES - 1, True)):
        handing.archive.unlink()
        broken_off(handing, after, listed=listed)
        assert not handing.archive.exists()
        kept = finished(handing) if after >= 3 else {}
        done(handing.ours.consent(subject={"ref": f"later-{after}-{listed}"}))  # the log goes on meanwhile
        handing.ours.engine.publish()
        again = handing.write()
        assert (again.people, told(handing)) == (PEOPLE, whole)
        assert not folder_of(handing).exists()
        with opened_archive(handing.archive, handing.key, handing.ours.engine.log.known_keys()) as archive:
            for name, content in kept.items():
                assert archive.file.read(name) == content


def test_files_of_several_checkpoints_are_taken_over_and_their_confirmation_destroys_ours(
    handing: Handing, tmp_path: Path, founded_file: InAFile
):
    broken_off(handing, 3, listed=True)
    done(handing.ours.consent(subject=ANN))
    size = handing.write().size
    with opened_archive(handing.archive, handing.key, handing.ours.engine.log.known_keys()) as archive:
        assert len(archive.manifest["checkpoints"]) == 2
        assert {ground.checkpoint.size > size for ground in archive.grounds.values()} == {False, True}
    people = [each for each, *_ in told(handing)]
    with successor(tmp_path / "newco", founded_file) as theirs:
        taken = handing.accept(theirs)
        assert (taken.received, taken.refused) == (PEOPLE, {})
        theirs.engine.publish()
        assert theirs.engine.log.audit(theirs.engine.clock.now(), theirs.engine.vault).findings == ()
    done(handing.confirm(taken.token))
    assert handing.ours.engine.transfers.status("newco")["status"] == "completed"
    assert {tuple(handing.ours.kinds(each)[-2:]) for each in people} == {("erasure-ordered", "erasure-completed")}


def test_killed_after_it_was_recorded_and_before_it_had_its_name_it_is_recorded_once(handing: Handing):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Parts, "end", lambda self, out: (_ for _ in ()).throw(Broken()))
        with pytest.raises(Broken):
            handing.write()
    assert not handing.archive.exists()
    handing.write()
    assert len(handing.ours.engine.transfers.record("newco").handovers) == 1


def test_what_was_begun_for_another_recipient_is_not_gone_on_with(handing: Handing):
    broken_off(handing, 3, listed=True)
    other = X25519PrivateKey.generate().public_key()
    with pytest.raises(AnotherArchive):
        write_archive(handing.ours.engine, "newco", other, handing.archive)
    assert handing.write().people == PEOPLE


@pytest.mark.parametrize("change", ["changed", "missing"])
def test_a_finished_file_that_was_changed_is_noticed(handing: Handing, change: str):
    broken_off(handing, 3, listed=True)
    file = folder_of(handing) / "people-000001.jsonl"
    file.write_bytes(file.read_bytes()[:-2]) if change == "changed" else file.unlink()
    with pytest.raises(PartDamaged, match=r"people-000001\.jsonl"):
        handing.write()
    assert not handing.archive.exists()
    shutil.rmtree(folder_of(handing))
    assert handing.write().people == PEOPLE


def test_what_lies_unfinished_opens_nothing_and_is_the_owner_s_alone(handing: Handing):
    broken_off(handing, 4, listed=True)
    folder = folder_of(handing)
    assert folder.stat().st_mode & 0o777 == 0o700
    content = b"".join(path.read_bytes() for path in folder.iterdir())
    for value in (b"ann@example.com", b"+6591234567", b"Acme"):
        assert value not in content


def test_writing_reads_the_people_of_a_file_and_walks_over_nothing(handing: Handing):
    handing.write()
    engine = handing.ours.engine
    with engine.database.read() as c:
        evidence = engine.log.evidence(c)
        opening = handover.Opening(engine.vault, engine.custody.custodian)
        gone: list[Any] = []
        plans = plans_of(c, lambda: gone.extend(archived(c, "newco", None, evidence.size)))
        ids = [each for each, _ in gone]
        if engine.database.is_sqlite:
            plans += plans_of(c, lambda: list(handover.people(c, evidence, ids, "newco", opening, None)))
            assert_walks_over_no(plans, "event_header", "event_position", "event_body", "log_entry", "transfer_person")
        assert len(list(handover.people(c, evidence, ids, "newco", opening, None))) == len(ids) > 0


@pytest.fixture
def theirs(tmp_path: Path, founded_file: InAFile) -> Iterator[Store]:
    with successor(tmp_path / "newco", founded_file) as made:
        yield made


def test_an_archive_of_the_first_version_is_taken_over(theirs: Store):
    theirs.engine.move_clock(datetime.fromisoformat(DAY))
    key = read_private((GOLDEN / "key.pem").read_bytes())
    log_keys = [VerifyingKey.parse(line) for line in (GOLDEN / "log.vkey").read_text().split()]
    taken = take_over(theirs.engine, GOLDEN / "archive.zip", key, log_keys)
    assert (taken.received, taken.refused, taken.trustees) == (1, {}, {"udesk": "engaged"})
    assert value_in_clear(theirs.engine, ANN)["name"] == "Anne"
