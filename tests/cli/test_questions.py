"""`audit lawful`, `audit why` and `audit register` at the command line: for people, and as JSON."""

from __future__ import annotations

import json

from cli.doors import ACTOR, ANN, CANARY, WHO, Door

TWO_DAYS_LATER = "2024-08-03T10:00:00+08:00"


def email_of(lived: Door) -> str:
    rows = lived("subject", "holdings", *WHO, "--json").json
    return str(next(row["holding"] for row in rows if row["category"] == "email"))


def withdraw(lived: Door, at: str, told: str) -> None:
    lived("retention", "due", "--now", told)
    document = {"command": "withdraw-consent", "id": "w", "actor": ACTOR, "subject": ANN, "purposes": [], "at": at}
    said = lived("apply", "-", stdin=json.dumps({**document, "channel": "phone"}))
    assert json.loads(said.out)["outcome"] == "done"


def test_lawful_answers_in_words_and_in_json_and_says_both_where_knowledge_came_late(lived: Door):
    holding = email_of(lived)
    at = ("--at", "2024-08-02T10:00:00+08:00")
    withdraw(lived, at="2024-08-01T12:00:00+08:00", told=TWO_DAYS_LATER)
    answer = lived("audit", "lawful", *WHO, "--holding", holding, *at, "--json").json
    assert (answer["verdict"], answer["as_known_then"]["verdict"]) == ("unlawful", "lawful")
    said = lived("audit", "lawful", *WHO, "--holding", holding, *at)
    assert "As known now (2024-08-03 10:00:00): Unlawful (consent withdrawn)." in said.out
    assert "As known then (2024-08-02 10:00:00): Lawful." in said.out
    assert "on the consent of 2024-08-01 10:00:00, version 3 (leaf" in said.out
    assert CANARY not in said.everything
    then = lived("audit", "lawful", *WHO, "--holding", holding, *at, "--as-known-at", "2024-08-02T12:00:00+08:00")
    assert "As known then" not in then.out


def test_lawful_judges_one_act_and_refuses_what_is_none(lived: Door):
    (collected,) = [row for row in lived("subject", "history", *WHO, "--json").json if "collected" in row["kind"]]
    said = lived("audit", "lawful", *WHO, "--version", str(collected["version"]))
    assert "personal data collected (version 4)" in said.out
    assert "Lawful." in said.out
    assert "no act that can be judged" in lived("audit", "lawful", *WHO, "--version", "1", code=1).err
    assert "never had a holding" in lived("audit", "lawful", *WHO, "--holding", "x", code=1).err
    assert "no act that can be judged" in lived("audit", "lawful", *WHO, "--read", "99", code=1).err
    lived("audit", "lawful", *WHO, code=2)
    lived("audit", "lawful", *WHO, "--version", "4", "--read", "1", code=2)
    lived("audit", "lawful", *WHO, "--version", "4", "--purpose", "free-trial", code=2)


def test_why_names_reasons_ends_and_what_somebody_has_to_end(lived: Door):
    hold = {"hold": "case-7", "reason": "claim", "authority": "court", "categories": ["phone"]}
    lived.apply({"command": "place-hold", "id": "h", "actor": ACTOR, "subject": ANN, **hold})
    rows = {row["category"]: row for row in lived("audit", "why", *WHO, "--json").json["holdings"]}
    assert (rows["email"]["earliest"], rows["phone"]["earliest"]) == ("2026-08-01T16:00:00Z", None)
    said = " ".join(lived("audit", "why", *WHO).out.split())
    assert "free-trial (consent) until 2026-08-02 00:00:00" in said
    assert "until somebody ends it: hold" in said
    assert "Can still be found because of: 4 holdings, consent (free-trial) until somebody ends it" in said
    assert CANARY not in said


def test_the_register_lists_each_purpose_with_people_and_transfers(lived: Door):
    register = lived("audit", "register", "--json").json
    assert {entry["purpose"]: entry["people"] for entry in register["purposes"]}["free-trial"] == 1
    said = lived("audit", "register").out
    assert "udesk (CN)" in said
