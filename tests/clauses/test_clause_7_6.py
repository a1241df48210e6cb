"""7.6: requests by the declared channels, answered within fifteen working days, extended with notice, refusals explained."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from whole.stores import ANN, Store

from lifecycle.commands.outcome import Outcome
from lifecycle.engine import open_engine
from lifecycle.policy.examples import example_policy_text

NEW = {"email": "new@example.com"}
BY_CHINA = example_policy_text().replace('calendar = "SG"', 'calendar = "CN"')


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


def receive(store: Store, when: str, subject: dict[str, str] = NEW, **fields: Any) -> Outcome:
    said = {"kind": "explanation", "channel": "phone"} | fields
    return store.do("receive-request", f"{when}+08:00", subject=subject, **said)


def only(store: Store, **which: Any) -> dict[str, Any]:
    (row,) = store.engine.read.requests(**which)
    return row


def test_clause_7_6_a_request_over_lunar_new_year_is_answered_within_fifteen_working_days(store: Store):
    outcome = receive(store, "2026-02-09T10:00:00")
    assert outcome.outcome == "done"
    assert outcome.request is not None
    assert str(outcome.request.due_on) == "2026-03-04"
    row = only(store)
    assert (row["state"], row["due"], row["days_left"]) == ("received", "2026-03-04T16:00:00Z", 15)
    assert (row["calendar"], row["provisional"], row["overdue"]) == ("SG", False, False)
    received = next(row for row in store.engine.read.history(NEW) if row["kind"] == "request-received/1")
    limit = received["data"]["deadlines"][0]
    assert {"2026-02-17", "2026-02-18"} <= set(limit["skipped"])
    assert limit["version"]


def test_clause_7_6_by_china_s_calendar_weekends_are_worked_for_the_holiday(database_url: str, keys: Path):
    store = Store(database_url, keys, BY_CHINA)
    assert str(receive(store, "2026-02-09T10:00:00").request.due_on) == "2026-03-06"  # type: ignore[union-attr]
    other = receive(store, "2026-12-21T10:00:00", subject=ANN)
    assert other.request is not None
    assert other.request.provisional  # China has not announced 2027
    store.engine.close()


def test_clause_7_6_a_request_received_on_a_holiday_counts_from_the_next_working_day(store: Store):
    assert str(receive(store, "2026-02-17T23:00:00").request.due_on) == "2026-03-11"  # type: ignore[union-attr]


def test_clause_7_6_the_scheduler_warns_once_and_flags_once(store: Store):
    receive(store, "2026-02-09T10:00:00")
    store.engine.advance_clock(at("2026-03-02T00:00:00"))
    assert store.kinds(NEW)[-1] == "deadline-nearing"
    assert (only(store)["days_left"], only(store)["overdue"]) == (2, False)
    store.engine.advance_clock(at("2026-03-05T00:00:00"))
    assert store.kinds(NEW)[-1] == "deadline-missed"
    store.engine.advance_clock(at("2026-06-01T00:00:00"))
    assert store.kinds(NEW).count("deadline-missed") == store.kinds(NEW).count("deadline-nearing") == 1
    row = only(store, only_open=True)
    assert (row["overdue"], row["missed"], row["state"]) == (True, True, "received")


def test_clause_7_6_an_extension_needs_a_reason_and_comes_before_the_deadline_and_once(store: Store):
    id = receive(store, "2026-02-09T10:00:00").request.id  # type: ignore[union-attr]
    extended = store.do("extend-request", subject=NEW, request=id, until="2026-04-01", reason="three systems")
    assert extended.outcome == "done"
    assert str(extended.request.due_on) == "2026-04-01"  # type: ignore[union-attr]
    again = store.do("extend-request", subject=NEW, request=id, until="2026-05-01", reason="more")
    assert (again.outcome, again.code) == ("refused", "too-late-to-extend")
    store.engine.advance_clock(at("2026-04-02T00:00:00"))
    assert store.kinds(NEW)[-1] == "deadline-missed"


def test_clause_7_6_an_extension_after_the_deadline_is_refused(store: Store):
    id = receive(store, "2026-02-09T10:00:00").request.id  # type: ignore[union-attr]
    store.engine.move_clock(at("2026-03-05T00:00:00"))
    late = store.do("extend-request", subject=NEW, request=id, until="2026-04-01", reason="late")
    assert (late.outcome, late.code, late.clause) == ("refused", "too-late-to-extend", "7.6")


@pytest.mark.parametrize("until", ["2026-02-30", "2026-13-01", "tomorrow", 20260401, "2026-04-01T00:00:00Z"])
def test_clause_7_6_a_day_that_does_not_exist_is_malformed(store: Store, until: Any):
    id = receive(store, "2026-02-09T10:00:00").request.id  # type: ignore[union-attr]
    answer = store.do("extend-request", subject=NEW, request=id, until=until, reason="x")
    assert answer.outcome == "invalid"
    assert "until" in (answer.message or "")


def test_clause_7_6_a_refusal_is_explained_with_reason_and_complaint_route(store: Store):
    id = receive(store, "2026-02-09T10:00:00", region="SG", text="everything!").request.id  # type: ignore[union-attr]
    assert store.do("refuse-request", subject=NEW, request=id, reason="asked every day").outcome == "done"
    (request,) = store.engine.read.requests_in_words(store.engine.read.subject_id(NEW))
    asked, answered = request["words"]
    assert asked == {"text": "everything!"}
    assert answered["reason"] == "asked every day"
    assert "Personal Data Protection Commission" in answered["route"]
    assert store.do("refuse-request", subject=NEW, request=id).outcome == "invalid"  # a reason is not optional


def test_clause_7_6_a_duplicate_is_linked_and_answered_together_and_the_outcome_says_with_which(store: Store):
    first, second = (receive(store, f"2026-02-{day}T10:00:00").request for day in ("09", "10"))
    assert first is not None
    assert second is not None
    assert second.duplicate_of == first.id
    answered = store.do("fulfil-request", subject=NEW, request=first.id)
    assert answered.request is not None
    assert answered.request.together == (second.id,)
    assert {row["state"] for row in store.engine.read.requests(NEW)} == {"fulfilled"}


def test_clause_7_6_an_agent_shows_power_of_attorney_and_a_guardian_on_record_needs_none(store: Store):
    known = {"identity": "call back", "kind": "access"}
    agent = receive(store, "2026-02-09T10:00:00", on_behalf={"relation": "agent", "name": "Bob"}, **known)
    assert agent.request is not None
    early = store.do("fulfil-request", subject=NEW, request=agent.request.id)
    assert early.code == "not-verified"
    unshown = store.do("verify-requester", subject=NEW, request=agent.request.id, evidence="passport")
    assert unshown.code == "authority-missing"
    shown = store.do(
        "verify-requester", subject=NEW, request=agent.request.id, evidence="passport", authority="deed of 3 May"
    )
    assert shown.outcome == "done"
    mum = {"email": "mum@example.com"}
    store.do("record-guardian", subject=NEW, guardian=mum, evidence="family book")
    guardian = receive(
        store, "2026-02-10T10:00:00", on_behalf={"relation": "guardian", "reference": mum}, **known | {"kind": "copy"}
    )
    assert guardian.request is not None
    states = {row["id"]: row["state"] for row in store.engine.read.requests(NEW)}
    assert states == {agent.request.id: "verified", guardian.request.id: "verified"}


def test_clause_7_6_a_request_of_somebody_unknown_registers_them_and_they_are_forgotten_thirty_days_after(store: Store):
    outcome = receive(store, "2026-02-09T10:00:00", request="T-1", text="do you know me?")
    assert outcome.events == ("subject-registered/1", "identifier-linked/1", "request-received/1")
    store.engine.advance_clock(at("2026-04-20T00:00:00"))  # open, and so kept, however long it takes
    person = {"id": str(store.engine.read.subject_id(NEW))}
    store.do("fulfil-request", subject=NEW, request="T-1", note="no")
    store.engine.advance_clock(at("2026-05-20T23:59:59"))
    assert store.engine.read.subject_id(NEW)
    store.engine.advance_clock(at("2026-05-21T00:00:00"))
    assert store.kinds(person)[-2:] == ["erasure-ordered", "erasure-completed"]
    assert store.engine.execute(store.document("receive-request", subject=NEW, kind="enquiry", channel="phone")).events[
        0
    ] == ("subject-registered/1")  # a new person
    (before,) = store.engine.read.requests_in_words(store.engine.read.subject_id(person))
    assert before["words"] is None  # the words died with the person


def test_clause_7_6_a_refused_request_registers_nobody(store: Store):
    assert receive(store, "2026-02-09T10:00:00", channel="pigeon").code == "unknown-word"
    assert store.do("refuse-request", subject=ANN, request="T-1", reason="x").code == "unknown-request"
    assert store.engine.read.requests() == []
    assert store.consent(subject=NEW).events[0] == "subject-registered/1"


def test_clause_7_6_a_request_about_somebody_erased_is_accepted_without_words_and_its_deadline_is_kept(store: Store):
    store.consent()
    store.engine.move_clock(at("2026-02-09T09:00:00"))
    person = {"id": str(store.engine.read.subject_id(ANN))}
    assert store.do("erase", subject=ANN, ground="7.3e").receipt
    outcome = receive(store, "2026-02-09T10:00:00", subject=person, request="T-1", text="was it done?", kind="access")
    assert (outcome.outcome, outcome.events) == ("done", ("request-received/1",))
    assert outcome.request is not None
    assert str(outcome.request.due_on) == "2026-03-04"
    store.engine.advance_clock(at("2026-03-05T00:00:00"))
    assert store.kinds(person)[-1] == "deadline-missed"
    refused = store.do("refuse-request", subject=person, request=outcome.request.id, reason="nothing is left")
    assert refused.outcome == "done"
    (told,) = store.engine.read.requests_in_words(store.engine.read.subject_id(person))
    assert (told["state"], told["words"]) == ("refused", [])


def erased_and_asking(store: Store, kind: str = "access") -> tuple[dict[str, str], dict[str, str], str]:
    """Ann is erased, and somebody asks about her: her id, the receipt that she has, and our id of the request."""
    store.consent()
    store.consent(subject=NEW)
    store.engine.move_clock(at("2026-02-09T09:00:00"))
    person = {"id": str(store.engine.read.subject_id(ANN))}
    receipt = store.do("erase", subject=ANN, ground="7.3e").receipt
    asked = receive(store, "2026-02-09T10:00:00", subject=person, kind=kind).request
    assert receipt is not None
    assert asked is not None
    return person, receipt, asked.id


def test_clause_7_6_who_asks_about_an_erased_person_proves_to_be_them_by_the_receipt_of_the_erasure(store: Store):
    person, receipt, id = erased_and_asking(store)
    assert str(store.engine.read.erased(receipt)) == person["id"]

    def shown(**how: Any) -> Outcome:
        return store.do("verify-requester", subject=person, request=id, **how)

    assert shown(evidence="passport").code == "receipt-missing"
    assert shown().outcome == "invalid"
    others = store.do("erase", subject=NEW, ground="7.3e").receipt
    assert others is not None
    for wrong in (
        others,
        receipt | {"salt": others["salt"]},
        receipt | {"sid": others["sid"]},
        {"sid": "A", "salt": "B"},
    ):
        assert shown(receipt=wrong).code == "receipt-wrong"
    document = store.document("verify-requester", subject=person, request=id, receipt=receipt)
    first = store.engine.execute(document)
    assert first.events == ("requester-verified/1",)
    assert store.engine.execute(document) == first
    (row,) = store.engine.read.requests(person)
    assert row["state"] == "verified"
    assert receipt["salt"] not in str(store.engine.read.history(person))
    assert store.do("fulfil-request", subject=person, request=id).outcome == "done"  # nothing is left for a package
    assert {row["verdict"] for row in store.engine.read.re_decide(person)} <= {"same", "not-a-decision"}


def test_clause_7_6_the_answer_about_an_erased_person_is_extended_once_and_in_time_and_missed_on_the_new_day(
    store: Store,
):
    person, _, id = erased_and_asking(store)
    later = {"subject": person, "request": id, "until": "2026-03-20", "reason": "three systems"}
    extended = store.do("extend-request", **later)
    assert extended.request is not None
    assert (extended.outcome, str(extended.request.due_on)) == ("done", "2026-03-20")
    assert store.do("extend-request", **later | {"until": "2026-03-25"}).code == "too-late-to-extend"
    store.engine.advance_clock(at("2026-03-20T23:59:59"))
    assert store.kinds(person)[-1] == "deadline-extended"
    store.engine.advance_clock(at("2026-03-21T00:00:00"))
    assert store.kinds(person)[-1] == "deadline-missed"
    (told,) = store.engine.read.requests_in_words(store.engine.read.subject_id(person))
    assert (told["extended_from"], told["words"]) == ("2026-03-04", [])


def test_clause_7_6_a_receipt_of_the_living_proves_nothing(store: Store):
    store.consent(at="2026-02-09T09:00:00+08:00")
    asked = receive(store, "2026-02-09T10:00:00", subject=ANN, kind="access").request
    assert asked is not None
    wrong = store.do("verify-requester", subject=ANN, request=asked.id, receipt={"sid": "A", "salt": "B"})
    assert wrong.code == "receipt-wrong"


def test_clause_7_6_a_request_says_the_same_again_when_it_is_repeated(store: Store):
    document = store.document("receive-request", subject=NEW, kind="access", channel="phone", identity="call back")
    first = store.engine.execute(document)
    assert store.engine.execute(document) == first
    assert first.request is not None
    assert store.reopen().execute(document) == first


CALENDAR = "edition = 1\n[CN]\npublished_to = 2027\nclosed = [2027-01-04]\n"


def test_clause_7_6_a_provisional_day_moves_only_by_an_event_when_the_year_is_announced(
    database_url: str, keys: Path, tmp_path: Path
):
    store = Store(database_url, keys, BY_CHINA)
    receive(store, "2026-12-21T10:00:00")
    expected = only(store)
    assert expected["provisional"]
    store.engine.sweep()
    assert only(store) == expected
    store.engine.close()
    days = tmp_path / "days.toml"
    days.write_text(CALENDAR, encoding="utf-8")
    store.engine = open_engine(store.settings.db, keys=store.settings.keys, calendars=days)
    assert [each.what for each in store.engine.due()] == ["request-provisional"]
    store.engine.sweep()
    assert store.kinds(NEW)[-1] == "deadline-recomputed"
    counted = only(store)
    assert counted["due_on"] > expected["due_on"]
    assert not counted["provisional"]
    store.engine.sweep()
    store.reopen().sweep()  # an older calendar takes nothing back
    assert only(store)["due_on"] == counted["due_on"]
    assert store.kinds(NEW).count("deadline-recomputed") == 1
    assert {row["verdict"] for row in store.engine.read.re_decide(NEW)} == {"same"}
    store.engine.close()


def test_clause_7_6_what_was_said_goes_when_its_records_are_over_though_the_person_stays(store: Store):
    store.consent(at="2026-02-09T10:00:00+08:00")
    id = receive(store, "2026-02-09T10:00:00", subject=ANN, text="Where is my data?").request.id  # type: ignore[union-attr]
    store.do("fulfil-request", subject=ANN, request=id)
    ann = store.engine.read.subject_id(ANN)
    store.engine.advance_clock(at("2029-02-09T23:59:59"))
    assert store.engine.read.requests_in_words(ann)[0]["words"] == [{"text": "Where is my data?"}]
    store.engine.advance_clock(at("2029-02-10T00:00:00"))
    assert store.kinds()[-2:] == ["erasure-ordered", "erasure-completed"]
    assert store.engine.read.requests_in_words(ann)[0]["words"] is None
    assert store.engine.read.consents(ANN)[0]["status"] == "given"
    assert {row["verdict"] for row in store.engine.read.re_decide(ANN)} <= {"same", "not-a-decision"}
