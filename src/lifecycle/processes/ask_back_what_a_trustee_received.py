"""When an agreement is over: all that was ever given under it is asked back, person by person. Policy clause 3.1a."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.commands.document import Actor, SubjectRef
from lifecycle.domain.event import Recorded
from lifecycle.domain.subject.events import PersonalDataShared
from lifecycle.domain.trustee.events import AgreementEnded, TrusteeDismissed
from lifecycle.domain.trustee.supervision_events import AgreementLapsed
from lifecycle.policy.vocabulary import Role
from lifecycle.processes.reacting import BATCH, Page, id_of
from lifecycle.projections.given_under import to_ask_back
from lifecycle.projections.trustees import agreements_over

if TYPE_CHECKING:
    from lifecycle.commands.subject.ask_back import AskBack

ENGINE = Actor(id="engine", role=Role.SYSTEM)


class AskBackWhatATrusteeReceived:
    """Shares count too: one that is reported, or decided elsewhere, after the end is on record after it."""

    name = "ask-back-what-a-trustee-received"
    kinds = frozenset({AgreementEnded.kind, AgreementLapsed.kind, TrusteeDismissed.kind, PersonalDataShared.kind})

    def page(self, c: Connection, happened: Recorded, after: str | None) -> Page:
        event = happened.event
        assert isinstance(event, AgreementEnded | AgreementLapsed | TrusteeDismissed | PersonalDataShared)
        if isinstance(event, PersonalDataShared):
            is_over = event.agreement in agreements_over(c, event.trustee)
            people = [(event.agreement, happened.originator_id)] if is_over and event.agreement is not None else []
            return Page([self._asking(happened, event.trustee, *each) for each in people], None)
        named = [event.agreement] if isinstance(event, AgreementEnded | AgreementLapsed) else None
        agreements = sorted(named or agreements_over(c, event.trustee))
        found = to_ask_back(c, event.trustee, agreements, _place(after), BATCH)
        commands = [self._asking(happened, event.trustee, *each) for each in found]
        return Page(commands, "/".join(map(str, found[-1])) if len(found) == BATCH else None)

    def _asking(self, happened: Recorded, trustee: str, agreement: str, person: UUID) -> AskBack:
        from lifecycle.commands.subject.ask_back import AskBack  # noqa: PLC0415 -- seldom, behind every command

        return AskBack(
            id=id_of(self.name, happened, agreement),
            actor=ENGINE,
            subject=SubjectRef(id=str(person)),
            recipient=trustee,
            agreement=agreement,
        )


def _place(after: str | None) -> tuple[str, UUID] | None:
    if after is None:
        return None
    agreement, _, person = after.rpartition("/")
    return agreement, UUID(person)
