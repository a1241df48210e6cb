"""Commands about people, decided within a batch."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from lifecycle.commands.document import SubjectCommand
from lifecycle.commands.outcome import Outcome
from lifecycle.commands.registry import entry_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.event import Judged, Recorded
from lifecycle.domain.streams import access_stream_of
from lifecycle.domain.subject.custody import moves_keys
from lifecycle.domain.subject.custody_events import CustodyOpened
from lifecycle.domain.subject.duties import instructions
from lifecycle.domain.subject.events import ErasureOrdered, IdentifierUnlinked, PersonalDataRead
from lifecycle.domain.subject.refusals import IdReused, SubjectErased, UnknownSubject
from lifecycle.domain.subject.revising import revisions_until
from lifecycle.domain.subject.settling import fall_due, revisions_due
from lifecycle.domain.subject.state import Subject
from lifecycle.engine import answers
from lifecycle.engine.asking import Question
from lifecycle.engine.decided import Decided, VersionConflict
from lifecycle.engine.person import Batch, Person
from lifecycle.errors import Invalid, Refused
from lifecycle.policy.vocabulary import Role
from lifecycle.storage.idempotency import KEPT, Seen

# By their very classes: `isinstance` asks a model's metaclass, which takes ten times as long.
_READS = frozenset({PersonalDataRead, CustodyOpened})
_ORDERS = frozenset({ErasureOrdered, IdentifierUnlinked})


@dataclass(slots=True)
class AboutPeople:
    """Each person is loaded once and grows with the batch."""

    decided: Decided
    persons: dict[UUID, Person] = field(default_factory=dict)
    _unknown: dict[object, Person] = field(default_factory=dict, repr=False)
    _in_between: set[UUID] = field(default_factory=set, repr=False)  # keys of theirs are to be destroyed, or to move
    _batch: Batch = field(init=False)

    def __post_init__(self) -> None:
        known = self.decided.known
        now, appending = self.decided.now, self.decided.appending
        self._batch = Batch(
            now, known.installation, appending, dict(known.found), self.decided.open_record, self.decided.calendars
        )

    def decide(self, question: Question, command: SubjectCommand) -> Outcome:
        person = self._person(question)
        answered = self._answered(question, person)
        if answered is not None:
            return answered
        version = person.subject.version
        if command.expected_version is not None and command.expected_version != version:
            return answers.failed(command.id, "conflict", VersionConflict(version), version)
        try:
            at, decision = self._judge(question, command, person)
        except Refused as refusal:
            return self._refuse(question, person, refusal)
        except Invalid as error:
            return answers.failed(command.id, "invalid", error)
        return self._accept(question, person, decision, at)

    def _answered(self, question: Question, person: Person) -> Outcome | None:
        """The answer that this id had before, if it had one."""
        before = self.decided.seen.get((person.subject.id, question.cmd))
        if before is not None and person.keys is None:  # told after the erasure of the person
            return self.decided.reused(question, before) or self.decided.repeated(question, before)
        if before is not None and person.keys is not None:
            if not before.is_of(person.keys.content_mac(question.content)):
                return self._refuse_reuse(question, person)
            return self.decided.repeated(question, before)
        for told, mac in self._told_strangers(question):
            if not told.is_of(mac):
                return self._refuse_reuse(question, person)
            return self.decided.repeated(question, told)
        # The id of a second life is the second life's.
        return answers.subject_erased(question.command.id) if self._is_spent(question, person) else None

    def _told_strangers(self, question: Question) -> Iterator[tuple[Seen, bytes]]:
        """What this id was answered while nobody had the name, and by which MAC the same content is known."""
        known = self.decided.known
        for number, stream in enumerate(known.strangers[question.named]):
            if told := self.decided.seen.get((stream, question.cmd)):
                yield told, known.installation.stranger_macs(question.content)[number]

    def _is_spent(self, question: Question, person: Person) -> bool:
        """Whether this is a late repeat of an erased person's command. What happened after the erasure is not, nor is,
        where the id alone is known, what is said of somebody who was here before it."""
        known = self.decided.known
        spent = known.spent.get((question.cmd, known.names[question.named])) if known.spent else None
        if spent is None:
            return False
        erased_at = spent.until - KEPT
        if question.command.at is not None and question.command.at > erased_at:
            return False
        begun = person.subject.begun if person.subject.erasure is None else None
        return spent.by_name or begun is None or begun >= erased_at

    def bring_up(self, question: Question) -> None:
        """Let a version that came into force for the person take effect before anything else is decided about them, as
        the sweep would have done: so nothing hangs on when the sweep comes."""
        person = self._person(question)
        subject, now = person.subject, person.subject.now(self.decided.now)
        policy = self.decided.in_force_for(subject) if person.is_known and subject.erasure is None else None
        revisions = (
            revisions_until(subject, self.decided.known.policies, self.decided.now) if policy is not None else []
        )
        if policy is None or not revisions_due(subject, revisions):
            return
        mark = len(self.decided.appending.noted)
        judged = Judged(self.decided.known.installation.cmd(secrets.token_hex(16)), Role.SYSTEM.value, policy.judged_by)
        calendars = self._batch.calendars
        events = fall_due(subject, now, policy, calendars, revisions).events
        person.append_late((*events, *instructions(subject, events, now, policy, person.new_instruction)), judged)
        added = self.decided.appending.noted[mark:]
        self._to_destroy(added)
        self._to_move(person, added)

    def must_wait(self, question: Question) -> bool:
        """About somebody of whom what was decided has yet to be carried out. Or named by an identifier that this batch
        linked to somebody recorded before: what the command has to compare was not read with the snapshot.
        """
        known = self.decided.known
        owner = self._batch.owners.get(question.identifier) if question.identifier is not None else None
        subject_id = owner[0] if owner is not None else question.subject_id
        if subject_id in self._in_between:
            return True
        return owner is not None and question.identifier not in known.found and owner[0] in known.states

    def _judge(self, question: Question, command: SubjectCommand, person: Person) -> tuple[datetime, Decision]:
        if question.subject_id is not None and not person.is_known and not command.brings_its_id:
            raise UnknownSubject
        now = person.subject.now(self.decided.now)
        at = self.decided.at(command, now)
        person.begin(at, now, self.decided.policy_at(at, person.subject), self.decided.known.policies)
        decision: Decision = entry_of(command).handle(command, person)
        if person.subject.erasure is not None and not all(event.after_erasure for event in decision.events):
            raise SubjectErased
        told = instructions(person.subject, decision.events, now, person.asked.policy, person.new_instruction)
        return at, decision.followed_by(told).telling()

    def _accept(self, question: Question, person: Person, decision: Decision, at: datetime) -> Outcome:
        id, before = question.command.id, person.subject.version
        if not decision.events:
            stream = person.subject.id if person.is_known else None
            outcome = answers.nothing(id, stream, before or None, decision.effects)
            self._remember(question, person, "nothing", (None, before or None), outcome)
            return outcome
        if type(decision.events[0]) in _READS:
            return self._let_read(question, person, decision)
        mark = len(self.decided.appending.noted)
        subject = person.subject
        if subject.erasure is None:
            judged = self.decided.judged(question, subject=subject, policy=person.asked.policy)
            person.append(decision.events, judged, at)
        else:
            person.append_late(decision.events, self.decided.judged(question, nameless=True, subject=subject))
        self.persons[person.subject.id] = person
        added = self.decided.appending.noted[mark:]
        self._to_destroy(added)
        self._to_move(person, added)
        kinds = [recorded.event.kind for recorded in added]
        outcome = answers.done(id, person.subject.id, person.subject.version, decision, kinds)
        self._remember(question, person, "done", (before + 1, person.subject.version), outcome)
        return outcome

    def _let_read(self, question: Question, person: Person, decision: Decision) -> Outcome:
        """Reads go to the person's second stream, so that they neither slow nor conflict with a decision."""
        for event in decision.events:
            person.append_to_access(event, self.decided.judged(question, subject=person.subject))
        kinds = [event.kind for event in decision.events]
        return answers.done(question.command.id, person.subject.id, person.subject.version, decision, kinds)

    def _to_destroy(self, added: Sequence[Recorded]) -> None:
        """Rows that the saga starts from, written with the events that order it."""
        for recorded in added:
            event = recorded.event
            if type(event) in _ORDERS:
                self.decided.appending.rows.pending_erasures.append(
                    {
                        "stream_id": recorded.originator_id,
                        "version": recorded.originator_version,
                        "at": self.decided.now,
                    }
                )
                ends_here = not isinstance(event, ErasureOrdered) or event.whole
                self.decided.is_over = self.decided.is_over or ends_here
                self._in_between.add(recorded.originator_id)

    def _to_move(self, person: Person, added: Sequence[Recorded]) -> None:
        """Keys that have to go into custody or come back, noted with the events that make it so."""
        now = person.subject.now(self.decided.now)
        if moves_keys(person.subject, [recorded.event for recorded in added], now):
            self.decided.appending.rows.pending_custody.append(
                {"stream_id": person.subject.id, "version": person.subject.version, "at": self.decided.now}
            )
            self._in_between.add(person.subject.id)  # what is in custody cannot be compared with

    def _refuse(self, question: Question, person: Person, refusal: Refused) -> Outcome:
        """The person's record is left alone; the attempt stays visible, without values (settled rule 11)."""
        version = person.subject.version or None
        if version is None or person.subject.erasure is not None:
            stream, place = self.decided.append_attempt(question, refusal)
        else:
            event = self.decided.refusal_event(question.command, refusal)
            stream = access_stream_of(person.subject.id)
            place = person.append_to_access(event, self.decided.judged(question, subject=person.subject))
        outcome = answers.refused(question.command.id, refusal, None if version is None else person.subject.id, version)
        self._remember(question, person, "refused", (place, version), outcome, stream)
        return outcome

    def _refuse_reuse(self, question: Question, person: Person) -> Outcome:
        """Other content under an answered id: the answer stands, the attempt is on record under an id of its own."""
        if not person.is_known or person.keys is None:  # a refused command may have made keys, which nobody stored
            self.decided.append_attempt(question, IdReused())
            return answers.refused(question.command.id, IdReused(), None, None)
        own = self.decided.known.installation.cmd(secrets.token_hex(16))
        judged = self.decided.judged(question, subject=person.subject)._replace(cmd=own)
        person.append_to_access(self.decided.refusal_event(question.command, IdReused()), judged)
        return answers.refused(question.command.id, IdReused(), person.subject.id, None)

    def _remember(
        self,
        question: Question,
        person: Person,
        outcome: str,
        versions: tuple[int | None, int | None],
        given: Outcome,
        told_in: UUID | None = None,
    ) -> None:
        """`versions` are the first and last event of the answer; of a refusal its event, which is in `told_in`, and the
        version of the record that it was about."""
        known = self.decided.known
        if not person.is_known:  # under their name, for as long as nobody knows more of them
            asked_as = known.strangers[question.named][0]
            mac = known.installation.stranger_macs(question.content)[0]
        else:
            asked_as = person.subject.id
            # An erasure that was only ordered has not taken the keys yet: its repeat is recognised by them.
            mac = self.decided.open_mac(question) if person.keys is None else person.keys.content_mac(question.content)
        told = answers.told_beside(given)
        self.decided.remember(
            Seen(asked_as, question.cmd, mac, outcome, *versions, self.decided.now, told_in, told), given
        )

    # -- who is meant ------------------------------------------------------------------------------------------------

    def _person(self, question: Question) -> Person:
        """The person whom the command names, as this batch knows them by now."""
        owner = self._batch.owners.get(question.identifier) if question.identifier is not None else None
        subject_id = owner[0] if owner is not None else question.subject_id
        if subject_id is not None and subject_id in self.persons:
            return self.persons[subject_id]
        if subject_id is not None and subject_id in self.decided.known.states:
            return self._load(subject_id)
        key = question.identifier or question.subject_id
        if key not in self._unknown or self._unknown[key].is_known:
            # Who comes from another controller keeps the id that they had.
            asks = question.command
            new = question.subject_id if isinstance(asks, SubjectCommand) and asks.brings_its_id else None
            self._unknown[key] = Person(self._batch, Subject(new or uuid7()), named_by=question.identifier)
        return self._unknown[key]

    def _load(self, subject_id: UUID) -> Person:
        known = self.decided.known
        person = Person(
            self._batch,
            known.states[subject_id],
            known.heads.get(subject_id),
            known.heads.get(access_stream_of(subject_id)),
            known.keys.get(subject_id),
            dict(known.values.get(subject_id, {})),
        )
        self.persons[subject_id] = person
        return person
