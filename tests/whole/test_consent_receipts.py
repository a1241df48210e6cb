"""A consent receipt is checked with public keys alone, by our file and by others' tools, also after the erasure."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pyld import jsonld
from whole.stores import ANN, TRIAL, Store

from lifecycle import verify_receipt
from lifecycle.cli.main import answer
from lifecycle.engine.receipts import NoConsentEvent, NotToldYet, newest_about

AT = "2024-08-01T10:00:00+08:00"
SOURCE = Path(verify_receipt.__file__).parent
VOCABULARY = Path(__file__).parents[2] / "docs" / "vocabulary" / "pipl.jsonld"
GOLDEN = Path(__file__).parents[1] / "golden" / "consent-receipt-v1"
DPV = "https://w3id.org/dpv#"


@pytest.fixture
def receipts(store: Store, tmp_path: Path) -> Receipts:
    return Receipts(store, tmp_path)


class Receipts:
    """Ann consented, and took it back for one of two purposes."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder
        given = {"purposes": ["free-trial", "quotation"], "notice": "1.0", "channel": "web-form"}
        assert store.do("give-consent", AT, subject=ANN, **given).outcome == "done"
        assert store.collect(at=AT).outcome == "done"
        ended = {"purposes": ["quotation"], "channel": "email"}
        assert store.do("withdraw-consent", AT, subject=ANN, **ended).outcome == "done"

    def of(self, purpose: str | None, *, opened: bool = True) -> dict[str, Any]:
        engine = self.store.engine
        version = newest_about(engine, ANN, purpose)
        told: dict[str, Any] = json.loads(engine.consent_receipt(ANN, version, opened=opened))
        return told

    def keys(self) -> list[str]:
        folder = self.store.engine.log.folder.folder
        return ["--key", str(folder / "log.vkey"), "--receipt-key", str(folder / "receipt.vkey")]

    def verdict(self, receipt: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
        path = self.folder / "receipt.json"
        path.write_text(json.dumps(receipt), "utf-8")
        capsys.readouterr()
        code = verify_receipt.main([str(path), *self.keys(), "--json"])
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        return code, told


def test_a_receipt_says_what_was_agreed_to_and_is_good(receipts: Receipts, capsys: pytest.CaptureFixture[str]):
    given, withdrawn = receipts.of("free-trial"), receipts.of("quotation")
    code, told = receipts.verdict(given, capsys)
    assert (code, told["verdict"]) == (0, "ok")
    record = told["record"]
    assert (record["event_state"], record["privacy_notice"]) == ("dpv:ConsentGiven", "1.0")
    trial = next(each for each in record["processing"] if each["purpose"] == "free-trial")
    assert trial["pii_type"] == sorted(TRIAL)
    assert trial["retention_period"] == "P24M"
    assert "pipl:consent" in record["lawful_basis"]
    code, told = receipts.verdict(withdrawn, capsys)
    assert (code, told["record"]["event_state"]) == (0, "dpv:ConsentWithdrawn")
    assert [each["purpose"] for each in told["record"]["processing"]] == ["quotation"]


def test_a_receipt_has_no_personal_value_and_stays_good_after_the_erasure(
    receipts: Receipts, capsys: pytest.CaptureFixture[str]
):
    given = receipts.of("free-trial")
    erased = receipts.store.do("erase", subject=ANN, ground="7.3d")
    assert erased.receipt is not None
    receipts.store.engine.publish()
    assert receipts.verdict(given, capsys)[0] == 0
    assert given["receipt"]["record"]["pii_principal_id"] == f"urn:lifecycle:sid:{erased.receipt['sid']}"
    for value in (*TRIAL.values(), str(erased.subject)):
        assert f'"{value}"' not in json.dumps(given)
        assert value == "Ann" or value not in json.dumps(given)


def test_a_closed_receipt_is_good_and_tells_neither_the_number_of_its_event_nor_what_came_before(
    receipts: Receipts, capsys: pytest.CaptureFixture[str]
):
    opened, closed = receipts.of("free-trial"), receipts.of("free-trial", opened=False)
    code, told = receipts.verdict(closed, capsys)
    assert (code, told["verdict"], told["opened"]) == (0, "ok", False)
    assert told["record"] == opened["receipt"]["record"]
    header = json.loads(opened["header"])
    assert closed.keys() == opened.keys() - {"header", "salt"}
    assert header["prev"] not in json.dumps(closed)
    assert "n" not in _all_keys(closed)
    assert receipts.verdict(opened, capsys)[1]["opened"] is True


def _all_keys(said: Any) -> set[str]:
    if isinstance(said, list):
        return set().union(*map(_all_keys, said))
    return set(said).union(*map(_all_keys, said.values())) if isinstance(said, dict) else set()


def test_a_closed_receipt_in_which_anything_was_changed_is_invalid(
    receipts: Receipts, capsys: pytest.CaptureFixture[str]
):
    closed = receipts.of("free-trial", opened=False)
    for what, changed in _changes(closed):
        code, told = receipts.verdict(changed, capsys)
        assert (code, told["verdict"]) == (3, "invalid"), what
    other = receipts.of("quotation", opened=False)
    for what in ("entry", "proof", "receipt", "signature"):
        assert receipts.verdict(closed | {what: other[what]}, capsys)[0] == 3, what


def test_no_receipt_is_opened_while_something_may_not_be_told_and_the_closed_one_looks_as_ever(receipts: Receipts):
    before = receipts.of("quotation", opened=False)
    said = {"authority": "District Court 4", "approved_by": "counsel", "categories": ["email"]}
    instrument = {"kind": "warrant", "reference": "DC/2024/17", "issued_on": "2024-08-01"}
    gag = "2024-08-20T10:00:00+08:00"
    store = receipts.store
    outcome = store.do(
        "disclose", "2024-08-02T10:00:00+08:00", subject=ANN, instrument=instrument, gag_until=gag, **said
    )
    assert outcome.outcome == "done"
    with pytest.raises(NotToldYet):
        receipts.of("quotation")
    during = receipts.of("quotation", opened=False)
    assert (during.keys(), during["receipt"]["record"]) == (before.keys(), before["receipt"]["record"])
    store.engine.advance_clock(datetime.fromisoformat(gag))
    assert receipts.of("quotation")["header"]


def _changes(receipt: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for what in ("event_state", "event_time", "privacy_notice", "pii_principal_id", "record_id", "consent_method"):
        changed = deepcopy(receipt)
        changed["receipt"]["record"][what] = "other"
        yield what, changed
    for what in {"header", "salt", "entry", "proof", "signature"} & receipt.keys():
        for place in (5, len(receipt[what]) // 2, len(receipt[what]) - 3):
            changed = deepcopy(receipt)
            text = changed[what]
            changed[what] = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
            yield what, changed
    for what in receipt:
        yield what, {name: value for name, value in receipt.items() if name != what}


def test_a_receipt_in_which_anything_was_changed_is_invalid(receipts: Receipts, capsys: pytest.CaptureFixture[str]):
    for what, changed in _changes(receipts.of("free-trial")):
        code, told = receipts.verdict(changed, capsys)
        assert (code, told["verdict"]) == (3, "invalid"), what


def test_a_lie_that_is_signed_is_found_by_the_log(receipts: Receipts, capsys: pytest.CaptureFixture[str]):
    """The controller itself says another thing than its log: whoever has the key for receipts cannot rewrite history."""
    from lifecycle.ledger.envelope import canonical  # noqa: PLC0415
    from lifecycle.ledger.receipt_key import receipt_key  # noqa: PLC0415

    engine = receipts.store.engine
    key = receipt_key(engine.keys, engine.log.origin)
    for what, lie in (
        ("event_time", "2020-01-01T00:00:00Z"),
        ("event_state", "dpv:ConsentRefused"),
        ("processing", []),
    ):
        told = receipts.of("quotation")
        told["receipt"]["record"][what] = lie
        told["signature"] = key.signature(canonical(told["receipt"]) + b"\n").line()
        code, verdict = receipts.verdict(told, capsys)
        assert (code, verdict["step"]) == (3, "R5"), what


def test_other_tools_read_the_json_ld_without_a_network_and_check_the_signature(receipts: Receipts):
    told = receipts.of("free-trial")
    (expanded,) = jsonld.expand(told["receipt"], {"documentLoader": _no_network})
    assert expanded["@type"] == [f"{DPV}ConsentReceipt"]
    (record,) = expanded[f"{DPV}hasRecordOfActivity"]
    assert record[f"{DPV}hasConsentStatus"] == [{"@id": f"{DPV}ConsentGiven"}]
    bases = {each["@id"] for each in record[f"{DPV}hasLegalBasis"]}
    assert f"{DPV}Consent" in bases
    vocabulary = jsonld.expand(json.loads(VOCABULARY.read_text("utf-8")), {"documentLoader": _no_network})
    assert bases - {f"{DPV}Consent"} <= {each["@id"] for each in vocabulary}
    assert set(_keys_of(told["receipt"])) <= {
        *told["receipt"]["@context"],
        "@context",
        "@type",
    }  # no term that the context does not know
    *_, line = told["signature"].strip().rpartition(" ")
    vkey = (receipts.store.engine.log.folder.folder / "receipt.vkey").read_text().strip()
    public = Ed25519PublicKey.from_public_bytes(b64decode(vkey.split("+", 2)[2])[1:])
    public.verify(b64decode(line)[4:], rfc8785.dumps(told["receipt"]) + b"\n")


def _keys_of(said: Any) -> Iterator[str]:
    for key, value in said.items():
        yield key
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict) and key != "@context":
                yield from _keys_of(each)


def _no_network(url: str, _: Any) -> Any:
    raise AssertionError(f"{url} was asked for")


def test_the_check_runs_alone_and_from_the_command_line(receipts: Receipts, tmp_path: Path):
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("verify.py", "verify_receipt.py"):
        shutil.copy(SOURCE / name, alone)
    path = tmp_path / "r.json"
    path.write_text(json.dumps(receipts.of("free-trial")), "utf-8")
    blocked = f"import sys, runpy; sys.modules['lifecycle'] = None; sys.path.insert(0, {str(alone)!r}); "
    run = f"sys.argv = ['verify_receipt', {str(path)!r}, *{receipts.keys()!r}]; "
    code = f"{blocked}{run}runpy.run_path({str(alone / 'verify_receipt.py')!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=alone)
    assert (done.returncode, done.stdout[:23]) == (0, "GOOD: ConsentGiven at 2")
    assert answer(["verify", "--consent", str(path), *receipts.keys()]) == 0
    assert answer(["verify", "--consent", str(path), *receipts.keys()[:2]]) == 2


def test_the_golden_receipt_is_good_for_ever(capsys: pytest.CaptureFixture[str]):
    keys = ["--key", str(GOLDEN / "log.vkey"), "--receipt-key", str(GOLDEN / "receipt.vkey")]
    assert verify_receipt.main([str(GOLDEN / "receipt.json"), *keys]) == 0
    assert capsys.readouterr().out.startswith("GOOD: ConsentGiven at 2024-08-01T02:00:00Z for free-trial, quotation;")
    assert verify_receipt.main([str(GOLDEN / "closed.json"), *keys]) == 0
    assert "It is closed" in capsys.readouterr().out
    swapped = ["--key", keys[3], "--receipt-key", keys[1]]
    assert verify_receipt.main([str(GOLDEN / "receipt.json"), *swapped]) == 3  # the log's key signs no receipts


def test_only_events_about_consent_have_a_receipt(receipts: Receipts):
    engine = receipts.store.engine
    for version in (1, 99):
        with pytest.raises(NoConsentEvent):
            engine.consent_receipt(ANN, version)
    with pytest.raises(NoConsentEvent):
        newest_about(engine, ANN, "customer-service")
