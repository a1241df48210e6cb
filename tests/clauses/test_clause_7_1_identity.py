"""7.1: what is held is shown only to who has proven who they are."""

from __future__ import annotations

import pytest
from whole.stores import ANN, Store


@pytest.mark.parametrize("kind", ["access", "copy", "correction", "deletion"])
def test_clause_7_1_who_has_not_proven_who_they_are_is_not_given_an_answer(store: Store, kind: str):
    store.consent(at="2026-02-09T10:00:00+08:00")
    asked = store.do("receive-request", subject=ANN, kind=kind, channel="wechat")
    assert asked.request is not None
    assert asked.request.due is None  # the clock waits for the proof
    answer = store.do("fulfil-request", subject=ANN, request=asked.request.id)
    assert (answer.outcome, answer.code, answer.clause) == ("refused", "not-verified", "7.1")
    trail = store.engine.read.audit_trail(ANN)
    assert ("fulfil-request", "not-verified") in {(row["command"], row["code"]) for row in trail}
    verified = store.do("verify-requester", subject=ANN, request=asked.request.id, evidence="call back")
    assert verified.request is not None
    assert verified.request.due is not None
    answered = store.do("fulfil-request", subject=ANN, request=asked.request.id, otherwise="by letter")
    assert answered.outcome == "done"


def test_clause_7_1_the_words_of_a_request_stand_in_no_header_and_in_no_list(store: Store):
    store.do(
        "receive-request",
        subject=ANN,
        kind="access",
        channel="phone",
        request="ticket of Ann Smith",
        text="I live in Orchard Road",
        on_behalf={"relation": "agent", "name": "Bob Jones", "evidence": "deed"},
    )
    told = str(store.engine.read.history(ANN)) + str(store.engine.read.requests())
    for word in ("Ann Smith", "Orchard", "Bob Jones", "deed"):
        assert word not in told
    by_name = store.do("verify-requester", subject=ANN, request="ticket of Ann Smith", evidence="passport")
    assert by_name.outcome == "done"
