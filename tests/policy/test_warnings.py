import pytest
from policy.texts import SMALL, changed, with_more

from lifecycle.policy.loading import check_policy

RETENTION = "retention = { days = 30 }"
MINORS = '[minors]\nage = {age}\nbirth_date_category = "name"\nlaw = "some-law"'
SENSITIVE = '{ label = "Name", sensitivity = "sensitive" }'

ODDITIES = [
    ('readers = ["service"]\n', "", "purposes.newsletter", "nobody may read"),
    ('optional = ["name"]\n', "", "categories.name", "needs this category"),
    ('{ label = "Name" }', '{ label = "Name", reserved = true }', "categories.name.reserved", "something needs it"),
    (RETENTION, "retention = { days = 30, assumed = true }", "purposes.newsletter.retention", "without a reason"),
    (RETENTION, 'retention = { days = 30, reason = "x" }', "purposes.newsletter.retention.reason", "not marked"),
    (
        RETENTION,
        RETENTION + "\nconsent_lasts = { days = 30, assumed = true }",
        "purposes.newsletter.consent_lasts",
        "without a reason",
    ),
    ('recipients = ["mailer"]\n', "", "trustees.mailer.purposes", "does not name it"),
    ("days = 15", "days = 16", "response_times.days", "15 working-days"),
    ("days = 15", "days = 40", "response_times.days", "30 days"),
]


@pytest.mark.parametrize(("old", "new", "place", "reason"), ODDITIES)
def test_what_is_lawful_but_odd_is_a_warning(old, new, place, reason):
    findings = check_policy(changed(old, new))
    assert findings.faults == []
    assert findings.policy is not None
    assert any(place == each.place and reason in each.reason for each in findings.warnings), findings.warnings


def test_the_small_policy_has_no_warning():
    assert check_policy(SMALL).warnings == []


def test_a_sensitive_category_without_separate_consent_is_a_warning():
    text = changed('{ label = "Name" }', SENSITIVE, changed('bases = ["consent"]', 'bases = ["consent", "contract"]'))
    [warning] = check_policy(text).warnings
    assert warning.place == "purposes.newsletter.bases"
    assert "sensitive name" in warning.reason


def test_a_sensitive_category_on_consent_alone_is_none():
    assert check_policy(changed('{ label = "Name" }', SENSITIVE)).warnings == []


def test_keeping_longer_than_a_cited_maximum_is_a_warning_that_cites_it():
    text = SMALL.replace("name = { label", "adverse-credit = { label").replace('["name"]', '["adverse-credit"]')
    [warning] = check_policy(changed(RETENTION, "retention = { months = 61 }", text)).warnings
    assert warning.place == "purposes.newsletter.retention"
    assert "Credit Reporting Industry Art. 16" in warning.reason
    assert check_policy(changed(RETENTION, "retention = { months = 60 }", text)).warnings == []


def test_a_maximum_for_other_categories_is_none_of_ours():
    assert check_policy(changed(RETENTION, "retention = { months = 61 }")).warnings == []


def test_an_age_below_the_law_s_is_a_warning():
    assert check_policy(with_more(MINORS.format(age=14))).warnings == []
    [warning] = check_policy(with_more(MINORS.format(age=13))).warnings
    assert (warning.place, "PIPL Arts. 28 and 31" in warning.reason) == ("minors.age", True)


def test_a_contract_s_clock_on_other_bases_is_a_warning():
    text = changed('bases = ["consent"]', 'bases = ["consent", "contract"]')
    text = changed(RETENTION, "retention = { while_contract_lasts = true }", text)
    [warning] = check_policy(text).warnings
    assert "there is no contract to end it" in warning.reason
