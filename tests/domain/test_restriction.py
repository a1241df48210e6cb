"""Restriction and statutory minimums: storage only. Policy clauses 5, 7.3; GDPR Art. 18; settled rules 23, 24."""

from __future__ import annotations

from datetime import timedelta

from scenario import (
    Given,
    born_on,
    collecting_,
    consenting,
    ending_,
    erasing,
    given,
    holding_,
    lifting,
    releasing,
    restricting_,
    time_passing,
    withdrawing,
)

from examples import ACCOUNT, EMAIL, MARCH_1, MARCH_2, MARCH_5, MARCH_9, POLICY, TRIAL_DUE, changed, days, sg
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.settling import next_instant

MOMENT = timedelta(microseconds=1)
APRIL_1 = sg(2025, 4, 1)
MINIMUM_END = sg(2028, 3, 6)  # 36 months after 5 March 2025, its last day included
GONE = e.Effect(holding="email-1", category="email", result="erased", because="no-ground-left")


def trial() -> Given:
    return given(consenting(), collecting_(EMAIL | {"name": "Ann"}))


def a_minimum(purpose: str, basis: str, lasts: str) -> str:
    return f'[[minimums]]\npurpose = "{purpose}"\nbases = ["{basis}"]\n{lasts}\nlaw = "pdpa-25"\n\n'


def ended_account() -> Given:
    return given(
        collecting_(ACCOUNT, purpose="account-login", basis="contract"), ending_("account-login", "contract-ended")
    )


def restricted(*holdings: str, **fields: object) -> e.ProcessingRestricted:
    said = {"occurred_at": MARCH_5, "holdings": holdings, "because": "asked", "reason": "disputed"}
    return e.ProcessingRestricted(**(said | fields))


def lifted(*holdings: str, effects: tuple[e.Effect, ...]) -> e.RestrictionLifted:
    return e.RestrictionLifted(
        occurred_at=MARCH_9, holdings=holdings, because="asked", effects=effects, reason="settled"
    )


def kept(until=TRIAL_DUE) -> e.Effect:
    return e.Effect(holding="email-1", category="email", result="kept", because="free-trial", until=until)


# -- by request --------------------------------------------------------------------------------------------------------


def test_a_restriction_acts_on_the_whole_holding():
    past = trial().and_then(collecting_(EMAIL, basis="contract"))
    after = past.when(restricting_("email")).then(restricted("email-1"))
    assert (after.state("email-1", MARCH_9), after.state("name-1", MARCH_9)) == ("restricted", "held")


def test_a_restriction_by_holding_names_one():
    trial().when(restricting_(holdings=["name-1"], until=APRIL_1, law="CPC 9")).then(
        restricted("name-1", until=APRIL_1, by_law=True, law="CPC 9")
    )


def test_a_restriction_by_request_does_not_prolong_life():
    after = trial().and_then(restricting_("email"))
    assert after.and_then(time_passing(TRIAL_DUE)).state("email-1", TRIAL_DUE) == "erased"


def test_a_restriction_by_law_prolongs_life_until_its_end():
    end = TRIAL_DUE + days(100)
    after = trial().and_then(restricting_("email", until=end, law="CPC 9"), time_passing(TRIAL_DUE))
    assert after.state("email-1", end - MOMENT) == "restricted"
    assert after.and_then(time_passing(end - MOMENT)).state("email-1", end) == "restricted"
    assert after.and_then(time_passing(end)).state("email-1", end) == "erased"


def test_a_restriction_by_law_without_end_lasts_until_it_is_lifted():
    after = trial().and_then(restricting_("email", law="CPC 9"), time_passing(TRIAL_DUE))
    after.when(time_passing(TRIAL_DUE + days(9_000))).then_nothing()
    assert after.and_then(lifting("email", at=TRIAL_DUE)).state("email-1", TRIAL_DUE) == "erased"


def test_the_same_restriction_twice_is_nothing_the_second_time():
    for act in (
        restricting_("email"),
        restricting_("email", until=APRIL_1),
        restricting_("email", until=APRIL_1, law="CPC 9"),
        restricting_("email", law="CPC 9"),
    ):
        trial().and_then(act).when(act).then_nothing()


def test_a_restriction_that_says_more_is_recorded():
    past = trial().and_then(restricting_("email", until=APRIL_1))
    past.when(restricting_("email", until=sg(2025, 3, 20))).then_nothing()
    past.when(restricting_("email", until=sg(2025, 5, 1))).then_kinds(e.ProcessingRestricted)
    past.when(restricting_("email")).then_kinds(e.ProcessingRestricted)
    past.when(restricting_("email", until=APRIL_1, law="CPC 9")).then_kinds(e.ProcessingRestricted)


def test_a_restriction_of_what_is_not_held_is_refused():
    trial().when(restricting_("phone")).then_refused(r.HoldingErased)
    trial().when(restricting_(holdings=["nothing-1"])).then_refused(r.HoldingErased)
    trial().when(restricting_("shoe-size")).then_refused(r.UnknownCategory)


def test_lifting_gives_the_holding_back():
    trial().and_then(restricting_("email")).when(lifting("email")).then(
        lifted("email-1", effects=(kept(),)), effects=[kept()]
    )


def test_lifting_what_is_not_restricted_is_nothing():
    trial().when(lifting("email")).then_nothing()


def test_lifting_twice_is_nothing_the_second_time():
    trial().and_then(restricting_("email"), lifting("email")).when(lifting("email", at=APRIL_1)).then_nothing()


def test_lifting_what_is_not_held_is_refused():
    trial().when(lifting("phone")).then_refused(r.HoldingErased)
    trial().when(lifting("shoe-size")).then_refused(r.UnknownCategory)


def test_lifting_a_restriction_that_alone_kept_a_holding_erases_it():
    past = trial().and_then(restricting_("email", law="CPC 9"), withdrawing(at=MARCH_5))
    past.when(lifting("email")).then(
        lifted("email-1", effects=(GONE,)),
        e.ErasureOrdered(occurred_at=MARCH_9, ground="restriction-lifted", holdings=("email-1",)),
        effects=[GONE],
    )


def test_what_law_or_a_hold_imposes_cannot_be_lifted_by_asking():
    assert ended_account().when(lifting("login-account")).then_refused(r.RetentionInForce).clause == "7.3"
    on_hold = trial().and_then(holding_(at=MARCH_2), withdrawing(at=MARCH_5))
    assert on_hold.when(lifting("email")).then_refused(r.HoldInForce).clause == "7.3"


def test_a_withdrawal_tells_that_a_live_holding_is_restricted_because_somebody_asked():
    past = trial().and_then(collecting_(EMAIL, basis="contract"), restricting_("email", at=MARCH_2, until=APRIL_1))
    told = e.Effect(holding="email-1", category="email", result="restricted", because="asked", until=APRIL_1)
    assert told in past.when(withdrawing()).decision().effects


def test_a_restricted_account_with_a_live_ground_is_not_said_to_be_kept_by_its_minimum():
    past = given(
        collecting_(ACCOUNT, purpose="account-login", basis="contract"), restricting_("login-account", at=MARCH_2)
    )
    told = past.when(erasing("7.3c")).decision().effects
    assert [(effect.result, effect.because) for effect in told] == [("restricted", "asked")]


def test_a_birth_date_that_law_restricts_does_not_go_with_the_person():
    end = sg(2026, 1, 1)
    past = given(born_on("1990-05-17"), restricting_("birth-date", until=end, law="CPC 9", at=MARCH_2))
    assert past.and_then(erasing("7.3e")).subject.erasure is None
    assert next_instant(past.subject, POLICY) == end
    past.when(time_passing(end - MOMENT)).then_nothing()
    assert past.and_then(time_passing(end)).subject.erasure == "ordered"


# -- by statutory minimum ----------------------------------------------------------------------------------------------


def test_an_ended_account_is_in_storage_only_until_its_minimum_is_over():
    past = given(collecting_(ACCOUNT, purpose="account-login", basis="contract"))
    told = e.Effect(
        holding="login-account-1",
        category="login-account",
        result="restricted",
        because="statutory-minimum",
        until=MINIMUM_END,
    )
    after = past.when(ending_("account-login", "contract-ended")).then(
        e.GroundEnded(
            occurred_at=MARCH_5,
            grounds=(e.GroundRef(holding="login-account-1", ground=1),),
            because="contract-ended",
            effects=(told,),
        ),
        e.ProcessingRestricted(
            occurred_at=MARCH_5,
            holdings=("login-account-1",),
            because="statutory-minimum",
            until=MINIMUM_END,
            by_law=True,
        ),
        effects=[told],
    )
    assert next_instant(after.subject, POLICY) == MINIMUM_END
    after.when(time_passing(MINIMUM_END - MOMENT)).then_nothing()
    after.when(time_passing(MINIMUM_END)).then(
        e.ErasureOrdered(occurred_at=MINIMUM_END, ground="retention", holdings=("login-account-1",))
    )


def test_the_latest_minimum_among_the_ended_grounds_counts():
    policy = changed(
        ("[laws]", '[[minimums]]\npurpose = "quotation"\nbases = ["contract"]\nmonths = 60\nlaw = "pdpa-25"\n\n[laws]'),
        (
            "[[minimums]] # when",
            a_minimum("free-trial", "contract", "months = 6") + "[[minimums]] # when",
        ),
    )
    past = given(
        collecting_(EMAIL, basis="contract"),
        collecting_(EMAIL, basis="contract", purpose="quotation"),
        ending_("quotation", "contract-ended", at=MARCH_2),
        ending_("free-trial", "contract-ended", at=MARCH_5),
        policy=policy,
    )
    assert next_instant(past.subject, policy) == sg(2030, 3, 3)


def test_consent_grounds_carry_no_minimum_unless_it_is_listed():
    assert POLICY.minimum_for("account-login", "consent") is None
    listed = changed(
        (
            "[[minimums]] # when",
            a_minimum("free-trial", "consent", "days = 10") + "[[minimums]] # when",
        )
    )
    past = given(consenting(), collecting_(EMAIL), policy=listed)
    after = past.when(withdrawing()).then_kinds(e.ConsentWithdrawn, e.ProcessingRestricted)
    assert next_instant(after.subject, listed) == sg(2025, 3, 16)


def test_a_hold_and_a_minimum_are_both_recorded_and_both_waited_for():
    past = ended_account().and_then(holding_(at=MARCH_9))
    assert [event.because for event, _ in past.life.history if isinstance(event, e.ProcessingRestricted)] == [
        "statutory-minimum",
        "legal-hold",
    ]
    past.when(time_passing(MINIMUM_END)).then_nothing()
    late = MINIMUM_END + days(10)
    assert past.and_then(releasing(at=late)).state("login-account-1", late) == "erased"
    early = past.and_then(releasing(at=sg(2025, 6, 1)))
    assert early.state("login-account-1", sg(2025, 6, 1)) == "restricted"
    assert early.and_then(time_passing(MINIMUM_END)).state("login-account-1", MINIMUM_END) == "erased"


def test_a_minimum_counts_from_the_end_of_the_ground_not_from_the_sweep():
    listed = changed(
        (
            "[[minimums]] # when",
            a_minimum("free-trial", "consent", "days = 10") + "[[minimums]] # when",
        )
    )
    past = given(consenting(), collecting_(EMAIL), policy=listed)
    after = past.and_then(time_passing(TRIAL_DUE + days(4)))
    assert next_instant(after.subject, listed) == sg(2027, 3, 13)
    assert MARCH_1 < TRIAL_DUE
