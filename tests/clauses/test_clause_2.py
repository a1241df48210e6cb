"""Clause 2: five technologies, each with its provider, types and consent of its own; switched off at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from clauses.partners import (
    DAY_1,
    DAY_2,
    DAY_9,
    VISIT,
    browsing,
    data_of,
    decided_again,
    done,
    opened,
    recipients,
    refused,
    visiting,
)
from founding import InAFile, OnAServer
from scenario import collecting_, consenting, given
from whole.stores import ANN, Store

from examples import POLICY, changed, changed_text
from lifecycle.domain.subject.events import PersonalDataCollected
from lifecycle.domain.subject.refusals import ConsentMissing

MUM = {"email": "mum@example.com"}
BAIDU = "Baidu Times Network Technology (Beijing) Co., Ltd."


@pytest.fixture
def store(founded_file: InAFile, tmp_path: Path, keys: Path) -> Iterator[Store]:
    with founded_file.store(tmp_path, keys) as made:
        yield made


@pytest.fixture
def either(founded: InAFile | OnAServer, tmp_path: Path, keys: Path) -> Iterator[Store]:
    """On SQLite and on PostgreSQL."""
    with founded.store(tmp_path, keys) as made:
        yield made


def test_clause_2_what_a_technology_collects_is_held_for_its_period_and_its_provider_is_a_recipient(either: Store):
    done(browsing(either, "baidu"))
    done(visiting(either, "baidu"))
    assert data_of(either, "personal-data-collected")["technology"] == "baidu"
    assert data_of(either, "personal-data-collected")["rule"]["name"] == "website-browsing.baidu@1.0"
    assert recipients(either) == [("technology", category, BAIDU) for category in sorted(VISIT)]
    ground = either.engine.read.holdings(ANN)[0]["grounds"][0]
    assert (ground["technology"], ground["rule"]) == ("baidu", "website-browsing.baidu@1.0")
    assert ground["until"] == "2025-01-28T16:00:00Z"  # 180 days: the last day is 28 January
    (agreed,) = either.engine.read.consents(ANN)
    assert (agreed["purpose"], agreed["technology"], agreed["status"]) == ("website-browsing", "baidu", "given")
    assert decided_again(either) == set()


def test_clause_2_each_technology_collects_what_it_declares_and_nothing_else(store: Store):
    done(browsing(store, *POLICY.technologies))
    values = {"ip-address": "192.0.2.7", "email": "ann@example.com", "phone": "+6591234567", "birth-date": "1990-01-01"}
    said = {"subject": ANN, "purpose": "website-browsing", "basis": "consent", "source": "cookie"}
    for technology, declared in POLICY.technologies.items():
        outcomes = store.engine.execute_many(
            [
                store.document("collect", technology=technology, data={category: values.get(category, "x")}, **said)
                for category in POLICY.categories
            ]
        )
        for category, outcome in zip(POLICY.categories, outcomes, strict=True):
            if category in declared.categories:
                done(outcome)
            else:
                refused(outcome, "outside-technology", "2")


def test_clause_2_without_consent_to_that_technology_nothing_is_collected_through_it(store: Store):
    done(browsing(store))  # to the purpose itself
    refused(visiting(store, "baidu"), "consent-missing", "2")
    done(browsing(store, "360"))
    refused(visiting(store, "baidu"), "consent-missing", "2")
    done(visiting(store, "360"))


def test_clause_2_consent_to_a_technology_is_not_consent_to_the_purpose(store: Store):
    done(browsing(store, "baidu"))
    refused(visiting(store, None, data={"ip-address": "192.0.2.7"}), "consent-missing", "1.3")


def test_clause_2_what_only_a_technology_needs_is_not_collected_without_it(store: Store):
    done(browsing(store))
    refused(visiting(store, None), "more-than-necessary", "4")


def test_clause_2_withdrawal_switches_one_technology_off_at_once_and_leaves_the_others(either: Store):
    done(browsing(either, "baidu", "360"))
    done(visiting(either, "baidu"))
    done(visiting(either, "360", data={"page-duration": "3 s"}))
    withdrawn = done(either.do("withdraw-consent", DAY_2, subject=ANN, technologies=["baidu"], channel="web-form"))
    assert {(effect.category, effect.result) for effect in withdrawn.effects} == {(c, "erased") for c in VISIT}
    refused(visiting(either, "baidu", at=DAY_2), "consent-missing", "2")
    done(visiting(either, "360", at=DAY_2))
    status = {row["technology"]: row["status"] for row in either.engine.read.consents(ANN)}
    assert status == {"baidu": "withdrawn", "360": "given"}
    assert either.held()["page-duration"] == "held"
    assert {verdict for _, verdict in decided_again(either)} <= {"cannot-tell", "not-a-decision"}


def test_clause_2_what_two_technologies_collected_lives_until_the_last_consent_goes(store: Store):
    done(browsing(store, "baidu", "360"))
    address = {"ip-address": "192.0.2.7"}
    done(visiting(store, "baidu", data=address))
    done(visiting(store, "360", data=address))
    (holding,) = store.engine.read.holdings(ANN)
    assert [ground["technology"] for ground in holding["grounds"]] == ["baidu", "360"]
    done(store.do("withdraw-consent", DAY_2, subject=ANN, technologies=["baidu"], channel="email"))
    assert store.held() == {"ip-address": "held"}
    done(store.do("withdraw-consent", DAY_9, subject=ANN, technologies=["360"], channel="email"))
    assert store.held() == {"ip-address": "erased"}


def test_clause_2_whoever_withdraws_the_purpose_switches_its_technologies_off(store: Store):
    done(browsing(store, "baidu"))
    done(browsing(store))
    done(visiting(store, "baidu"))
    done(store.do("withdraw-consent", DAY_2, subject=ANN, purposes=["website-browsing"], channel="email"))
    assert set(store.held().values()) == {"erased"}
    refused(visiting(store, "baidu", at=DAY_2), "consent-missing", "2")


def test_clause_2_a_withdrawal_that_names_a_technology_leaves_the_purpose_alone(store: Store):
    done(browsing(store))
    done(visiting(store, None, data={"ip-address": "192.0.2.7"}))
    assert (
        store.do("withdraw-consent", DAY_2, subject=ANN, technologies=["baidu"], channel="email").outcome == "nothing"
    )
    assert store.held() == {"ip-address": "held"}


def test_clause_2_a_refusal_of_a_technology_is_on_record_until_it_is_agreed_to(store: Store):
    no = {"purposes": ["website-browsing"], "notice": "1.0", "channel": "web-form"}
    done(store.do("refuse-consent", DAY_1, subject=ANN, technologies=["baidu", "360"], **no))
    assert store.do("refuse-consent", DAY_1, subject=ANN, technologies=["360"], **no).outcome == "nothing"
    done(browsing(store, "baidu"))
    status = {row["technology"]: row["status"] for row in store.engine.read.consents(ANN)}
    assert status == {"baidu": "given", "360": "refused"}
    refused(store.do("refuse-consent", DAY_1, subject=ANN, technologies=["baidu"], **no), "consent-in-force", "7.5")
    assert decided_again(store) == set()


def test_clause_2_a_technology_serves_its_declared_purposes_alone_and_on_consent_alone(store: Store):
    refused(browsing(store, "baidu", purposes=["free-trial"]), "outside-technology", "2")
    refused(browsing(store, "baidu", purposes=["website-browsing", "free-trial"]), "outside-technology", "2")
    refused(browsing(store, "matomo"), "unknown-word", None)
    done(browsing(store, "udesk", purposes=["customer-service"]))
    refused(visiting(store, "baidu", purpose="customer-service"), "outside-technology", "2")
    contract = {"basis": "contract", "evidence": "K-1", "purpose": "customer-service"}
    refused(visiting(store, "udesk", **contract), "basis-not-allowed", "1.4")
    done(visiting(store, "udesk", purpose="customer-service"))


def test_clause_2_the_same_consent_again_changes_nothing(store: Store):
    done(browsing(store, "baidu", "360"))
    assert browsing(store, "360").outcome == "nothing"
    assert done(browsing(store, "360", "sensors")).events == ("consent-given/1",)
    assert data_of(store, "consent-given")["technologies"] == ["sensors"]


def test_clause_2_the_young_are_protected_from_technologies_too(store: Store):
    done(store.do("record-birth-date", DAY_1, subject=ANN, birth_date="2014-05-17", evidence="passport"))
    refused(browsing(store, "baidu"), "guardian-missing", "1.1")
    done(browsing(store, "baidu", guardian=MUM))
    refused(visiting(store, "baidu"), "separate-consent-missing", "1.1")
    done(browsing(store, "baidu", guardian=MUM, separate=True))
    done(visiting(store, "baidu"))


def test_clause_2_a_sensitive_category_needs_separate_consent_to_the_technology(tmp_path: Path, keys: Path):
    text = changed_text(("[technologies.baidu]", '"ip-address", "visit', '"location-track", "ip-address", "visit'))
    with opened(f"sqlite:///{tmp_path}/s.db", keys, text) as store:
        done(browsing(store, "baidu"))
        refused(visiting(store, "baidu", data={"location-track": "1.3,103.8"}), "separate-consent-missing", "1.1")
        done(browsing(store, "baidu", separate=True))
        done(visiting(store, "baidu", data={"location-track": "1.3,103.8"}))


def test_clause_2_a_consent_to_a_narrower_technology_does_not_cover_a_wider_one():
    wider = changed(("[technologies.baidu]", '"ip-address", "visit', '"platform", "ip-address", "visit'))
    past = given(consenting("website-browsing", technologies=["baidu"]))
    visit = collecting_({"ip-address": "192.0.2.7"}, purpose="website-browsing", technology="baidu")
    past.when(visit).then_kinds(PersonalDataCollected)
    past.when(visit.under(wider)).then_refused(ConsentMissing)


def test_clause_2_what_a_technology_collected_was_agreed_to_for_its_provider_and_goes_to_no_trustee(store: Store):
    done(store.do("engage-trustee", DAY_1, trustee="udesk", name="Udesk", contact="x@udesk.example", country="CN"))
    terms = {"from": "2024-07-15", "to": "2026-12-31", "method": "api", "categories": ["browser"], "measures": "sealed"}
    agreement = terms | {"purpose": "customer-service", "rights_and_obligations": "as by law"}
    done(store.do("sign-agreement", DAY_1, trustee="udesk", agreement=agreement))
    done(browsing(store, "udesk", purposes=["customer-service"]))
    done(visiting(store, "udesk", purpose="customer-service", data={"browser": "Firefox"}))
    share = {"trustee": "udesk", "purpose": "customer-service", "categories": ["browser"], "method": "api"}
    refused(store.do("share", DAY_2, subject=ANN, **share), "ground-missing", "1.4")


def test_clause_2_the_period_of_a_technology_ends_by_itself(store: Store):
    done(browsing(store, "baidu"))
    done(visiting(store, "baidu"))
    store.engine.advance_clock(datetime.fromisoformat("2025-01-28T23:59:59+08:00"))
    assert set(store.held().values()) == {"held"}
    store.engine.advance_clock(datetime.fromisoformat("2025-01-29T00:00:00+08:00"))
    assert set(store.held().values()) == {"erased"}
