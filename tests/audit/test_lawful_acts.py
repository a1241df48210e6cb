"""What an act needs beside a live ground: where the record shows that it was lacking, `audit lawful` says so.

The engine refuses such acts; the events here are as another program, or a forger, might have written them.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from scenario import collecting_, consenting, given, holding_, restricting_

from examples import ANN_ID, MARCH_1, MARCH_5, MARCH_9, POLICY
from lifecycle.audit.lawful_acts import NotAnAct, of_a_read, of_an_act
from lifecycle.audit.lawful_evidence import Evidence
from lifecycle.domain.event import DomainEvent, Judged, Recorded
from lifecycle.domain.subject.custody_events import CustodyOpened
from lifecycle.domain.subject.events import PersonalDataRead
from lifecycle.domain.subject.outgoing_events import PersonalDataDisclosed, PersonalDataProvided
from lifecycle.domain.subject.transfer_events import SubjectTransferNotified, SubjectTransferred
from lifecycle.policy.vocabulary import LegalBasis, RecipientKind

DATA = {"name": "Ann", "phone": "+6591234567"}
TRIAL = given(consenting("free-trial"), collecting_(DATA))


def evidence(life: Any, *acts: DomainEvent, role: str = "service", policy: str = POLICY.judged_by) -> Evidence:
    """The record of that life with these acts at the end; readings on the second stream."""
    judged = Judged("00", role, policy)
    told = [*life.life.history, *((act, MARCH_9) for act in acts if not _is_read(act))]
    events = [(Recorded(ANN_ID, n, at, event, judged), n) for n, (event, at) in enumerate(told, 1)]
    reads = [(Recorded(ANN_ID, 1, MARCH_9, act, judged), 9) for act in acts if _is_read(act)]
    return Evidence(ANN_ID, events, lambda _: [], [POLICY], reads)


def _is_read(act: DomainEvent) -> bool:
    return isinstance(act, PersonalDataRead | CustodyOpened)


def verdict(life: Any, *acts: DomainEvent, **how: Any) -> tuple[str, str]:
    known = evidence(life, *acts, **how)
    answer = of_a_read(known, 1, MARCH_9) if known.reads else of_an_act(known, len(known.events), MARCH_9)
    assert answer["as_known_then"] is None
    return answer["verdict"], answer["because"]


def read(purpose: str = "free-trial") -> PersonalDataRead:
    return PersonalDataRead(occurred_at=MARCH_5, purpose=purpose, holdings=("name-1",), clear=True)


@pytest.mark.parametrize(
    ("role", "purpose", "expected"),
    [
        ("service", "free-trial", ("lawful", "ground")),
        ("recipient", "free-trial", ("unlawful", "not-permitted")),
        ("service", "quotation", ("unlawful", "no-ground-for-purpose")),
    ],
)
def test_a_reading_needs_a_live_ground_of_its_purpose_and_a_role_that_may_read(role: str, purpose: str, expected: Any):
    assert verdict(TRIAL, read(purpose), role=role) == expected


def opened(because: Any) -> CustodyOpened:
    return CustodyOpened(occurred_at=MARCH_9, holdings=("name-1",), because=because)


@pytest.mark.parametrize(
    ("acts", "because", "role", "expected"),
    [
        ((restricting_("name", law="CPC 9"),), "restricted-by-law", "custodian", ("lawful", "restricted-by-law")),
        ((restricting_("name"),), "asked", "officer", ("lawful", "asked")),
        ((restricting_("name"),), "legal-hold", "custodian", ("unlawful", "custody-closed")),
        ((restricting_("name"), holding_("case-7", "name")), "legal-hold", "custodian", ("lawful", "asked")),
        ((restricting_("name", law="CPC 9"),), "restricted-by-law", "service", ("unlawful", "not-permitted")),
        ((), "legal-hold", "custodian", ("unlawful", "custody-closed")),
    ],
)
def test_an_opening_of_custody_needs_a_custodian_and_the_title_that_it_names(
    acts: Any, because: str, role: str, expected: Any
):
    life = TRIAL
    for act in acts:
        life = life.and_then(act)
    verdict_, why = verdict(life, opened(because), role=role)
    assert (verdict_, why if verdict_ == "unlawful" else expected[1]) == expected


def disclosed(**fields: Any) -> PersonalDataDisclosed:
    said: dict[str, Any] = {
        "authority": "a", "instrument": "i", "issued_on": date(2025, 3, 1), "categories": ("name",),
        "holdings": ("name-1",),
    }  # fmt: skip
    return PersonalDataDisclosed(occurred_at=MARCH_5, **(said | fields))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("lawful", "ground")),
        ({"scope": ("name", "email")}, ("lawful", "ground")),
        ({"scope": ("email",)}, ("unlawful", "outside-instrument")),
        ({"issued_on": date(2025, 3, 6)}, ("unlawful", "outside-instrument")),
        ({"expires_on": date(2025, 3, 4)}, ("unlawful", "outside-instrument")),
        ({"expires_on": date(2025, 3, 5)}, ("lawful", "ground")),
        ({"period_from": date(2025, 3, 2)}, ("unlawful", "outside-instrument")),
        ({"period_to": date(2025, 2, 28)}, ("unlawful", "outside-instrument")),
        ({"period_from": date(2025, 3, 1), "period_to": date(2025, 3, 1)}, ("lawful", "ground")),
    ],
)
def test_a_disclosure_needs_to_be_within_its_instrument(fields: Any, expected: Any):
    assert verdict(TRIAL, disclosed(**fields)) == expected


def test_a_disclosure_of_what_is_stored_only_needs_a_law_that_reaches_it():
    life = TRIAL.and_then(restricting_("name", at=MARCH_1 + timedelta(hours=1)))
    assert verdict(life, disclosed()) == ("unlawful", "asked")
    assert verdict(life, disclosed(stored_only=("name-1",)))[0] == "lawful"


def provided(basis: LegalBasis, recipient: str = "job-board") -> PersonalDataProvided:
    said: dict[str, Any] = {"purpose": "free-trial", "holdings": ("name-1",), "method": "api"}
    to = RecipientKind.THIRD_PARTY
    return PersonalDataProvided(occurred_at=MARCH_5, recipient=recipient, to=to, basis=basis, **said)


@pytest.mark.parametrize(
    ("separate", "recipient", "basis", "expected"),
    [
        (True, "udesk", LegalBasis.CONSENT, ("lawful", "ground")),
        (False, "udesk", LegalBasis.CONSENT, ("unlawful", "recipient-not-agreed")),
        (True, "job-board", LegalBasis.CONSENT, ("unlawful", "recipient-not-agreed")),
        (False, "job-board", LegalBasis.CONTRACT, ("lawful", "ground")),
        (False, "job-board", LegalBasis.EMERGENCY, ("lawful", "ground")),
    ],
)
def test_giving_to_a_third_party_on_consent_needs_a_separate_one_that_names_it(
    separate: bool, recipient: str, basis: LegalBasis, expected: Any
):
    life = given(consenting("free-trial", separate=separate), collecting_(DATA))
    assert verdict(life, provided(basis, recipient)) == expected


def test_a_basis_that_the_purpose_does_not_allow_carries_no_provision():
    browsing = given(
        consenting("website-browsing"), collecting_({"ip-address": "192.0.2.7"}, purpose="website-browsing")
    )
    event = provided(LegalBasis.CONTRACT).model_copy(
        update={"purpose": "website-browsing", "holdings": ("ip-address-1",)}
    )
    assert verdict(browsing, event) == ("unlawful", "basis-not-allowed")


def test_a_transfer_needs_that_the_person_was_told_first():
    gone = SubjectTransferred(occurred_at=MARCH_9, transfer="newco", holdings=("name-1", "phone-1"), whole=True)
    told: dict[str, Any] = {"cause": "merger", "channel": "email", "announced": 1}
    first = SubjectTransferNotified(occurred_at=MARCH_5, transfer="newco", **told)
    assert verdict(TRIAL, first, gone) == ("lawful", "ground")
    late = first.model_copy(update={"occurred_at": MARCH_9 + timedelta(seconds=1)})
    assert verdict(TRIAL, late, gone) == ("unlawful", "person-not-told")


def test_under_a_policy_that_nobody_knows_it_cannot_be_told():
    assert verdict(TRIAL, disclosed(), policy="recruiting-site/9.9#00") == ("cannot-tell", "policy-unknown")


def test_readings_and_acts_are_counted_each_for_itself():
    known = evidence(TRIAL, read(), disclosed())
    with pytest.raises(NotAnAct):
        of_a_read(known, 2, MARCH_9)
    with pytest.raises(NotAnAct):
        of_an_act(known, 1, MARCH_9)  # a consent
    assert of_an_act(known, len(known.events), MARCH_9)["kind"] == "personal-data-disclosed/1"
