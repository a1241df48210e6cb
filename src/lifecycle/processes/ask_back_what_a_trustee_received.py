"""When an agreement is over: all that was ever given under it is asked back, person by person. Policy clause 3.1a."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.commands.document import Actor, SubjectRef
from lifecycle.commands.subject.ask_back import AskBack
from lifecycle.domain.event import Recorded
from lifecycle.domain.subject.events import PersonalDataShared
from lifecycle.domain.trustee.events import AgreementEnded, TrusteeDismissed
from lifecycle.domain.trustee.supervision_events import AgreementLapsed
from lifecycle.policy.vocabulary import Role
from lifecycle.processes.reacting import Asked, id_of
from lifecycle.projections.given_under import people_given
from lifecycle.projections.trustees import agreements_over

ENGINE = Actor(id="engine", role=Role.SYSTEM)


class AskBackWhatATrusteeReceived:
    """Shares count too: one that is reported, or decided elsewhere, after the end is on record after it."""

    name = "ask-back-what-a-trustee-received"
    kinds = frozenset({AgreementEnded.kind, AgreementLapsed.kind, TrusteeDismissed.kind, PersonalDataShared.kind})

    def commands(self, c: Connection, happened: Recorded) -> Iterable[Asked]:
        event = happened.event
        assert isinstance(event, AgreementEnded | AgreementLapsed | TrusteeDismissed | PersonalDataShared)
        for person, agreement in _given(c, happened, event.trustee):
            yield AskBack(
                id=id_of(self.name, happened, agreement),
                actor=ENGINE,
                subject=SubjectRef(id=str(person)),
                recipient=event.trustee,
                agreement=agreement,
            )


def _given(c: Connection, happened: Recorded, trustee: str) -> Iterator[tuple[UUID, str]]:
    """Of whom something has to go back, and under which agreement it was given."""
    event = happened.event
    if isinstance(event, PersonalDataShared):
        if event.agreement in agreements_over(c, trustee):
            yield happened.originator_id, event.agreement
        return
    named = [event.agreement] if isinstance(event, AgreementEnded | AgreementLapsed) else agreements_over(c, trustee)
    for agreement in named:
        for person in people_given(c, trustee, agreement):
            yield person, agreement
