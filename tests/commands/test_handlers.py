"""Handlers: what they open, normalise and hand to the decision, through the ports of commands/context.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from scenario import (
    Given,
    PersonInMemory,
    born_on,
    collecting_,
    consenting,
    ending_,
    given,
    guarded_by,
    holding_,
    linking,
    registered,
    restricting_,
)

from examples import ACCOUNT, AGE_NEEDED, EMAIL, GUARDIAN, MARCH_1, MARCH_2, MARCH_5, MARCH_9, POLICY, UDESK, sg
from lifecycle.commands.context import Found
from lifecycle.commands.parsing import parse_command
from lifecycle.commands.policy.publish_policy import (
    AnotherPolicy,
    EffectiveTooEarly,
    PolicyVersionExists,
    PublishPolicy,
    publish_policy,
)
from lifecycle.commands.registry import COMMANDS
from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.policy_events import PolicyPublished
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.trustee import events as t
from lifecycle.domain.trustee.trustee import AgreementIncomplete, Trustee
from lifecycle.errors import PolicyFaulty
from lifecycle.policy.examples import example_policy_text
from lifecycle.policy.values import WrongFormat, WrongIdentifier
from lifecycle.policy.vocabulary import IdentifierType

ANN = {"email": "ann@example.com"}
ACTOR = {"id": "web", "role": "service"}


def asking(past: Given, at: datetime = MARCH_5, **ports: Any) -> PersonInMemory:
    return PersonInMemory(past.life, Asked(at, at, past.policy), **ports)


def handled(verb: str, person: PersonInMemory, **own: Any) -> Decision:
    document = {"command": verb, "id": "c-1", "actor": ACTOR, "subject": ANN} | own
    decision: Decision = COMMANDS[verb].handle(parse_command(document), person)
    return decision


def kinds(decision: Decision) -> list[type]:
    return [type(event) for event in decision.events]


def trial() -> Given:
    return given(consenting("free-trial", "quotation"), collecting_(EMAIL | {"name": "Ann"}))


# -- collect -----------------------------------------------------------------------------------------------------------


def collecting(person: PersonInMemory, data: dict[str, str], **own: Any) -> Decision:
    said = {"purpose": "free-trial", "basis": "consent", "source": "web-form", "data": data} | own
    return handled("collect", person, **said)


def test_values_that_differ_only_in_spelling_are_equal():
    person = asking(trial())
    (collected,) = collecting(person, {"email": "Ann@EXAMPLE.com", "name": " Ann "}, purpose="free-trial").events
    assert (collected.new, set(collected.further), dict(collected.values)) == ((), {"email-1", "name-1"}, {})


def test_only_values_of_the_categories_asked_about_are_opened():
    person = asking(trial())
    collecting(person, {"email": "b@example.com"})
    assert person.opened == ["email-1"]
    assert COMMANDS["collect"].to_open is not None


def test_what_is_in_storage_only_is_neither_opened_nor_brought_back():
    account = collecting_(ACCOUNT, purpose="account-login", basis="contract")
    past = given(account, ending_("account-login", "contract-ended", at=MARCH_2))
    person = asking(past)
    (collected,) = collecting(person, ACCOUNT, purpose="account-login", basis="contract", evidence="C-8").events
    assert person.opened == []
    assert (collected.further, [new.category for new in collected.new]) == ((), ["login-account"])
    command = parse_command(
        {
            "command": "collect",
            "id": "1",
            "actor": ACTOR,
            "subject": ANN,
            "purpose": "account-login",
            "basis": "contract",
            "source": "web-form",
            "data": ACCOUNT,
        }
    )
    to_open = COMMANDS["collect"].to_open
    assert to_open is not None
    assert to_open(command, past.subject) == []


def test_a_value_of_the_wrong_format_is_malformed_and_not_repeated():
    with pytest.raises(WrongFormat) as wrong:
        collecting(asking(trial()), {"email": "canary at example"})
    assert "email" in str(wrong.value)
    assert "canary" not in str(wrong.value)


def test_an_unknown_category_is_refused_whatever_its_value():
    with pytest.raises(r.UnknownCategory):
        collecting(asking(trial()), {"shoe-size": "38"})


def test_each_new_holding_has_an_id_of_its_own():
    (collected,) = collecting(asking(trial()), {"company": "Acme", "phone": "+6591234567"}).events
    assert len({new.holding for new in collected.new}) == 2
    assert set(collected.values) == {new.holding for new in collected.new}


# -- correct -----------------------------------------------------------------------------------------------------------


def test_a_correction_by_category_finds_the_one_holding():
    decision = handled("correct", asking(trial()), data={"email": "ann@work.example"}, reason="moved")
    assert decision.events == (
        e.PersonalDataCorrected(
            occurred_at=MARCH_5, holdings=("email-1",), values={"email-1": "ann@work.example"}, reason="moved"
        ),
    )


def test_a_supplement_completes_what_is_held_and_adds_what_is_missing():
    decision = handled("supplement", asking(trial()), data={"phone": "+6591234567", "name": "Ann Lee"}, reason="short")
    assert kinds(decision) == [e.PersonalDataSupplemented, e.MissingDataAdded]
    assert [dict(event.values) for event in decision.events] == [{"name-1": "Ann Lee"}, {"new-1": "+6591234567"}]
    with pytest.raises(WrongFormat):
        handled("supplement", asking(trial()), data={"phone": "far too short"}, reason="short")
    with pytest.raises(r.GroundMissing):
        handled("supplement", asking(trial()), data={"name": "Ann Lee"}, purpose="quotation", reason="short")


def test_a_supplement_by_holding_names_it():
    decision = handled("supplement", asking(trial()), holding="name-1", value="Ann Lee", reason="incomplete")
    assert kinds(decision) == [e.PersonalDataSupplemented]
    assert dict(decision.events[0].values) == {"name-1": "Ann Lee"}


def test_a_correction_to_what_is_held_is_nothing_and_its_spelling_counts():
    assert not handled("correct", asking(trial()), data=EMAIL, reason="moved").events
    assert handled("correct", asking(trial()), data={"email": "Ann@example.com"}, reason="case").events


def test_a_correction_of_nothing_held_or_of_several_is_refused():
    with pytest.raises(r.HoldingErased):
        handled("correct", asking(trial()), data={"phone": "+6591234567"}, reason="moved")
    with pytest.raises(r.HoldingErased):
        handled("correct", asking(trial()), holding="email-9", value="x@example.com", reason="moved")
    with pytest.raises(r.UnknownCategory):
        handled("correct", asking(trial()), data={"shoe-size": "38"}, reason="moved")
    two = trial().and_then(collecting_({"email": "b@example.com"}, at=MARCH_2))
    with pytest.raises(r.AmbiguousHolding):
        handled("correct", asking(two), data={"email": "c@example.com"}, reason="moved")


def test_a_correction_of_the_wrong_format_is_malformed():
    with pytest.raises(WrongFormat):
        handled("correct", asking(trial()), data={"email": "nobody"}, reason="moved")


# -- identity ----------------------------------------------------------------------------------------------------------


def test_an_identifier_is_normalised_looked_up_and_linked():
    person = asking(given(registered()))
    decision = handled("link-identifier", person, identifier={"phone": "+65 9123 4567"})
    assert decision.events == (e.IdentifierLinked(occurred_at=MARCH_5, identifier="i1", type=IdentifierType.PHONE),)
    assert list(person.index) == [(IdentifierType.PHONE, "+6591234567")]
    assert not handled("link-identifier", person, identifier={"phone": "+6591234567"}).events


def test_another_person_s_identifier_is_refused():
    index = {(IdentifierType.REF, "user-42"): Found("i7", is_own=False)}
    with pytest.raises(r.IdentifierTaken):
        handled("link-identifier", asking(given(registered()), index=index), identifier={"ref": "user-42"})
    decision = handled("unlink-identifier", asking(given(registered()), index=index), identifier={"ref": "user-42"})
    assert not decision.events


def test_the_person_s_own_identifier_is_unlinked():
    index = {(IdentifierType.REF, "user-42"): Found("i2", is_own=True)}
    past = given(registered(), linking("i1"), linking("i2", "ref", at=MARCH_2))
    decision = handled("unlink-identifier", asking(past, index=index), identifier={"ref": "user-42"})
    assert decision.events == (e.IdentifierUnlinked(occurred_at=MARCH_5, identifier="i2"),)


def test_an_identifier_that_cannot_be_one_is_malformed_and_not_repeated():
    with pytest.raises(WrongIdentifier) as wrong:
        handled("link-identifier", asking(given(registered())), identifier={"email": "canary"})
    assert "canary" not in str(wrong.value)


def test_a_guardian_is_one_whatever_the_spelling():
    past = given(guarded_by(GUARDIAN))
    assert not handled("record-guardian", asking(past), guardian={"email": "Mum@example.COM"}, evidence="x").events
    (consented,) = handled(
        "give-consent",
        asking(past),
        purposes=["free-trial"],
        notice="1.0",
        channel="web-form",
        guardian={"email": "MUM@Example.com"},
    ).events
    assert (consented.by_guardian, consented.guardian) == (True, GUARDIAN)


def test_a_birth_date_is_opened_and_compared():
    past = given(born_on("2012-05-17"))
    person = asking(past)
    assert not handled("record-birth-date", person, birth_date="2012-05-17").events
    assert person.opened == ["birth-date-1"]
    with pytest.raises(r.BirthDateKnown):
        handled("record-birth-date", asking(past), birth_date="2012-05-18")
    assert kinds(handled("record-birth-date", asking(given()), birth_date="2012-05-17")) == [e.BirthDateRecorded]


IMPOSSIBLE = [("2025-03-06", "future"), ("1894-03-05", "130 years"), ("0001-01-01", "130 years")]


@pytest.mark.parametrize(("day", "why"), IMPOSSIBLE)
def test_a_birth_date_that_cannot_be_one_is_malformed_whichever_command_says_it(day: str, why: str):
    late = sg(2025, 3, 5, 23)
    known = given(born_on("2012-05-17"))
    needing = Given(given(registered()).life, AGE_NEEDED)
    contract = {"purpose": "quotation", "basis": "contract", "source": "web-form", "evidence": "7"}
    for ask in (
        lambda: handled("record-birth-date", asking(given(), at=late), birth_date=day),
        lambda: handled("correct", asking(known, at=late), data={"birth-date": day}, reason="wrong"),
        lambda: handled("supplement", asking(known, at=late), holding="birth-date-1", value=day, reason="wrong"),
        lambda: handled("collect", asking(needing, at=late), data={"birth-date": day}, **contract),
    ):
        with pytest.raises(WrongFormat, match=why) as wrong:
            ask()
        assert day not in str(wrong.value)


def test_a_birth_date_of_today_or_of_the_oldest_is_possible_by_the_policy_s_day():
    late = sg(2025, 3, 5, 23)
    for day in ("2025-03-05", "1895-03-05"):
        assert handled("record-birth-date", asking(given(), at=late), birth_date=day).events


def test_a_corrected_birth_date_is_sealed_in_the_form_that_an_age_is_computed_from():
    (corrected,) = handled(
        "correct", asking(given(born_on("2012-05-17"))), data={"birth-date": " 2011-05-17 "}, reason="wrong"
    ).events
    assert dict(corrected.values) == {"birth-date-1": "2011-05-17"}


# -- the others: each hands over what was said -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "own", "expected"),
    [
        ("refuse-consent", {"purposes": ["customer-service"], "notice": "1.0", "channel": "email"}, [e.ConsentRefused]),
        ("withdraw-consent", {"channel": "email"}, [e.ConsentWithdrawn, e.ErasureOrdered]),
        (
            "end-purpose",
            {"purpose": "free-trial", "reason": "fulfilled"},
            [e.ConsentExpired, e.GroundEnded, e.ErasureOrdered],
        ),
        ("record-activity", {"purpose": "free-trial"}, [e.ActivityRecorded]),
        ("erase", {"ground": "7.3c"}, [e.ConsentWithdrawn, e.ErasureOrdered]),
        ("place-hold", {"hold": "case 7", "reason": "x", "authority": "y"}, [e.LegalHoldPlaced]),
        ("restrict", {"categories": ["email"], "reason": "x"}, [e.ProcessingRestricted]),
        ("give-notice", {"policy": "1.0", "channel": "email"}, [e.NoticeGiven]),
        ("accept-policy", {"policy": "1.0", "channel": "email"}, [e.PolicyAccepted]),
        ("state-language", {"language": "zh"}, [e.LanguageStated]),
        (
            "share",
            {"trustee": "udesk", "purpose": "free-trial", "categories": ["email"], "method": "api"},
            [e.PersonalDataShared],
        ),
    ],
)
def test_a_handler_hands_over_what_was_said(verb: str, own: dict[str, Any], expected: list[type]):
    assert kinds(handled(verb, asking(trial(), trustees={"udesk": UDESK}), **own)) == expected


def test_a_hold_is_known_by_a_keyed_reference_and_its_name_is_sealed():
    person = asking(trial())
    (placed,) = handled("place-hold", person, hold="case 7", reason="x", authority="y", categories=["email"]).events
    assert (placed.hold, placed.name) == ("ref:case 7", "case 7")
    assert "name" not in placed.header_data()
    past = trial().and_then(holding_("case 7", at=MARCH_2))
    assert kinds(handled("release-hold", asking(past), hold="case 7", reason="x", authority="y")) == [
        e.LegalHoldReleased
    ]


def test_a_restriction_is_lifted():
    past = trial().and_then(restricting_("email", at=MARCH_2))
    decision = handled("lift-restriction", asking(past, at=MARCH_9), holdings=["email-1"], reason="settled")
    assert kinds(decision) == [e.RestrictionLifted]


def test_a_trustee_nobody_engaged_gets_nothing():
    with pytest.raises(r.AgreementMissing):
        handled("share", asking(trial()), trustee="udesk", purpose="free-trial", categories=["email"], method="api")


# -- trustees and the policy -------------------------------------------------------------------------------------------


@dataclass
class TrusteeInMemory:
    named: Trustee
    asked: Asked = field(default_factory=lambda: Asked(MARCH_1, MARCH_1, POLICY))


def about(named: Trustee, verb: str, **own: Any) -> Decision:
    document = {"command": verb, "id": "c-1", "actor": ACTOR, "trustee": "udesk"} | own
    decision: Decision = COMMANDS[verb].handle(parse_command(document), TrusteeInMemory(named))
    return decision


def test_a_trustee_s_life_through_its_commands():
    engaged = about(Trustee("udesk"), "engage-trustee", name="Udesk", contact="x", country="CN")
    assert kinds(engaged) == [t.TrusteeEngaged]
    terms = {
        "purpose": "free-trial",
        "from": "2025-01-01",
        "to": "2025-12-31",
        "method": "api",
        "categories": ["email"],
        "measures": "encryption",
        "rights_and_obligations": "as in the contract",
    }
    signed = about(Trustee("udesk", 1, engaged=True), "sign-agreement", agreement=terms)
    assert kinds(signed) == [t.AgreementSigned]
    assert kinds(about(UDESK, "end-agreement", agreement="udesk-1")) == [t.AgreementEnded]
    assert kinds(about(UDESK, "review-trustee", finding="fine")) == [t.TrusteeReviewed]
    assert kinds(about(UDESK, "dismiss-trustee")) == [t.TrusteeDismissed]


def test_an_agreement_without_a_term_is_refused_not_malformed():
    with pytest.raises(AgreementIncomplete, match="'measures'"):
        about(UDESK, "sign-agreement", agreement={"purpose": "free-trial", "from": "2025-01-01", "to": "2025-12-31"})


def publishing(text: str) -> PublishPolicy:
    return PublishPolicy(id="p-1", actor={"id": "dpo", "role": "officer"}, text=text)


def test_a_policy_is_published_with_its_text():
    (published,) = publish_policy(publishing(example_policy_text()), (), MARCH_1, MARCH_1).events
    assert published == PolicyPublished(
        occurred_at=MARCH_1,
        policy="recruiting-site",
        version="1.0",
        effective=POLICY.effective,
        fingerprint=POLICY.fingerprint,
        text=example_policy_text(),
    )
    assert published.text == example_policy_text()


def test_the_same_policy_again_is_nothing_even_with_other_comments():
    assert not publish_policy(publishing(f"# anew\n{example_policy_text()}"), (POLICY,), MARCH_2, MARCH_2).events


def test_another_policy_of_the_same_version_is_refused():
    text = example_policy_text().replace("months = 24", "months = 25")
    with pytest.raises(PolicyVersionExists):
        publish_policy(publishing(text), (POLICY,), MARCH_2, MARCH_2)


def revised(effective: str, version: str = "1.1") -> str:
    text = example_policy_text().replace('version = "1.0"', f'version = "{version}"')
    return text.replace("effective = 2024-07-15", f"effective = {effective}")


def test_a_revision_that_is_effective_on_a_later_day_is_published():
    (published,) = publish_policy(publishing(revised("2025-03-03")), (POLICY,), MARCH_2, MARCH_2).events
    assert published.version == "1.1"


@pytest.mark.parametrize("effective", ["2025-03-02", "2025-03-01", "2024-07-15"])
def test_a_revision_that_takes_effect_before_anybody_can_be_told_is_refused(effective: str):
    with pytest.raises(EffectiveTooEarly):
        publish_policy(publishing(revised(effective)), (POLICY,), MARCH_2, MARCH_2)


def test_a_revision_of_another_policy_is_refused():
    text = revised("2025-04-01").replace('id = "recruiting-site"', 'id = "another-site"')
    with pytest.raises(AnotherPolicy):
        publish_policy(publishing(text), (POLICY,), MARCH_2, MARCH_2)


def test_a_faulty_policy_is_told_with_its_faults():
    with pytest.raises(PolicyFaulty, match="time_zone"):
        publish_policy(
            publishing(example_policy_text().replace("Asia/Singapore", "Asia/Atlantis")), (), MARCH_1, MARCH_1
        )
