"""request …: received, listed with the days that are left, verified, extended, answered; never a word of what was asked."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from cli.doors import Door

BOB = "bob.canary@example.com"
SUBJECT = ("--subject", f"email={BOB}")
NEW_YEAR = "2026-02-09T10:00:00+08:00"


def received(door: Door, *more: str, kind: str = "access") -> str:
    said = ("--kind", kind, "--channel", "phone", "--text", "where are my Canary files?")
    answer = door("request", "receive", *SUBJECT, *said, *more, "--now", NEW_YEAR, "--json").json
    assert answer["outcome"] == "done"
    id: str = answer["request"]["id"]
    return id


def test_a_request_from_its_receipt_to_its_answer(door: Door):
    id = received(door)
    (row,) = door("request", "list", "--open", "--json").json
    assert (row["id"], row["kind"], row["state"], row["due"]) == (id, "access", "awaiting-identity", None)
    assert "not-verified" in door("request", "fulfil", id, code=1).out
    door("request", "verify", id, "--evidence", "passport")
    (row,) = door("request", "list", "--open", "--json").json
    assert (row["due_on"], row["days_left"], row["provisional"], row["overdue"]) == ("2026-03-04", 15, False, False)
    extended = door("request", "extend", id, "--until", "2026-03-20", "--reason", "three systems").out
    assert "Last day: 2026-03-20" in extended
    assert "extended" in door("request", "show", id).out
    assert door("request", "show", id, "--json").json["extended"]
    assert "package-missing" in door("request", "fulfil", id, "--note", "sent", code=1).out
    door("request", "fulfil", id, "--otherwise", "a copy was sent by letter")
    assert door("request", "list", "--open").out == "Requests: none\n"
    assert [row["state"] for row in door("request", "list", *SUBJECT, "--json").json] == ["fulfilled"]


def test_an_id_that_begins_as_options_do_is_an_id(door: Door):
    received(door, "--name", "-T-1")
    door("request", "pause", "-T-1", *SUBJECT, "--reason", "who is it?")
    assert "No such request" in door("request", "show", "-CKJ0-25iVv8aYzrdh4qaQ", code=1).err


def test_somebody_erased_is_found_and_recognised_by_the_receipt(door: Door, tmp_path: Path):
    common = {"actor": {"id": "web", "role": "service"}, "subject": {"email": BOB}}
    given = {"command": "give-consent", "id": "c", "purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"}
    erased = {"command": "erase", "id": "e", "ground": "7.3e"}
    both = "\n".join(json.dumps(each | common) for each in (given, erased))
    done = door("apply", "-", "--now", NEW_YEAR, stdin=both).lines[-1]
    receipt = tmp_path / "receipt.json"
    receipt.write_text(json.dumps(done["receipt"]))
    how = ("--kind", "access", "--channel", "phone")
    asked = door("request", "receive", "--receipt", str(receipt), *how, "--json").json
    id = asked["request"]["id"]
    assert "receipt-missing" in door("request", "verify", id, "--evidence", "passport", code=1).out
    door("request", "verify", id, "--receipt", str(receipt))
    assert door("request", "show", id, "--json").json["state"] == "verified"
    assert "whose request" in door("request", "receive", *how, code=1).err
    receipt.write_text('{"sid": "x"}')
    assert "not an erasure receipt" in door("request", "verify", id, "--receipt", str(receipt), code=1).err


def test_a_token_opens_a_package_once(door: Door, tmp_path: Path):
    id = received(door)
    out = tmp_path / "package.zip"
    assert "not proven" in door("request", "token", id, code=1).err
    door("request", "verify", id, "--evidence", "passport")
    assert "until" in door("request", "token", id).out
    issued = door("request", "token", id, "--json").json
    assert issued["request"] == id
    fetch = ("subject", "package", *SUBJECT, "--request", id, "--token", issued["token"], "--out", str(out))
    made = door(*fetch, "--language", "zh", "--json").json
    assert made["sha256"] == sha256(out.read_bytes()).hexdigest()
    again = door(*fetch, code=1).err
    assert "has been used" in again
    assert issued["token"] not in again


def test_a_consent_receipt_is_written_and_checked(door: Door, tmp_path: Path):
    given = {
        "command": "give-consent",
        "id": "c-1",
        "actor": {"id": "web", "role": "service"},
        "subject": {"email": BOB},
    }
    said = {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"}
    door("apply", "-", "--now", NEW_YEAR, stdin=json.dumps(given | said))
    out = tmp_path / "receipt.json"
    written = door("subject", "receipt", *SUBJECT, "--purpose", "free-trial", "--out", str(out), "--json").json
    assert written["path"] == str(out)
    assert out.stat().st_mode & 0o777 == 0o600
    assert BOB not in out.read_text()
    (log,) = tmp_path.rglob("log.vkey")
    keys = ("--key", str(log), "--receipt-key", str(log.with_name("receipt.vkey")))
    assert door("verify", "--consent", str(out), *keys).out.startswith("GOOD: ConsentGiven")
    assert door("verify", "--consent", str(out), *keys, "--json").json["verdict"] == "ok"
    out.write_text(out.read_text().replace("free-trial", "other-trial"))
    assert "INVALID R2" in door("verify", "--consent", str(out), *keys, code=3).out
    refused = door("subject", "receipt", *SUBJECT, "--purpose", "quotation", "--out", str(tmp_path / "none"), code=1)
    assert "about no consent" in refused.err


def test_the_other_acts(door: Door):
    first = received(door, "--name", "T-1", kind="enquiry")
    assert "answered together" in door(
        "request", "receive", *SUBJECT, "--kind", "enquiry", "--channel", "email"
    ).out  # fmt: skip
    assert "pause-not-allowed" in door(
        "request", "pause", "T-1", *SUBJECT, "--because", "clarification", "--reason", "?", code=1
    ).out  # fmt: skip
    door("request", "pause", first, "--reason", "who is it?")
    assert "not-verified" in door("request", "resume", first, code=1).out
    assert "rests until" in door("request", "show", first).out
    door("request", "verify", first, "--evidence", "call back")
    door("request", "refuse", first, "--reason", "unfounded")
    complaint = received(door, "--about", first, kind="complaint")
    door("request", "escalate", complaint, "--region", "SG")
    door("request", "withdraw", complaint, "--reason", "settled")
    guardian = received(door, "--guardian", "email=mum@example.com", "--authority", "court", "--identity", "call back")
    agent = received(door, "--agent", "Bob", kind="copy")
    rows = {row["id"]: row for row in door("request", "list", "--json").json}
    assert (rows[guardian]["on_behalf"], rows[guardian]["state"]) == ("guardian", "verified")
    assert (rows[agent]["on_behalf"], rows[agent]["state"]) == ("agent", "awaiting-identity")
    assert rows[complaint]["escalated_to"] == "SG"


def test_what_should_have_been_answered_is_listed_first_and_on_its_own(door: Door):
    late = received(door, kind="enquiry")
    door.apply({"command": "advance-clock", "to": "2026-03-05T00:00:00+08:00"})
    received_later = ("--kind", "complaint", "--channel", "phone")
    door("request", "receive", *SUBJECT, *received_later)
    assert [row["id"] for row in door("request", "list", "--overdue", "--json").json] == [late]
    assert door("request", "list", "--open", "--json").json[0]["id"] == late
    assert "overdue" in door("request", "show", late).out


def test_no_word_and_no_identifier_is_ever_shown(door: Door):
    id = received(door, "--name", "ticket of Bob Canary")
    shown = [door("request", *how).everything for how in (("list",), ("list", "--json"), ("show", id))]
    shown.append(door("subject", "history", *SUBJECT, "--json").everything)
    assert not any("canary" in said.lower() for said in shown)


def test_a_request_that_nobody_made_is_said_to_be_unknown(door: Door):
    assert "No such request" in door("request", "show", "T-1", code=1).err
    assert "No such request" in door("request", "refuse", "T-1", "--reason", "x", code=1).err
    assert "unknown-request" in door("request", "refuse", "T-1", *SUBJECT, "--reason", "x", code=1).out


def test_malformed_words_are_malformed(door: Door):
    id = received(door, kind="enquiry")
    assert "until" in door("request", "extend", id, "--until", "2026-02-30", "--reason", "x", code=1).out
    assert "kind" in door("request", "receive", *SUBJECT, "--kind", "wish", "--channel", "phone", code=1).out


def test_a_file_of_own_days_that_cannot_be_used_is_said(door: Door, monkeypatch):
    door.write("days.toml", {"edition": 1})
    monkeypatch.setenv("LIFECYCLE_CALENDARS", "days.toml")
    assert "TOML" in door("request", "list", code=1).err
