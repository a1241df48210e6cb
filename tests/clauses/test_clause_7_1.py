"""7.1: an access package for whoever has proven who they are, once, in time, and with nobody else's data in it."""

from __future__ import annotations

import errno
import json
import os
import zipfile
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from clauses.partners import DAY_1, DAY_2, DAY_9, data_of, decided_again, disclosing, done
from whole.stores import ANN, BEN, TRIAL, Store

from lifecycle import verify_receipt
from lifecycle.domain.subject.refusals import NotPermitted
from lifecycle.engine.answers import NotRead
from lifecycle.engine.packaging import NoFolder, Token, UnknownLanguage
from lifecycle.errors import StoreUnavailable

OFFICER = {"id": "dpo", "role": "officer"}
RECEIPT_FILES = ("1.json", "log.vkey", "receipt.vkey")
BENS = {"name": "Ben Zimmermann", "company": "Zebra Ltd", "phone": "+6598765432", "email": "ben@example.com"}


def begun(store: Store, subject: dict[str, str] = ANN, data: Any = None) -> Store:
    done(store.do("give-consent", DAY_1, subject=subject, purposes=["free-trial"], notice="1.0", channel="web-form"))
    done(store.collect(at=DAY_1, subject=subject, data=data))
    return store


def asked(store: Store, kind: str = "access", at: str = DAY_2, **fields: Any) -> str:
    received = done(store.do("receive-request", at, subject=ANN, kind=kind, channel="email", **fields))
    assert received.request is not None
    return received.request.id


def proven(store: Store, kind: str = "access", **fields: Any) -> str:
    request = asked(store, kind, **fields)
    done(store.do("verify-requester", subject=ANN, request=request, evidence="passport"))
    return request


def issued(store: Store, request: str) -> Token:
    return store.engine.issue_package_token(ANN, request, OFFICER)


def made(store: Store, request: str, token: str, out: Path, **how: Any) -> dict[str, bytes]:
    store.engine.access_package(ANN, request, token, out, **how)
    with zipfile.ZipFile(out) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def package(store: Store, out: Path, **how: Any) -> dict[str, Any]:
    request = proven(store)
    told: dict[str, Any] = json.loads(made(store, request, issued(store, request).text, out, **how)["package.json"])
    return told


def refusal(store: Store, request: str, token: str, out: Path) -> str:
    with pytest.raises(NotRead) as refused:
        store.engine.access_package(ANN, request, token, out)
    assert refused.value.clause == "7.1"
    assert refused.value.remedy
    assert not out.exists()
    assert list(out.parent.glob(f".{out.name}*")) == []
    trail = store.engine.read.audit_trail(ANN)
    assert ("make-access-package", refused.value.code) in {(row["command"], row["code"]) for row in trail}
    return refused.value.code


@pytest.mark.parametrize("kind", ["access", "copy"])
def test_clause_7_1_a_package_tells_what_is_held_why_from_where_how_long_and_what_was_done(
    store: Store, tmp_path: Path, kind: str
):
    begun(store)
    request = proven(store, kind, text="what do you know about me?")
    token = issued(store, request)
    out = tmp_path / "package.zip"
    files = made(store, request, token.text, out)
    told = json.loads(files["package.json"])
    assert {one["category"]["id"]: one["value"] for one in told["holdings"]} == TRIAL
    email = next(one for one in told["holdings"] if one["category"]["id"] == "email")
    (ground,) = email["grounds"]
    assert (ground["purpose"]["id"], ground["basis"]["id"], email["source"]) == ("free-trial", "consent", "web-form")
    assert ground["basis"]["articles"]
    assert email["earliest_deletion"] == ground["until"] == "2026-08-01T16:00:00Z"
    assert [(one["purpose"]["id"], one["status"]) for one in told["consents"]] == [("free-trial", "given")]
    assert [one["words"] for one in told["requests"]] == [[{"text": "what do you know about me?"}]]
    assert [act["kind"] for act in told["history"]][:4] == [
        "subject-registered/1",
        "identifier-linked/1",
        "consent-given/1",
        "personal-data-collected/1",
    ]
    assert told["controller"]["contacts"]
    assert out.stat().st_mode & 0o777 == 0o600
    said = data_of(store, "access-package-made")
    assert said["digest"] == sha256(out.read_bytes()).hexdigest()
    assert sorted(said["holdings"]) == sorted(one["holding"] for one in told["holdings"])
    assert decided_again(store) == set()


def test_clause_7_1_a_request_by_somebody_who_did_not_prove_identity_is_given_no_token(store: Store, tmp_path: Path):
    begun(store)
    request = asked(store)
    with pytest.raises(NotRead) as refused:
        issued(store, request)
    assert (refused.value.code, refused.value.clause) == ("not-verified", "7.1")
    assert refusal(store, request, "guessed", tmp_path / "p.zip") == "not-verified"


def test_clause_7_1_a_package_link_expires(store: Store, tmp_path: Path):
    begun(store)
    request = proven(store)
    token = issued(store, request)
    store.engine.advance_clock(token.expires)
    assert refusal(store, request, token.text, tmp_path / "p.zip") == "token-expired"
    fresh = issued(store, request)
    assert made(store, request, fresh.text, tmp_path / "p.zip")


def test_clause_7_1_a_token_opens_one_package_and_a_newer_one_replaces_it(store: Store, tmp_path: Path):
    begun(store)
    request = proven(store)
    first, second = issued(store, request), issued(store, request)
    assert refusal(store, request, first.text, tmp_path / "p.zip") == "token-expired"
    made(store, request, second.text, tmp_path / "p.zip")
    assert refusal(store, request, second.text, tmp_path / "again.zip") == "token-used"
    assert refusal(store, request, "forged", tmp_path / "again.zip") == "token-wrong"
    assert second.text not in repr(second)
    assert second.text not in str(store.engine.read.history(ANN))


def test_clause_7_1_a_token_is_good_for_its_own_request_and_its_own_person(store: Store, tmp_path: Path):
    begun(store)
    begun(store, BEN, BENS)
    request = proven(store)
    other = proven(store, "copy", at=DAY_9)
    token = issued(store, request)
    assert refusal(store, other, token.text, tmp_path / "p.zip") == "token-wrong"
    with pytest.raises(NotRead) as refused:
        store.engine.access_package(BEN, request, token.text, tmp_path / "p.zip")
    assert refused.value.code == "unknown-request"


def test_clause_7_1_only_a_request_for_access_that_is_open_is_given_a_token_and_only_by_who_may(store: Store):
    begun(store)
    deletion = proven(store, "deletion")
    with pytest.raises(NotRead) as refused:
        issued(store, deletion)
    assert refused.value.code == "not-for-access"
    request = proven(store, at=DAY_9)
    with pytest.raises(NotRead) as refused:
        store.engine.issue_package_token(ANN, request, {"id": "a", "role": "auditor"})
    assert refused.value.code == NotPermitted.code
    done(store.do("withdraw-request", subject=ANN, request=request, reason="found it"))
    with pytest.raises(NotRead) as refused:
        issued(store, request)
    assert refused.value.code == "request-closed"


def test_clause_7_1_the_package_may_be_fetched_after_the_request_was_answered_with_it(store: Store, tmp_path: Path):
    begun(store)
    request = proven(store)
    token = issued(store, request)
    done(store.do("fulfil-request", subject=ANN, request=request, note="link sent"))
    assert made(store, request, token.text, tmp_path / "p.zip")


def test_clause_7_1_a_package_that_would_show_another_persons_data_is_never_made(store: Store, tmp_path: Path):
    begun(store)
    begun(store, BEN, BENS)
    done(
        store.do(
            "receive-request",
            DAY_2,
            subject=ANN,
            kind="complaint",
            channel="email",
            text="too slow",
            on_behalf={"relation": "agent", "name": "Carl Quint", "evidence": "deed of Quint", "reference": BEN},
            actor={"id": "clerk Dora Ypsilon", "role": "service"},
        )
    )
    request = proven(store)
    files = made(store, request, issued(store, request).text, tmp_path / "p.zip")
    for content in files.values():
        for word in (*BENS.values(), "Carl Quint", "deed of Quint", "Dora", "Ypsilon", "clerk"):
            assert word.encode() not in content
    assert b"too slow" in files["package.json"]
    assert set(files) == {"package.json", "package.html", *(f"receipts/{name}" for name in RECEIPT_FILES)}


def verified(files: dict[str, bytes], folder: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What the receipts in the package say, checked with nothing but the package and `verify_receipt.py`."""
    told = []
    for name in sorted(name for name in files if name.startswith("receipts/")):
        (folder / name.partition("/")[2]).write_bytes(files[name])
    for path in sorted(folder.glob("*.json")):
        keys = ["--key", str(folder / "log.vkey"), "--receipt-key", str(folder / "receipt.vkey")]
        capsys.readouterr()
        assert verify_receipt.main([str(path), *keys, "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out)["record"])
    return told


def test_clause_7_1_the_receipts_of_consents_are_in_the_package_and_are_checked_with_it_alone(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    begun(store)
    done(store.do("withdraw-consent", DAY_2, subject=ANN, purposes=["free-trial"], channel="email"))
    done(store.do("give-consent", subject=ANN, purposes=["quotation"], notice="1.0", channel="web-form"))
    done(store.collect("quotation", data={"company": "Acme"}, at=DAY_2))
    request = proven(store)
    files = made(store, request, issued(store, request).text, tmp_path / "p.zip")
    records = verified(files, tmp_path, capsys)
    told = json.loads(files["package.json"])["receipts"]
    assert [one["file"] for one in told] == [f"receipts/{n + 1}.json" for n in range(len(records))]
    assert [(one["kind"], one["purposes"]) for one in told] == [
        ("consent-given/1", ["free-trial"]),
        ("consent-withdrawn/1", ["free-trial"]),
        ("consent-given/1", ["quotation"]),
    ]
    assert [one["event_state"] for one in records] == [
        "dpv:ConsentGiven",
        "dpv:ConsentWithdrawn",
        "dpv:ConsentGiven",
    ]


def test_clause_7_1_beside_a_gag_the_receipts_are_those_that_would_be_there_without_it(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The disclosure lies between two consents: nothing in the package may count it."""
    begun(store)
    done(disclosing(store, ["email"], gag_until="2024-08-20T10:00:00+08:00"))
    done(store.do("give-consent", DAY_2, subject=ANN, purposes=["quotation"], notice="1.0", channel="web-form"))
    request = proven(store, at=DAY_9)
    files = made(store, request, issued(store, request).text, tmp_path / "p.zip")
    assert [one["event_state"] for one in verified(files, tmp_path, capsys)] == ["dpv:ConsentGiven"] * 2
    versions = {row["kind"]: row["version"] for row in store.engine.read.history(ANN)}
    given = [row["version"] for row in store.engine.read.history(ANN) if row["kind"] == "consent-given/1"]
    assert given[0] < versions["personal-data-disclosed/1"] < given[1]
    for name in ("receipts/1.json", "receipts/2.json"):
        receipt = json.loads(files[name])
        assert receipt.keys() == {"format", "receipt", "signature", "entry", "proof"}  # no header: no number, no `prev`
    assert [act["number"] for act in json.loads(files["package.json"])["history"]] == list(range(1, 9))


def test_clause_7_1_a_package_can_be_made_before_the_log_has_the_consent(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    begun(store)
    request = proven(store)
    store.engine.log.keys.path.rename(tmp_path / "elsewhere")  # the key of the log is another process's
    files = made(store, request, issued(store, request).text, tmp_path / "p.zip")
    told = json.loads(files["package.json"])
    assert [(one["kind"], one["file"]) for one in told["receipts"]] == [("consent-given/1", None)]
    assert set(files) == {"package.json", "package.html"}
    assert "Not in the public log yet" in files["package.html"].decode()


def test_clause_7_1_a_package_says_how_the_person_is_recognised_and_who_has_seen_what_in_which_role(
    store: Store, tmp_path: Path
):
    begun(store)
    begun(store, BEN, BENS)
    done(store.do("link-identifier", DAY_2, subject=ANN, identifier={"phone": "+6591234567"}))
    done(store.do("link-identifier", subject=ANN, identifier={"ref": "user-42"}))
    done(store.do("unlink-identifier", subject=ANN, identifier={"ref": "user-42"}))
    seller = {"id": "Dora Ypsilon", "role": "service"}
    store.engine.read_clear(ANN, "free-trial", seller)
    store.engine.read_clear(BEN, "free-trial", seller)
    assert store.do("share", subject=ANN, trustee="nobody", purpose="free-trial", categories=["email"], method="api")
    request = proven(store, at=DAY_9)
    files = made(store, request, issued(store, request).text, tmp_path / "p.zip")
    told = json.loads(files["package.json"])
    recognised = [(one["type"], one["value"], bool(one["since"])) for one in told["identifiers"]]
    assert sorted(recognised) == [("email", "ann@example.com", True), ("phone", "+6591234567", True)]
    (read,) = told["reads"]
    assert (read["role"], read["purpose"]["id"], read["at"][:10]) == ("service", "free-trial", "2024-08-02")
    assert read["categories"] == sorted(TRIAL)
    for content in files.values():
        for word in ("Ypsilon", "user-42", BEN["email"]):
            assert word.encode() not in content


def test_clause_7_1_the_opening_of_what_is_stored_only_is_told_once_nothing_has_to_be_kept_silent(
    store: Store, tmp_path: Path
):
    begun(store)
    done(store.do("place-hold", DAY_2, subject=ANN, hold="h", reason="suit", authority="court", categories=["name"]))
    gag = "2024-08-20T10:00:00+08:00"
    done(disclosing(store, ["email"], gag_until=gag))
    done(store.do("end-purpose", subject=ANN, purpose="free-trial", reason="fulfilled"))
    store.engine.open_custody(ANN, {"id": "Carl", "role": "custodian"}, reason="court", hold="h", categories=["name"])
    request = proven(store, at=DAY_9)
    during = json.loads(made(store, request, issued(store, request).text, tmp_path / "1.zip")["package.json"])
    assert during["reads"] == []
    store.engine.advance_clock(datetime.fromisoformat(gag))
    after = json.loads(made(store, request, issued(store, request).text, tmp_path / "2.zip")["package.json"])
    (opened,) = after["reads"]
    assert (opened["role"], opened["stored_only"], opened["because"]) == ("custodian", True, "legal-hold")
    assert opened["categories"] == ["name"]


def test_clause_7_1_a_disclosure_under_a_gag_is_told_nowhere_until_the_gag_has_ended(store: Store, tmp_path: Path):
    begun(store)
    gag = "2024-08-20T10:00:00+08:00"
    done(disclosing(store, ["email"], gag_until=gag))
    request = proven(store, at=DAY_9)
    before = made(store, request, issued(store, request).text, tmp_path / "before.zip")
    told = json.loads(before["package.json"])
    assert (told["disclosures"], told["recipients"]) == ([], [])
    assert not any("disclos" in act["kind"] for act in told["history"])
    assert [act["number"] for act in told["history"]] == list(range(1, len(told["history"]) + 1))
    for content in before.values():
        assert b"District Court" not in content
    store.engine.advance_clock(store.engine.clock.now().fromisoformat("2024-08-21T10:00:00+08:00"))
    after = json.loads(made(store, request, issued(store, request).text, tmp_path / "after.zip")["package.json"])
    assert [one["authority"] for one in after["disclosures"]] == ["District Court 4"]
    assert [(one["kind"], one["name"]) for one in after["recipients"]] == [("authority", "District Court 4")]


def test_clause_7_1_what_is_stored_only_is_listed_with_its_reason_and_without_its_value(store: Store, tmp_path: Path):
    begun(store)
    done(store.do("restrict", DAY_2, subject=ANN, categories=["phone"], reason="disputed"))
    told = package(store, tmp_path / "p.zip")
    phone = next(one for one in told["holdings"] if one["category"]["id"] == "phone")
    assert (phone["state"], phone["value"], phone["no_value"]) == ("restricted", None, "storage-only")
    assert phone["restriction"]["because"] == "asked"
    assert phone["holding"] not in data_of(store, "access-package-made")["holdings"]


def test_clause_7_1_what_the_person_disputes_is_opened_for_their_own_request_by_a_custodian_and_they_are_told(
    store: Store, tmp_path: Path
):
    begun(store)
    done(store.do("restrict", DAY_2, subject=ANN, categories=["phone"], reason="disputed"))
    custodian = {"id": "Carl Quint", "role": "custodian"}
    how: dict[str, Any] = {"reason": "she asked for it", "categories": ["phone"]}
    waiting = asked(store, request="T-7")
    with pytest.raises(NotRead) as refused:
        store.engine.open_custody(ANN, custodian, request=waiting, **how)
    assert refused.value.code == "custody-closed"
    done(store.do("verify-requester", subject=ANN, request=waiting, evidence="passport"))
    (row,) = store.engine.open_custody(ANN, custodian, request="T-7", **how)
    assert (row["category"], row["value"]) == ("phone", TRIAL["phone"])
    files = made(store, waiting, issued(store, waiting).text, tmp_path / "p.zip")
    (read,) = json.loads(files["package.json"])["reads"]
    assert (read["role"], read["because"], read["categories"]) == ("custodian", "asked", ["phone"])
    assert all(b"Quint" not in content for content in files.values())


def test_clause_7_1_what_was_erased_is_told_without_its_value(store: Store, tmp_path: Path):
    begun(store)
    done(store.do("place-hold", DAY_2, subject=ANN, hold="h", reason="suit", authority="court", categories=["name"]))
    done(store.do("withdraw-consent", DAY_2, subject=ANN, purposes=["free-trial"], channel="web-form"))
    told = package(store, tmp_path / "p.zip", language="zh")
    states = {one["category"]["id"]: (one["state"], one["value"], one["no_value"]) for one in told["holdings"]}
    assert states["email"] == ("erased", None, "erased")
    assert states["name"] == ("restricted", None, "storage-only")


def test_clause_7_1_the_page_is_in_the_persons_language_without_scripts_or_anything_from_outside(
    store: Store, tmp_path: Path
):
    begun(store, data=TRIAL | {"company": "<script>alert('x')</script>"})
    request = proven(store)
    pages = {
        language: made(store, request, issued(store, request).text, tmp_path / "p.zip", language=language)[
            "package.html"
        ].decode()
        for language in ("en", "zh")
    }
    assert "Your personal data" in pages["en"]
    assert "您的个人信息" in pages["zh"]
    assert 'lang="zh-Hans"' in pages["zh"]
    for page in pages.values():
        assert "@media print" in page
        assert "&lt;script&gt;alert" in page
        for outside in ("<script", "src=", "href=", "url(", "@import", "<link", "<img", "<iframe"):
            assert outside not in page


def test_clause_7_1_a_package_in_no_known_language_or_folder_costs_no_token(store: Store, tmp_path: Path):
    begun(store)
    request = proven(store)
    token = issued(store, request)
    with pytest.raises(UnknownLanguage):
        store.engine.access_package(ANN, request, token.text, tmp_path / "p.zip", language="../en")
    with pytest.raises(NoFolder):
        store.engine.access_package(ANN, request, token.text, tmp_path / "none" / "p.zip")
    assert made(store, request, token.text, tmp_path / "p.zip")


def test_clause_7_1_nothing_is_left_where_the_making_fails(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    begun(store)
    request = proven(store)
    token = issued(store, request)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises((OSError, StoreUnavailable), match="No space"):
        store.engine.access_package(ANN, request, token.text, tmp_path / "p.zip")
    assert list(tmp_path.glob("*p.zip*")) == []
    assert "access-package-made" not in store.kinds()
    monkeypatch.undo()
    assert made(store, request, token.text, tmp_path / "p.zip")


def test_clause_7_1_the_same_record_at_the_same_time_makes_the_same_file(store: Store, tmp_path: Path):
    from lifecycle.audit.package import package_of  # noqa: PLC0415
    from lifecycle.engine.packaging import archive  # noqa: PLC0415

    engine = begun(store).engine
    id = engine.read.subject_id(ANN)
    told = []
    for _ in range(2):
        with engine.database.read() as c:
            asked_for = {"request": "r", "language": "zh", "now": engine.clock.now(), "simulated": True}
            told.append(archive(package_of(c, engine.vault, engine.policies, id, **asked_for).package, "UTC"))
    assert told[0] == told[1]
