"""When a policy version was published: everybody whom it will concern is told, person by person. Policy clause 9.1."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection

from lifecycle.clock import Clock
from lifecycle.commands.document import Actor, SubjectRef
from lifecycle.commands.subject.give_notice import GiveNotice
from lifecycle.domain.event import Recorded
from lifecycle.domain.policy_events import PolicyPublished
from lifecycle.policy.model import Policy
from lifecycle.policy.succession import offered
from lifecycle.policy.vocabulary import Role
from lifecycle.processes.reacting import BATCH, Page, id_of
from lifecycle.projections.policy_versions import to_be_told
from lifecycle.storage.policies import Policies

NAME = "tell-people-of-a-revision"
TELLING = Actor(id=NAME, role=Role.SYSTEM)


class TellPeopleOfARevision:
    """Only where notices have a place to go to: without one nobody would have been told (decision record 0048).

    Who has been told meanwhile, by whom ever, is passed over; of a version that was replaced nobody is told any more.
    """

    name = NAME
    kinds = frozenset({PolicyPublished.kind})

    def __init__(self, policies: Policies, clock: Clock) -> None:
        self._policies = policies
        self._clock = clock

    def page(self, c: Connection, happened: Recorded, after: str | None) -> Page:
        event = happened.event
        assert isinstance(event, PolicyPublished), "this is its kind"
        policies = offered(self._policies.all(c), self._clock.now())
        policy = next((each for each in policies if each.version == event.version), None)
        if policy is None:
            return Page((), None)
        people = to_be_told(c, policy, BATCH, None if after is None else UUID(after))
        commands = [notice_of(policy, person, happened) for person in people]
        return Page(commands, str(people[-1]) if len(people) == BATCH else None)


def notice_of(policy: Policy, person: UUID, happened: Recorded) -> GiveNotice:
    """By the first channel that the policy gives notice by."""
    return GiveNotice(
        id=id_of(NAME, happened, f"{policy.version}/{person}"),
        actor=TELLING,
        subject=SubjectRef(id=str(person)),
        policy=policy.version,
        channel=policy.revisions.notice_channels[0],
    )
