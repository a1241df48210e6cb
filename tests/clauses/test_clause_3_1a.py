"""3.1a: trustees process under an agreement, are supervised, and give back what they received when it is over."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sharing_with import TERMS, answer, duties, engaged, given, only, shared, told
from whole.stores import ANN, BEN, Store


@pytest.fixture
def store(store: Store) -> Store:
    engaged(store)
    return store


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def findings(store: Store, *fields: str) -> list[tuple[Any, ...]]:
    return [tuple(each[field] for field in fields) for each in store.engine.trustee("udesk")["findings"]]


def standing(store: Store) -> str:
    found: str = store.engine.trustee("udesk")["standing"]
    return found


def test_clause_3_1a_ending_an_agreement_asks_back_all_it_ever_received_under_it(store: Store):
    given(store, "email", "name")
    given(store, "phone", subject=BEN)
    given(store, "name", subject={"ref": "carl"})
    carl = {"id": str(store.engine.read.subject_id({"ref": "carl"}))}
    store.do("erase", subject={"ref": "carl"}, ground="7.3d")
    assert answer(store, "confirm", only(store, subject=carl)).outcome == "done"
    store.do("end-agreement", trustee="udesk", reason="moved")
    store.engine.sweep()
    assert {(each["duty"], each["because"], each["agreement"]) for each in duties(store, only_open=True)} == {
        ("return", "agreement-ended", "udesk-1")
    }
    assert [len(only(store, subject=subject)["holdings"]) for subject in (ANN, BEN)] == [2, 1]
    assert told(store, subject=carl) == [("erase", "confirmed")]
    assert store.engine.trustee("udesk")["duties_open"] == 2
    store.engine.sweep()
    assert len(duties(store)) == 3
    assert {row["verdict"] for row in store.engine.read.re_decide(ANN)} == {"same"}
    for subject in (ANN, BEN):
        assert answer(store, "confirm", only(store, subject=subject)).outcome == "done"
    assert duties(store, only_open=True) == []


def test_clause_3_1a_of_an_erased_person_too(store: Store):
    given(store, "email")
    ann = {"id": str(store.engine.read.subject_id(ANN))}
    store.do("erase", subject=ANN, ground="7.3d")
    assert answer(store, "decline", only(store)).outcome == "done"
    store.do("dismiss-trustee", trustee="udesk", reason="closed")
    store.engine.sweep()
    assert told(store, subject=ann) == [("erase", "declined"), ("return", "open")]
    assert standing(store) == "dismissed"
    assert [row["because"] for row in store.engine.read.re_decide(ann) if row["verdict"] == "different"] == []


def test_clause_3_1a_an_agreement_is_warned_of_and_lapses_by_its_date(store: Store):
    given(store, "email")
    store.do("record-activity", "2026-07-01T10:00:00+08:00", subject=ANN, purpose="free-trial")
    store.engine.advance_clock(at("2026-12-01T00:00:00+08:00"))
    (agreement,) = store.engine.trustee("udesk")["agreements"]
    assert (agreement["warned"], agreement["lapsed"]) == (True, False)
    store.engine.advance_clock(at("2026-12-31T23:59:59+08:00"))
    assert (standing(store), told(store)) == ("good", [])
    store.engine.advance_clock(at("2027-01-01T00:00:00+08:00"))
    assert standing(store) == "lapsed"
    assert told(store) == [("return", "open")]
    late = store.do("share", subject=ANN, trustee="udesk", purpose="free-trial", method="api", categories=["name"])
    assert late.code == "agreement-lapsed"


def test_clause_3_1a_what_is_renewed_is_not_warned_of(store: Store):
    terms = TERMS | {"from": "2026-12-15", "to": "2028-12-31"}
    assert store.do("sign-agreement", trustee="udesk", agreement=terms).outcome == "done"
    store.engine.advance_clock(at("2026-12-20T00:00:00+08:00"))
    assert [each["warned"] for each in store.engine.trustee("udesk")["agreements"]] == [False, False]


def test_clause_3_1a_a_share_that_is_reported_after_the_end_is_asked_back_too(store: Store):
    store.consent(at="2024-08-01T11:00:00+08:00")
    store.collect()
    store.do("end-agreement", "2024-08-05T10:00:00+08:00", trustee="udesk", reason="moved")
    store.engine.sweep()
    shared(store, "email", at="2024-08-02T10:00:00+08:00")
    store.engine.sweep()
    assert told(store) == [("return", "open")]


def test_clause_3_1a_a_finding_of_a_review_is_mended_or_overdue(store: Store):
    review = {"trustee": "udesk", "finding": "no backups"}
    store.do("review-trustee", **review)
    assert findings(store, "id") == []
    store.do("review-trustee", **review, remedy_by="2024-09-30")
    store.do("review-trustee", **review, remedy_by="2024-10-31")
    assert standing(store) == "findings-open"
    assert store.do("remedy-finding", trustee="udesk", finding="finding-1", evidence="seen").outcome == "done"
    assert store.do("remedy-finding", trustee="udesk", finding="finding-1", evidence="seen").outcome == "nothing"
    assert store.do("remedy-finding", trustee="udesk", finding="finding-9", evidence="seen").code == "unknown-finding"
    store.engine.advance_clock(at("2024-10-31T23:59:59+08:00"))
    assert findings(store, "id", "overdue") == [("finding-1", False), ("finding-2", False)]
    store.engine.advance_clock(at("2024-11-30T00:00:00+08:00"))
    assert findings(store, "id", "overdue") == [("finding-1", False), ("finding-2", True)]


def test_clause_3_1a_sub_entrusting_needs_our_recorded_consent(store: Store):
    entrusts = {"trustee": "udesk", "sub_trustee": "acme"}
    refused = store.do("report-sub-trustee", **entrusts)
    assert (refused.outcome, refused.code, refused.clause) == ("refused", "sub-trustee-not-approved", "3.1a")
    assert store.do("report-sub-trustee", **entrusts).outcome == "refused"
    assert findings(store, "because", "sub_trustee") == [("sub-trustee", "acme")]
    who = {"name": "Acme", "contact": "dpo@acme.example", "country": "SG"}
    assert store.do("approve-sub-trustee", **entrusts, **who).outcome == "done"
    assert store.do("approve-sub-trustee", **entrusts, **who).outcome == "nothing"
    assert store.do("report-sub-trustee", **entrusts).outcome == "done"
    assert store.do("report-sub-trustee", **entrusts).outcome == "nothing"
    assert store.engine.trustee("udesk")["sub_trustees"] == [{"sub_trustee": "acme", "entrusted": True}]
    assert store.do("approve-sub-trustee", **entrusts | {"trustee": "nobody"}, **who).code == "trustee-not-engaged"


def test_clause_3_1a_the_list_of_trustees_says_how_each_stands(store: Store):
    store.do("engage-trustee", trustee="acme", name="Acme", contact="x", country="SG")
    assert {row["trustee"]: row["standing"] for row in store.engine.trustees()} == {"udesk": "good", "acme": "lapsed"}
