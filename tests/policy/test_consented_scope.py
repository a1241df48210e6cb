import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy.texts import SMALL, changed

from lifecycle.policy.examples import example_policy_text
from lifecycle.policy.loading import parse_policy
from lifecycle.policy.periods import Period
from lifecycle.policy.scope import ConsentScope, fewest_and_most_days, is_longer
from lifecycle.policy.vocabulary import CountsFrom

RETENTION = "retention = { days = 30 }"
names = st.lists(st.sampled_from("abc"), unique=True).map(lambda each: tuple(sorted(each)))
periods = st.one_of(
    st.none(),
    st.integers(1, 800).map(lambda days: Period(days=days)),
    st.integers(1, 30).map(lambda months: Period(months=months)),
)
scopes = st.builds(ConsentScope, categories=names, recipients=names, methods=names, period=periods)


def scope_of(text):
    return parse_policy(text).consented_scope("newsletter")


def test_the_scope_says_categories_recipients_methods_and_retention():
    assert scope_of(SMALL) == ConsentScope(
        categories=("email", "name"),
        recipients=("mailer",),
        methods=("api",),
        counts_from=CountsFrom.COLLECTION,
        period=Period(days=30),
    )


WIDENED = [
    ('optional = ["name"]\n', ""),
    ('recipients = ["mailer"]\n', ""),
    (RETENTION, "retention = { days = 29 }"),
]


@pytest.mark.parametrize(("old", "new"), WIDENED)
def test_more_categories_recipients_or_time_is_wider_and_less_is_not(old, new):
    less = scope_of(changed(old, new))
    assert scope_of(SMALL).is_wider_than(less)
    assert not less.is_wider_than(scope_of(SMALL))


def test_another_method_is_wider():
    text = SMALL.replace('methods = ["api"]', 'methods = ["api", "file-export"]')
    assert scope_of(text).is_wider_than(scope_of(SMALL))


def test_counting_from_the_last_activity_is_wider_than_from_collection():
    text = changed(RETENTION, 'retention = { days = 30, counts_from = "last-activity" }')
    assert scope_of(text).is_wider_than(scope_of(SMALL))
    assert not scope_of(SMALL).is_wider_than(scope_of(text))


def test_what_a_consent_does_not_agree_to_is_not_in_its_fingerprint():
    policy = parse_policy(SMALL)
    other = parse_policy(changed('label = "Newsletter"', 'label = "News"', changed("days = 15", "days = 14")))
    assert policy.fingerprint != other.fingerprint
    assert policy.purpose_fingerprint("newsletter") == other.purpose_fingerprint("newsletter")


@pytest.mark.parametrize(("old", "new"), WIDENED)
def test_the_fingerprint_of_a_purpose_changes_with_its_scope(old, new):
    other = parse_policy(changed(old, new))
    assert parse_policy(SMALL).purpose_fingerprint("newsletter") != other.purpose_fingerprint("newsletter")


def test_consent_to_a_technology_names_its_provider_and_its_types():
    scope = parse_policy(example_policy_text()).consented_scope("website-browsing", "gather")
    assert scope.recipients == ("Shanghai Xinzhaoyang Information Science & Technology Co., Ltd.",)
    assert "platform" in scope.categories
    assert "ip-address" not in scope.categories


@pytest.mark.parametrize(
    ("months", "fewest", "most"),
    [(1, 28, 31), (2, 59, 62), (6, 181, 184), (12, 365, 366), (24, 730, 731), (48, 1461, 1461)],
)
def test_months_take_between_so_and_so_many_days(months, fewest, most):
    assert fewest_and_most_days(Period(months=months)) == (fewest, most)


@pytest.mark.parametrize(
    ("one", "other", "longer"),
    [
        (Period(months=6), Period(days=184), False),
        (Period(months=6), Period(days=183), True),
        (Period(days=181), Period(months=6), False),
        (Period(days=182), Period(months=6), True),
        (Period(months=12), Period(months=12), False),
        (Period(months=13), Period(months=12), True),
        (None, Period(months=1200), True),
        (Period(months=1200), None, False),
        (None, None, False),
    ],
)
def test_days_against_months_are_longer_when_they_could_be(one, other, longer):
    assert is_longer(one, other) is longer


@given(scopes)
def test_nothing_is_wider_than_itself(scope):
    assert not scope.is_wider_than(scope)


@given(scopes, scopes, scopes)
def test_what_is_within_a_scope_is_within_all_that_contain_it(one, other, third):
    if not one.is_wider_than(other) and not other.is_wider_than(third):
        assert not one.is_wider_than(third)


@given(scopes, scopes)
def test_the_same_fingerprint_means_not_wider(one, other):
    if one.fingerprint() == other.fingerprint():
        assert not one.is_wider_than(other)


@given(scopes)
def test_a_scope_survives_being_stored(scope):
    assert ConsentScope.model_validate_json(scope.model_dump_json()) == scope
