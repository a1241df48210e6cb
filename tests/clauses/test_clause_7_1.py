"""7.1: an access package for whoever has proven who they are, once, in time, and with nobody else's data in it."""

from __future__ import annotations

import json
import os
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from clauses.partners import DAY_1, DAY_2, DAY_9, data_of, decided_again, disclosing, done
from whole.stores import ANN, BEN, TRIAL, Store

from lifecycle.domain.subject.refusals import NotPermitted
from lifecycle.engine.answers import NotRead
from lifecycle.engine.packaging import NoFolder, Token, UnknownLanguage

OFFICER = {"id": "dpo", "role": "officer"}
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
    assert set(files) == {"package.json", "package.html"}


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
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
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
