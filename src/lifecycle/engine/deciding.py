"""One batch of commands, decided in order on one snapshot, into the rows of one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from lifecycle.commands.document import Command, SubjectCommand, TrusteeCommand
from lifecycle.commands.outcome import Outcome
from lifecycle.commands.policy.publish_policy import PublishPolicy, publish_policy
from lifecycle.commands.registry import COMMANDS, verb_of
from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.event import DomainEvent, Judged, Recorded
from lifecycle.domain.policy_events import PolicyPublished
from lifecycle.domain.streams import access_stream_of, is_person_stream, policy_stream, trustee_stream
from lifecycle.domain.subject.events import CommandRefused, ErasureOrdered, IdentifierUnlinked
from lifecycle.domain.subject.refusals import IdReused, InTheFuture, NoPolicyInForce, UnknownSubject
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.trustee.trustee import Trustee
from lifecycle.engine import answers
from lifecycle.engine.asking import Known, Question, attempts_on
from lifecycle.engine.person import Batch, Person
from lifecycle.errors import Conflict, Invalid, Refused
from lifecycle.ledger.envelope import SID_BYTES
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import start_of
from lifecycle.storage.appending import Appending, Head
from lifecycle.storage.idempotency import Seen
from lifecycle.vault.sealing import OpenParts

NO_POLICY = "none"


class VersionConflict(Conflict):
    def __init__(self, version: int) -> None:
        super().__init__(f"The record is at version {version}, not at the expected one.")


@dataclass(frozen=True, slots=True)
class Trusted:
    """Fulfils `commands.context.TrusteeContext`."""

    asked: Asked
    named: Trustee


@dataclass(slots=True)
class Deciding:
    """Decides commands one after the other; each sees what those before it decided."""

    known: Known
    now: datetime
    connection: Connection  # the snapshot, for answers that have to be rebuilt
    appending: Appending = field(default_factory=Appending)
    persons: dict[UUID, Person] = field(default_factory=dict)
    unknown: dict[object, Person] = field(default_factory=dict)
    heads: dict[UUID, Head] = field(default_factory=dict)
    seen: dict[tuple[UUID, str], Seen] = field(default_factory=dict)
    given: dict[tuple[UUID, str], Outcome] = field(default_factory=dict)  # answers of this very batch
    published: tuple[Policy, ...] = ()
    is_over: bool = False  # what comes next has to see this batch's erasures or policy carried out
    batch: Batch = field(init=False)

    def __post_init__(self) -> None:
        self.heads = dict(self.known.heads)
        self.seen = dict(self.known.seen)
        self.published = self.known.policies
        owners = dict(self.known.found)
        self.batch = Batch(self.now, self.known.installation, self.appending, owners, self._trustee)  # type: ignore[arg-type]

    def decide(self, question: Question) -> Outcome:
        command = question.command
        if isinstance(command, SubjectCommand):
            return self._about_person(question, command)
        if isinstance(command, TrusteeCommand):
            return self._about_trustee(question, command)
        assert isinstance(command, PublishPolicy)
        return self._about_policy(question, command)

    # -- persons ------------------------------------------------------------------------------------------------------

    def _about_person(self, question: Question, command: SubjectCommand) -> Outcome:
        person = self._person(question)
        before = self.seen.get((person.subject.id, question.cmd))
        if before is not None and person.keys is not None:
            return self._repeated(question, before, person.keys.content_mac(question.content))
        if question.cmd in self.known.spent:
            return answers.subject_erased(command.id)
        version = person.subject.version
        if command.expected_version is not None and command.expected_version != version:
            return answers.failed(command.id, "conflict", VersionConflict(version), version)
        try:
            decision = self._decided(question, command, person)
        except Refused as refusal:
            return self._refuse(question, person, refusal)
        except Invalid as error:
            return answers.failed(command.id, "invalid", error)
        return self._accept(question, person, decision, self._at(command))

    def _decided(self, question: Question, command: SubjectCommand, person: Person) -> Decision:
        if question.subject_id is not None and not person.is_known:
            raise UnknownSubject
        at = self._at(command)
        policy = self._policy_at(at)
        person.begin(at, policy)
        decision: Decision = COMMANDS[verb_of(command)].handle(command, person)
        return decision.telling()

    def _accept(self, question: Question, person: Person, decision: Decision, at: datetime) -> Outcome:
        command = question.command
        before = person.subject.version
        if not decision.events:
            if person.is_known:
                self._remember(question, person, before, "nothing")
            stream = person.subject.id if person.is_known else None
            return answers.nothing(command.id, stream, before or None, decision.effects)
        mark = len(self.appending.recorded)
        person.append(decision.events, self._judged(question), at)
        self.persons[person.subject.id] = person
        added = self.appending.recorded[mark:]
        self._to_destroy(added)
        outcome = answers.done(
            command.id, person.subject.id, person.subject.version, decision, [each.event.kind for each in added]
        )
        self._remember(question, person, before, "done", given=outcome)
        return outcome

    def _to_destroy(self, added: Sequence[Recorded]) -> None:
        """Rows that the saga starts from, written with the events that order it."""
        for recorded in added:
            if isinstance(recorded.event, ErasureOrdered | IdentifierUnlinked):
                self.appending.rows.pending_erasures.append(
                    {"stream_id": recorded.originator_id, "version": recorded.originator_version, "at": self.now}
                )
                ends_here = isinstance(recorded.event, IdentifierUnlinked) or recorded.event.whole
                self.is_over = self.is_over or ends_here

    def _refuse(self, question: Question, person: Person, refusal: Refused) -> Outcome:
        """The person's record is left alone; the attempt stays visible, without values (settled rule 11)."""
        subject = person.subject.id if person.is_known else None
        if person.is_known and person.subject.erasure is None:
            event = self._refusal_event(question.command, refusal)
            version = person.append_to_access(event, self._judged(question), self.now)
            stream = access_stream_of(person.subject.id)
            outcome = answers.refused(question.command.id, refusal, subject, person.subject.version or None)
            self._remember(question, person, version - 1, "refused", stream, version, outcome)
            return outcome
        self._append_attempt(question, refusal)
        return answers.refused(question.command.id, refusal, subject, person.subject.version or None)

    def _append_attempt(self, question: Question, refusal: Refused) -> None:
        event = self._refusal_event(question.command, refusal)
        self._append_open(attempts_on(self._newest(), self.now), event, self._judged(question, nameless=True))

    def _refusal_event(self, command: Command, refusal: Refused) -> CommandRefused:
        """Only words that a policy declares: anything else that the caller wrote may be personal data."""
        policy = self._newest()
        purpose = getattr(command, "purpose", None)
        named = [*getattr(command, "categories", ()), *getattr(command, "data", {})]
        return CommandRefused(
            occurred_at=min(command.at or self.now, self.now),
            command=verb_of(command),
            code=refusal.code,
            clause=refusal.clause,
            purpose=purpose if policy is not None and purpose in policy.purposes else None,
            categories=tuple(sorted({name for name in named if policy is not None and name in policy.categories})),
        )

    def _person(self, question: Question) -> Person:
        """The person whom the command names, as this batch knows them by now."""
        owner = self.batch.owners.get(question.identifier) if question.identifier is not None else None
        subject_id = owner[0] if owner is not None else question.subject_id
        if subject_id is not None and subject_id in self.persons:
            return self.persons[subject_id]
        if subject_id is not None and subject_id in self.known.states:
            return self._load(subject_id)
        key = question.identifier or question.subject_id
        if key not in self.unknown or self.unknown[key].is_known:
            self.unknown[key] = Person(self.batch, Subject(uuid7()), named_by=question.identifier)
        return self.unknown[key]

    def _load(self, subject_id: UUID) -> Person:
        known = self.known
        person = Person(
            self.batch,
            known.states[subject_id],
            known.heads.get(subject_id),
            known.heads.get(access_stream_of(subject_id)),
            known.keys.get(subject_id),
            dict(known.values.get(subject_id, {})),
        )
        self.persons[subject_id] = person
        return person

    # -- trustees, policy ------------------------------------------------------------------------------------------

    def _about_trustee(self, question: Question, command: TrusteeCommand) -> Outcome:
        stream = trustee_stream(command.trustee)
        if before := self.seen.get((stream, question.cmd)):
            return self._repeated(question, before, self._open_mac(question))
        trustee = self._trustee(command.trustee)
        if command.expected_version is not None and command.expected_version != trustee.version:
            return answers.failed(command.id, "conflict", VersionConflict(trustee.version), trustee.version)
        try:
            at = self._at(command)
            asked = Asked(at, self.now, self._policy_at(at))
            decision: Decision = COMMANDS[verb_of(command)].handle(command, Trusted(asked, trustee))
        except Refused as refusal:
            self._append_attempt(question, refusal)
            return answers.refused(command.id, refusal, None, trustee.version or None)
        for event in decision.events:
            trustee = trustee.fold(event)
        self.known.trustees[command.trustee] = trustee
        return self._accept_open(question, stream, decision)

    def _trustee(self, name: str) -> Trustee:
        return self.known.trustees.get(name) or Trustee(name)

    def _about_policy(self, question: Question, command: PublishPolicy) -> Outcome:
        stream = policy_stream()
        if before := self.seen.get((stream, question.cmd)):
            return self._repeated(question, before, self._open_mac(question))
        try:
            decision = publish_policy(command, self.published, self._at(command))
        except Refused as refusal:
            return answers.refused(command.id, refusal, None, None)
        return self._accept_open(question, stream, decision)

    def _accept_open(self, question: Question, stream: UUID, decision: Decision) -> Outcome:
        head = self.heads.get(stream)
        before = head.version if head is not None else 0
        for event in decision.events:
            self._append_open(stream, event, self._judged(question, published=event))
        after = before + len(decision.events)
        self.is_over = self.is_over or stream == policy_stream()
        if not decision.events:
            self._see(question, stream, self._open_mac(question), "nothing", before, after)
            return answers.nothing(question.command.id, None, before or None)
        kinds = [event.kind for event in decision.events]
        outcome = answers.done(question.command.id, stream, after, decision, kinds)
        self._see(question, stream, self._open_mac(question), "done", before, after, given=outcome)
        return outcome

    def _append_open(self, stream: UUID, event: DomainEvent, judged: Judged) -> None:
        head = self.heads.get(stream) or Head.new(stream, secrets.token_bytes(SID_BYTES))
        _, self.heads[stream] = self.appending.append(head, OpenParts(), event, judged, self.now)

    # -- what all need ---------------------------------------------------------------------------------------------

    def _at(self, command: Command) -> datetime:
        if command.at is None:
            return self.now
        if command.at > self.now:
            raise InTheFuture
        return command.at

    def _policy_at(self, at: datetime) -> Policy:
        """The newest version in force now; none in force at `at` either is a refusal."""
        if self._in_force(at) is None:
            raise NoPolicyInForce
        policy = self._in_force(self.now)
        assert policy is not None
        return policy

    def _in_force(self, at: datetime) -> Policy | None:
        begun = [policy for policy in self.published if start_of(policy.effective, policy.time_zone) <= at]
        return max(begun, key=lambda policy: policy.effective) if begun else None

    def _newest(self) -> Policy | None:
        return self.published[-1] if self.published else None

    def _judged(self, question: Question, *, nameless: bool = False, published: object = None) -> Judged:
        command = question.command
        policy = self._in_force(self.now) or self._newest()
        label = policy.judged_by if policy is not None else NO_POLICY
        if isinstance(published, PolicyPublished):
            label = f"{published.policy}/{published.version}#{published.fingerprint[:16]}"
        if nameless:
            return Judged(question.cmd, command.actor.role.value, label)
        return Judged(question.cmd, command.actor.role.value, label, command.actor.id, command.correlation)

    def _open_mac(self, question: Question) -> bytes:
        said = sha256(question.content).hexdigest()
        return bytes.fromhex(self.known.installation.cmd(f"content|{said}"))

    def _repeated(self, question: Question, before: Seen, mac: bytes) -> Outcome:
        if before.content_mac != mac:
            person = before.stream_id if is_person_stream(before.stream_id) else None
            return answers.refused(question.command.id, IdReused(), person, None)
        given = self.given.get((before.stream_id, question.cmd))
        if given is not None:
            return given
        return answers.again(self.connection, question.command.id, before)

    def _remember(
        self,
        question: Question,
        person: Person,
        before: int,
        outcome: str,
        stream: UUID | None = None,
        after: int | None = None,
        given: Outcome | None = None,
    ) -> None:
        mac = person.own_keys().content_mac(question.content)
        last = person.subject.version if after is None else after
        self._see(question, person.subject.id, mac, outcome, before, last, stream, given)

    def _see(
        self,
        question: Question,
        stream: UUID,
        mac: bytes,
        outcome: str,
        before: int,
        last: int,
        answer_stream: UUID | None = None,
        given: Outcome | None = None,
    ) -> None:
        first = before + 1 if last > before else None
        seen = Seen(stream, question.cmd, mac, outcome, first, last, self.now, answer_stream)
        self.seen[(stream, question.cmd)] = seen
        if given is not None:
            self.given[(stream, question.cmd)] = given
        self.appending.rows.commands.append(seen.row())


def decide_all(
    known: Known, questions: Sequence[Question], now: datetime, c: Connection
) -> tuple[Deciding, list[Outcome]]:
    """Decide from the front; fewer outcomes than questions mean that the rest has to wait for another snapshot."""
    deciding = Deciding(known, now, c)
    outcomes: list[Outcome] = []
    for question in questions:
        outcomes.append(deciding.decide(question))
        if deciding.is_over:
            break
    return deciding, outcomes
