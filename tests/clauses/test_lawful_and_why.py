"""Clauses 5 and 7.5: was it lawful then, and why is it still held? Asked of a whole store, on both engines."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from clauses.successor import Handing
from whole.stores import ANN, Store

from lifecycle.audit.lawful_acts import NotAnAct
from lifecycle.audit.lawful_answers import UnknownHolding
from lifecycle.engine import open_engine
from lifecycle.processes.sinks import CannotEraseNow, ToErase

SHARE = {"subject": ANN, "trustee": "udesk", "purpose": "free-trial", "method": "api", "categories": ["email"]}
TERMS = {
    "purpose": "free-trial",
    "from": "2024-07-15",
    "to": "2024-08-31",
    "method": "api",
    "categories": ["email"],
    "measures": "sealed",
    "rights_and_obligations": "audit",
}


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def holding(store: Store, category: str = "email") -> str:
    (found,) = [row["holding"] for row in store.engine.read.holdings(ANN) if row["category"] == category]
    return str(found)


def lawful(store: Store, at: str, category: str = "email", **said: Any) -> dict[str, Any]:
    known = {"as_known_at": instant(said.pop("as_known_at"))} if "as_known_at" in said else {}
    return store.engine.read.lawful(ANN, holding(store, category), instant(at), **known, **said)


def collected(store: Store) -> None:
    store.consent(at="2024-08-01T10:00:00+08:00")
    assert store.collect(at="2024-08-01T10:00:05+08:00").outcome == "done"


# -- 7.5: was it lawful? --------------------------------------------------------------------------------------------


def test_clause_7_5_processing_before_the_withdrawal_stays_lawful_with_ground_consent_and_policy(store: Store):
    collected(store)
    store.do("withdraw-consent", at="2024-08-10T10:00:00+08:00", subject=ANN, purposes=[], channel="email")
    before = lawful(store, "2024-08-09T10:00:00+08:00")
    assert (before["verdict"], before["as_known_then"], before["category"]) == ("lawful", None, "email")
    (ground,) = before["grounds"]
    assert (ground["purpose"], ground["basis"], ground["ground"]) == ("free-trial", "consent", 1)
    history = {row["version"]: row for row in store.engine.read.history(ANN)}
    given, begun = history[ground["consent"]["version"]], history[ground["begun_by"]["version"]]
    assert (given["kind"], given["position"]) == ("consent-given/1", ground["consent"]["position"])
    assert (begun["kind"], begun["policy"]) == ("personal-data-collected/1", ground["begun_by"]["policy"])
    assert before["policy"] == begun["policy"]
    after = lawful(store, "2024-08-10T10:00:00+08:00")
    assert (after["verdict"], after["because"]) == ("not-held", "erased")
    assert lawful(store, "2024-07-31T10:00:00+08:00")["because"] == "not-yet-held"


def test_clause_7_5_a_withdrawal_that_is_told_late_changes_what_is_known_now_not_what_was_known_then(store: Store):
    collected(store)
    store.collect("quotation", data={"email": "ann@example.com"}, basis="contract", evidence="K-1")
    store.do(
        "withdraw-consent", at="2024-08-20T10:00:00+08:00", subject=ANN, purposes=["recommended-customers"],
        channel="email",
    )  # fmt: skip
    store.engine.move_clock(instant("2024-08-20T10:00:00+08:00"))
    store.do("withdraw-consent", at="2024-08-05T10:00:00+08:00", subject=ANN, purposes=[], channel="phone")
    between = lawful(store, "2024-08-09T10:00:00+08:00", "name")
    assert (between["verdict"], between["because"]) == ("unlawful", "consent-withdrawn")
    assert between["as_known_then"]["verdict"] == "lawful"
    assert between["as_known_then"]["grounds"][0]["consent"]["ended"] is None
    email = lawful(store, "2024-08-09T10:00:00+08:00")
    assert (email["verdict"], [ground["purpose"] for ground in email["grounds"]]) == ("lawful", ["quotation"])
    assert len(email["as_known_then"]["grounds"]) == 2
    for_trial = lawful(store, "2024-08-09T10:00:00+08:00", purpose="free-trial")
    assert (for_trial["verdict"], for_trial["because"]) == ("unlawful", "no-ground-for-purpose")
    then = lawful(store, "2024-08-09T10:00:00+08:00", "name", as_known_at="2024-08-19T10:00:00+08:00")
    assert (then["verdict"], then["as_known_then"]) == ("lawful", None)


def test_clause_7_5_a_withdrawal_told_after_the_data_is_gone_still_says_since_when_it_was_unlawful(store: Store):
    store.consent("recommended-customers", at="2024-08-01T10:00:00+08:00")
    store.collect("recommended-customers", data={"email": "ann@example.com"})
    gone = holding(store)
    store.do("place-hold", subject=ANN, hold="K", reason="r", authority="court", categories=["phone"])
    store.engine.advance_clock(instant("2025-02-10T10:00:00+08:00"))
    assert store.held() == {"email": "erased"}
    told = store.do("withdraw-consent", at="2024-10-01T10:00:00+08:00", subject=ANN, purposes=[], channel="phone")
    assert told.outcome == "done"
    between = store.engine.read.lawful(ANN, gone, instant("2024-11-01T10:00:00+08:00"))
    assert (between["verdict"], between["as_known_then"]["verdict"]) == ("unlawful", "lawful")
    assert store.engine.read.lawful(ANN, gone, instant("2024-09-30T10:00:00+08:00"))["verdict"] == "lawful"


def test_clause_7_5_shares_are_told_with_their_agreement_and_judged_when_they_happened(store: Store):
    collected(store)
    store.do("engage-trustee", trustee="udesk", name="Udesk", contact="x", country="CN")
    store.do("sign-agreement", trustee="udesk", agreement=TERMS)
    shared = store.do("share", at="2024-08-02T10:00:00+08:00", **SHARE)
    assert shared.outcome == "done"
    store.engine.move_clock(instant("2024-08-03T10:00:00+08:00"))
    (during,) = lawful(store, "2024-08-03T10:00:00+08:00")["shares"]
    assert (during["recipient"], during["agreement_version"], during["agreement_in_force"]) == ("udesk", 2, True)
    store.engine.move_clock(instant("2024-09-02T10:00:00+08:00"))
    (after,) = lawful(store, "2024-09-01T00:00:00+08:00")["shares"]
    assert after["agreement_in_force"] is False  # from the day after its last
    act = store.engine.read.lawful_act(ANN, shared.version)
    assert (act["verdict"], act["as_known_then"], act["agreement"]["agreement"]) == ("lawful", None, "udesk-1")
    store.do("withdraw-consent", at="2024-08-01T12:00:00+08:00", subject=ANN, purposes=[], channel="phone")
    act = store.engine.read.lawful_act(ANN, shared.version)
    assert (act["verdict"], act["because"]) == ("unlawful", "consent-withdrawn")
    assert act["as_known_then"]["verdict"] == "lawful"
    earlier = store.engine.read.lawful_act(ANN, shared.version, instant("2024-09-01T00:00:00+08:00"))
    assert (earlier["verdict"], earlier["as_known_then"]) == ("lawful", None)


def test_clause_7_5_an_agreement_that_is_ended_with_an_earlier_date_makes_the_share_unlawful_as_known_now(store: Store):
    collected(store)
    store.do("engage-trustee", trustee="udesk", name="Udesk", contact="x", country="CN")
    store.do("sign-agreement", trustee="udesk", agreement=TERMS)
    shared = store.do("share", at="2024-08-02T10:00:00+08:00", **SHARE)
    store.do("end-agreement", at="2024-08-02T09:00:00+08:00", trustee="udesk", reason="breach")
    act = store.engine.read.lawful_act(ANN, shared.version)
    assert (act["verdict"], act["because"], act["as_known_then"]["verdict"]) == (
        "unlawful", "agreement-lapsed", "lawful",
    )  # fmt: skip


def test_clause_7_5_what_lies_ahead_cannot_be_told_and_what_never_was_is_refused(store: Store):
    collected(store)
    ahead = lawful(store, "2030-01-01T00:00:00+08:00")
    assert (ahead["verdict"], ahead["because"]) == ("cannot-tell", "in-the-future")
    with pytest.raises(UnknownHolding):
        store.engine.read.lawful(ANN, "no-such-holding", instant("2024-08-01T10:00:05+08:00"))
    for version in (1, 99, 0):
        with pytest.raises(NotAnAct):
            store.engine.read.lawful_act(ANN, version)


def test_clause_7_5_a_disclosure_and_a_reading_are_judged_when_they_happened_and_by_what_is_known_since(store: Store):
    collected(store)
    warrant = {"kind": "warrant", "reference": "DC/17", "issued_on": "2024-08-01"}
    said = {"authority": "District Court 4", "instrument": warrant, "approved_by": "counsel", "categories": ["email"]}
    disclosed = store.do("disclose", at="2024-08-10T10:00:00+08:00", subject=ANN, **said)
    assert disclosed.outcome == "done"
    store.engine.read_clear(ANN, "free-trial", {"id": "web", "role": "service"})
    (read,) = (row["version"] for row in store.engine.read.audit_trail(ANN) if row["outcome"] == "read")

    def verdicts() -> list[tuple[str, str]]:
        answers = [store.engine.read.lawful_act(ANN, disclosed.version), store.engine.read.lawful_read(ANN, read)]
        assert [answer["kind"] for answer in answers] == ["personal-data-disclosed/1", "personal-data-read/1"]
        return [(answer["verdict"], (answer["as_known_then"] or answer)["verdict"]) for answer in answers]

    assert verdicts() == [("lawful", "lawful")] * 2
    store.engine.move_clock(instant("2024-08-20T10:00:00+08:00"))
    store.do("withdraw-consent", at="2024-08-05T10:00:00+08:00", subject=ANN, purposes=[], channel="phone")
    assert verdicts() == [("unlawful", "lawful")] * 2
    with pytest.raises(NotAnAct):
        store.engine.read.lawful_read(ANN, 99)


def test_clause_7_5_a_transfer_and_an_opening_of_custody_are_judged_too(store: Store, tmp_path: Path):
    collected(store)
    store.do("restrict", subject=ANN, categories=["name"], reason="disputed", law="CPC 9")
    custodian = {"id": "c", "role": "custodian"}
    store.engine.open_custody(ANN, custodian, reason="the court asked", law="CPC 9")
    store.engine.move_clock(instant("2024-08-02T10:00:00+08:00"))
    handing = Handing.of(store, tmp_path)
    handing.announce()
    handing.notify()
    handing.run()
    (read,) = (row["version"] for row in store.engine.read.audit_trail(ANN) if row["outcome"] == "read")
    opened = store.engine.read.lawful_read(ANN, read)
    assert (opened["kind"], opened["verdict"]) == ("custody-opened/1", "lawful")
    (moved,) = (r["version"] for r in store.engine.read.history(ANN) if r["kind"] == "subject-transferred/1")
    answer = store.engine.read.lawful_act(ANN, moved)
    assert (answer["verdict"], answer["as_known_then"]) == ("lawful", None)
    assert {one["verdict"] for one in answer["holdings"]} == {"lawful", "storage-only"}


# -- 5: storage only, and why ---------------------------------------------------------------------------------------


def test_clause_5_a_period_that_nobody_carried_out_makes_keeping_unlawful_a_minimum_makes_it_storage_only(store: Store):
    collected(store)
    store.collect("account-login", data={"login-account": "ann"}, basis="contract", evidence="K-1")
    store.do(
        "end-purpose", at="2024-09-01T10:00:00+08:00", subject=ANN, purpose="account-login", reason="contract-ended"
    )
    stored = lawful(store, "2024-09-01T10:00:00+08:00", "login-account")
    assert (stored["verdict"], stored["because"]) == ("storage-only", "statutory-minimum")
    store.engine.move_clock(instant("2026-09-01T10:00:00+08:00"))
    late = lawful(store, "2026-08-20T00:00:00+08:00")
    assert (late["verdict"], late["because"]) == ("unlawful", "retention-expired")
    store.engine.sweep()
    assert lawful(store, "2026-08-20T00:00:00+08:00")["verdict"] == "unlawful"
    assert lawful(store, "2026-09-01T10:00:00+08:00")["verdict"] == "not-held"


def test_clause_5_restriction_leaves_storage_and_nothing_else(store: Store):
    collected(store)
    store.do("restrict", at="2024-08-05T10:00:00+08:00", subject=ANN, categories=["email"], reason="disputed")
    store.do("lift-restriction", at="2024-08-07T10:00:00+08:00", subject=ANN, categories=["email"], reason="settled")
    assert lawful(store, "2024-08-05T09:00:00+08:00")["verdict"] == "lawful"
    assert lawful(store, "2024-08-06T10:00:00+08:00")["because"] == "asked"
    assert lawful(store, "2024-08-07T10:00:00+08:00")["verdict"] == "lawful"


def test_clause_5_why_names_every_reason_and_the_instant_at_which_the_scheduler_deletes(store: Store):
    collected(store)
    store.collect("account-login", data={"login-account": "ann"}, basis="contract", evidence="K-1")
    store.do("place-hold", subject=ANN, hold="K-7", reason="claim", authority="court", categories=["phone"])
    answer = {one["category"]: one for one in store.engine.read.why(ANN)["holdings"]}
    assert answer["email"]["earliest"] == "2026-08-01T16:00:00Z"
    assert [(each["because"], each["until"]) for each in answer["phone"]["reasons"]] == [
        ("ground", "2026-08-01T16:00:00Z"),
        ("legal-hold", None),
    ]
    assert (answer["phone"]["earliest"], answer["login-account"]["earliest"]) == (None, None)
    store.do("end-purpose", subject=ANN, purpose="account-login", reason="contract-ended")
    answer = {one["category"]: one for one in store.engine.read.why(ANN)["holdings"]}
    (minimum,) = answer["login-account"]["reasons"]
    assert (minimum["because"], minimum["law"]) == ("statutory-minimum", "ecommerce-law-31")
    assert answer["login-account"]["earliest"] == minimum["until"] == "2027-08-01T16:00:00Z"
    store.engine.advance_clock(instant("2026-08-01T23:59:59+08:00"))
    assert store.held()["email"] == "held"
    store.engine.advance_clock(instant("2026-08-02T00:00:00+08:00"))
    assert (store.held()["email"], store.held()["phone"]) == ("erased", "restricted")


def test_clause_5_why_tells_when_the_whole_person_goes_and_what_they_are_found_by_until_then(store: Store):
    store.consent("recommended-customers", at="2024-08-01T10:00:00+08:00")
    store.collect("recommended-customers", data={"email": "ann@example.com"})
    assert {each["because"] for each in store.engine.read.why(ANN)["person"]["reasons"]} == {
        "holding", "consent", "recent-event",
    }  # fmt: skip
    assert store.engine.read.why(ANN)["person"]["earliest"] is None  # a consent is there until it is withdrawn
    store.do("withdraw-consent", at="2024-08-05T10:00:00+08:00", subject=ANN, purposes=[], channel="email")
    person = store.engine.read.why(ANN)["person"]
    assert [each["because"] for each in person["reasons"]] == ["recent-event"]
    assert person["earliest"] == "2024-09-04T16:00:00Z"
    subject = store.engine.read.subject_id(ANN)
    store.engine.advance_clock(instant("2024-09-04T23:59:59+08:00"))
    assert store.engine.read.subject_id(ANN) == subject
    store.engine.advance_clock(instant("2024-09-05T00:00:00+08:00"))
    assert store.engine.read.history(subject)[-1]["kind"] == "erasure-completed/1"
    assert store.engine.read.why(subject) == {
        "subject": str(subject),
        "at": "2024-09-04T16:00:00Z",
        "holdings": [],
        "person": {"earliest": None, "reasons": []},
    }


def test_clause_5_why_names_an_open_request_and_the_copy_that_law_preserves_after_it_was_refused(store: Store):
    quote = {"purpose": "quotation", "basis": "contract", "evidence": "K-1", "source": "web-form"}
    phone = {"phone": "+6591234567"}
    store.do("collect", "2024-08-01T10:00:00+08:00", subject=ANN, data=phone, **quote)
    store.engine.advance_clock(instant("2025-07-20T00:00:00+08:00"))
    store.do("receive-request", subject=ANN, request="r-1", kind="access", channel="email")
    assert "open-request" in {each["because"] for each in store.engine.read.why(ANN)["person"]["reasons"]}
    store.do("refuse-request", subject=ANN, request="r-1", reason="it would harm somebody else")
    answer = store.engine.read.why(ANN)
    (one,) = answer["holdings"]
    assert [each["because"] for each in one["reasons"]] == ["ground", "mandatory-copy"]
    assert one["earliest"] == one["reasons"][1]["until"] == "2025-08-19T16:00:00Z"
    assert "open-request" not in {each["because"] for each in answer["person"]["reasons"]}
    store.engine.advance_clock(instant("2025-08-20T00:00:00+08:00"))
    assert store.held() == {"phone": "erased"}
    stored = lawful(store, "2025-08-10T00:00:00+08:00", "phone")
    assert (stored["verdict"], stored["because"]) == ("storage-only", "mandatory-copy")


class Tape:
    """A medium that cannot be erased before its window opens."""

    name = "tape"
    is_open = False

    def erase(self, what: ToErase) -> str:
        if not self.is_open:
            raise CannotEraseNow("the window opens on Sunday")
        return "overwritten"

    def is_gone(self, what: ToErase) -> bool:
        return self.is_open


def test_clause_5_what_a_store_outside_of_ours_cannot_erase_yet_is_storage_only_and_why_says_so(store: Store):
    store.engine.close()
    tape = Tape()
    store.engine = open_engine(store.settings.db, keys=store.settings.keys, sinks=[tape])
    collected(store)
    at = store.engine.clock.now()
    store.do("erase", subject=ANN, ground="7.3d", categories=["email"])
    (email,) = [one for one in store.engine.read.why(ANN)["holdings"] if one["category"] == "email"]
    assert [(each["because"], each["until"]) for each in email["reasons"]] == [("technical", None)]
    assert datetime.fromisoformat(email["earliest"]) == at
    assert lawful(store, at.isoformat())["because"] == "technical"
    tape.is_open = True
    store.engine.sweep()
    assert "email" not in {one["category"] for one in store.engine.read.why(ANN)["holdings"]}
    assert lawful(store, at.isoformat())["verdict"] == "not-held"
