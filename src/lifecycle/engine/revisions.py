"""Policy revisions for whoever runs the store: what a version changes and for whom, and telling people of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lifecycle.errors import Invalid, shown
from lifecycle.policy.differences import Difference, differences
from lifecycle.policy.model import Policy
from lifecycle.policy.succession import offered
from lifecycle.projections import affected_people, policy_versions

if TYPE_CHECKING:
    from lifecycle.engine.engine import Engine

PAGE = 1_000
Progress = Callable[[int, int], None]
Json = dict[str, Any]


class NoSuchVersion(Invalid):
    code = "no-such-version"
    remedy = "see which there are: `lifecycle policy versions`"

    def __init__(self, version: str) -> None:
        super().__init__(f"No version {shown(version)} was published.")


class NotAChannel(Invalid):
    code = "not-a-notice-channel"
    remedy = "name one of the policy's `revisions.notice_channels`"

    def __init__(self, channel: str) -> None:
        super().__init__(f"By {shown(channel)} no notices are given.")


@dataclass(frozen=True, slots=True)
class Notified:
    """What a run of notices came to: told now, refused (gone or closed meanwhile), and still to be told."""

    version: str
    channel: str
    told: int
    refused: int
    to_be_told: int


class Revisions:
    """Reads what the projections say; notices are commands, one a person, so a run may be stopped and begun again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def policy(self, version: str) -> Policy:
        found = self._engine.policies.version(version)
        if found is None:
            raise NoSuchVersion(version)
        return found

    def versions(self) -> list[Json]:
        """Every published version with how many were told of it, accepted it, and have to be told yet."""
        self._engine.drain()
        with self._engine.database.read() as c:
            policies = self._engine.policies.all(c)
            rows = policy_versions.standings(c, policies, self._offered(policies))
        return [
            {**asdict(row), "effective": row.effective.isoformat(), "published_at": _instant(row.published_at)}
            for row in rows
        ]

    def told(self, version: str, limit: int = PAGE, after: UUID | None = None) -> list[Json]:
        """Who was told of a version, when, and whether they accepted it."""
        self.policy(version)
        self._engine.drain()
        with self._engine.database.read() as c:
            rows = policy_versions.people_told(c, version, limit, after)
        return [
            {
                "subject": str(row.subject_id),
                "told_at": _instant(row.told_at) if row.told_at is not None else None,
                "accepted": row.accepted,
            }
            for row in rows
        ]

    def to_be_told(self, version: str, limit: int = PAGE, after: UUID | None = None) -> tuple[int, list[UUID]]:
        """How many have to be told of it yet, and a page of them."""
        policy = self.policy(version)
        if policy not in self._offered(self._engine.policies.all()):
            return 0, []
        self._engine.drain()
        with self._engine.database.read() as c:
            page = policy_versions.to_be_told(c, policy, limit, after)
            return policy_versions.how_many_to_be_told(c, policy), page

    def _offered(self, policies: Sequence[Policy]) -> list[Policy]:
        return offered(policies, self._engine.clock.now())

    def notify(self, version: str, channel: str | None = None, progress: Progress | None = None) -> Notified:
        """Record for each who has to be told that they were. Stopped, it goes on with those who were not.

        The event is the record that somebody was told; delivering the words is the caller's, who can take the list from
        `to_be_told`. Errors: NoSuchVersion, NotAChannel.
        """
        policy = self.policy(version)
        channels = policy.revisions.notice_channels
        by = channel if channel is not None else channels[0]
        if by not in channels:
            raise NotAChannel(by)
        left, page = self.to_be_told(version, PAGE)
        whole, told, refused = left, 0, 0
        while page:
            outcomes = self._engine.execute_many([_notice(subject, version, by) for subject in page])
            told += sum(outcome.outcome in ("done", "nothing") for outcome in outcomes)
            refused += sum(outcome.outcome not in ("done", "nothing") for outcome in outcomes)
            if progress is not None:
                progress(told + refused, whole)
            with self._engine.database.read() as c:
                page = policy_versions.to_be_told(c, policy, PAGE, page[-1])
        return Notified(version, by, told, refused, self.to_be_told(version, 1)[0])

    def differences(self, old: Policy, new: Policy, counted: bool = True) -> list[Json]:
        """Each change; if `counted`, with how many people it concerns, who have to be asked, and grounds that end."""
        found = differences(old, new)
        if not counted:
            return [_told(each) for each in found]
        self._engine.drain()
        now = self._engine.clock.now()
        with self._engine.database.read() as c:
            return [
                {
                    **_told(each),
                    "concerned": affected_people.how_many(c, each, now),
                    "to_be_asked": affected_people.how_many(c, each, now, asked=True) if each.ask else 0,
                    "grounds_without_cover": affected_people.without_cover(c, each, now),
                }
                for each in found
            ]

    def concerned(
        self, old: Policy, new: Policy, number: int, limit: int = PAGE, after: UUID | None = None
    ) -> list[str]:
        """The people whom one change concerns, by its number from 1, a page in the order of their ids."""
        found = differences(old, new)
        if not 1 <= number <= len(found):
            raise Invalid(f"There are {len(found)} changes; {number} is none of their numbers.")
        self._engine.drain()
        with self._engine.database.read() as c:
            people = affected_people.page_of(c, found[number - 1], self._engine.clock.now(), limit, after)
        return [str(person) for person in people]


def _notice(subject: UUID, version: str, channel: str) -> Json:
    """The id says whom and what, so that a repetition is recognised as one."""
    return {
        "command": "give-notice",
        "id": f"policy-notify/{version}/{channel}/{subject}",
        "actor": {"id": "policy-notify", "role": "operator"},
        "subject": {"id": str(subject)},
        "policy": version,
        "channel": channel,
    }


def _told(found: Difference) -> Json:
    return asdict(found)


def told_of(found: tuple[Difference, ...]) -> list[Json]:
    """Without a store nobody can be counted."""
    return [_told(each) for each in found]


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
