"""From a store to a stranger: bundles that the engine writes are checked by the verifier that runs alone."""

from __future__ import annotations

import json
import zipfile
from base64 import b64decode
from html import escape
from pathlib import Path
from typing import Any

import pytest
from judges import Go
from processes.dying import Crash, dies, is_well_again
from sqlalchemy import select
from whole.stores import ANN, BEN, Store

from lifecycle import verify
from lifecycle.engine.bundling import OrderNotPublished, sid_of_receipt, write_bundle
from lifecycle.errors import LifecycleError
from lifecycle.ledger.envelope import b64url
from lifecycle.ledger.note import read_note
from lifecycle.ledger.tlog_policy import TrustPolicy
from lifecycle.ledger.tlog_proof import TlogProof
from lifecycle.ledger.tree import leaf_hash
from lifecycle.storage.tables import stream_head

OK, INVALID, CONTRADICTION, STALE = 0, 3, 4, 5


@pytest.fixture
def store(store: Store) -> Store:
    store.consent()
    store.collect()
    store.collect(data={"ip-address": "192.0.2.1"})  # refused: on the second stream
    store.consent(subject=BEN)
    store.collect(subject=BEN, data={"name": "Ben"})
    return store


def written(store: Store, folder: Path, subject: dict[str, str] | None = None, **how: Any) -> Path:
    out = folder / "bundle.zip"
    who = {} if subject is None else {"subject_id": store.engine.read.subject_id(subject)}
    write_bundle(store.engine, out, **who, **how)
    return out


def sid_of(store: Store, subject: dict[str, str]) -> bytes:
    """Kept by the test, because an erased person cannot be looked up any more."""
    head = stream_head.c
    with store.engine.database.read() as c:
        person = store.engine.read.subject_id(subject)
        return bytes(c.execute(select(head.sid).where(head.stream_id == person)).scalar_one())


def verdict(store: Store, bundle: Path, capsys: Any, *more: str) -> tuple[int, dict[str, Any]]:
    key = store.engine.log.folder.folder / "log.vkey"
    code = verify.main([str(bundle), "--key", str(key), "--json", *more])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("disclosed", [False, True], ids=["sealed", "disclosed"])
def test_a_living_person_s_bundle_is_verified(store: Store, tmp_path: Path, capsys: Any, disclosed: bool):
    code, said = verdict(store, written(store, tmp_path, ANN, disclosed=disclosed), capsys)
    assert (code, said["verdict"], said["simulated"]) == (OK, "ok", True), said
    record, access = said["streams"]
    assert len(record["events"]) == len(store.kinds())
    assert len(access["events"]) == (2 if disclosed else 1)  # the refusal; and that values were disclosed


def test_a_disclosed_bundle_says_the_values_and_a_sealed_one_none(store: Store, tmp_path: Path):
    sealed = written(store, tmp_path, ANN)
    with zipfile.ZipFile(sealed) as archive:
        assert not any(b"Acme" in archive.read(name) for name in archive.namelist())
    with zipfile.ZipFile(written(store, tmp_path, ANN, disclosed=True)) as archive:
        page = archive.read("summary.html").decode()
    assert "Acme" in page
    assert "<script" not in page


def test_what_is_stored_only_is_shown_sealed_in_a_bundle_that_discloses_the_rest(
    store: Store, tmp_path: Path, capsys: Any
):
    store.do("restrict", subject=ANN, categories=["company"], reason="disputed")
    bundle = written(store, tmp_path, ANN, disclosed=True)
    code, said = verdict(store, bundle, capsys)
    assert code == OK, said
    assert "Values kept in storage only, 1: they are shown sealed, not in clear." in said["not_checked"]
    with zipfile.ZipFile(bundle) as archive:
        assert not any(b"Acme" in archive.read(name) for name in archive.namelist())


def test_an_erased_person_s_certificate_is_had_by_the_receipt_alone(store: Store, tmp_path: Path, capsys: Any):
    erased = store.do("erase", subject=ANN, ground="7.3c")
    assert erased.receipt is not None
    receipt = tmp_path / "receipt.json"
    receipt.write_text(json.dumps(erased.receipt))
    sid = sid_of_receipt(erased.receipt)
    code, said = verdict(store, written(store, tmp_path, sid=sid), capsys, "--receipt", str(receipt))
    assert code == OK, said
    assert said["streams"][0]["state"] == "erased"
    store.engine.rotate()
    certificate = written(store, tmp_path, sid=sid)
    code, said = verdict(store, certificate, capsys, "--receipt", str(receipt))
    assert code == OK, said
    with zipfile.ZipFile(certificate) as archive:
        assert b"epoch-destroyed/1" in archive.read("system.jsonl")
    other = written(store, tmp_path, BEN)
    code, said = verdict(store, other, capsys, "--receipt", str(receipt))
    assert code == INVALID, said


def test_holdings_that_were_erased_are_explained(store: Store, tmp_path: Path, capsys: Any):
    store.do("erase", subject=ANN, ground="7.3d", categories=["phone"])
    store.engine.rotate()
    code, said = verdict(store, written(store, tmp_path, ANN, disclosed=True), capsys)
    assert code == OK, said


@pytest.mark.parametrize(
    "order", [{"ground": "7.3c"}, {"ground": "7.3d", "categories": ["phone"]}], ids=["whole", "part"]
)
def test_a_bundle_of_any_moment_of_an_erasure_is_verified(
    store: Store, tmp_path: Path, capsys: Any, order: dict[str, Any]
):
    """Written when the values are gone and nothing says yet that the erasure is completed; and when only the newest
    checkpoint does not say so."""
    sid = sid_of(store, ANN)
    dies(store.engine.erasing, "complete", "before")
    with pytest.raises(Crash):
        store.do("erase", subject=ANN, **order)
    for disclosed in (False, True):
        code, said = verdict(store, written(store, tmp_path, sid=sid, disclosed=disclosed), capsys)
        assert code == OK, said
        assert [each for each in said["remarks"] if "is not completed: " in each], said
    is_well_again(store.engine.erasing, "complete")
    store.engine.erasing.resume(store.engine.clock.now())
    key = store.engine.log.keys.path
    key.rename(key.with_suffix(".elsewhere"))
    code, said = verdict(store, written(store, tmp_path, sid=sid), capsys)
    assert (code, len(said["remarks"])) == (OK, 1), said
    key.with_suffix(".elsewhere").rename(key)
    code, said = verdict(store, written(store, tmp_path, sid=sid), capsys)
    assert code == OK, said
    assert not [each for each in said["remarks"] if "is not completed" in each]


def test_no_bundle_is_written_whose_order_no_checkpoint_covers(store: Store, tmp_path: Path):
    """Values would be missing in it, and nothing would explain them."""
    sid = sid_of(store, ANN)
    store.engine.publish()
    key = store.engine.log.keys.path
    key.rename(key.with_suffix(".elsewhere"))
    store.do("erase", subject=ANN, ground="7.3d", categories=["phone"])
    with pytest.raises(OrderNotPublished, match="no checkpoint covers the order yet"):
        written(store, tmp_path, sid=sid)
    assert not (tmp_path / "bundle.zip").exists()
    key.with_suffix(".elsewhere").rename(key)
    written(store, tmp_path, sid=sid)


def test_that_nothing_is_held_under_a_pseudonym_is_proved(store: Store, tmp_path: Path, capsys: Any):
    for number in range(8):
        nobody = bytes([number * 32]) * 32
        code, said = verdict(store, written(store, tmp_path, sid=nobody), capsys, "--subject", b64url(nobody))
        assert code == OK, said
        assert said["streams"][0]["present"] is False


def test_a_later_bundle_continues_what_the_verifier_saw_before(store: Store, tmp_path: Path, capsys: Any):
    before = tmp_path / "before"
    before.write_bytes(store.engine.publish().note)
    size = store.engine.publish().size
    store.collect("free-trial", data={"name": "Ann Other"})
    bundle = written(store, tmp_path, ANN, previous=(size,))
    code, said = verdict(store, bundle, capsys, "--previous", str(before))
    assert code == OK, said
    assert read_note(before.read_bytes()).text.splitlines()[1] == str(size)


def test_a_mirror_makes_it_level_three(store: Store, tmp_path: Path, capsys: Any):
    bundle = written(store, tmp_path, ANN)
    code, said = verdict(store, bundle, capsys, "--mirror", str(store.engine.log.folder.folder))
    assert (code, said["level"]) == (OK, "L3"), said


def test_the_same_evidence_makes_the_same_files(store: Store, tmp_path: Path):
    first = written(store, tmp_path, ANN).read_bytes()
    assert written(store, tmp_path, ANN).read_bytes() == first


def test_exploded_proofs_are_one_an_event_and_go_takes_each_alone(store: Store, tmp_path: Path, go: Go):
    written(store, tmp_path, ANN, explode=True)
    folder = tmp_path / "bundle.proofs"
    assert len(list(folder.iterdir())) == 2 * (len(store.kinds()) + 1)
    vkey = (store.engine.log.folder.folder / "log.vkey").read_text().split()[0]
    trusted = TrustPolicy.parse(f"log {vkey}\nquorum none\n".encode())
    entries = [path.read_bytes() for path in sorted(folder.glob("*.entry"))]
    proofs = [TlogProof.parse(path.read_bytes()) for path in sorted(folder.glob("*.tlog-proof"))]
    for entry, proof in zip(entries, proofs, strict=True):
        proof.verify(leaf_hash(entry), trusted)
        _, size, root = read_note(proof.checkpoint).text.splitlines()
        place = {"Size": int(size), "Index": proof.index, "Root": b64decode(root)}
        assert go.agrees("inclusion", Proof=proof.path, Leaf=leaf_hash(entry), **place)
    with pytest.raises(LifecycleError):
        proofs[0].verify(leaf_hash(entries[1]), trusted)


def test_the_page_says_who_what_when_why_and_what_was_erased_and_runs_nothing(store: Store, tmp_path: Path):
    hostile = "<script>alert(1)</script><img src=x onerror=y>"
    store.collect(data={"name": hostile})
    store.do("erase", subject=ANN, ground="7.3d", categories=["phone"])
    with zipfile.ZipFile(written(store, tmp_path, ANN, disclosed=True)) as archive:
        page = archive.read("summary.html").decode()
    assert b64url(sid_of(store, ANN)) in page
    rows = [row for row in page.split("<tr>") if "free-trial" in row]
    phone = next(row for row in rows if row.startswith("<td>phone"))
    assert "erased" in phone
    assert "not here any more" in phone
    company = next(row for row in rows if row.startswith("<td>company"))
    assert "Acme" in company
    assert "consent" in company
    assert str(store.engine.clock.now().year) in company
    assert escape(hostile) in page
    for outside in ("<script", "<img", "href=", "<link", "<iframe", "@import", "url("):
        assert outside not in page
    assert "default-src 'none'" in page
