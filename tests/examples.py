"""Values by name: a test shows only what it is about, and takes the rest from here."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID

from lifecycle.domain.trustee.trustee import Agreement, Trustee
from lifecycle.policy.examples import example_policy_text
from lifecycle.policy.loading import parse_policy
from lifecycle.policy.model import Policy

SINGAPORE = timezone(timedelta(hours=8))
ANN_ID = UUID("01936f0e-5a00-7000-8000-000000000001")
GUARDIAN = "email:mum@example.com"
HOSTILE = "ann@example.com"
"""Personal data where a name is expected: it must never come back in a message."""


def sg(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """An instant by the clock of the example policy's time zone, in UTC."""
    return datetime(year, month, day, hour, minute, tzinfo=SINGAPORE).astimezone(UTC)


MARCH_1 = sg(2025, 3, 1, 10)
MARCH_2 = sg(2025, 3, 2, 10)
MARCH_5 = sg(2025, 3, 5, 10)
MARCH_9 = sg(2025, 3, 9, 10)
TRIAL_DUE = sg(2027, 3, 2)  # 24 months after 1 March 2025: the last day is 1 March 2027
BROWSING_DUE = sg(2025, 8, 29)  # 180 days after 1 March 2025: the last day is 28 August 2025

EMAIL = {"email": "ann@example.com"}
ACCOUNT = {"login-account": "ann@example.com"}
ADDRESS = {"ip-address": "192.0.2.7"}
ANN = {"name": "Ann", "company": "Acme", "phone": "+6591234567", "email": "ann@example.com"}


def days(number: float) -> timedelta:
    return timedelta(days=number)


def changed(*changes: tuple[str, ...]) -> Policy:
    """The example policy with some things changed."""
    return parse_policy(changed_text(*changes))


def changed_text(*changes: tuple[str, ...]) -> str:
    """Each is the only such thing in the example policy, or the first below a heading."""
    text = example_policy_text()
    for *heading, old, new in changes:
        start = text.index(heading[0]) if heading else 0
        assert heading or text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the text"
        found = text.index(old, start)
        text = text[:found] + new + text[found + len(old) :]
    return text


def in_purpose(purpose: str, old: str, new: str) -> tuple[str, str, str]:
    return f"[purposes.{purpose}]", old, new


POLICY = parse_policy(example_policy_text())
SENSITIVE = changed(in_purpose("quotation", '"email"]', '"email", "financial-account"]'))
LAPSING = changed(in_purpose("free-trial", '"contract"]', '"contract"]\nconsent_lasts = { days = 30 }'))
WIDER = changed(
    ('version = "1.0"', 'version = "1.1"'),
    in_purpose("free-trial", "months = 24", "months = 36"),
)
WITH_LEGAL_DUTY = changed(in_purpose("account-login", 'bases = ["contract"]', 'bases = ["contract", "legal-duty"]'))
AGE_NEEDED = changed(in_purpose("quotation", '"email"]', '"email", "birth-date"]'))

AGREEMENT = Agreement(
    "udesk-1",
    "free-trial",
    date(2025, 1, 1),
    date(2025, 12, 31),
    "api",
    frozenset({"name", "company", "email"}),
    sg(2024, 12, 20),
)
UDESK = Trustee("udesk", version=2, engaged=True, agreements=(AGREEMENT,))

SEVERAL = changed(
    in_purpose("free-trial", 'bases = ["consent", "contract"]', 'bases = ["consent"]'),
    in_purpose("quotation", 'bases = ["consent", "contract"]', 'bases = ["contract"]'),
    in_purpose("customer-service", 'bases = ["consent", "contract"]', 'bases = ["legal-duty"]'),
    in_purpose("account-login", 'categories = ["login-account"]', 'categories = ["login-account", "email", "name"]'),
    in_purpose("customer-service", '"email"]', '"email", "name"]'),
    in_purpose("quotation", '"email"]', '"email", "name"]'),
    in_purpose("free-trial", "months = 24", "days = 15"),
    in_purpose("quotation", "months = 12", "days = 10"),
    in_purpose("customer-service", "months = 36", "days = 40"),
    in_purpose("recommended-customers", "days = 180", "days = 20"),
    ('bases = ["contract"]\nmonths = 36\n', 'bases = ["contract"]\ndays = 30\n'),
)
"""Each purpose on one basis, with short periods."""
