"""When a person was told of something: deliver the words, if the engine was opened with a place for notices, and say on
the record that they went out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.commands.subject.record_notice_sent import RecordNoticeSent
from lifecycle.domain.event import DomainEvent, Recorded
from lifecycle.domain.incident.events import SubjectNoticeBegun
from lifecycle.domain.streams import incident_stream, transfer_stream
from lifecycle.domain.subject.events import NoticeGiven
from lifecycle.domain.subject.outgoing_events import DisclosureNoticeDue, PersonalDataDisclosed
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.told_events import SubjectToldOfIncident
from lifecycle.domain.subject.transfer_events import SubjectTransferNotified
from lifecycle.domain.transfer.events import TransferAnnounced
from lifecycle.outbox import notice_words as words
from lifecycle.outbox.notices import About, Notice, NoticeDelivery
from lifecycle.policy.model import Policy
from lifecycle.processes.reacting import Asked, id_of
from lifecycle.storage.appending import load_heads
from lifecycle.storage.mapper import recorded
from lifecycle.storage.open_words import open_words
from lifecycle.storage.policies import Policies
from lifecycle.storage.tables import event_header

ABOUT: dict[type[DomainEvent], About] = {
    NoticeGiven: "policy",
    SubjectToldOfIncident: "incident",
    SubjectTransferNotified: "transfer",
    DisclosureNoticeDue: "disclosure",
}
StateOf = Callable[[UUID], Subject]


class DeliverNotices:
    """Words go out once: their name follows from the event, and delivering the same again is one to the person.

    A policy version goes out by the channels that the policy gives notice by; what was shown where it was accepted
    needs no words. Without a place for notices nothing goes out; the first that is opened takes all of before.
    """

    name = "deliver-notices"
    kinds = frozenset(event.kind for event in ABOUT)

    def __init__(
        self, delivery: NoticeDelivery, policies: Policies, state_of: StateOf, name_of: Callable[[str], str]
    ) -> None:
        self._delivery = delivery
        self._policies = policies
        self._state_of = state_of
        self._name_of = name_of

    def commands(self, c: Connection, happened: Recorded) -> Iterable[Asked]:
        person, event = happened.originator_id, happened.event
        if load_heads(c, [person])[person].fenced:
            return ()  # erased: nobody can be reached any more
        policy = self._policies.in_force(happened.recorded_at, c) or self._policies.newest(c)
        assert policy is not None, "somebody is on record only under a policy"
        lines = self._lines(c, happened, policy)
        if lines is None:
            return ()
        id = id_of(self.name, happened)
        channel = str(getattr(event, "channel", policy.revisions.notice_channels[0]))
        notice = Notice(
            notice=self._name_of(id)[:32],
            subject=person,
            about=ABOUT[type(event)],
            channel=channel,
            at=event.occurred_at,
            text=words.written(policy, lines, self._state_of(person).language),
        )
        self._delivery.deliver(notice)
        return (
            RecordNoticeSent.model_validate(
                {
                    "id": id,
                    "actor": {"id": self.name, "role": "system"},
                    "subject": {"id": str(person)},
                    "of": happened.originator_version,
                    "notice": notice.notice,
                    "channel": channel,
                }
            ),
        )

    def _lines(self, c: Connection, happened: Recorded, policy: Policy) -> words.Lines | None:
        match happened.event:
            case NoticeGiven(notice=version, channel=channel):
                return self._of_a_policy(c, version) if channel in policy.revisions.notice_channels else None
            case SubjectToldOfIncident() as told:
                return words.of_an_incident(told, _contents(c, incident_stream(told.incident), told.notice))
            case SubjectTransferNotified(transfer=transfer, announced=announced):
                event = _event(c, transfer_stream(transfer), announced)
                said_of = open_words(c, transfer_stream(transfer)).get(announced, {})
                assert isinstance(event, TransferAnnounced), "a notice names the announcement"
                return words.of_a_transfer(event, said_of.get("name", ""), said_of.get("contact", ""))
            case DisclosureNoticeDue(disclosure=version):
                disclosed = _event(c, happened.originator_id, version)
                assert isinstance(disclosed, PersonalDataDisclosed), "a delayed notice names the disclosure"
                held = self._state_of(happened.originator_id).holdings
                given = dict.fromkeys(held[id].category for id in disclosed.holdings if id in held)
                return words.of_a_disclosure(disclosed, list(given))
        return None

    def _of_a_policy(self, c: Connection, version: str) -> words.Lines | None:
        published = self._policies.all(c)
        place = next((place for place, each in enumerate(published) if each.version == version), None)
        if place is None:
            return None
        return words.of_a_policy(published[place], published[place - 1] if place else None)


def _contents(c: Connection, stream: UUID, notice: int) -> str | None:
    """What the officer wrote for the people, as JSON."""
    mine = (event_header.c.stream_id == stream) & (event_header.c.kind == SubjectNoticeBegun.kind)
    begun = c.execute(select(event_header.c.version, event_header.c.header).where(mine)).all()
    said = open_words(c, stream)
    for version, header in begun:
        event = recorded(stream, version, header).event
        if isinstance(event, SubjectNoticeBegun) and event.notice == notice:
            contents: str | None = said.get(version, {}).get("contents")
            return contents
    return None


def _event(c: Connection, stream: UUID, version: int) -> DomainEvent:
    mine = (event_header.c.stream_id == stream) & (event_header.c.version == version)
    return recorded(stream, version, c.execute(select(event_header.c.header).where(mine)).scalar_one()).event
