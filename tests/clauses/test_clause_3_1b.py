"""Clause 3.1b: disclosure to authorities on an instrument, no wider than it; what is withheld, and notice delayed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from clauses.partners import (
    DAY_1,
    DAY_2,
    DAY_9,
    WARRANT,
    begun,
    data_of,
    decided_again,
    disclosing,
    done,
    recipients,
    refused,
)
from founding import InAFile, OnAServer
from whole.stores import ANN, BEN, Store

from lifecycle.audit.reopened import opened as record_of
from lifecycle.domain.subject.delayed_notices import disclosures_of
from lifecycle.domain.subject.state import Subject
from lifecycle.storage.folding import folded

LAW = {"law": "Criminal Procedure Code s 20"}


@pytest.fixture
def store(founded_file: InAFile, tmp_path: Path, keys: Path) -> Iterator[Store]:
    with founded_file.store(tmp_path, keys, lived=begun) as made:
        yield made


@pytest.fixture
def either(founded: InAFile | OnAServer, tmp_path: Path, keys: Path) -> Iterator[Store]:
    """On SQLite and on PostgreSQL."""
    with founded.store(tmp_path, keys, lived=begun) as made:
        yield made


def state_of(store: Store) -> Subject:
    engine = store.engine
    with engine.database.read() as c:
        record = record_of(c, engine.vault, engine.policies, engine.read.subject_id(ANN))
    state = folded(None, record.events)
    assert state is not None
    return state


def withheld(store: Store) -> list[tuple[str, str]]:
    return [(one["category"], one["because"]) for one in data_of(store, "personal-data-disclosed")["withheld"]]


def test_clause_3_1b_a_disclosure_names_authority_instrument_scope_and_approver_and_is_a_recipient(either: Store):
    scope = {"categories": ["email", "name"], "from": "2024-01-01", "to": "2024-12-31"}
    done(disclosing(either, ["email", "name"], instrument=WARRANT | {"scope": scope, "expires_on": "2024-09-01"}))
    said = data_of(either, "personal-data-disclosed")
    assert said["scope"] == ["email", "name"]
    assert (said["period_from"], said["period_to"]) == ("2024-01-01", "2024-12-31")
    assert (said["issued_on"], said["expires_on"]) == ("2024-08-01", "2024-09-01")
    assert said["categories"] == ["email", "name"]
    assert len(said["holdings"]) == 2
    assert "withheld" in said
    assert said["withheld"] == []
    assert recipients(either) == [("authority", "email", "District Court 4"), ("authority", "name", "District Court 4")]
    held = {row["category"]: row["recipients"] for row in either.engine.read.holdings(ANN)}
    assert held == {"email": ["authority"], "name": ["authority"], "company": [], "phone": []}
    assert decided_again(either) == set()


def test_clause_3_1b_what_the_caller_wrote_is_sealed_and_in_no_header(store: Store):
    done(disclosing(store, ["email"], instrument=WARRANT | LAW))
    told = str(store.engine.read.history(ANN))
    for word in ("District", "DC/2024/17", "counsel", "Criminal", "warrant"):
        assert word not in told
    (event,) = [e.event for e in _events(store) if e.event.kind == "personal-data-disclosed/1"]
    assert (event.name, event.reference) == ("District Court 4", "DC/2024/17")
    assert (event.approved_by, event.law, event.instrument_kind) == ("general counsel", LAW["law"], "warrant")


def _events(store: Store) -> Any:
    engine = store.engine
    with engine.database.read() as c:
        return record_of(c, engine.vault, engine.policies, engine.read.subject_id(ANN)).events


def test_clause_3_1b_without_an_instrument_nothing_is_disclosed(store: Store):
    for instrument in (None, WARRANT | {"reference": ""}, WARRANT | {"reference": "  "}):
        refused(disclosing(store, ["email"], instrument=instrument), "instrument-missing", "3.1b")
    assert recipients(store) == []


def test_clause_3_1b_a_disclosure_wider_than_the_instrument_is_refused(store: Store):
    wider: list[dict[str, Any]] = [
        {"scope": {"categories": ["name"]}},
        {"scope": {"from": "2024-08-02"}},
        {"scope": {"to": "2024-07-31"}},
        {"issued_on": "2024-08-03"},
        {"expires_on": "2024-08-01"},
    ]
    for bounds in wider:
        refused(disclosing(store, ["email"], instrument=WARRANT | bounds), "outside-instrument", "3.1b")
    assert "personal-data-disclosed" not in store.kinds()


def test_clause_3_1b_the_days_that_an_instrument_names_are_included(store: Store):
    bounds = {
        "scope": {"from": "2024-08-01", "to": "2024-08-01"},
        "issued_on": "2024-08-02",
        "expires_on": "2024-08-02",
    }
    done(disclosing(store, ["email"], instrument=WARRANT | bounds))


def test_clause_3_1b_a_category_that_the_policy_does_not_know_is_refused_in_request_and_scope(store: Store):
    refused(disclosing(store, ["shoe-size"]), "unknown-category", "1.1")
    scoped = WARRANT | {"scope": {"categories": ["email", "shoe-size"]}}
    refused(disclosing(store, ["email"], instrument=scoped), "unknown-category", "1.1")


def test_clause_3_1b_what_was_withheld_and_why_is_recorded(store: Store):
    done(store.do("erase", DAY_1, subject=ANN, ground="7.3b", categories=["phone"]))
    done(store.do("restrict", DAY_1, subject=ANN, categories=["company"], reason="disputed"))
    done(disclosing(store, ["email", "phone", "company", "ip-address"]))
    assert withheld(store) == [
        ("phone", "erased"),
        ("company", "restricted-not-covered"),
        ("ip-address", "not-held"),
    ]
    assert recipients(store) == [("authority", "email", "District Court 4")]
    assert decided_again(store) <= {("collect", "cannot-tell"), (None, "not-a-decision")}


def test_clause_3_1b_what_lies_outside_the_period_of_the_instrument_is_withheld(store: Store):
    done(store.do("supplement", DAY_2, subject=ANN, reason="other office", data={"company": "Acme East"}))
    done(store.collect(at=DAY_2, data={"name": "Ann Lee"}))
    done(disclosing(store, ["email", "name"], at=DAY_2, instrument=WARRANT | {"scope": {"to": "2024-08-01"}}))
    assert withheld(store) == [("name", "outside-period")]


def test_clause_3_1b_storage_only_is_reached_only_by_an_instrument_that_cites_the_law(store: Store):
    done(store.do("restrict", DAY_1, subject=ANN, categories=["company"], reason="disputed"))
    refused(disclosing(store, ["company"]), "holding-restricted", "5")
    done(disclosing(store, ["company", "email"], instrument=WARRANT | LAW))
    said = data_of(store, "personal-data-disclosed")
    assert len(said["holdings"]) == 2
    assert len(said["stored_only"]) == 1
    assert said["withheld"] == []
    assert decided_again(store) <= {("collect", "cannot-tell")}  # one value is in custody now


def test_clause_3_1b_what_only_a_statutory_minimum_keeps_is_storage_only_too(store: Store):
    contract = {"purpose": "account-login", "basis": "contract", "evidence": "K-1"}
    done(store.collect(at=DAY_1, data={"login-account": "ann@example.com"}, **contract))
    done(store.do("end-purpose", DAY_1, subject=ANN, purpose="account-login", reason="contract-ended"))
    refused(disclosing(store, ["login-account"]), "holding-restricted", "5")
    done(disclosing(store, ["login-account"], instrument=WARRANT | LAW))


def test_clause_3_1b_what_is_erased_or_due_is_not_disclosed(store: Store):
    done(store.do("erase", DAY_1, subject=ANN, ground="7.3b", categories=["phone"]))
    refused(disclosing(store, ["phone"]), "holding-erased", "7.3")
    refused(disclosing(store, ["ip-address"]), "holding-erased", "7.3")
    late = "2026-08-02T10:00:00+08:00"  # 24 months after the last activity, and nobody has swept
    store.engine.move_clock(datetime.fromisoformat(late))
    refused(disclosing(store, ["email"], at=late), "holding-erased", "7.3")


def test_clause_3_1b_a_disclosure_that_is_reported_late_is_judged_by_its_time(store: Store):
    done(store.do("erase", DAY_9, subject=ANN, ground="7.3b", categories=["phone"]))
    done(disclosing(store, ["phone"], at=DAY_2))
    refused(disclosing(store, ["phone"], at=DAY_9), "holding-erased", "7.3")


def test_clause_3_1b_of_an_erased_person_nothing_is_disclosed(store: Store):
    ann = {"id": str(store.engine.read.subject_id(ANN))}
    done(store.do("erase", DAY_2, subject=ANN, ground="7.3b"))
    outcome = store.do(
        "disclose", DAY_9, subject=ann, authority="court", instrument=WARRANT, approved_by="x", categories=["email"]
    )
    refused(outcome, "subject-erased", "7.3")
    unknown = store.do(
        "disclose", DAY_9, subject=BEN, authority="court", instrument=WARRANT, approved_by="x", categories=["email"]
    )
    refused(unknown, "holding-erased", "7.3")


def test_clause_3_1b_notice_is_delayed_until_the_gag_ends_and_then_falls_due_once(either: Store):
    done(disclosing(either, ["email"], gag_until="2024-09-30"))
    end = datetime.fromisoformat("2024-10-01T00:00:00+08:00")
    (one,) = state_of(either).disclosures
    assert one.gag_until == end
    assert disclosures_of(state_of(either), either.engine.clock.now()) == ()
    assert disclosures_of(state_of(either), end) == (one,)
    assert either.engine.due() == []
    either.engine.move_clock(end)
    due = [row for row in either.engine.due() if row.what == "disclosure-notice"]
    assert [row.due for row in due] == [end]
    either.engine.advance_clock(datetime.fromisoformat("2024-10-05T00:00:00+08:00"))
    either.engine.advance_clock(datetime.fromisoformat("2024-10-06T00:00:00+08:00"))
    assert either.kinds().count("disclosure-notice-due") == 1
    said = data_of(either, "disclosure-notice-due")
    assert (said["due_on"], said["done_on"]) == ("2024-10-01", "2024-10-01")
    assert said["disclosure"] == one.number
    assert decided_again(either) == set()


def test_clause_3_1b_a_gagged_authority_is_not_among_the_recipients_that_the_person_may_see(store: Store):
    done(disclosing(store, ["email"], gag_until="2024-08-31"))
    done(disclosing(store, ["email"], authority="Tax Office"))
    shown = {row["category"]: row["recipients"] for row in store.engine.read.holdings(ANN)}
    assert shown["email"] == ["authority"]
    rows = {row["name"]: row["gag_until"] for row in store.engine.read.recipients(ANN)}
    assert rows == {"District Court 4": "2024-08-31T16:00:00Z", "Tax Office": None}


def test_clause_3_1b_only_a_gagged_disclosure_shows_nobody_to_the_person(store: Store):
    done(disclosing(store, ["email"], gag_until="2024-08-31T00:00:00+08:00"))
    shown = {row["category"]: row["recipients"] for row in store.engine.read.holdings(ANN)}
    assert shown["email"] == []
    store.engine.advance_clock(datetime.fromisoformat("2024-08-31T00:00:00+08:00"))
    shown = {row["category"]: row["recipients"] for row in store.engine.read.holdings(ANN)}
    assert shown["email"] == ["authority"]


def test_clause_3_1b_a_gag_that_would_be_over_is_refused(store: Store):
    refused(disclosing(store, ["email"], gag_until="2024-08-01"), "gag-over", "3.1b")


def test_clause_3_1b_without_a_gag_the_person_may_know_at_once(store: Store):
    done(disclosing(store, ["email"]))
    assert len(disclosures_of(state_of(store), store.engine.clock.now())) == 1
    store.engine.advance_clock(datetime.fromisoformat(DAY_9))
    assert "disclosure-notice-due" not in store.kinds()


def test_clause_3_1b_a_notice_that_is_still_delayed_keeps_the_person_findable(store: Store):
    """Nothing else is left after the trial's two years; the person goes thirty days after the notice fell due."""
    done(disclosing(store, ["email"], gag_until="2027-01-31"))
    store.engine.advance_clock(datetime.fromisoformat("2026-12-31T00:00:00+08:00"))
    assert set(store.held().values()) == {"erased"}
    ann = {"id": str(store.engine.read.subject_id(ANN))}
    store.engine.advance_clock(datetime.fromisoformat("2027-02-01T00:00:00+08:00"))
    assert store.kinds(ann)[-1] == "disclosure-notice-due"
    store.engine.advance_clock(datetime.fromisoformat("2027-03-10T00:00:00+08:00"))
    assert "erasure-completed" in store.kinds(ann)[-3:]


def test_clause_3_1b_two_disclosures_are_two_facts_and_the_same_id_is_one(store: Store):
    document = store.document(
        "disclose", DAY_2, subject=ANN, authority="court", instrument=WARRANT, approved_by="x", categories=["email"]
    )
    store.engine.move_clock(datetime.fromisoformat(DAY_2))
    first, second = store.engine.execute(document), store.engine.execute(document)
    assert first == second
    done(disclosing(store, ["email"]))
    assert store.kinds().count("personal-data-disclosed") == 2
