"""Laws that hold for any numbers: time that no act can turn back, and stored facts that read as they were written."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from scenario import (
    Given,
    born_on,
    collecting_,
    consenting,
    correcting_,
    given,
    guarded_by,
    holding_,
    linking,
    noticing,
    registered,
    releasing,
    restricting_,
    time_passing,
    using,
    whole,
    withdrawing,
)

from examples import ACCOUNT, ADDRESS, EMAIL, GUARDIAN, MARCH_1, POLICY, days
from lifecycle.domain.catalogue import decode
from lifecycle.domain.event import Withheld
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.events import PersonalDataCollected
from lifecycle.domain.subject.fold import fold
from lifecycle.policy.periods import Period
from lifecycle.policy.vocabulary import LegalBasis

seconds = st.integers(min_value=0, max_value=60 * 60 * 24 * 900).map(lambda number: timedelta(seconds=number))
short = st.integers(min_value=0, max_value=60 * 60 * 24 * 30).map(lambda number: timedelta(seconds=number))
instants = seconds.map(lambda passed: MARCH_1 + passed)
words = st.one_of(
    st.sampled_from(["erased", "sealed", "null", "", "0"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)


def end_of_first(past: Given, holding: str = "email-1"):
    return past.subject.end_of(past.subject.holdings[holding].grounds[0])


@settings(max_examples=60, deadline=None)
@for_all(late=seconds, swept=st.booleans())
def test_activity_at_or_after_the_due_instant_never_revives(late: timedelta, swept: bool):
    past = given(consenting(), collecting_(EMAIL))
    due = end_of_first(past)
    after = past.and_then(time_passing(due)) if swept else past
    at = due + late
    after = after.and_then(using(at=at))
    assert after.live("email-1", at) == []
    assert end_of_first(after) == due


@settings(max_examples=60, deadline=None)
@for_all(late=seconds)
def test_collection_at_or_after_the_due_instant_never_revives(late: timedelta):
    past = given(consenting(), collecting_(EMAIL))
    due = end_of_first(past)
    after = past.and_then(collecting_(EMAIL, at=due + late))
    assert (after.live("email-1", due + late), end_of_first(after)) == ([], due)
    assert after.live("email-2", due + late) == [("free-trial", "consent")]


@settings(max_examples=60, deadline=None)
@for_all(passed=st.integers(min_value=0, max_value=60 * 60 * 24 * 180 - 60 * 60 * 11))
def test_an_equal_value_before_the_due_instant_renews_the_start(passed: int):
    at = MARCH_1 + timedelta(seconds=passed)
    past = given(consenting("website-browsing"), collecting_(ADDRESS, purpose="website-browsing"))
    after = past.and_then(collecting_(ADDRESS, purpose="website-browsing", at=at))
    assert end_of_first(after, "ip-address-1") == Period(days=180).due(at, POLICY.time_zone)
    assert len(after.subject.holdings["ip-address-1"].grounds) == 1


@settings(max_examples=60, deadline=None)
@for_all(used=st.lists(short, max_size=5))
def test_the_last_activity_is_the_latest_in_whatever_order_it_is_told(used: list[timedelta]):
    now = MARCH_1 + days(40)
    acts = [using(at=MARCH_1 + passed).recorded_on(now) for passed in used]
    after = given(consenting(), collecting_(EMAIL)).and_then(*acts)
    latest = MARCH_1 + max(used, default=timedelta(0))
    assert end_of_first(after) == Period(months=24).due(latest, POLICY.time_zone)


@settings(max_examples=60, deadline=None)
@for_all(happened=short, told=short)
def test_a_back_dated_withdrawal_ends_the_ground_when_it_happened_never_before_it_began(
    happened: timedelta, told: timedelta
):
    at = MARCH_1 + happened
    past = given(
        consenting(),
        collecting_(EMAIL, at=MARCH_1 + days(3)),
        collecting_(EMAIL, basis="contract", at=MARCH_1 + days(3)),
    )
    after = past.and_then(withdrawing(at=at).recorded_on(max(at, MARCH_1 + days(3)) + told))
    assert end_of_first(after) == max(at, MARCH_1 + days(3))
    assert after.subject.consents[0].until == at


@settings(max_examples=60, deadline=None)
@for_all(before=short, after=short)
def test_consent_after_a_collection_does_not_heal_it(before: timedelta, after: timedelta):
    consented = MARCH_1 + before + timedelta(seconds=1)
    past = given(consenting(at=consented))
    act = collecting_(EMAIL, at=MARCH_1).recorded_on(consented + after)
    past.when(act).then_refused(r.ConsentMissing)


@settings(max_examples=40, deadline=None)
@for_all(age=st.integers(min_value=0, max_value=30))
def test_a_guardian_s_consent_carries_new_grounds_until_fourteen_and_existing_ones_for_ever(age: int):
    past = given(
        guarded_by(GUARDIAN), consenting(guardian=GUARDIAN, separate=True).aged(10), collecting_(EMAIL).aged(10)
    )
    act = collecting_({"name": "Ann"}, at=MARCH_1 + days(1)).aged(age)
    if age < 14:
        past.when(act).then_kinds(PersonalDataCollected)
    else:
        past.when(act).then_refused(r.ConsentMissing)
    assert past.live("email-1", MARCH_1 + days(1)) == [("free-trial", "consent")]


def test_the_day_of_a_period_counts_in_the_policy_s_zone_for_any_instant():
    for hour in range(48):
        at = MARCH_1 + timedelta(hours=hour)
        due = Period(days=1).due(at, "Asia/Singapore")
        assert timedelta(days=1) < due - at <= timedelta(days=2)


# -- facts -------------------------------------------------------------------------------------------------------------


def a_long_life() -> Given:
    return given(
        registered(),
        linking("i1"),
        noticing(),
        born_on("1990-05-17"),
        consenting("free-trial", "quotation"),
        collecting_(EMAIL),
        collecting_(ACCOUNT, purpose="account-login", basis="contract"),
        correcting_({"email-1": "ann@work.example"}, evidence="letter"),
        holding_("case-7", "email"),
        restricting_("login-account", until=MARCH_1 + days(90), law="CPC 9"),
        using(at=MARCH_1 + days(6)),
        releasing(at=MARCH_1 + days(9)),
        withdrawing(at=MARCH_1 + days(10)),
    )


def test_a_life_that_is_stored_and_read_again_is_the_same_life():
    """Values and words may be erased by then: the state does not depend on them."""
    past = a_long_life()
    for withheld in (None, Withheld.SEALED, Withheld.ERASED):
        subject = given().subject
        for event, recorded_at in past.life.history:
            words_ = event.record_words() if withheld is None else withheld
            values = dict(event.values) if withheld is None else dict.fromkeys(event.values, withheld)
            read = decode(event.kind, event.header_data(), words_, values)
            if withheld is None:
                assert whole(read) == whole(event)
            subject = fold(subject, read, recorded_at)
        assert subject == past.subject


@settings(max_examples=80, deadline=None)
@for_all(value=words, evidence=words)
def test_a_value_is_read_as_it_was_written_even_if_it_looks_like_a_word_of_ours(value: str, evidence: str):
    rule = POLICY.retention_rule("account-login")
    assert rule.period is None
    event = e.PersonalDataCollected(
        occurred_at=MARCH_1,
        purpose="account-login",
        basis=LegalBasis.CONTRACT,
        source="api",
        rule=rule,
        new=(e.NewHolding(holding="h", category="login-account"),),
        values={"h": value},
        evidence=evidence,
    )
    read = decode(event.kind, event.header_data(), event.record_words(), dict(event.values))
    assert whole(read) == whole(event)
    assert isinstance(read.values["h"], str)
