"""When a recipient leaves an instruction without an answer, or declines it: a finding on the trustee's record."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from lifecycle.commands.document import Actor
from lifecycle.domain.event import Recorded
from lifecycle.domain.subject.duty_events import RecipientDeclined, RecipientOverdue
from lifecycle.policy.vocabulary import Role
from lifecycle.processes.reacting import Asked, id_of
from lifecycle.projections.trustees import ever_engaged

ENGINE = Actor(id="engine", role=Role.SYSTEM)


class FindFaultWhenARecipientIsOverdue:
    """Of recipients that are no trustees there is no record to find anything on; their duties stay in sight."""

    name = "find-fault-when-a-recipient-is-overdue"
    kinds = frozenset({RecipientOverdue.kind, RecipientDeclined.kind})

    def commands(self, c: Connection, happened: Recorded) -> Iterable[Asked]:
        event = happened.event
        assert isinstance(event, RecipientOverdue | RecipientDeclined), "these are its kinds"
        if event.recipient in ever_engaged(c):
            from lifecycle.commands.trustee.find_fault import FindFault  # noqa: PLC0415 -- seldom, behind every command

            yield FindFault(
                id=id_of(self.name, happened),
                actor=ENGINE,
                trustee=event.recipient,
                because="overdue" if isinstance(event, RecipientOverdue) else "declined",
                instruction=event.instruction,
            )
