"""Duties of recipients: who is told what, and which answer is allowed in which state."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import ANN_ID, POLICY
from lifecycle.domain.catalogue import decode
from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject import duty_events as d
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.duties import instructions
from lifecycle.domain.subject.duty import DutyState
from lifecycle.domain.subject.fold import fold
from lifecycle.domain.subject.instructing import Answer, ask_back, confirm, decline
from lifecycle.domain.subject.outgoing_events import PersonalDataAnonymised
from lifecycle.domain.subject.settling import calendar, fall_due
from lifecycle.domain.subject.state import Generation, Ground, Holding, Share, Subject
from lifecycle.errors import Refused
from lifecycle.policy.look_back import corrections_since
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import RetentionRule
from lifecycle.policy.vocabulary import CountsFrom, LegalBasis, RecipientKind

GOLDEN = Path(__file__).parents[1] / "golden" / "events"
BEGIN = datetime(2025, 3, 1, 2, tzinfo=UTC)
NOW = datetime(2025, 6, 2, 9, tzinfo=UTC)
RULE = RetentionRule(name="r", counts_from=CountsFrom.COLLECTION, period=None, zone="Asia/Singapore")
PACKS: dict[str, Policy] = {
    each: POLICY.model_copy(update={"jurisdictions": tuple(each.split("+"))}) for each in ("SG", "CN", "EU", "SG+EU")
}


def holding(id: str, *shares: Share, purposes: Sequence[str] = ("free-trial",)) -> Holding:
    grounds = tuple(
        Ground(n, purpose, LegalBasis.CONTRACT, BEGIN, BEGIN, RULE) for n, purpose in enumerate(purposes, 1)
    )
    return Holding(id, "email", "web-form", BEGIN, grounds, (Generation(1, BEGIN),), shares=shares)


def to(recipient: str, at: datetime = BEGIN, **fields: Any) -> Share:
    return Share(recipient, at, **({"purpose": "free-trial", "agreement": f"{recipient}-1"} | fields))


def ann(*holdings: Holding) -> Subject:
    return Subject(ANN_ID, version=9, holdings={each.id: each for each in holdings})


def numbered() -> Callable[[], tuple[str, str]]:
    numbers = count(1)

    def new() -> tuple[str, str]:
        instruction = f"i{next(numbers)}"
        return instruction, sha256(f"token of {instruction}".encode()).hexdigest()

    return new


def told(subject: Subject, *events: DomainEvent, policy: Policy = POLICY) -> list[tuple[Any, ...]]:
    found = instructions(subject, events, NOW, policy, numbered())
    return [(each.recipient, each.duty, each.because, each.holdings, each.purposes) for each in found]


def corrected(*holdings: str) -> e.PersonalDataCorrected:
    return e.PersonalDataCorrected(occurred_at=NOW, holdings=holdings)


def erased(*holdings: str) -> e.ErasureOrdered:
    return e.ErasureOrdered(occurred_at=NOW, ground="7.3d", holdings=holdings)


def ended(id: str, ground: int = 1) -> e.GroundEnded:
    return e.GroundEnded(occurred_at=NOW, grounds=(e.GroundRef(holding=id, ground=ground),), because="fulfilled")


def restricted(*holdings: str) -> e.ProcessingRestricted:
    return e.ProcessingRestricted(occurred_at=NOW, holdings=holdings, because="asked", by_law=False)


# -- who is told what --------------------------------------------------------------------------------------------------


def test_exactly_those_are_told_who_were_given_that_holding():
    subject = ann(holding("h1", to("udesk"), to("acme")), holding("h2", to("acme")), holding("h3"))
    assert told(subject, corrected("h1", "h2", "h3")) == [
        ("acme", "correct", "corrected", ("h1", "h2"), ()),
        ("udesk", "correct", "corrected", ("h1",), ()),
    ]
    assert told(subject, erased("h3")) == []


def test_to_erase_covers_to_stop_and_to_correct():
    subject = ann(holding("h1", to("udesk")))
    assert told(subject, corrected("h1"), ended("h1"), restricted("h1"), erased("h1")) == [
        ("udesk", "erase", "erased", ("h1",), ())
    ]


def test_a_correction_and_an_end_of_a_purpose_are_both_told():
    subject = ann(holding("h1", to("udesk"), purposes=("free-trial", "quotation")))
    assert told(subject, ended("h1"), corrected("h1")) == [
        ("udesk", "correct", "corrected", ("h1",), ()),
        ("udesk", "stop", "ground-ended", ("h1",), ("free-trial",)),
    ]


def test_who_was_given_it_for_another_purpose_that_lasts_is_not_stopped():
    both = ("free-trial", "quotation")
    subject = ann(holding("h1", to("udesk"), to("acme", purpose="quotation"), purposes=both))
    assert told(subject, ended("h1")) == [("udesk", "stop", "ground-ended", ("h1",), ("free-trial",))]


def test_a_purpose_that_has_another_ground_goes_on():
    subject = ann(holding("h1", to("udesk"), purposes=("free-trial", "free-trial")))
    assert told(subject, ended("h1", 1)) == []
    assert told(subject, ended("h1", 1), ended("h1", 2)) == [
        ("udesk", "stop", "ground-ended", ("h1",), ("free-trial",))
    ]


def test_who_was_given_it_for_no_stated_purpose_stops_for_each_that_ends():
    subject = ann(holding("h1", to("crm", purpose=None, agreement=None, kind=RecipientKind.SYSTEM)))
    assert told(subject, ended("h1")) == [("crm", "stop", "ground-ended", ("h1",), ("free-trial",))]


def test_an_authority_is_told_nothing():
    subject = ann(holding("h1", to("k1", kind=RecipientKind.AUTHORITY, purpose=None, agreement=None), to("udesk")))
    assert [one[0] for one in told(subject, erased("h1"))] == ["udesk"]


def test_what_is_anonymised_is_to_be_erased_by_whoever_has_it_still_with_a_name():
    subject = ann(holding("h1", to("udesk")), holding("h2", to("udesk")))
    facts = (PersonalDataAnonymised(occurred_at=NOW, holdings=("h1",)), erased("h1", "h2"))
    assert told(subject, *facts) == [
        ("udesk", "erase", "anonymised", ("h1",), ()),
        ("udesk", "erase", "erased", ("h2",), ()),
    ]


def test_an_order_may_name_the_words_of_a_request_too():
    stored = json.loads((GOLDEN / "request-received-1.json").read_text(encoding="utf-8"))
    received = decode(stored["kind"], stored["data"])
    subject = fold(ann(holding("h1", to("udesk"))), received, NOW)
    assert told(subject, erased(stored["data"]["request"])) == []
    assert told(subject, erased("h1", stored["data"]["request"])) == [("udesk", "erase", "erased", ("h1",), ())]


@pytest.mark.parametrize(("law", "is_told"), [("SG", False), ("CN", True), ("EU", True), ("SG+EU", True)], ids=str)
def test_another_organisation_is_told_of_a_correction_as_far_back_as_every_law_of_the_policy_asks(
    law: str, is_told: bool
):
    """PDPA s 22 asks for a year; GDPR Art. 19 and the PIPL know no limit."""
    long_ago = to("acme", NOW - timedelta(days=367), agreement=None, kind=RecipientKind.THIRD_PARTY)
    subject = ann(holding("h1", long_ago, to("udesk", NOW - timedelta(days=367))))
    names = [one[0] for one in told(subject, corrected("h1"), policy=PACKS[law])]
    assert names == (["acme", "udesk"] if is_told else ["udesk"])
    lately = ann(holding("h1", to("acme", NOW - timedelta(days=365), agreement=None, kind=RecipientKind.THIRD_PARTY)))
    assert [one[0] for one in told(lately, corrected("h1"), policy=PACKS[law])] == ["acme"]
    assert [one[0] for one in told(subject, erased("h1"), policy=PACKS[law])] == ["acme", "udesk"]


def test_the_look_back_is_a_year_of_whole_days_in_the_policy_s_zone():
    since = corrections_since(PACKS["SG"], NOW)
    assert since is not None
    assert POLICY.day_of(since) == date(2024, 6, 2)
    assert since < datetime(2024, 6, 2, 9, tzinfo=UTC)


# -- answers: a table --------------------------------------------------------------------------------------------------

INSTRUCTED = d.RecipientInstructed(
    occurred_at=NOW,
    instruction="i1",
    recipient="udesk",
    duty="erase",
    holdings=("h1",),
    because="erased",
    due=NOW + timedelta(days=14),
    token_hash=sha256(b"token of i1").hexdigest(),
)
ANSWER = Answer("i1", "token of i1")
LATE = d.RecipientOverdue(occurred_at=NOW, instruction="i1", recipient="udesk", due=NOW)
YES = d.RecipientConfirmed(occurred_at=NOW, instruction="i1", recipient="udesk", evidence="ticket 7")
NO = d.RecipientDeclined(occurred_at=NOW, instruction="i1", recipient="udesk", because="not-held", reason="never")
OTHER = INSTRUCTED.model_copy(update={"instruction": "i0", "duty": "correct"})
STATES: dict[DutyState, list[DomainEvent]] = {
    DutyState.OPEN: [],
    DutyState.OVERDUE: [LATE],
    DutyState.CONFIRMED: [YES],
    DutyState.DECLINED: [NO],
    DutyState.COVERED: [],
}
DONE, NOTHING, REFUSED = "done", "nothing", "answered-otherwise"
TABLE = {
    (DutyState.OPEN, "confirm"): DONE,
    (DutyState.OPEN, "decline"): DONE,
    (DutyState.OVERDUE, "confirm"): DONE,
    (DutyState.OVERDUE, "decline"): DONE,
    (DutyState.CONFIRMED, "confirm"): NOTHING,
    (DutyState.CONFIRMED, "decline"): REFUSED,
    (DutyState.DECLINED, "confirm"): REFUSED,
    (DutyState.DECLINED, "decline"): NOTHING,
    (DutyState.COVERED, "confirm"): NOTHING,
    (DutyState.COVERED, "decline"): REFUSED,
}


def after(*events: DomainEvent) -> Subject:
    subject = ann(holding("h1", to("udesk")))
    for event in events:
        subject = fold(subject, event, NOW)
    return subject


def in_state(state: DutyState) -> tuple[Subject, str]:
    """With the instruction that is in that state."""
    if state is DutyState.COVERED:
        return after(OTHER, INSTRUCTED, YES), "i0"
    return after(INSTRUCTED, *STATES[state]), "i1"


ACTS: dict[str, Callable[[Subject, Answer], Decision]] = {
    "confirm": lambda subject, answer: confirm(subject, Asked(NOW, NOW, POLICY), answer=answer, evidence="ticket 7"),
    "decline": lambda subject, answer: decline(
        subject, Asked(NOW, NOW, POLICY), answer=answer, because="not-held", reason="never"
    ),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("state", DutyState)
def test_each_answer_in_each_state(state: DutyState, act: str):
    subject, instruction = in_state(state)
    assert subject.duties[instruction].state(NOW) is state
    answer = Answer(instruction, "token of i1")
    expected = TABLE[state, act]
    if expected == REFUSED:
        with pytest.raises(Refused) as refused:
            ACTS[act](subject, answer)
        assert refused.value.code == REFUSED
    else:
        assert len(ACTS[act](subject, answer).events) == (expected == DONE)


@given(token=st.text(st.characters(exclude_categories=["Cs"]), max_size=80).filter(lambda text: text != "token of i1"))
def test_no_other_token_answers(token: str):
    for act in ACTS.values():
        with pytest.raises(Refused) as refused:
            act(after(INSTRUCTED), Answer("i1", token))
        assert refused.value.code == "token-wrong"


def test_an_instruction_of_somebody_else_is_unknown():
    with pytest.raises(Refused) as refused:
        ACTS["confirm"](after(INSTRUCTED), Answer("i2", "token of i2"))
    assert refused.value.code == "unknown-instruction"


def test_what_has_gone_covers_only_what_was_told_before_about_the_same():
    wider = OTHER.model_copy(update={"holdings": ("h1", "h2")})
    assert after(wider, INSTRUCTED, YES).duties["i0"].is_open
    elsewhere = OTHER.model_copy(update={"recipient": "acme"})
    assert after(elsewhere, INSTRUCTED, YES).duties["i0"].is_open
    later = OTHER.model_copy(update={"occurred_at": NOW + timedelta(days=1)})
    assert after(later, INSTRUCTED, YES).duties["i0"].is_open


# -- time --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("erasure", [None, "ordered", "completed", "finalised"])
def test_a_duty_falls_due_once_for_the_living_and_for_the_erased(erasure: str | None):
    subject = replace(after(INSTRUCTED), erasure=erasure)
    due = INSTRUCTED.due
    assert ("recipient-duty", due) in [(each.what, each.due) for each in calendar(subject, POLICY)]
    assert fall_due(subject, due - timedelta(microseconds=1), POLICY).events == ()
    late = fall_due(subject, due, POLICY).events
    assert [event.kind for event in late] == ["recipient-overdue/1"]
    assert all(event.after_erasure for event in late)
    said = fold(subject, late[0], due)
    assert fall_due(said, due + timedelta(days=9), POLICY).events == ()
    assert "recipient-duty" not in [each.what for each in calendar(said, POLICY)]


# -- an agreement is over ----------------------------------------------------------------------------------------------


def asked_back(subject: Subject) -> list[tuple[str, ...]]:
    asked = Asked(NOW, NOW, POLICY)
    decision = ask_back(subject, asked, recipient="udesk", agreement="udesk-1", new=numbered())
    return [event.holdings for event in decision.events]


def test_what_was_given_under_the_agreement_is_asked_back_once():
    subject = ann(
        holding("h1", to("udesk")), holding("h2", to("udesk", agreement="udesk-2")), holding("h3", to("acme"))
    )
    assert asked_back(subject) == [("h1",)]
    told_so = INSTRUCTED.model_copy(update={"duty": "return", "because": "agreement-ended", "agreement": "udesk-1"})
    assert asked_back(fold(subject, told_so, NOW)) == []
    declined = fold(fold(subject, told_so, NOW), NO, NOW)
    assert asked_back(declined) == []  # it stays a finding; asking again is somebody's decision


def test_what_is_to_be_erased_or_has_gone_is_not_asked_back():
    assert asked_back(after(INSTRUCTED)) == []
    assert asked_back(after(INSTRUCTED, YES)) == []
    assert asked_back(after(INSTRUCTED, NO)) == [("h1",)]
