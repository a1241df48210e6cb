from datetime import date

import pytest

from lifecycle.policy.examples import example_policy_text
from lifecycle.policy.loading import check_policy, parse_policy
from lifecycle.policy.parts import Assumable, AssumedPeriod
from lifecycle.policy.periods import Period
from lifecycle.policy.recalling import recall_policy
from lifecycle.policy.vocabulary import CountsFrom, LegalBasis, RequestKind, Role

COLLECTION, LAST_ACTIVITY = CountsFrom.COLLECTION, CountsFrom.LAST_ACTIVITY
CONSENT, CONTRACT = LegalBasis.CONSENT, LegalBasis.CONTRACT
CONTACT = {"name", "company", "phone", "email"}
VISIT = {"ip-address", "visit-duration", "pages-visited", "operating-system", "browser", "page-duration"}
SENSITIVE = {
    "biometric",
    "religious-belief",
    "specific-identity",
    "medical-health",
    "financial-account",
    "location-track",
}


@pytest.fixture(scope="module")
def policy():
    return parse_policy(example_policy_text())


def test_the_example_has_neither_fault_nor_warning():
    findings = check_policy(example_policy_text())
    assert (findings.faults, findings.warnings) == ([], [])


def test_the_example_says_when_where_and_by_whose_days(policy):
    assert (policy.label, policy.effective) == ("recruiting-site/1.0", date(2024, 7, 15))
    assert (policy.time_zone, policy.jurisdictions) == ("Asia/Singapore", ("SG", "CN"))
    assert (policy.response_times.calendar, policy.response_times.days) == ("SG", 15)


@pytest.mark.parametrize(
    ("purpose", "clause", "categories", "bases", "counts_from", "period"),
    [
        ("website-browsing", "1.3 no. 1", {"ip-address"}, [CONSENT], COLLECTION, Period(days=180)),
        ("free-trial", "1.3 no. 2", CONTACT, [CONSENT, CONTRACT], LAST_ACTIVITY, Period(months=24)),
        ("quotation", "1.3 no. 3", CONTACT - {"name"}, [CONSENT, CONTRACT], LAST_ACTIVITY, Period(months=12)),
        ("customer-service", "1.3 no. 4", CONTACT - {"name"}, [CONSENT, CONTRACT], COLLECTION, Period(months=36)),
        ("account-login", "1.3 no. 5", {"login-account"}, [CONTRACT], COLLECTION, None),
        ("recommended-customers", "1.3 no. 6", CONTACT, [CONSENT], COLLECTION, Period(days=180)),
    ],
)
def test_clause_1_3_each_purpose_collects_what_the_text_lists(
    policy, purpose, clause, categories, bases, counts_from, period
):
    declared = policy.purposes[purpose]
    assert declared.clause == clause
    assert set(declared.categories) == categories
    assert declared.optional == ()
    assert list(declared.bases) == bases
    assert (declared.assumed, bool(declared.reason)) == (True, True)
    assert {Role.SERVICE, Role.OFFICER} <= set(declared.readers)
    rule = policy.retention_rule(purpose)
    assert (rule.name, rule.zone) == (f"{purpose}@1.0", "Asia/Singapore")
    assert (rule.counts_from, rule.period) == (counts_from, period)


def test_clause_1_3_there_are_six_purposes(policy):
    assert len(policy.purposes) == 6


@pytest.mark.parametrize(
    ("technology", "provider", "contact", "categories"),
    [
        ("baidu", "Baidu Times Network Technology (Beijing) Co., Ltd.", "https://tongji.baidu.com", VISIT),
        (
            "udesk",
            "Beijing Vodafone Times Data Technology Co., Ltd.",
            "https://www.udesk.cn/terms_service.html",
            {"ip-address", "browser", "pages-visited", "visit-duration"},
        ),
        (
            "gather",
            "Shanghai Xinzhaoyang Information Science & Technology Co., Ltd.",
            "https://www.huiju.cool/",
            {"operating-system", "operating-system-version", "browser", "browser-version", "platform"},
        ),
        (
            "sensors",
            "Sensors Data (Beijing) Technology Co., Ltd.",
            "https://www.sensorsdata.cn/compliance/privacy.html",
            CONTACT | {"account-number", "position", "ip-address", "browser", "behaviour-analysis"},
        ),
        ("360", "All Time World Online Technology Co., Ltd.", "https://open.e.360.cn/intro/", VISIT),
    ],
)
def test_clause_2_each_technology_has_provider_contact_and_types(policy, technology, provider, contact, categories):
    declared = policy.technologies[technology]
    assert (declared.provider, declared.contact) == (provider, contact)
    assert set(declared.categories) == categories
    assert policy.retention_rule("website-browsing", technology).period == Period(days=180)


def test_clause_2_there_are_five_technologies(policy):
    assert len(policy.technologies) == 5


def test_clause_1_1_the_sensitive_kinds_are_known(policy):
    assert {name for name in policy.categories if policy.is_sensitive(name)} == SENSITIVE
    assert (policy.minors.age, policy.minors.birth_date_category) == (14, "birth-date")
    assert policy.minors.law in policy.laws


def test_clause_1_4_all_seven_bases_have_clause_articles_and_iri(policy):
    assert set(policy.bases) == set(LegalBasis)
    clauses = ["1.3", "1.4a", "1.4b", "1.4c", "1.4d", "1.4e", "1.4f"]
    assert sorted(basis.clause for basis in policy.bases.values()) == clauses
    assert all(basis.iri.startswith("https://w3id.org/dpv#") for basis in policy.bases.values())
    assert {name for name, basis in policy.bases.items() if basis.evidence is None} == {CONSENT}


def test_clause_3_1_udesk_is_the_trustee_for_support(policy):
    served = {name for name, purpose in policy.purposes.items() if "udesk" in purpose.recipients}
    assert served == {"free-trial", "quotation", "customer-service"} == set(policy.trustees["udesk"].purposes)


def test_clause_5_an_ended_account_is_stored_for_36_months_by_law(policy):
    minimum = policy.minimum_for("account-login", CONTRACT)
    assert minimum.period == Period(months=36)
    assert minimum.law in policy.laws
    others = [(purpose, basis) for purpose in policy.purposes for basis in LegalBasis]
    others.remove(("account-login", CONTRACT))
    assert [policy.minimum_for(*each) for each in others] == [None] * len(others)


def test_clause_7_every_right_is_there_and_answered_in_fifteen_working_days(policy):
    promised = {kind for kind in RequestKind if kind is not RequestKind.OBJECTION}
    assert set(policy.rights) == promised
    assert {policy.response_times.days_for(kind) for kind in RequestKind} == {15}


def test_clause_8_third_party_products_lead_to_their_own_terms(policy):
    assert all(product.terms.startswith("https://") for product in policy.third_party_products.values())


def test_clause_9_using_on_accepts_a_revision_that_was_announced(policy):
    assert policy.revisions.continued_use_accepts
    assert set(policy.revisions.notice_channels) <= set(policy.channels)


def test_contacts_that_the_text_blanks_out_are_example_addresses(policy):
    contacts = policy.controller.contacts
    assert contacts["customer-service"].endswith("@example.com")
    assert contacts["security-reports"].endswith("@example.com")


def test_identifiers_are_kept_thirty_days_after_the_last_event(policy):
    assert policy.identifiers.kept_days_after_last_event == 30


def test_every_number_that_the_text_does_not_give_says_so(policy):
    """Working days (7.6) and the age of fourteen (1.1) are the only numbers of the published text."""
    numbers = [*(purpose.retention for purpose in policy.purposes.values())]
    numbers += [technology.retention for technology in policy.technologies.values()]
    numbers += [*policy.minimums, policy.identifiers, policy.incidents, policy.headers_kept]
    assert all(isinstance(number, Assumable | AssumedPeriod) for number in numbers)
    assert all(number.assumed and number.reason for number in numbers)
    assert not policy.response_times.assumed
    assert not policy.minors.assumed


@pytest.mark.parametrize("words", [{"web-form", "phone", "wechat", "online-consultation", "email", "api"}])
def test_the_channels_of_clause_7_6_are_declared(policy, words):
    assert words <= set(policy.channels)


def test_sources_and_methods_are_declared(policy):
    assert {"web-form", "api", "phone", "import", "cookie"} <= set(policy.sources)
    assert set(policy.methods) == {"api", "file-export", "embedded-widget"}


def test_a_published_text_is_recalled_as_it_was_parsed(policy):
    assert recall_policy(example_policy_text()) == policy


def test_the_seed_s_company_is_not_named_in_the_example():
    assert "moka" not in example_policy_text().casefold()
