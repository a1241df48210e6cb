"""4: desensitised, encrypted, and shown in clear only to whom and for what the policy allows, each time on record."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from engine.stores import QUOTE, headers_of, times_of, value_in_clear
from whole.stores import ANN, TRIAL, Store

from lifecycle.cli.main import answer
from lifecycle.domain.streams import access_stream_of
from lifecycle.engine.answers import NotRead

DPO = {"id": "dpo", "role": "officer"}


def collected(store: Store) -> None:
    store.consent()
    assert store.collect().outcome == "done"


def test_clause_4_every_read_is_masked_unless_somebody_says_what_for(store: Store):
    collected(store)
    rows = {row["category"]: row for row in store.engine.read.holdings(ANN)}
    assert all(row["masked"] for row in rows.values())
    assert rows["email"]["value"] == "a***@example.com"
    assert not {row["value"] for row in rows.values()} & set(TRIAL.values())


def test_clause_4_a_clear_read_is_on_record_before_the_values_are_handed_out(store: Store):
    collected(store)
    person = store.engine.read.subject_id(ANN)
    assert value_in_clear(store.engine, ANN) == TRIAL
    (read,) = headers_of(store.engine.database, access_stream_of(person))
    assert (read.kind, read.data["purpose"], read.data["clear"]) == ("personal-data-read/1", "free-trial", True)
    assert set(read.data["holdings"]) == {row["holding"] for row in store.engine.read.holdings(ANN)}
    value_in_clear(store.engine, ANN)
    assert times_of(store.engine.database, "personal-data-read") == 2


@pytest.mark.parametrize("role", ["auditor", "operator", "recipient", "subject"])
def test_clause_4_a_role_that_the_policy_does_not_let_read_is_refused_and_that_is_on_record(store: Store, role: str):
    collected(store)
    with pytest.raises(NotRead) as refused:
        store.engine.read_clear(ANN, "free-trial", {"id": "x", "role": role})
    assert (refused.value.code, refused.value.clause) == ("not-permitted", "4")
    assert times_of(store.engine.database, "personal-data-read") == 0
    assert times_of(store.engine.database, "command-refused") == 1


def test_clause_4_a_purpose_without_a_live_ground_shows_nothing_in_clear(store: Store):
    collected(store)
    with pytest.raises(NotRead) as never:
        store.engine.read_clear(ANN, "quotation", DPO)
    assert never.value.code == "ground-missing"
    store.engine.move_clock(datetime.fromisoformat("2026-12-01T00:00:00+08:00"))  # due, and nobody swept
    with pytest.raises(NotRead) as over:
        store.engine.read_clear(ANN, "free-trial", DPO)
    assert over.value.code == "ground-missing"
    assert times_of(store.engine.database, "personal-data-read") == 0


def test_clause_4_what_one_purpose_may_see_another_may_not(store: Store):
    collected(store)
    store.do("collect", subject=ANN, data={"company": "Acme"}, **QUOTE)
    assert value_in_clear(store.engine, ANN, "quotation") == {"company": "Acme"}


def test_clause_4_what_is_stored_only_is_shown_neither_masked_nor_clear(store: Store):
    collected(store)
    store.do("restrict", subject=ANN, categories=["email"], reason="disputed")
    (row,) = [row for row in store.engine.read.holdings(ANN) if row["category"] == "email"]
    assert (row["value"], row["state"]) == (None, "restricted")
    assert "email" not in value_in_clear(store.engine, ANN)


def test_clause_4_irrelevant_information_is_not_collected(store: Store):
    store.consent()
    refused = store.collect(data={**TRIAL, "ip-address": "203.0.113.7"})
    assert (refused.code, refused.clause) == ("more-than-necessary", "4")
    assert "203.0.113.7" not in str(refused)


def test_clause_4_no_value_reaches_a_log_an_error_or_an_outcome(
    store: Store, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
):
    caplog.set_level(logging.DEBUG)
    collected(store)
    said: list[Any] = [
        store.collect(data={"name": "Ann", "ip-address": "Ann-at-203"}),
        store.collect(data={"phone": "not a phone Ann"}),
        store.do("restrict", subject=ANN, categories=["name"], reason="because Ann said"),
        store.do("share", subject=ANN, trustee="udesk", purpose="free-trial", categories=["name"], method="api"),
        store.engine.read.history(ANN),
    ]
    for title in ({"law": "Ann's law"}, {"hold": "Ann's hold"}):
        with pytest.raises(NotRead) as refused:
            store.engine.open_custody(ANN, DPO, reason="Ann asked", **title)
        said.append(refused.value)
    heard = repr(said) + str(said) + caplog.text + "".join(capsys.readouterr())
    for value in (*TRIAL.values(), "Ann-at-203", "Ann's law", "Ann said"):
        assert value not in heard


def test_clause_4_the_command_line_opens_custody_for_who_names_what_keeps_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    store = Store(f"sqlite:///{tmp_path / 'store.db'}", tmp_path / "keys")
    collected(store)
    store.do("restrict", subject=ANN, categories=["name"], reason="disputed", law="CPC 9")
    store.engine.close()
    place = ["--db", store.settings.db, "--keys", str(store.settings.keys), "--json"]
    asked = [*place, "subject", "custody", "--subject", "email=ann@example.com"]
    assert answer(asked) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["category"], row["value"], row["restriction"]["because"]) == ("name", None, "restricted-by-law")
    assert answer([*asked, "--clear", "--law", "CPC 9", "--reason", "the court asked"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["value"], row["masked"]) == ("Ann", False)
    assert answer([*asked, "--clear", "--law", "CPC 10", "--reason", "curious"]) == 1
    heard = capsys.readouterr()
    assert "custody-closed" in heard.out + heard.err
    assert "Ann" not in heard.out + heard.err
    assert answer([*asked, "--clear", "--reason", "curious"]) == 2
