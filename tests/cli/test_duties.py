"""Duties of recipients and supervision of trustees, at the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli.doors import CANARY, DATA, WHO, Door, document

AT = "2024-08-01T12:00:00+08:00"


@pytest.fixture
def shared(lived: Door) -> Door:
    """A store in which a trustee was given an e-mail address, and has to erase it."""
    lived("trustee", "engage", "udesk", "--name", "Udesk", "--contact", "x@udesk.example", "--country", "CN")
    lived("trustee", "sign", "udesk", "--purpose", "free-trial", "--from", "2024-07-15", "--to", "2026-07-14",
          "--method", "api", "--category", "email", "--measures", "sealed",
          "--rights-and-obligations", "audit")  # fmt: skip
    given = {"trustee": "udesk", "purpose": "free-trial", "categories": ["email"], "method": "api"}
    whom = {"subject": {"email": DATA["email"]}}
    (done, told) = lived.apply(
        document("s-1", "share", **whom, **given, at=AT), document("e-1", "erase", **whom, ground="7.3d")
    )
    assert (done["outcome"], told["outcome"]) == ("done", "done"), (done, told)
    return lived


def duty(door: Door, *which: str) -> Any:
    (row,) = door("trustee", "duties", *which, "--json").json
    return row


def test_an_instruction_is_listed_taken_by_hand_and_answered(shared: Door):
    row = duty(shared, "--open")
    assert (row["recipient"], row["duty"], row["state"]) == ("udesk", "erase", "open")
    assert "token" not in row
    letter = shared("trustee", "letter", row["instruction"], "--json").json
    assert letter["token"] in shared("trustee", "letter", row["instruction"]).out
    forged = shared("trustee", "confirm", row["instruction"], "--token", "x", code=1)
    assert "token-wrong" in forged.everything
    done = shared(
        "trustee", "confirm", row["instruction"], "--token", letter["token"], "--evidence", "ticket 7", "--json"
    )
    assert done.json["events"] == ["recipient-confirmed/1"]
    assert shared("trustee", "duties", "udesk", "--open", "--json").json == []
    assert "confirmed" in shared("trustee", "duties").out
    assert "udesk" in shared("trustee", "duties", "--subject", f"id={row['subject']}").out
    assert "No such instruction" in shared("trustee", "letter", "no-such", code=1).err


def test_a_declined_instruction_and_other_findings_are_shown_and_mended(shared: Door):
    row = duty(shared)
    token = shared("trustee", "letter", row["instruction"], "--json").json["token"]
    shared(
        "trustee", "decline", row["instruction"], "--token", token, "--because", "law-requires-it", "--reason", "tax"
    )
    shared("retention", "sweep")
    shared("trustee", "report-sub", "udesk", "acme", code=1)
    shared(
        "trustee", "approve-sub", "udesk", "acme", "--name", "Acme", "--contact", "x@acme.example", "--country", "SG"
    )
    shared("trustee", "report-sub", "udesk", "acme")
    found = shared("trustee", "show", "udesk", "--json").json
    assert [each["because"] for each in found["findings"]] == ["declined", "sub-trustee"]
    for each in found["findings"]:
        shared("trustee", "remedy", "udesk", each["id"], "--evidence", "a call")
    assert "good" in shared("trustee", "show", "udesk").out
    assert shared("trustee", "duties", "--overdue", "--json").json == []


def test_what_was_not_given_cannot_be_asked_for(shared: Door):
    refused = shared("trustee", "instruct", "acme", "erase", "--subject", f"id={duty(shared)['subject']}", code=1)
    assert "not-a-recipient" in refused.everything
    assert CANARY not in shared("trustee", "duties", "--json").everything
    assert WHO[1] not in shared("trustee", "duties").everything


def test_instructions_go_to_the_folder_that_the_environment_names(
    shared: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LIFECYCLE_OUTBOX", str(tmp_path / "outbox"))
    shared("retention", "sweep")
    assert [path.name for path in (tmp_path / "outbox").iterdir()] == [f"{duty(shared)['instruction']}.json"]
