"""Legal holds: nothing they cover is erased or changed. Policy clause 7.3; settled rule 24."""

from __future__ import annotations

from scenario import (
    Given,
    collecting_,
    consenting,
    correcting_,
    erasing,
    given,
    holding_,
    linking,
    registered,
    releasing,
    time_passing,
    withdrawing,
)

from examples import ADDRESS, BROWSING_DUE, EMAIL, MARCH_1, MARCH_2, MARCH_5, MARCH_9, days, sg
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r


def placed(*categories: str, **fields: object) -> e.LegalHoldPlaced:
    said = {
        "occurred_at": MARCH_5,
        "hold": "ref:case-7",
        "categories": categories,
        "name": "case-7",
        "reason": "litigation",
        "authority": "court",
    }
    return e.LegalHoldPlaced(**(said | fields))


def released(*effects: e.Effect, at=MARCH_9) -> e.LegalHoldReleased:
    return e.LegalHoldReleased(occurred_at=at, hold="ref:case-7", effects=effects, reason="settled", authority="court")


def restricted(*holdings: str, at=MARCH_5) -> e.ProcessingRestricted:
    return e.ProcessingRestricted(occurred_at=at, holdings=holdings, because="legal-hold")


def held() -> Given:
    return given(consenting(), collecting_(EMAIL | {"name": "Ann"}))


def test_a_hold_is_placed_on_categories_in_order():
    held().when(holding_("case-7", "name", "email")).then(placed("email", "name"))


def test_a_hold_without_categories_covers_everything_present_and_to_come():
    past = held().and_then(holding_(), collecting_({"company": "Acme"}, at=MARCH_5))
    after = past.and_then(withdrawing(at=MARCH_9))
    assert {after.state(id, MARCH_9) for id in after.subject.holdings} == {"restricted"}


def test_a_hold_covers_only_its_categories():
    after = held().and_then(holding_("case-7", "email"), withdrawing(at=MARCH_9))
    assert (after.state("email-1", MARCH_9), after.state("name-1", MARCH_9)) == ("restricted", "erased")


def test_a_hold_does_not_stop_live_grounds():
    after = held().and_then(holding_())
    assert after.state("email-1", MARCH_9) == "held"
    after.when(collecting_(EMAIL, basis="contract", at=MARCH_9)).then_kinds(e.PersonalDataCollected)


def test_a_hold_placed_twice_is_nothing_the_second_time():
    past = held().and_then(holding_("case-7", "email"))
    past.when(holding_("case-7", "email", at=MARCH_9)).then_nothing()
    held().and_then(holding_()).when(holding_("case-7", "email", at=MARCH_9)).then_nothing()


def test_the_same_hold_on_more_is_another_fact():
    past = held().and_then(holding_("case-7", "email"))
    wider = past.when(holding_("case-7", "name", at=MARCH_9)).then(placed("name", occurred_at=MARCH_9))
    after = wider.and_then(withdrawing(at=MARCH_9))
    assert {after.state(id, MARCH_9) for id in after.subject.holdings} == {"restricted"}
    freed = after.and_then(releasing(at=MARCH_9))
    assert {freed.state(id, MARCH_9) for id in freed.subject.holdings} == {"erased"}


def test_the_same_hold_on_everything_is_another_fact():
    held().and_then(holding_("case-7", "email")).when(holding_(at=MARCH_9)).then(placed(occurred_at=MARCH_9))


def test_a_released_hold_can_be_placed_again_and_what_it_covered_is_not_forgotten():
    past = held().and_then(holding_(at=MARCH_2), releasing(at=MARCH_5))
    after = past.when(holding_(at=MARCH_9)).then(placed(occurred_at=MARCH_9))
    email = after.subject.holdings["email-1"]
    covered = [after.subject.is_on_hold(email, at) for at in (MARCH_1, MARCH_2, MARCH_5, MARCH_9)]
    assert covered == [False, True, False, True]


def test_a_hold_on_an_unknown_category_is_refused():
    held().when(holding_("case-7", "shoe-size")).then_refused(r.UnknownCategory)


def test_a_hold_placed_on_what_is_in_storage_only_says_so():
    past = held().and_then(holding_("other-case", at=MARCH_1), withdrawing(at=MARCH_2), releasing("other-case"))
    assert past.state("email-1", MARCH_9) == "erased"


def test_an_expiry_under_a_hold_becomes_storage_only():
    past = given(consenting("website-browsing"), collecting_(ADDRESS, purpose="website-browsing"), holding_("case-7"))
    after = past.when(time_passing(BROWSING_DUE)).then_kinds(e.RetentionExpired, e.ProcessingRestricted)
    after.when(time_passing(BROWSING_DUE + days(1000))).then_nothing()
    assert after.state("ip-address-1", BROWSING_DUE) == "restricted"


def test_a_hold_saves_what_is_due_but_not_yet_swept_and_the_expiry_is_still_recorded():
    past = given(
        consenting("website-browsing"),
        collecting_(ADDRESS, purpose="website-browsing"),
        collecting_(EMAIL, basis="contract"),
    )
    at = BROWSING_DUE + days(1)
    after = past.when(holding_("case-7", "ip-address", at=at)).then_kinds(
        e.LegalHoldPlaced, e.RetentionExpired, e.ProcessingRestricted
    )
    assert after.state("ip-address-1", at) == "restricted"


def test_what_is_due_and_not_covered_goes_by_retention_not_by_the_hold():
    past = given(consenting("website-browsing"), collecting_(ADDRESS, purpose="website-browsing"))
    at = BROWSING_DUE + days(1)
    decision = past.when(holding_("case-7", "email", at=at)).decision()
    assert [type(event) for event in decision.events] == [e.LegalHoldPlaced, e.RetentionExpired, e.ErasureOrdered]
    assert decision.events[2].ground == "retention"


def test_release_erases_at_once_what_only_the_hold_kept():
    past = held().and_then(holding_("case-7", "email"), withdrawing(at=MARCH_5))
    gone = e.Effect(holding="email-1", category="email", result="erased", because="no-ground-left")
    past.when(releasing()).then(
        released(gone),
        e.ErasureOrdered(occurred_at=MARCH_9, ground="legal-hold-released", holdings=("email-1",)),
        effects=[gone],
    )


def test_release_leaves_what_has_grounds():
    kept = e.Effect(holding="email-1", category="email", result="kept", because="free-trial", until=sg(2027, 3, 2))
    held().and_then(holding_("case-7", "email")).when(releasing()).then(released(kept), effects=[kept])


def test_release_leaves_what_another_hold_covers():
    past = held().and_then(holding_("case-7", "email"), holding_("case-8", "email"), withdrawing(at=MARCH_5))
    left = e.Effect(holding="email-1", category="email", result="restricted", because="legal-hold")
    past.when(releasing()).then(released(left), effects=[left])


def test_release_twice_is_nothing_the_second_time():
    held().and_then(holding_(), releasing()).when(releasing(at=sg(2025, 4, 1))).then_nothing()


def test_release_of_a_hold_that_was_never_placed_is_refused():
    held().when(releasing()).then_refused(r.HoldMissing)


def test_a_hold_stops_correction_which_is_annotated():
    past = held().and_then(holding_("case-7", "email", at=MARCH_2))
    past.when(correcting_({"email-1": "a@b.example", "name-1": "Anne"})).then(
        e.PersonalDataCorrected(
            occurred_at=MARCH_5, holdings=("name-1",), values={"name-1": "Anne"}, reason="misspelt"
        ),
        e.CorrectionAnnotated(
            occurred_at=MARCH_5, holdings=("email-1",), values={"email-1": "a@b.example"}, reason="misspelt"
        ),
    )


def test_a_hold_keeps_the_person_findable():
    past = given(registered(), linking("i1"), holding_("case-7"))
    past.when(time_passing(sg(2040, 1, 1))).then_nothing()
    past.when(erasing("7.3e", at=MARCH_9)).then_nothing()


def test_holds_once_the_person_is_erased_are_refused():
    past = held().and_then(erasing("7.3e"))
    past.when(holding_(at=MARCH_9)).then_refused(r.SubjectErased)
    past.when(releasing(at=MARCH_9)).then_refused(r.SubjectErased)
