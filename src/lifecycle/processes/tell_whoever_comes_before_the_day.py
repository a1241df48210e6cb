"""When somebody comes while a policy version is published and not in force yet: they are told of it. Clause 9.1."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from lifecycle.clock import Clock
from lifecycle.domain.event import Recorded
from lifecycle.domain.subject.events import SubjectRegistered
from lifecycle.policy.succession import offered, takes_effect
from lifecycle.processes.reacting import Asked
from lifecycle.processes.tell_people_of_a_revision import notice_of
from lifecycle.projections.policy_versions import waits_for
from lifecycle.storage.policies import Policies


class TellWhoeverComesBeforeTheDay:
    """Whoever was on record before is told when the version is published; whoever comes on its day begins under it."""

    name = "tell-whoever-comes-before-the-day"
    kinds = frozenset({SubjectRegistered.kind})

    def __init__(self, policies: Policies, clock: Clock) -> None:
        self._policies = policies
        self._clock = clock

    def commands(self, c: Connection, happened: Recorded) -> Iterable[Asked]:
        person = happened.originator_id
        for policy in offered(self._policies.all(c), self._clock.now()):
            if happened.recorded_at < takes_effect(policy) and waits_for(c, policy, person):
                yield notice_of(policy, person, happened)
