"""10.2: complaints are answered on the same clock; the authority of the person's region is named."""

from __future__ import annotations

from whole.stores import ANN, Store


def refused(store: Store, region: str) -> str:
    asked = store.do(
        "receive-request",
        "2026-02-09T10:00:00+08:00",
        subject=ANN,
        kind="access",
        channel="phone",
        identity="call back",
        region=region,
    )
    assert asked.request is not None
    assert store.do("refuse-request", subject=ANN, request=asked.request.id, reason="too often").outcome == "done"
    return asked.request.id


def test_clause_10_2_a_complaint_about_a_refusal_links_to_it_and_has_the_same_clock(store: Store):
    id = refused(store, "SG")
    complaint = store.do("receive-request", subject=ANN, kind="complaint", channel="email", about=id, region="SG")
    assert complaint.request is not None
    assert str(complaint.request.due_on) == "2026-03-04"
    row = next(row for row in store.engine.read.requests(ANN) if row["kind"] == "complaint")
    assert (row["about"], row["state"]) == (id, "received")


def test_clause_10_2_the_regulator_of_the_person_s_region_is_named_and_a_complaint_may_go_there(store: Store):
    id = refused(store, "CN")
    words = store.engine.read.requests_in_words(store.engine.read.subject_id(ANN))[0]["words"]
    assert "Cyberspace Administration of China" in words[-1]["route"]
    assert "Personal Data Protection Commission" not in words[-1]["route"]
    complaint = store.do("receive-request", subject=ANN, kind="complaint", channel="email", about=id)
    assert complaint.request is not None
    nowhere = store.do("escalate-complaint", subject=ANN, request=complaint.request.id)
    assert nowhere.code == "region-missing"
    gone = store.do("escalate-complaint", subject=ANN, request=complaint.request.id, region="CN")
    assert gone.outcome == "done"
    row = next(row for row in store.engine.read.requests(ANN) if row["kind"] == "complaint")
    assert row["escalated_to"] == "CN"
    assert store.do("escalate-complaint", subject=ANN, request=id, region="CN").code == "not-a-complaint"


def test_clause_10_2_a_complaint_of_somebody_unknown_is_received(store: Store):
    outcome = store.do("receive-request", subject={"ref": "visitor-9"}, kind="complaint", channel="web-form", text="!")
    assert outcome.events[0] == "subject-registered/1"
    assert outcome.outcome == "done"
