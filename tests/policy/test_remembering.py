"""What is computed once answers as what is computed anew, and no address is remembered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.policy import emails, periods
from lifecycle.policy.emails import NotAnEmail, normal_email
from lifecycle.policy.periods import Period, day_of, start_of

LOCALS = st.one_of(st.text("ab1._+-!'\"@ é\u200b", max_size=12), st.sampled_from(["a" * 64, "a" * 65, "a" * 190]))
ANY = st.characters(exclude_categories=["Cs"])
LABEL = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z", alphabet=ANY) | st.sampled_from(
    ["a" * 63, "a" * 64, "-a", "a-", "a--b"]
)
LABELS = st.text("ab1-_é.", min_size=1, max_size=8)
DOMAINS = st.one_of(
    st.builds("{}.{}".format, LABELS, st.sampled_from(["com", "org", "example", "local", "xn--p1ai", "c", "1"])),
    st.lists(LABEL, min_size=1, max_size=5).map(".".join),
    st.sampled_from(["localhost", "xn--bcher-kva.ch", "xn--a.com", "a--b.com", "a" * 64 + ".com", "[127.0.0.1]", ""]),
)


def judged_whole(local: str, domain: str) -> str | None:
    """By the library alone, the address as one."""
    try:
        return validate_email(f"{local}@{domain}", check_deliverability=False).ascii_domain
    except (EmailNotValidError, ValueError):
        return None


@settings(max_examples=400)
@given(LOCALS.map(str.lower), DOMAINS)
def test_an_address_is_judged_as_the_library_judges_it_whole(local: str, domain: str):
    special = emails._is_special(domain)
    stand_in = emails.STAND_IN if special else ""
    wanted = judged_whole(local, f"{domain}{stand_in}")
    try:
        found = emails._checked(local, domain)
    except ValueError:
        found = None
    assert found == (wanted if wanted is None else wanted.removesuffix(stand_in))


def test_the_special_domains_are_those_of_the_library():
    assert sorted(emails.SPECIAL) == sorted(SPECIAL_USE_DOMAIN_NAMES)


def test_of_an_address_only_the_domain_is_remembered():
    emails._plain_domain.cache_clear()
    for number in range(5):
        assert normal_email(f"P{number}@Example.org") == f"p{number}@example.org"
    assert emails._plain_domain.cache_info().currsize == 1
    for _ in range(2):
        try:
            normal_email("p@-x.org")
        except NotAnEmail:
            continue
        raise AssertionError("a bad domain stays bad")


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
    st.one_of(st.builds(Period, days=st.integers(1, 4000)), st.builds(Period, months=st.integers(1, 400))),
    st.sampled_from(["Asia/Singapore", "America/New_York", "Pacific/Kiritimati", "UTC"]),
)
def test_a_due_instant_that_is_remembered_is_the_one_that_is_computed(since: datetime, period: Period, zone: str):
    anew = start_of(period.last_day(day_of(since, zone)) + timedelta(days=1), zone)
    assert period.due(since, zone) == anew
    assert period.due(since, zone) == anew
    assert periods._due.cache_info().hits > 0
