"""Requests: what may be done with them when, and what time brings to them. Policy clauses 7.1 to 7.6, 10.1, 10.2."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from scenario import Act, Given, given

from examples import POLICY, changed, sg
from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.subject import answering, packaging, request_dues, requesting, settling
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import request_events as q
from lifecycle.domain.subject import request_refusals as r
from lifecycle.domain.subject.refusals import UnknownWord
from lifecycle.domain.subject.requests import ALLOWED, ALREADY, Request, Status
from lifecycle.domain.subject.requests import Act as Deed
from lifecycle.policy.calendars import Calendars
from lifecycle.policy.countries import STANDARD, parse_own_days
from lifecycle.policy.vocabulary import PauseReason, RequestKind, Role

PAUSING = changed(('calendar = "SG"', 'calendar = "SG"\npauses = ["identity", "clarification"]'))
BY_CHINA = changed(('calendar = "SG"', 'calendar = "CN"'))
MONDAY = sg(2026, 2, 9, 10)
TUESDAY = sg(2026, 2, 10, 10)
UNKNOWN = requesting.Requester()
DUE = sg(2026, 3, 5)  # the last day is Wednesday, 4 March
LATE = sg(2026, 6, 1, 10)


def receiving(
    id: str = "r1",
    asks: str = "enquiry",
    *,
    at: datetime = MONDAY,
    requester: requesting.Requester = UNKNOWN,
    calendars: Calendars = STANDARD,
    **fields: Any,
) -> Act:
    def decide(life: Any, asked: Asked) -> Decision:
        said = {"channel": "phone", "words": {"text": "where is my data?"}} | fields
        told = asked._replace(calendars=calendars)
        return requesting.receive(life.subject, told, request=id, asks=RequestKind(asks), requester=requester, **said)

    return Act(decide, at)


def doing(deed: Deed, id: str = "r1", *, at: datetime = TUESDAY, **fields: Any) -> Act:
    """Something done with a request, with everything that it needs."""
    needed: dict[Deed, tuple[Any, dict[str, Any]]] = {
        Deed.VERIFY: (requesting.verify_requester, {"evidence": "passport", "authority": None}),
        Deed.PAUSE: (requesting.pause_request, {"because": PauseReason.CLARIFICATION, "reason": "which account?"}),
        Deed.RESUME: (requesting.resume_request, {"reason": None}),
        Deed.EXTEND: (
            requesting.extend_request, {"until": date(2026, 4, 1), "reason": "complex", "channel": None},
        ),
        Deed.FULFIL: (answering.fulfil_request, {"note": None, "otherwise": "by letter"}),
        Deed.REFUSE: (answering.refuse_request, {"reason": "unfounded"}),
        Deed.WITHDRAW: (answering.withdraw_request, {"reason": None}),
        Deed.ESCALATE: (answering.escalate_complaint, {"region": "SG", "reason": None}),
    }  # fmt: skip
    decide, given_ = needed[deed]
    return Act(lambda life, asked: decide(life.subject, asked, request=id, **(given_ | fields)), at)


def passing(at: datetime, calendars: Calendars = STANDARD) -> Act:
    """The sweep."""
    return Act(lambda life, asked: settling.fall_due(life.subject, asked.now, asked.policy, calendars), at)


def only(life: Given, id: str = "r1") -> Request:
    return life.subject.requests[id]


def words(event: Any) -> Any:
    return json.loads(event.values[event.request])


# -- the state machine, every pair of it ----------------------------------------------------------------------------

PROVEN = requesting.Requester(proven=True)
REACHED: dict[Status, tuple[Act, ...]] = {
    Status.RECEIVED: (receiving(asks="complaint"),),
    Status.AWAITING_IDENTITY: (receiving(asks="access"),),
    Status.VERIFIED: (receiving(asks="access", requester=PROVEN),),
    Status.PAUSED: (receiving(asks="complaint"), doing(Deed.PAUSE)),
    Status.EXTENDED: (receiving(asks="complaint"), doing(Deed.EXTEND)),
    Status.FULFILLED: (receiving(asks="complaint"), doing(Deed.FULFIL)),
    Status.REFUSED: (receiving(asks="complaint"), doing(Deed.REFUSE)),
    Status.WITHDRAWN: (receiving(asks="complaint"), doing(Deed.WITHDRAW)),
}


@pytest.mark.parametrize(("status", "deed"), list(product(Status, Deed)), ids=lambda one: one.value)
def test_everything_out_of_order_is_refused_and_everything_in_order_is_done(status: Status, deed: Deed):
    before = given(*REACHED[status], policy=PAUSING)
    assert only(before).status is status
    act = doing(deed, at=sg(2026, 2, 11, 10))
    is_complaint = only(before).asks is RequestKind.COMPLAINT
    if deed in ALLOWED[status] and (deed is not Deed.ESCALATE or is_complaint):
        after = Given(before.life.after(before.when(act).decision(), act.at), PAUSING)
        assert after.life.history != before.life.history
        assert only(after) != only(before)
    elif (status, deed) in ALREADY:
        before.when(act).then_nothing()
    else:
        with pytest.raises((r.RequestClosed, r.RequestState, r.NotVerified, r.TooLateToExtend, r.NotAComplaint)):
            before.when(act).decision()


@pytest.mark.parametrize("deed", Deed, ids=lambda one: one.value)
def test_nothing_can_be_done_with_a_request_that_nobody_made(deed: Deed):
    given(receiving()).when(doing(deed, "r2")).then_refused(r.UnknownRequest)


def test_every_state_can_be_reached_and_stands_in_the_table():
    assert set(REACHED) == set(ALLOWED) == set(Status)


# -- receiving ----------------------------------------------------------------------------------------------------


def test_an_enquiry_is_answered_within_fifteen_working_days_whoever_asks():
    after = given(receiving())
    assert only(after).status is Status.RECEIVED
    assert only(after).due == DUE


def test_a_request_for_data_waits_until_it_is_known_who_asks():
    after = given(receiving(asks="access"))
    assert only(after).status is Status.AWAITING_IDENTITY
    assert only(after).due is None
    refused = after.when(doing(Deed.FULFIL)).then_refused(r.NotVerified)
    assert (refused.code, refused.clause) == ("not-verified", "7.1")


def test_the_clock_begins_when_identity_is_proven():
    after = given(receiving(asks="access"), doing(Deed.VERIFY, at=sg(2026, 2, 11, 10)))
    assert only(after).deadline.due_on == date(2026, 3, 6)
    assert only(after).deadline.number == 15
    assert only(after).rested == 2


def test_where_the_policy_lets_no_clock_rest_it_runs_from_the_receipt():
    restless = changed(('calendar = "SG"', 'calendar = "SG"\npauses = []'))
    after = given(receiving(asks="access"), policy=restless)
    assert only(after).status is Status.AWAITING_IDENTITY
    assert only(after).due == DUE
    after.when(doing(Deed.FULFIL)).then_refused(r.NotVerified)
    verified = after.and_then(doing(Deed.VERIFY))
    assert only(verified).due == DUE


def test_whose_identity_is_known_waits_for_nothing():
    after = given(receiving(asks="access", requester=PROVEN))
    assert (only(after).status, only(after).due) == (Status.VERIFIED, DUE)


@pytest.mark.parametrize("relation", ["agent", "guardian"])
def test_who_asks_for_another_shows_by_what_authority(relation: Any):
    unshown = requesting.Requester(True, relation, authorised=False)
    after = given(receiving(asks="access", requester=unshown))
    assert only(after).status is Status.AWAITING_IDENTITY
    after.when(doing(Deed.VERIFY)).then_refused(r.AuthorityMissing)
    shown = after.and_then(doing(Deed.VERIFY, authority="power of attorney"))
    assert only(shown).status is Status.VERIFIED
    at_once = given(receiving(asks="access", requester=requesting.Requester(True, relation, authorised=True)))
    assert only(at_once).status is Status.VERIFIED


def test_the_day_is_the_policy_s_day_not_utc_s():
    late = sg(2026, 2, 9, 23, 30)  # 15:30 UTC, and in Singapore still Monday
    assert only(given(receiving(at=late))).received_on == date(2026, 2, 9)
    assert only(given(receiving(at=late + timedelta(hours=1)))).received_on == date(2026, 2, 10)


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"channel": "pigeon"}, UnknownWord),
        ({"region": "US"}, UnknownWord),
        ({"about": "r9"}, r.UnknownRequest),
    ],
)
def test_a_request_of_words_that_nobody_declared_is_refused(fields: dict[str, str], refusal: Any):
    given().when(receiving(**fields)).then_refused(refusal)


def test_one_name_names_one_request():
    before = given(receiving())
    before.when(receiving()).then_nothing()
    before.when(receiving(at=sg(2026, 2, 10))).then_refused(r.RequestKnown)
    before.when(receiving(asks="complaint")).then_refused(r.RequestKnown)


# -- duplicates ---------------------------------------------------------------------------------------------------


def test_what_is_asked_again_is_answered_together():
    before = given(receiving("r1"), receiving("r2", at=sg(2026, 2, 10)), receiving("r3", at=sg(2026, 2, 11)))
    assert [only(before, id).duplicate_of for id in ("r1", "r2", "r3")] == [None, "r1", "r1"]
    answered = before.and_then(doing(Deed.REFUSE, at=sg(2026, 2, 12)))
    assert {only(answered, id).status for id in ("r1", "r2", "r3")} == {Status.REFUSED}


def test_a_request_of_another_kind_or_about_another_matter_is_no_duplicate():
    before = given(receiving("r1"), receiving("r2", "complaint"), receiving("r3", "complaint", about="r1"))
    assert {only(before, id).duplicate_of for id in ("r1", "r2", "r3")} == {None}
    after = before.and_then(doing(Deed.FULFIL, "r1"), receiving("r4", at=sg(2026, 2, 12)))
    assert only(after, "r4").duplicate_of is None  # the first is answered already


def test_who_has_not_proven_who_they_are_is_not_given_another_s_answer():
    before = given(receiving("r1", "access", requester=PROVEN), receiving("r2", "access", at=sg(2026, 2, 10)))
    after = before.and_then(doing(Deed.FULFIL))
    assert (only(after, "r1").status, only(after, "r2").status) == (Status.FULFILLED, Status.AWAITING_IDENTITY)


def test_who_has_proven_who_they_are_does_not_wait_for_somebody_who_has_not():
    """Otherwise a stranger's request in the person's name would stop the clock of the person's own."""
    before = given(receiving("r1", "access"), receiving("r2", "access", at=TUESDAY, requester=PROVEN))
    assert only(before, "r2").duplicate_of == "r1"
    missed = before.and_then(passing(sg(2026, 3, 6)))
    assert only(missed, "r2").missed_at == sg(2026, 3, 6)
    assert only(missed, "r1").missed_at is None


def test_a_duplicate_has_no_clock_until_the_first_is_withdrawn():
    before = given(receiving("r1"), receiving("r2", at=sg(2026, 2, 10)), doing(Deed.EXTEND))
    assert not before.when(passing(sg(2026, 3, 10))).decision().events
    alone = before.and_then(doing(Deed.WITHDRAW, at=sg(2026, 3, 10)))
    (missed,) = alone.when(passing(sg(2026, 3, 11))).decision().events
    assert isinstance(missed, q.DeadlineMissed)
    assert missed.request == "r2"


# -- pause ----------------------------------------------------------------------------------------------------------


def test_a_pause_moves_the_deadline_by_what_was_left_and_says_so():
    paused = given(receiving(), doing(Deed.PAUSE, at=sg(2026, 2, 11, 9)), policy=PAUSING)
    assert only(paused).due is None
    after = paused.and_then(doing(Deed.RESUME, at=sg(2026, 2, 25, 9)))
    assert only(after).deadline.number == 13
    assert only(after).deadline.counted_from == date(2026, 2, 25)
    assert only(after).deadline.due_on == date(2026, 3, 16)
    assert only(after).rested == 14


def test_the_clock_rests_only_for_what_the_policy_names():
    given(receiving()).when(doing(Deed.PAUSE)).then_refused(r.PauseNotAllowed)
    proven = given(receiving(asks="access", requester=PROVEN))
    proven.when(doing(Deed.PAUSE, because=PauseReason.IDENTITY)).then_refused(r.PauseNotAllowed)


def test_a_doubt_about_who_asks_makes_the_request_wait_for_proof():
    after = given(receiving(), doing(Deed.PAUSE, because=PauseReason.IDENTITY))
    assert only(after).status is Status.AWAITING_IDENTITY
    after.when(doing(Deed.RESUME)).then_refused(r.NotVerified)
    after.when(doing(Deed.PAUSE, because=PauseReason.IDENTITY)).then_nothing()
    assert only(after.and_then(doing(Deed.VERIFY))).status is Status.VERIFIED


def test_a_clock_is_not_stopped_after_it_has_run_out():
    before = given(receiving(), policy=PAUSING)
    before.when(doing(Deed.PAUSE, at=DUE)).then_refused(r.TooLateToPause)


def test_no_pause_is_longer_than_the_policy_says():
    paused = given(receiving(), doing(Deed.PAUSE, at=sg(2026, 2, 11, 9)), policy=PAUSING)
    over = sg(2026, 3, 14)  # thirty days after 11 February, the last one included
    assert not paused.when(passing(over - timedelta(seconds=1))).decision().events
    resumed, *_ = paused.when(passing(over)).decision().events
    assert isinstance(resumed, q.RequestResumed)
    assert (resumed.because, resumed.deadlines[0].counted_from) == ("pause-over", date(2026, 3, 13))
    assert resumed.deadlines[0].number == 13


# -- extension --------------------------------------------------------------------------------------------------------


def test_a_complex_matter_is_extended_once_with_a_reason_and_a_new_day():
    (extended,) = given(receiving()).when(doing(Deed.EXTEND)).decision().events
    assert isinstance(extended, q.DeadlineExtended)
    assert (extended.was, extended.deadlines[0].due_on) == (date(2026, 3, 4), date(2026, 4, 1))
    assert extended.deadlines[0].due == sg(2026, 4, 2)
    assert words(extended) == {"reason": "complex"}
    again = given(receiving(), doing(Deed.EXTEND)).when(doing(Deed.EXTEND)).then_refused(r.TooLateToExtend)
    assert again.code == "too-late-to-extend"


def test_before_the_last_instant_it_can_be_extended_and_from_then_on_not():
    before = given(receiving())
    before.when(doing(Deed.EXTEND, at=DUE - timedelta(seconds=1))).then_kinds(q.DeadlineExtended)
    refused = before.when(doing(Deed.EXTEND, at=DUE)).then_refused(r.TooLateToExtend)
    assert refused.code == "too-late-to-extend"


def test_an_extension_reported_late_comes_too_late():
    early, late = doing(Deed.EXTEND, at=DUE - timedelta(days=1)), DUE + timedelta(hours=1)
    given(receiving()).when(early.recorded_on(late)).then_refused(r.TooLateToExtend)


@pytest.mark.parametrize("until", [date(2026, 3, 4), date(2026, 3, 3), date(2020, 1, 1)])
def test_an_extension_that_shortens_or_changes_nothing_is_refused(until: date):
    given(receiving()).when(doing(Deed.EXTEND, until=until)).then_refused(r.ExtensionTooShort)


def test_an_extension_beyond_what_law_allows_is_refused():
    european = changed(('jurisdictions = ["SG", "CN"]', 'jurisdictions = ["EU"]'))
    before = given(receiving(), policy=european)
    before.when(doing(Deed.EXTEND, until=date(2026, 5, 10))).then_refused(r.ExtensionTooLong)
    before.when(doing(Deed.EXTEND, until=date(2026, 5, 9))).then_kinds(q.DeadlineExtended)


def test_the_person_is_told_of_an_extension_by_a_declared_channel():
    (extended,) = given(receiving()).when(doing(Deed.EXTEND)).decision().events
    assert extended.channel == "phone"  # as they asked
    given(receiving()).when(doing(Deed.EXTEND, channel="pigeon")).then_refused(UnknownWord)


def test_a_pause_after_an_extension_moves_the_promised_day():
    extended = given(receiving(), doing(Deed.EXTEND), policy=PAUSING)
    paused = extended.and_then(doing(Deed.PAUSE, at=sg(2026, 3, 20)), doing(Deed.RESUME, at=sg(2026, 3, 25)))
    assert only(paused).deadline.due_on == date(2026, 4, 6)
    assert only(paused).status is Status.EXTENDED


# -- answers ----------------------------------------------------------------------------------------------------------


def test_a_refusal_says_why_and_where_to_complain():
    (refused,) = given(receiving(region="SG")).when(doing(Deed.REFUSE)).decision().events
    assert refused.regulators == ("SG",)
    said = words(refused)
    assert said["reason"] == "unfounded"
    assert "Personal Data Protection Commission (https://www.pdpc.gov.sg)" in said["route"]
    assert "service@example.com" in said["route"]
    assert "Cyberspace" not in said["route"]


def test_where_the_region_is_not_known_every_authority_is_named():
    (refused,) = given(receiving()).when(doing(Deed.REFUSE)).decision().events
    assert refused.regulators == ("SG", "CN")


def test_a_complaint_goes_to_the_authority_of_the_region():
    before = given(receiving(asks="complaint"))
    before.when(doing(Deed.ESCALATE, region=None)).then_refused(r.RegionMissing)
    before.when(doing(Deed.ESCALATE, region="US")).then_refused(UnknownWord)
    after = before.and_then(doing(Deed.ESCALATE))
    assert only(after).escalated_to == "SG"
    assert only(after).is_open
    after.when(doing(Deed.ESCALATE)).then_nothing()
    given(receiving()).when(doing(Deed.ESCALATE)).then_refused(r.NotAComplaint)


# -- time -------------------------------------------------------------------------------------------------------------


def test_somebody_is_warned_once_and_told_once_that_it_was_missed():
    before = given(receiving())
    assert not before.when(passing(sg(2026, 3, 1, 23, 59))).decision().events
    (warned,) = before.when(passing(sg(2026, 3, 2))).decision().events
    assert isinstance(warned, q.DeadlineNearing)
    told = before.and_then(passing(sg(2026, 3, 2)))
    assert not told.when(passing(DUE - timedelta(seconds=1))).decision().events
    missed = told.and_then(passing(DUE))
    assert only(missed).missed_at == DUE
    assert not missed.when(passing(LATE)).decision().events


def test_after_a_month_without_a_sweep_it_is_missed_at_once_and_warned_of_no_more():
    (missed,) = given(receiving()).when(passing(LATE)).decision().events
    assert isinstance(missed, q.DeadlineMissed)
    assert (missed.due, missed.due_on, missed.occurred_at) == (DUE, date(2026, 3, 4), LATE)


@pytest.mark.parametrize("deed", [Deed.FULFIL, Deed.REFUSE, Deed.WITHDRAW])
def test_an_answer_ends_the_clock(deed: Deed):
    assert not given(receiving(), doing(deed)).when(passing(DUE)).decision().events


def test_an_answer_after_the_deadline_is_an_answer_all_the_same():
    after = given(receiving(), passing(LATE), doing(Deed.FULFIL, at=LATE))
    assert only(after).status is Status.FULFILLED
    assert only(after).missed_at == DUE


def test_the_calendar_names_what_falls_due_and_nothing_else():
    before = given(receiving())
    assert {(each.what, each.due) for each in request_dues.calendar(before.subject)} == {
        (request_dues.WARNING, sg(2026, 3, 2)),
        (request_dues.DEADLINE, DUE),
    }
    waiting = given(receiving(asks="access"))
    assert [each.what for each in request_dues.calendar(waiting.subject)] == [request_dues.PAUSE]


# -- days that are only expected -----------------------------------------------------------------------------------

NEWER = parse_own_days("edition = 1\n[CN]\npublished_to = 2027\nclosed = [2027-01-04]\n")


def test_a_provisional_day_is_counted_again_when_the_calendar_is_newer():
    before = given(receiving(at=sg(2026, 12, 21, 10)), policy=BY_CHINA)
    assert only(before).deadline.provisional
    assert not before.when(passing(sg(2026, 12, 22))).decision().events
    (recounted,) = before.when(passing(sg(2026, 12, 22), NEWER)).decision().events
    assert isinstance(recounted, q.DeadlineRecomputed)
    assert recounted.was == only(before).deadline.due_on
    assert recounted.deadlines[0].due_on > recounted.was
    assert not recounted.deadlines[0].provisional
    after = before.and_then(passing(sg(2026, 12, 22), NEWER))
    assert not after.when(passing(sg(2026, 12, 23), NEWER)).decision().events
    assert not after.when(passing(sg(2026, 12, 23))).decision().events  # nor back again by an older program


def test_one_that_was_missed_before_the_calendar_came_stays_missed():
    missed = given(receiving(at=sg(2026, 12, 21, 10)), passing(sg(2027, 3, 1)), policy=BY_CHINA)
    assert only(missed).missed_at is not None
    assert not missed.when(passing(sg(2027, 3, 2), NEWER)).decision().events


# -- the person -------------------------------------------------------------------------------------------------------


def test_an_open_request_keeps_the_person_findable_and_an_answered_one_for_thirty_days():
    asked = given(receiving())
    assert not any(isinstance(event, e.ErasureOrdered) for event in asked.when(passing(LATE)).decision().events)
    answered = given(receiving(), doing(Deed.FULFIL, at=sg(2026, 2, 10, 10)))
    assert not answered.when(passing(sg(2026, 3, 12, 23, 59))).decision().events
    (ordered,) = answered.when(passing(sg(2026, 3, 13))).decision().events
    assert isinstance(ordered, e.ErasureOrdered)
    assert ordered.whole


def test_of_somebody_erased_a_request_is_received_without_words_and_its_end_is_told():
    gone = given(receiving("r0"), doing(Deed.FULFIL, "r0"), passing(sg(2026, 3, 13)))
    assert gone.subject.erasure == "ordered"
    late = gone.and_then(receiving("r1", "access", at=sg(2026, 4, 1, 10)))
    assert dict(late.life.history[-1][0].values) == {}
    assert only(late).status is Status.RECEIVED  # nothing is left that somebody could be shown
    late.when(doing(Deed.VERIFY, at=sg(2026, 4, 2))).then_refused(r.ReceiptMissing)
    late.when(doing(Deed.VERIFY, at=sg(2026, 4, 2), receipt=False)).then_refused(r.ReceiptWrong)
    (verified,) = late.when(doing(Deed.VERIFY, at=sg(2026, 4, 2), receipt=True)).decision().events
    assert (verified.by, dict(verified.values), verified.after_erasure) == ("erasure-receipt", {}, True)
    (extended,) = late.when(doing(Deed.EXTEND, at=sg(2026, 4, 2), until=date(2026, 5, 6))).decision().events
    assert (extended.deadlines[0].due_on, dict(extended.values)) == (date(2026, 5, 6), {})
    (missed,) = late.when(passing(LATE)).decision().events
    assert isinstance(missed, q.DeadlineMissed)
    (refused,) = late.when(doing(Deed.REFUSE, at=sg(2026, 4, 2))).decision().events
    assert dict(refused.values) == {}


def test_a_receipt_of_an_erasure_proves_nothing_of_somebody_living():
    given(receiving(asks="access")).when(doing(Deed.VERIFY, receipt=False)).then_refused(r.ReceiptWrong)


@pytest.mark.parametrize("asks", ["access", "copy"])
def test_access_is_fulfilled_by_a_package_or_a_good_token_or_the_record_says_how(asks: Any):
    without: dict[str, Any] = {"otherwise": None}
    verified = given(receiving(asks=asks, requester=PROVEN))
    refused = verified.when(doing(Deed.FULFIL, **without)).then_refused(r.PackageMissing)
    assert (refused.code, refused.clause) == ("package-missing", "7.1")
    (by_letter,) = verified.when(doing(Deed.FULFIL, otherwise="by letter")).decision().events
    assert (by_letter.answered, words(by_letter)["otherwise"]) == ("otherwise", "by letter")
    issued = verified.and_then(issuing())
    (by_link,) = issued.when(doing(Deed.FULFIL, **without)).decision().events
    assert by_link.answered == "token"
    over = TUESDAY + timedelta(hours=72)
    issued.when(doing(Deed.FULFIL, at=over, **without)).then_refused(r.PackageMissing)
    (by_package,) = issued.and_then(making()).when(doing(Deed.FULFIL, at=over, **without)).decision().events
    assert by_package.answered == "package"
    other = verified.and_then(receiving("r2", "complaint", about="r1"), issuing())
    (answered,) = other.when(doing(Deed.FULFIL, "r2", **without)).decision().events
    assert answered.answered is None


def issuing(id: str = "r1") -> Act:
    how = {"role": Role.OFFICER, "request": id, "token": "a" * 64}
    return Act(lambda life, asked: packaging.issue_access_token(life.subject, asked, **how), TUESDAY)


def making(id: str = "r1") -> Act:
    how: Any = {"request": id, "token": "a" * 64, "holdings": (), "digest": "b" * 64, "language": "en"}
    return Act(lambda life, asked: packaging.make_access_package(life.subject, asked, **how), TUESDAY)


def test_what_was_said_is_destroyed_when_the_records_are_over_and_not_under_a_hold():
    """Somebody else keeps the person: a consent. Thirty-six months after the answer the words go."""
    from scenario import consenting, holding_, releasing  # noqa: PLC0415

    answered = given(consenting(at=MONDAY), receiving(), doing(Deed.FULFIL, at=sg(2026, 2, 10, 10)))
    over = sg(2029, 2, 11)
    assert not answered.when(passing(over - timedelta(seconds=1))).decision().events
    (ordered,) = answered.when(passing(over)).decision().events
    assert isinstance(ordered, e.ErasureOrdered)
    assert (ordered.holdings, ordered.whole) == (("r1",), False)
    after = answered.and_then(passing(over))
    assert only(after).words_gone
    assert not after.when(passing(over)).decision().events
    held = answered.and_then(holding_(at=sg(2028, 1, 1)))
    assert not held.when(passing(over)).decision().events
    released = held.and_then(releasing(at=sg(2029, 3, 1)))
    assert only(released.and_then(passing(sg(2029, 3, 1)))).words_gone


def test_the_refusals_about_requests_keep_to_the_policy_s_clauses():
    assert POLICY.response_times.clause == "7.6, 10.1, 10.2"
    assert {r.NotVerified.clause, r.TooLateToExtend.clause, r.RegionMissing.clause} == {"7.1", "7.6", "10.2"}
