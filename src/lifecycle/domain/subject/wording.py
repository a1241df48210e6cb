"""Checks that many decisions begin with: is the record open, does the policy know these words?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from lifecycle.domain.decision import Asked
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.state import Holding, Subject
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import age_on
from lifecycle.policy.succession import to_come
from lifecycle.policy.values import WrongFormat, check_value, normalise_value

OLDEST = 130
"""Years: the oldest person whose age is documented died at 122."""


def open_record(subject: Subject) -> None:
    recorded_here(subject)
    if subject.is_transferred:
        raise r.SubjectTransferred


def recorded_here(subject: Subject) -> None:
    """For what still has to be possible once another controller has the data: holds that bind us, answers we owe."""
    if subject.erasure is not None:
        raise r.SubjectErased


def still_ours(holdings: Iterable[Holding]) -> None:
    gone = {holding.category for holding in holdings if holding.transferred_at is not None}
    if gone:
        raise r.HoldingTransferred(gone)


def known_purposes(policy: Policy, purposes: Iterable[str]) -> None:
    for purpose in purposes:
        if purpose not in policy.purposes:
            raise r.UnknownPurpose(purpose)


def known_categories(policy: Policy, categories: Iterable[str]) -> None:
    unknown = [category for category in categories if category not in policy.categories]
    if unknown:
        raise r.UnknownCategory(unknown)


def known_channel(policy: Policy, channel: str) -> None:
    if channel not in policy.channels:
        raise r.UnknownWord("channel", channel)


def known_source(policy: Policy, source: str) -> None:
    if source not in policy.sources:
        raise r.UnknownWord("source", source)


def known_method(policy: Policy, method: str) -> None:
    if method not in policy.methods:
        raise r.UnknownWord("method", method)


def version_shown(asked: Asked, version: str) -> Policy:
    """The published version that the person was shown: the one in force for them, the newest, or one that is to come.
    An older one says nothing that still counts."""
    offered = [asked.policy, asked.newest, *to_come(asked.published, asked.now)]
    found = next((policy for policy in offered if policy.version == version), None)
    if found is None:
        raise r.NoticeMissing(version)
    return found


def told_by_showing(subject: Subject, asked: Asked, shown: Policy, channel: str) -> tuple[e.NoticeGiven, ...]:
    """Whoever answers a version that is not in force for them yet was told of it by being shown it."""
    if shown is asked.policy or shown.version in subject.told:
        return ()
    return (e.NoticeGiven(occurred_at=asked.at, notice=shown.version, channel=channel),)


def possible_birth_date(policy: Policy, category: str, value: str, now: datetime) -> str:
    """The value as it is to be sealed: of a birth date its one form, so that an age can always be computed from it.

    Errors: WrongFormat for a birth date that cannot be one; other categories are not looked at.
    """
    if policy.minors is None or category != policy.minors.birth_date_category:
        return value
    check_value("date", value, category=category)
    day = normalise_value("date", value)
    age = age_on(date.fromisoformat(day), policy.day_of(now))
    if age < 0:
        raise WrongFormat("birth date", "it lies in the future", category)
    if age > OLDEST:
        raise WrongFormat("birth date", f"nobody lives who was born more than {OLDEST} years ago", category)
    return day


def chosen(
    subject: Subject, categories: Sequence[str], holdings: Sequence[str], at: datetime | None = None
) -> tuple[Holding, ...]:
    """The kept holdings of the categories, or those named; refuses what is not held. With `at`: what was held then."""

    def held(holding: Holding) -> bool:
        if at is None or holding.erased_at is None:
            return holding.erased_at is None
        return holding.since <= at < holding.erased_at

    if holdings:
        gone = [id for id in holdings if id not in subject.holdings or not held(subject.holdings[id])]
        if gone:
            raise r.HoldingErased(gone)
        return tuple(subject.holdings[id] for id in dict.fromkeys(holdings))
    found = [holding for holding in subject.holdings.values() if held(holding)]
    missing = set(categories).difference(holding.category for holding in found)
    if missing:
        raise r.HoldingErased(missing)
    return tuple(h for category in dict.fromkeys(categories) for h in found if h.category == category)
