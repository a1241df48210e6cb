"""What a judgement of lawfulness rests on: which event began a ground, which gave the consent, which shared, and how
the agreements stood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from lifecycle.audit.lawful import carrying
from lifecycle.audit.telling import instant
from lifecycle.domain.event import DomainEvent, Recorded
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.fold import born
from lifecycle.domain.subject.state import Consent, Ground, Subject
from lifecycle.domain.subject.transfer_events import SubjectReceived
from lifecycle.domain.subject.transfer_fold import with_history
from lifecycle.domain.trustee import trustee as trustees
from lifecycle.domain.trustee.trustee import Agreement, Trustee
from lifecycle.policy.model import Policy
from lifecycle.policy.succession import in_force
from lifecycle.storage.folding import folded

Json: TypeAlias = dict[str, Any]
Placed: TypeAlias = tuple[Recorded, int | None]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One person's record with what it refers to: events with their positions, trustees' events, policy versions."""

    subject_id: UUID
    events: Sequence[Placed]
    trustee: Callable[[str], Sequence[Recorded]]
    policies: Sequence[Policy]
    reads: Sequence[Placed] = ()  # the person's second stream

    def known(self, until: datetime) -> Evidence:
        """What was recorded until then: the time of recording never goes back along a stream."""

        def recorded(name: str) -> Sequence[Recorded]:
            return [event for event in self.trustee(name) if event.recorded_at <= until]

        return replace(self, events=[each for each in self.events if each[0].recorded_at <= until], trustee=recorded)

    def up_to(self, version: int) -> Evidence:
        return replace(self, events=self.events[:version])

    def with_trustee_at(self, version: int) -> Evidence:
        """As the share of that moment saw the agreements: it names the version of their stream."""
        return replace(self, trustee=lambda name: self.trustee(name)[:version])

    def state(self) -> Subject:
        """Errors: RecordDamaged."""
        return folded(None, (event for event, _ in self.events)) or born(self.subject_id)

    def policy_at(self, at: datetime) -> Policy | None:
        return in_force(self.policies, at)

    def policy_named(self, judged_by: str) -> Policy | None:
        return next((policy for policy in self.policies if policy.judged_by == judged_by), None)

    # -- which event ----------------------------------------------------------------------------------------------

    def beginning(self, holding: str, number: int) -> Json | None:
        """The event that began a ground."""
        for recorded, position in self.events:
            if not _grounds(recorded.event, holding):
                continue
            state = self.up_to(recorded.originator_version).state()
            if len(state.holdings[holding].grounds) >= number:
                return _place(recorded, position)
        return None

    def consent(self, subject: Subject, ground: Ground, at: datetime) -> Json | None:
        """The consent on which the ground stood: of those it may stand on the newest that held, or else the last."""
        found = carrying(subject, ground, at)
        if not found:
            return None
        chosen = next((each for each in reversed(found) if each.until is None or at < each.until), found[-1])
        return self._given(subject, chosen) | {
            "purpose": chosen.purpose,
            "since": instant(chosen.since),
            "until": instant(chosen.until),
            "lapses": instant(chosen.lapses),
            "ended": chosen.ended,
            "notice": chosen.notice,
            "separate": chosen.separate,
            "by_guardian": chosen.by_guardian,
        }

    def _given(self, subject: Subject, consent: Consent) -> Json:
        """Consents stand in the state in the order of the events that gave them, purpose by purpose."""
        placed = [
            _place(recorded, position) for recorded, position in self.events for _ in range(_consents(recorded.event))
        ]
        return placed[next(number for number, one in enumerate(subject.consents) if one is consent)]

    # -- shares ---------------------------------------------------------------------------------------------------

    def shares(self, holding: str, at: datetime) -> list[Json]:
        """What had been given away by then, and whether its agreement was in force."""
        return [
            _place(recorded, position) | self.share(recorded.event, at)
            for recorded, position in self.events
            if isinstance(recorded.event, e.PersonalDataShared)
            and holding in recorded.event.holdings
            and recorded.event.occurred_at <= at
        ]

    def share(self, shared: e.PersonalDataShared, at: datetime) -> Json:
        agreement, day = self.agreement(shared), self.policy_at(at)
        return {
            "at": instant(shared.occurred_at),
            "recipient": shared.trustee,
            "purpose": shared.purpose,
            "method": shared.method,
            "agreement": shared.agreement,
            "agreement_version": shared.agreement_version,
            "agreement_in_force": day is not None and agreement is not None and agreement.in_force(at, day.day_of(at)),
        }

    def agreement(self, shared: e.PersonalDataShared) -> Agreement | None:
        """As it stands by all that is known; None if no such agreement was signed by the version that is named."""
        events = self.trustee(shared.trustee)
        signed = trustees.replay(Trustee(shared.trustee), events[: shared.agreement_version])
        if len(events) < shared.agreement_version or all(one.id != shared.agreement for one in signed.agreements):
            return None
        known = trustees.replay(Trustee(shared.trustee), events)
        return next(one for one in known.agreements if one.id == shared.agreement)


def _grounds(event: Any, holding: str) -> bool:
    """Whether the event may have begun a ground of this holding."""
    match event:
        case e.PersonalDataCollected(new=new, further=further):
            return holding in further or any(each.holding == holding for each in new)
        case SubjectReceived():
            return holding in _received(event).holdings
        case e.MissingDataAdded(holding=added) | e.BirthDateRecorded(holding=added):
            return bool(added == holding)
    return False


def _consents(event: DomainEvent) -> int:
    """How many consents the event added to the state; who came from another controller brought theirs along."""
    if isinstance(event, SubjectReceived):
        return len(_received(event).consents)
    return len(event.scopes) if isinstance(event, e.ConsentGiven) else 0


def _received(event: SubjectReceived) -> Subject:
    return with_history(born(UUID(int=0)), event, 0, lambda n: n)


def _place(recorded: Recorded, position: int | None) -> Json:
    return {
        "version": recorded.originator_version,
        "position": position,
        "recorded_at": instant(recorded.recorded_at),
        "policy": recorded.judged.policy,
    }
