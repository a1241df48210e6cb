"""10.1: enquiries are answered within fifteen working days, longer with notice."""

from __future__ import annotations

from datetime import datetime

from whole.stores import Store

STRANGER = {"phone": "+6598765432"}


def test_clause_10_1_an_enquiry_of_somebody_unknown_is_answered_within_fifteen_working_days(store: Store):
    outcome = store.do(
        "receive-request", "2025-01-20T09:00:00+08:00", subject=STRANGER, kind="enquiry", channel="email", text="Hello?"
    )
    assert outcome.outcome == "done"
    assert outcome.request is not None
    assert str(outcome.request.due_on) == "2025-02-12"  # over Lunar New Year
    assert store.do("fulfil-request", subject=STRANGER, request=outcome.request.id, note="hello").outcome == "done"
    store.engine.advance_clock(datetime.fromisoformat("2025-02-13T00:00:00+08:00"))
    assert store.kinds(STRANGER)[-1] == "request-fulfilled"


def test_clause_10_1_a_complex_enquiry_is_extended_and_the_person_told_by_the_channel_of_the_enquiry(store: Store):
    asked = store.do("receive-request", "2025-01-20T09:00:00+08:00", subject=STRANGER, kind="enquiry", channel="wechat")
    assert asked.request is not None
    told = store.do(
        "extend-request", subject=STRANGER, request=asked.request.id, until="2025-03-03", reason="asks the supplier"
    )
    assert told.outcome == "done"
    assert store.engine.read.history(STRANGER)[-1]["data"]["channel"] == "wechat"
