"""What each projection answers: holdings, consents, recipients."""

from __future__ import annotations

from datetime import timedelta

from lives import (
    SUMMER,
    Town,
    asks_erasure,
    consents,
    gives,
    is_held,
    is_restricted,
    is_shared,
    refuses,
    withdraws,
)

from lifecycle.policy.vocabulary import ErasureGround, LegalBasis
from lifecycle.projections.consents import current_consents
from lifecycle.projections.holdings import current_holdings
from lifecycle.projections.recipients import current_recipients


def asked(town: Town, question, *about):
    town.sequence()
    town.follower().catch_up()
    with town.database.read() as c:
        return question(c, *about)


def a_trial(town: Town, *categories: str):
    person = town.register()
    town.act(person, consents("free-trial"))
    town.act(person, gives("free-trial", *(categories or ("name",))))
    return person


# -- holdings -----------------------------------------------------------------------------------------------------


def test_time_passes_at_reading_and_no_row_is_rewritten(town: Town):
    (held,) = asked(town, current_holdings, a_trial(town))
    (ground,) = held.grounds
    assert ground.until is not None
    moment = timedelta(microseconds=1)
    assert held.state(ground.until - moment) == "held"
    assert held.state(ground.until) == "restricted"
    assert held.restriction(ground.until).because == "period-over"
    assert held.is_live_for("free-trial", ground.until - moment)
    assert not held.is_live_for("free-trial", ground.until)


def test_a_request_restricts_until_it_is_over(town: Town):
    person = a_trial(town)
    until = SUMMER + timedelta(days=10)
    town.act(person, is_restricted("name", until=until))
    (held,) = asked(town, current_holdings, person)
    assert held.restriction(SUMMER).because == "asked"
    assert held.restriction(SUMMER).until == until
    assert held.state(until) == "held"


def test_a_hold_does_not_restrict_what_has_a_live_ground(town: Town):
    person = a_trial(town)
    town.act(person, is_held())
    (held,) = asked(town, current_holdings, person)
    assert held.state(SUMMER) == "held"
    town.act(person, withdraws("free-trial"))
    (held,) = asked(town, current_holdings, person)
    assert held.state(SUMMER) == "restricted"
    assert (held.restriction(SUMMER).because, held.restriction(SUMMER).until) == ("legal-hold", None)


def test_law_keeps_what_the_contract_no_longer_does(town: Town):
    person = town.register()
    town.act(person, gives("account-login", "login-account", basis=LegalBasis.CONTRACT))
    town.act(person, asks_erasure(ErasureGround.SERVICE_OR_PERIOD_OVER))
    (held,) = asked(town, current_holdings, person)
    restriction = held.restriction(SUMMER)
    assert restriction.because == "statutory-minimum"
    assert restriction.until.year == SUMMER.year + 3
    assert held.state(restriction.until) == "restricted"  # until the sweep has come


def test_an_erased_holding_says_so_for_ever(town: Town):
    person = a_trial(town, "name", "email")
    town.act(person, asks_erasure(ErasureGround.UNLAWFUL_PROCESSING, "name"))
    states = {held.category: held.state(SUMMER) for held in asked(town, current_holdings, person)}
    assert states == {"name": "erased", "email": "held"}


# -- consents -----------------------------------------------------------------------------------------------------


def test_every_answer_about_every_purpose_is_kept_apart(town: Town):
    person = town.register()
    town.act(person, consents("free-trial", "quotation"))
    town.act(person, refuses("recommended-customers"))
    town.act(person, withdraws("quotation"))
    town.act(person, consents("quotation"))
    given = [(one.purpose, one.status) for one in asked(town, current_consents, person)]
    assert given == [
        ("free-trial", "given"),
        ("quotation", "withdrawn"),
        ("quotation", "given"),
        ("recommended-customers", "refused"),
    ]


def test_unlawful_processing_invalidates_and_an_achieved_purpose_expires(town: Town):
    for ground, status in (
        (ErasureGround.UNLAWFUL_PROCESSING, "invalidated"),
        (ErasureGround.SERVICE_OR_PERIOD_OVER, "expired"),
    ):
        person = a_trial(town)
        town.act(person, is_held())
        town.act(person, asks_erasure(ground))
        assert [one.status for one in asked(town, current_consents, person)] == [status]


# -- recipients ---------------------------------------------------------------------------------------------------


def test_a_recipient_stays_one_after_ours_is_erased(town: Town):
    person = a_trial(town)
    town.act(person, is_shared("name"))
    town.clock.at += timedelta(days=1)
    town.act(person, is_shared("name"))
    town.act(person, asks_erasure())
    (given,) = asked(town, current_recipients, person)
    assert (given.recipient, given.category, given.times) == ("udesk", "name", 2)
    assert given.last - given.first == timedelta(days=1)
