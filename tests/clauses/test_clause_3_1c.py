"""Clause 3.1c: other sharing only on one of seven bases, each with its evidence, checked per recipient and purpose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clauses.partners import (
    DAY_1,
    DAY_2,
    DAY_9,
    PARTNERED,
    begun,
    data_of,
    decided_again,
    done,
    opened,
    recipients,
    refused,
    sharing,
)
from founding import InAFile, OnAServer
from scenario import collecting_, consenting, given, providing_
from whole.stores import ANN, Store

from examples import ANN as PERSON
from examples import changed_text, in_purpose
from lifecycle.domain.subject.outgoing_events import PersonalDataProvided
from lifecycle.domain.subject.outgoing_refusals import RecipientNotAgreed
from lifecycle.policy.loading import parse_policy
from lifecycle.policy.vocabulary import LegalBasis

MUM = {"email": "mum@example.com"}
OTHER_BASES = [basis for basis in LegalBasis if basis is not LegalBasis.CONSENT]


@pytest.fixture
def store(founded_file: InAFile, tmp_path: Path, keys: Path) -> Iterator[Store]:
    with founded_file.store(tmp_path, keys, PARTNERED) as made:
        yield made


@pytest.fixture
def either(founded: InAFile | OnAServer, tmp_path: Path, keys: Path) -> Iterator[Store]:
    """On SQLite and on PostgreSQL."""
    with founded.store(tmp_path, keys, PARTNERED) as made:
        yield made


def test_clause_3_1c_i_on_consent_that_names_the_recipient_given_separately(either: Store):
    begun(either, separate=True)
    done(sharing(either))
    assert recipients(either) == [("third-party", "email", "Job Board Pte Ltd")]
    assert data_of(either, "personal-data-provided") == {
        "recipient": "job-board",
        "to": "third-party",
        "purpose": "free-trial",
        "basis": "consent",
        "holdings": data_of(either, "personal-data-provided")["holdings"],
        "method": "api",
    }
    assert decided_again(either) == set()


def test_clause_3_1c_i_consent_that_was_not_given_separately_does_not_carry_it(store: Store):
    begun(store)
    refused(sharing(store), "separate-consent-missing", "3.1c")


def test_clause_3_1c_i_consent_that_does_not_name_the_recipient_does_not_carry_it(store: Store):
    begun(store, separate=True)
    refused(sharing(store, recipient="Bank of Anywhere"), "consent-missing", "3.1c")
    refused(sharing(store, method="file-export"), "recipient-not-declared", "3.1c")
    assert recipients(store) == []


def test_clause_3_1c_i_after_withdrawal_nothing_goes_out_and_what_went_before_stays_lawful(store: Store):
    begun(store, separate=True)
    done(sharing(store, at=DAY_2))
    contract = {"purpose": "free-trial", "basis": "contract", "evidence": "K-1"}
    done(store.collect(at=DAY_2, **contract))  # the data stays, on another ground
    done(store.do("withdraw-consent", DAY_9, subject=ANN, channel="email"))
    refused(sharing(store, at=DAY_9), "consent-missing", "3.1c")
    assert ("share", "different") not in decided_again(store)


def test_clause_3_1c_i_consent_given_after_the_share_does_not_heal_it(store: Store):
    contract = {"purpose": "free-trial", "basis": "contract", "evidence": "K-1"}
    done(store.collect(at=DAY_1, **contract))
    consent = {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form", "separate": True}
    done(store.do("give-consent", DAY_9, subject=ANN, **consent))
    refused(sharing(store, at=DAY_2), "consent-missing", "3.1c")
    done(sharing(store, at=DAY_9))


def test_clause_3_1c_i_for_the_young_the_guardian_consents(store: Store):
    done(store.do("record-birth-date", DAY_1, subject=ANN, birth_date="2012-09-01", evidence="passport"))
    begun(store, separate=True, guardian=MUM)
    done(sharing(store))


def test_clause_3_1c_ii_to_vii_every_other_basis_needs_its_evidence(store: Store):
    begun(store)
    for basis in OTHER_BASES:
        for nothing in ({}, {"evidence": "  "}):
            refused(sharing(store, basis=basis, **nothing), "evidence-missing", "1.4")
        done(sharing(store, basis=basis, evidence="what the basis needs"))
        assert data_of(store, "personal-data-provided")["basis"] == basis
    assert "what the basis needs" not in str(store.engine.read.history(ANN))
    assert decided_again(store) == set()


def test_clause_3_1c_iv_in_an_emergency_it_may_be_somebody_whom_no_policy_foresaw(either: Store):
    begun(either)
    hospital = {"recipient": "General Hospital", "basis": "emergency", "evidence": "accident at the fair"}
    done(sharing(either, categories=["phone"], **hospital))
    assert recipients(either) == [("undeclared", "phone", "General Hospital")]
    assert "General Hospital" not in str(either.engine.read.history(ANN))
    held = {row["category"]: row["recipients"] for row in either.engine.read.holdings(ANN)}
    assert held["phone"] == ["undeclared"]
    assert decided_again(either) == set()


def test_clause_3_1c_a_basis_that_the_policy_does_not_allow_for_the_purpose_is_refused(tmp_path: Path, keys: Path):
    text = changed_text(in_purpose("free-trial", 'bases = ["consent", "contract"]', 'bases = ["consent"]'))
    with opened(f"sqlite:///{tmp_path}/s.db", keys, text) as store:
        begun(store)
        refused(sharing(store, basis="contract", evidence="K-1", recipient="Bank"), "basis-not-allowed", "1.4")
        done(sharing(store, basis="legal-duty", evidence="Tax Act s 5", recipient="Bank"))


def test_clause_3_1c_a_third_party_gets_nothing_for_another_purpose_than_declared(store: Store):
    begun(store, separate=True)
    done(store.collect(at=DAY_1, purpose="quotation", data={"company": "Acme"}, basis="contract", evidence="K-2"))
    other = {"purpose": "quotation", "categories": ["company"]}
    refused(sharing(store, basis="contract", evidence="K-2", **other), "recipient-not-declared", "3.1c")
    refused(sharing(store, basis="contract", evidence="K-1", method="file-export"), "recipient-not-declared", "3.1c")


def test_clause_3_1c_what_has_no_ground_for_the_purpose_is_restricted_or_erased_is_not_shared(store: Store):
    begun(store, separate=True)
    refused(sharing(store, categories=["ip-address"]), "holding-erased", "7.3")
    done(store.collect(at=DAY_1, purpose="quotation", data={"company": "Beta"}, basis="contract", evidence="K-2"))
    (beta,) = [h["holding"] for h in store.engine.read.holdings(ANN) if h["grounds"][0]["purpose"] == "quotation"]
    refused(sharing(store, holdings=[beta]), "ground-missing", "1.4")
    done(store.do("restrict", DAY_1, subject=ANN, categories=["email"], reason="disputed"))
    refused(sharing(store), "holding-restricted", "5")
    done(store.do("erase", DAY_2, subject=ANN, ground="7.3b", categories=["phone"]))
    refused(sharing(store, categories=["phone"], at=DAY_2), "holding-erased", "7.3")


def test_clause_3_1c_a_trustee_is_not_passed_off_as_a_third_party(store: Store):
    begun(store, separate=True)
    refused(sharing(store, recipient="udesk"), "outside-agreement", "3.1a")


def test_clause_3_1c_a_third_party_is_not_passed_off_as_a_trustee(store: Store):
    begun(store, separate=True)
    share = {"trustee": "job-board", "purpose": "free-trial", "categories": ["email"], "method": "api"}
    refused(store.do("share", DAY_2, subject=ANN, **share), "recipient-not-declared", "3.1a")


def test_clause_3_1c_a_consent_to_an_earlier_policy_does_not_name_whom_a_later_one_adds():
    past, later = given(consenting(separate=True), collecting_(PERSON)), parse_policy(PARTNERED)
    share = providing_("email", recipient="job-board").under(later)
    assert past.when(share).then_refused(RecipientNotAgreed).clause == "3.1c"
    agreed = given(consenting(separate=True), collecting_(PERSON), policy=later)
    agreed.when(share).then_kinds(PersonalDataProvided)


@pytest.mark.parametrize("field", ["trustees", "third_party_products"])
def test_clause_3_1c_one_id_is_one_recipient(field: str):
    twice: dict[str, Any] = {
        "trustees": PARTNERED.replace("[third_parties.job-board]", "[third_parties.udesk]"),
        "third_party_products": PARTNERED.replace("[third_party_products.wechat]", "[third_party_products.job-board]"),
    }
    with pytest.raises(Exception, match="is declared under"):
        parse_policy(twice[field])
