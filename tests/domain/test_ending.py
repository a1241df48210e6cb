"""Ends of purposes and requests for deletion. Policy clause 7.3; settled rules 22, 25."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from scenario import (
    Act,
    Given,
    born_on,
    collecting_,
    consenting,
    ending_,
    erasing,
    given,
    holding_,
    linking,
    registered,
    restricting_,
    time_passing,
)

from examples import ACCOUNT, ADDRESS, EMAIL, MARCH_1, MARCH_2, MARCH_5, MARCH_9, TRIAL_DUE, WITH_LEGAL_DUTY, sg
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r

LOGIN = {"purpose": "account-login"}
MINIMUM_END = sg(2028, 3, 6)  # 36 months after 5 March 2025, its last day included


def ground_ended(*refs: tuple[str, int], because: str, at: datetime = MARCH_5, **fields: Any) -> e.GroundEnded:
    grounds = tuple(e.GroundRef(holding=holding, ground=number) for holding, number in refs)
    return e.GroundEnded(occurred_at=at, grounds=grounds, because=because, **fields)


def ordered(*holdings: str, ground: str, at: datetime = MARCH_5, **fields: Any) -> e.ErasureOrdered:
    return e.ErasureOrdered(occurred_at=at, ground=ground, holdings=holdings, **fields)


def gone(holding: str, category: str = "email") -> e.Effect:
    return e.Effect(holding=holding, category=category, result="erased", because="no-ground-left")


def kept(purpose: str, until: datetime | None, holding: str = "email-1", category: str = "email") -> e.Effect:
    return e.Effect(holding=holding, category=category, result="kept", because=purpose, until=until)


def both_bases() -> Given:
    return given(consenting(), collecting_(EMAIL), collecting_(EMAIL, basis="contract"))


def an_account(*more: Act) -> Given:
    return given(collecting_(ACCOUNT, basis="contract", **LOGIN), *more)


# -- end of purpose ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["fulfilled", "service-ended", "cannot-be-achieved"])
def test_the_end_of_a_purpose_ends_consent_and_contract_alike(reason: str):
    effect = gone("email-1")
    both_bases().when(ending_("free-trial", reason)).then(
        e.ConsentExpired(occurred_at=MARCH_5, purposes=("free-trial",), because=reason, effects=(effect,)),
        ground_ended(("email-1", 1), ("email-1", 2), because=reason),
        ordered("email-1", ground=reason),
        effects=[effect],
    )


def test_the_end_of_a_contract_ends_what_stood_on_the_contract():
    effect = kept("free-trial", TRIAL_DUE)
    after = (
        both_bases()
        .when(ending_("free-trial", "contract-ended"))
        .then(ground_ended(("email-1", 2), because="contract-ended", effects=(effect,)), effects=[effect])
    )
    assert after.live("email-1", MARCH_5) == [("free-trial", "consent")]
    assert after.subject.consent_for("free-trial", MARCH_9) is not None


def test_the_end_of_a_purpose_leaves_a_legal_duty():
    past = given(
        collecting_(ACCOUNT, basis="contract", **LOGIN),
        collecting_(ACCOUNT, basis="legal-duty", **LOGIN),
        policy=WITH_LEGAL_DUTY,
    )
    effect = kept("account-login", None, "login-account-1", "login-account")
    after = past.when(ending_("account-login", "service-ended")).then(
        ground_ended(("login-account-1", 1), because="service-ended", effects=(effect,)), effects=[effect]
    )
    assert after.live("login-account-1", MARCH_9) == [("account-login", "legal-duty")]


def test_the_end_of_one_purpose_leaves_the_other():
    past = given(consenting("free-trial", "quotation"), collecting_(EMAIL), collecting_(EMAIL, purpose="quotation"))
    effect = kept("quotation", sg(2026, 3, 2))
    past.when(ending_("free-trial", "fulfilled")).then(
        e.ConsentExpired(occurred_at=MARCH_5, purposes=("free-trial",), because="fulfilled", effects=(effect,)),
        ground_ended(("email-1", 1), because="fulfilled"),
        effects=[effect],
    )


def test_the_end_of_a_purpose_without_data_ends_the_consent():
    given(consenting()).when(ending_("free-trial", "fulfilled")).then(
        e.ConsentExpired(occurred_at=MARCH_5, purposes=("free-trial",), because="fulfilled")
    )


def test_the_end_of_a_purpose_is_nothing_the_second_time():
    both_bases().and_then(ending_("free-trial", "fulfilled")).when(
        ending_("free-trial", "fulfilled", at=MARCH_9)
    ).then_nothing()


def test_the_end_of_an_unknown_purpose_is_refused():
    both_bases().when(ending_("resale", "fulfilled")).then_refused(r.UnknownPurpose)


def test_an_end_of_purpose_after_the_period_names_no_ground_that_time_had_ended():
    past = given(collecting_(EMAIL, basis="contract"))
    at = sg(2027, 3, 3)
    decision = past.when(ending_("free-trial", "contract-ended", at=at)).decision()
    assert [type(event) for event in decision.events] == [e.RetentionExpired, e.ErasureOrdered]
    assert decision.events[1] == ordered("email-1", ground="retention", at=at, effects=(gone("email-1"),))


# -- deletion ----------------------------------------------------------------------------------------------------------


def three_purposes() -> Given:
    """One e-mail address on consent and contract, an IP address on consent, an account on a contract with a minimum."""
    return given(
        consenting("free-trial", "website-browsing"),
        collecting_(EMAIL),
        collecting_(EMAIL, purpose="quotation", basis="contract"),
        collecting_(ADDRESS, purpose="website-browsing"),
        collecting_(ACCOUNT, basis="contract", **LOGIN),
    )


def states(after: Given) -> dict[str, str]:
    return {id: after.state(id, MARCH_9) for id in ("email-1", "ip-address-1", "login-account-1")}


@pytest.mark.parametrize(
    ("ground", "purposes", "expected"),
    [
        ("7.3a", ["website-browsing"], ("held", "erased", "held")),
        ("7.3a", ["free-trial", "quotation"], ("erased", "held", "held")),
        ("7.3a", ["account-login"], ("held", "held", "restricted")),
        ("7.3b", ["quotation"], ("held", "held", "held")),
        ("7.3b", [], ("erased", "erased", "restricted")),
        ("7.3c", [], ("held", "erased", "held")),
        ("7.3c", ["free-trial"], ("held", "held", "held")),
        ("7.3d", [], ("erased", "erased", "restricted")),
        ("7.3e", [], ("erased", "erased", "restricted")),
    ],
)
def test_each_ground_of_deletion_reaches_what_it_is_about(ground: str, purposes: list[str], expected: tuple[str, ...]):
    after = three_purposes().and_then(erasing(ground, purposes=purposes))
    assert tuple(states(after).values()) == expected


def test_deletion_tells_for_each_holding_what_became_of_it_and_why():
    told = (
        gone("email-1"),
        gone("ip-address-1", "ip-address"),
        e.Effect(
            holding="login-account-1",
            category="login-account",
            result="restricted",
            because="statutory-minimum",
            until=MINIMUM_END,
        ),
    )
    three_purposes().when(erasing("7.3d")).then(
        e.ConsentInvalidated(
            occurred_at=MARCH_5, purposes=("free-trial", "website-browsing"), because="7.3d", effects=told
        ),
        ground_ended(("email-1", 1), ("email-1", 2), ("ip-address-1", 1), ("login-account-1", 1), because="7.3d"),
        e.ProcessingRestricted(
            occurred_at=MARCH_5,
            holdings=("login-account-1",),
            because="statutory-minimum",
            until=MINIMUM_END,
            by_law=True,
        ),
        ordered("email-1", "ip-address-1", ground="7.3d"),
        effects=told,
    )


def test_deletion_on_withdrawal_is_a_withdrawal_and_ends_nothing_twice():
    past = given(consenting(), collecting_(EMAIL), linking("i1"))
    past.when(erasing("7.3c")).then(
        e.ConsentWithdrawn(occurred_at=MARCH_5, purposes=("free-trial",), effects=(gone("email-1"),)),
        ordered("email-1", ground="7.3c", whole=True),
        effects=[gone("email-1")],
    )


def test_deletion_of_one_category_leaves_the_others_and_the_consents():
    past = given(consenting(), collecting_(EMAIL | {"name": "Ann"}))
    after = past.when(erasing("7.3d", categories=["email"])).then(
        ground_ended(("email-1", 1), because="7.3d", effects=(gone("email-1"),)),
        ordered("email-1", ground="7.3d"),
        effects=[gone("email-1")],
    )
    assert after.subject.consent_for("free-trial", MARCH_9) is not None
    assert after.state("name-1", MARCH_9) == "held"


def test_when_nothing_has_to_stay_the_whole_person_goes():
    past = given(registered(), linking("i1"), consenting(), collecting_(EMAIL))
    after = past.when(erasing("7.3e")).then(
        e.ConsentInvalidated(occurred_at=MARCH_5, purposes=("free-trial",), because="7.3e", effects=(gone("email-1"),)),
        ground_ended(("email-1", 1), because="7.3e"),
        ordered("email-1", ground="7.3e", whole=True),
        effects=[gone("email-1")],
    )
    assert after.subject.erasure == "ordered"


def test_a_person_of_whom_only_identifiers_are_left_goes_on_request():
    given(registered(), linking("i1")).when(erasing("7.3b")).then(ordered(ground="7.3b", whole=True))


def test_named_purposes_never_take_the_whole_person():
    past = given(consenting(), collecting_(EMAIL))
    after = past.and_then(erasing("7.3a", purposes=["free-trial"]))
    assert after.state("email-1", MARCH_9) == "erased"
    assert after.subject.erasure is None


def test_a_contract_keeps_the_person_when_consents_are_withdrawn():
    after = both_bases().and_then(erasing("7.3c"))
    assert after.live("email-1", MARCH_9) == [("free-trial", "contract")]
    assert after.subject.erasure is None


def test_deletion_is_not_refused_because_of_a_hold():
    past = given(consenting(), collecting_(EMAIL), holding_("case-7", at=MARCH_2))
    effect = e.Effect(holding="email-1", category="email", result="restricted", because="legal-hold")
    after = past.when(erasing("7.3e")).then(
        e.ConsentInvalidated(occurred_at=MARCH_5, purposes=("free-trial",), because="7.3e", effects=(effect,)),
        ground_ended(("email-1", 1), because="7.3e"),
        e.ProcessingRestricted(occurred_at=MARCH_5, holdings=("email-1",), because="legal-hold"),
        effects=[effect],
    )
    assert after.subject.erasure is None


def test_deletion_is_not_refused_because_of_a_minimum_and_ends_with_it():
    after = an_account().and_then(erasing("7.3b"))
    assert after.state("login-account-1", MINIMUM_END) == "restricted"
    assert after.and_then(time_passing(MINIMUM_END)).state("login-account-1", MINIMUM_END) == "erased"


def test_legal_duties_always_stay():
    past = given(collecting_(ACCOUNT, basis="legal-duty", **LOGIN), policy=WITH_LEGAL_DUTY)
    effect = kept("account-login", None, "login-account-1", "login-account")
    for ground in ("7.3b", "7.3d", "7.3e"):
        past.when(erasing(ground)).then_nothing(effects=[effect])


def test_a_recorded_birth_date_that_has_to_stay_is_told():
    past = given(collecting_(ACCOUNT, basis="contract", **LOGIN), born_on("1990-05-17"))
    told = past.when(erasing("7.3e")).decision().effects
    assert kept("protection-of-minors", None, "birth-date-1", "birth-date") in told


def test_a_birth_date_goes_with_the_rest():
    past = given(consenting(), collecting_(EMAIL), born_on("1990-05-17"))
    after = past.and_then(erasing("7.3e"))
    assert after.subject.erasure == "ordered"
    assert after.state("birth-date-1", MARCH_9) == "erased"


def test_deletion_asked_again_gives_the_same_effects_and_no_facts():
    first = three_purposes().when(erasing("7.3e"))
    told = first.decision().effects
    after = first.before.and_then(erasing("7.3e"))
    after.when(erasing("7.3e", at=MARCH_9)).then_nothing(effects=told)


def test_deletion_of_an_erased_person_is_nothing():
    given(consenting(), collecting_(EMAIL), erasing("7.3e")).when(erasing("7.3e", at=MARCH_9)).then_nothing()


def test_deletion_of_somebody_unknown_is_nothing():
    given().when(erasing("7.3e")).then_nothing()


def test_deletion_with_unknown_words_is_refused():
    both_bases().when(erasing("7.3b", purposes=["resale"])).then_refused(r.UnknownPurpose)
    both_bases().when(erasing("7.3b", categories=["shoe-size"])).then_refused(r.UnknownCategory)


def test_a_restriction_by_law_outlives_deletion_and_one_by_request_does_not():
    until = sg(2025, 4, 1)
    by_law = both_bases().and_then(restricting_("email", at=MARCH_2, until=until, law="CPC 9"), erasing("7.3e"))
    assert by_law.state("email-1", MARCH_9) == "restricted"
    assert by_law.and_then(time_passing(until)).state("email-1", until) == "erased"
    asked = both_bases().and_then(restricting_("email", at=MARCH_2), erasing("7.3e"))
    assert asked.state("email-1", MARCH_9) == "erased"


def test_what_is_told_stands_in_the_first_fact_that_can_say_it():
    """A repeated answer is rebuilt from events (settled rule 10)."""
    for act in (erasing("7.3e"), erasing("7.3c"), erasing("7.3b"), ending_("free-trial", "fulfilled")):
        decision = three_purposes().when(act).decision()
        told = [event.effects for event in decision.events if getattr(event, "effects", ())]
        assert told == [decision.effects]


def test_a_back_dated_end_sets_the_end_back():
    after = both_bases().and_then(ending_("free-trial", "contract-ended", at=MARCH_2).recorded_on(MARCH_9))
    assert after.subject.holdings["email-1"].grounds[1].until == MARCH_2
    assert after.live("email-1", MARCH_1) == [("free-trial", "consent"), ("free-trial", "contract")]
