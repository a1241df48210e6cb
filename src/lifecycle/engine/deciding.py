"""One batch of commands, decided in order on one snapshot, into the rows of one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.commands.document import OpenRecordCommand, SubjectCommand
from lifecycle.commands.outcome import Outcome
from lifecycle.commands.registry import entry_of
from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.open_records import Named, stream_of
from lifecycle.domain.policy_events import PolicyPublished
from lifecycle.domain.streams import policy_stream
from lifecycle.engine import answers
from lifecycle.engine.about_people import AboutPeople
from lifecycle.engine.asking import Known, Question
from lifecycle.engine.decided import Decided, VersionConflict
from lifecycle.errors import PolicyFaulty, Refused
from lifecycle.policy.calendars import Calendars
from lifecycle.policy.countries import STANDARD
from lifecycle.storage.idempotency import Seen


@dataclass(frozen=True, slots=True)
class AboutNobody:
    """Fulfils `commands.context.OpenRecordContext`."""

    asked: Asked
    named: Any
    open_record: Callable[[Named], Any]


@dataclass(slots=True)
class Deciding:
    """Sends each command to where it is decided; open records and the policy are decided here."""

    decided: Decided
    people: AboutPeople = field(init=False)

    def __post_init__(self) -> None:
        self.people = AboutPeople(self.decided)

    def decide(self, question: Question) -> Outcome:
        command = question.command
        if isinstance(command, SubjectCommand):
            return self.people.decide(question, command)
        if isinstance(command, OpenRecordCommand):
            return self._about_nobody(question, command)
        return self._about_policy(question)

    def bring_up(self, question: Question) -> None:
        """What time has brought to the person, before the command about them."""
        if len(self.decided.known.policies) > 1 and isinstance(question.command, SubjectCommand):
            self.people.bring_up(question)

    def _about_nobody(self, question: Question, command: OpenRecordCommand) -> Outcome:
        stream = stream_of(command.named)
        if before := self.decided.seen.get((stream, question.cmd)):
            return self.decided.reused(question, before) or self.decided.repeated(question, before)
        record = self.decided.open_record(command.named)
        if command.expected_version is not None and command.expected_version != record.version:
            return answers.failed(command.id, "conflict", VersionConflict(record.version), record.version)
        try:
            now = self.decided.now_on(stream)
            at = self.decided.at(command, now)
            asked = Asked(at, now, self.decided.policy_at(at))
            decision: Decision = entry_of(command).handle(command, AboutNobody(asked, record, self.decided.open_record))
        except Refused as refusal:
            self.decided.append_attempt(question, refusal)
            for event in refusal.facts:
                record = record.fold(event)
                self.decided.append_open(stream, event, self.decided.judged(question))
            self.decided.known.open_records[command.named] = record
            return answers.refused(command.id, refusal, None, record.version or None)
        for event in decision.events:
            record = record.fold(event)
        self.decided.known.open_records[command.named] = record
        return self._accept(question, stream, decision)

    def _about_policy(self, question: Question) -> Outcome:
        from lifecycle.commands.policy.publish_policy import PublishPolicy, publish_policy  # noqa: PLC0415 -- seldom

        stream, command = policy_stream(), question.command
        assert isinstance(command, PublishPolicy), "every command is of one of three sorts"
        if before := self.decided.seen.get((stream, question.cmd)):
            return self.decided.reused(question, before) or self.decided.repeated(question, before)
        try:
            now = self.decided.now_on(stream)
            decision = publish_policy(command, self.decided.known.policies, self.decided.at(command, now), now)
        except Refused as refusal:
            self.decided.append_attempt(question, refusal)
            return answers.refused(command.id, refusal, None, None)
        except PolicyFaulty as faulty:
            return answers.failed(command.id, "invalid", faulty)
        self.decided.is_over = True
        return self._accept(question, stream, decision)

    def _accept(self, question: Question, stream: UUID, decision: Decision) -> Outcome:
        head = self.decided.heads.get(stream)
        before = head.version if head is not None else 0
        for event in decision.events:
            label = None
            if isinstance(event, PolicyPublished):  # a version is judged by itself
                label = f"{event.policy}/{event.version}#{event.fingerprint[:16]}"
            self.decided.append_open(stream, event, self.decided.judged(question, label=label))
        after = before + len(decision.events)
        if decision.events:
            kinds = [event.kind for event in decision.events]
            outcome = answers.done(question.command.id, stream, after, decision, kinds)
        else:
            outcome = answers.nothing(question.command.id, None, before or None)
        first = before + 1 if decision.events else None
        mac = self.decided.open_mac(question)
        seen = Seen(stream, question.cmd, mac, outcome.outcome, first, after, self.decided.now, None)
        self.decided.remember(seen, outcome)
        return outcome


def decide_all(
    known: Known,
    questions: Sequence[Question],
    now: datetime,
    c: Connection | None,
    calendars: Calendars = STANDARD,
) -> tuple[Deciding, list[Outcome]]:
    """Decide from the front; fewer outcomes than questions mean that the rest has to wait for another snapshot."""
    deciding = Deciding(Decided(known, now, c, calendars))
    outcomes: list[Outcome] = []
    for question in questions:
        if deciding.decided.is_over:
            break
        deciding.bring_up(question)
        if deciding.people.must_wait(question):
            break
        outcomes.append(deciding.decide(question))
    return deciding, outcomes
