"""Which of the published versions of a policy is in force: in general, and for one person.

A version is not in force for a person who was not told of it (policy clause 9.1). It is for everybody who came when it
was in force already, and for the others from its effective day or from the notice, whichever is later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from lifecycle.policy.model import Policy
from lifecycle.policy.periods import start_of


def in_force(published: Sequence[Policy], at: datetime) -> Policy | None:
    """The one that took effect last at `at`; of several that take effect on one day, the one published last.

    `published` is in the order of publication, oldest first.
    """
    begun = [policy for policy in reversed(published) if takes_effect(policy) <= at]
    if len(begun) < 2:  # as nearly always
        return begun[0] if begun else None
    return max(begun, key=lambda policy: policy.effective, default=None)  # of equals, `max` takes the first


_start_of = lru_cache(maxsize=256)(start_of)  # asked for each command, of a handful of versions


def takes_effect(policy: Policy) -> datetime:
    """The first instant of its effective day."""
    return _start_of(policy.effective, policy.time_zone)


def to_come(published: Sequence[Policy], at: datetime) -> list[Policy]:
    """Versions that are published and not in effect yet."""
    return [policy for policy in published if takes_effect(policy) > at]


def offered(published: Sequence[Policy], at: datetime) -> list[Policy]:
    """Of which people can be told: the version that is in force for whoever comes now, and those that are to come."""
    newest = in_force(published, at)
    return [*([newest] if newest is not None else []), *to_come(published, at)]


@dataclass(frozen=True, slots=True)
class Revision:
    """A version that comes into force for one person after another: since when, and which versions are not older."""

    policy: Policy
    since: datetime
    not_older: frozenset[str]


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """What decides which versions bind one person: when their record began, and when they were told of which version.

    Of somebody unknown nothing has begun: every version that is in force is in force for them.
    """

    begun: datetime | None
    told: Mapping[str, datetime]

    def since(self, policy: Policy) -> datetime | None:
        """From when on this version can be in force for the person; None as long as nobody tells them."""
        begins = takes_effect(policy)
        if self.begun is None or begins <= self.begun:
            return begins
        return max(begins, self.told[policy.version]) if policy.version in self.told else None

    def in_force(self, published: Sequence[Policy], at: datetime) -> Policy | None:
        """The version that is in force for this person at `at`."""
        binding = [p for p in published if (since := self.since(p)) is not None and since <= at]
        return in_force(binding, at) if len(binding) > 1 else next(iter(binding), None)

    def revisions(self, published: Sequence[Policy]) -> list[Revision]:
        """Every version that came, or by what is known now will come, into force after the one they began with."""
        if self.begun is None:
            return []
        instants = sorted({since for p in published if (since := self.since(p)) is not None and since > self.begun})
        if not instants:
            return []
        found = [(self.begun, self.in_force(published, self.begun))]
        for instant in instants:
            policy = self.in_force(published, instant)
            if policy is not found[-1][1]:
                found.append((instant, policy))
        versions = [policy.version if policy is not None else "" for _, policy in found]
        return [
            Revision(policy, since, frozenset(versions[place:]))
            for place, (since, policy) in enumerate(found)
            if place > 0 and policy is not None
        ]
