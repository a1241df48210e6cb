"""What a batch has decided so far: rows to append, heads, answers given; and what every decision needs to know."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.commands.document import Command
from lifecycle.commands.outcome import Outcome
from lifecycle.commands.registry import verb_of
from lifecycle.domain.event import DomainEvent, Judged
from lifecycle.domain.open_records import NOUNS, Named
from lifecycle.domain.subject.events import CommandRefused, ErasureOrdered, IdentifierUnlinked
from lifecycle.domain.subject.refusals import IdReused, InTheFuture, NoPolicyInForce
from lifecycle.domain.subject.revising import version_for
from lifecycle.domain.subject.state import Subject
from lifecycle.engine import answers
from lifecycle.engine.asking import Known, Question, attempts_on
from lifecycle.errors import Conflict, Refused
from lifecycle.ledger.envelope import SID_BYTES
from lifecycle.policy.calendars import Calendars
from lifecycle.policy.countries import STANDARD
from lifecycle.policy.model import Policy
from lifecycle.policy.succession import in_force, takes_effect
from lifecycle.storage.appending import Appending, Head
from lifecycle.storage.idempotency import Seen
from lifecycle.vault.sealing import OpenParts

NO_POLICY = "none"


class VersionConflict(Conflict):
    def __init__(self, version: int) -> None:
        super().__init__(f"The record is at version {version}, not at the expected one.")


@dataclass(slots=True)
class Decided:
    """Grows with each command of the batch, so that a command sees what those before it decided."""

    known: Known = field(repr=False)
    now: datetime
    connection: Connection | None  # the snapshot, for answers that have to be rebuilt; None where none was given before
    calendars: Calendars = STANDARD
    appending: Appending = field(default_factory=Appending)
    heads: dict[UUID, Head] = field(init=False)
    seen: dict[tuple[UUID, str], Seen] = field(init=False)
    given: dict[tuple[UUID, str], Outcome] = field(default_factory=dict, repr=False)  # answers of this very batch
    _only: Policy | None = field(init=False)  # the one version there is, if it is in force; and since when
    _since: datetime = field(init=False)
    to_resume: bool = False  # an order is repeated whose erasure may have been interrupted
    is_over: bool = False  # what comes next has to see this batch's erasures or policy carried out

    def __post_init__(self) -> None:
        self.heads = dict(self.known.heads)
        self.seen = dict(self.known.seen)
        policies = self.known.policies
        self._since = takes_effect(policies[0]) if policies else self.now
        self._only = policies[0] if len(policies) == 1 and self._since <= self.now else None

    # -- time and policy ---------------------------------------------------------------------------------------------

    def at(self, command: Command, now: datetime) -> datetime:
        """When it happened: `now`, of the record that it is about, if nobody says. What has not happened yet by the
        clock of whoever is asked is refused."""
        if command.at is None:
            return now
        if command.at > self.now:
            raise InTheFuture
        return command.at

    def now_on(self, stream: UUID) -> datetime:
        """What time it is on a record about no person: as `Subject.now`."""
        head = self.heads.get(stream)
        return self.now if head is None or head.at is None else max(self.now, head.at)

    def policy_at(self, at: datetime, subject: Subject | None = None) -> Policy:
        """The newest version in force now, for this person if one is named; if none was in force at `at`, that is a
        refusal."""
        if (self._only is None or at < self._since) and in_force(self.known.policies, at) is None:
            raise NoPolicyInForce
        policy = self.in_force_for(subject)
        assert policy is not None, "what was in force is still"
        return policy

    def in_force_for(self, subject: Subject | None) -> Policy | None:
        """The version in force now for this person, or for whoever comes."""
        if self._only is not None and (subject is None or subject.begun is None or self._since <= subject.begun):
            return self._only
        policies = self.known.policies
        return in_force(policies, self.now) if subject is None else version_for(subject, policies, self.now)

    def _newest(self) -> Policy | None:
        return self.known.policies[-1] if self.known.policies else None

    def judged(
        self,
        question: Question,
        *,
        nameless: bool = False,
        label: str | None = None,
        subject: Subject | None = None,
        policy: Policy | None = None,
    ) -> Judged:
        """Without the caller's words if `nameless`: there is no key to seal them under. `policy`: when it was asked for
        already which one is in force for the person."""
        command = question.command
        policy = policy or self.in_force_for(subject) or self._newest()
        label = label or (policy.judged_by if policy is not None else NO_POLICY)
        role = str(command.actor.role)
        if nameless:
            return Judged(question.cmd, role, label)
        return Judged(question.cmd, role, label, command.actor.id, command.correlation)

    # -- records without a person ------------------------------------------------------------------------------------

    def open_record(self, named: Named) -> Any:
        return self.known.open_records.get(named) or NOUNS[named[0]].born(named[1])

    def append_open(self, stream: UUID, event: DomainEvent, judged: Judged) -> int:
        head = self.heads.get(stream) or Head.new(stream, secrets.token_bytes(SID_BYTES))
        _, self.heads[stream] = self.appending.append(head, OpenParts(), event, judged, self.now)
        return self.heads[stream].version

    def append_attempt(self, question: Question, refusal: Refused) -> tuple[UUID, int]:
        """A refused attempt of somebody whom nobody knows (settled rule 11); returns where it is recorded."""
        stream = attempts_on(self._newest(), self.now)
        judged = self.judged(question, nameless=True)
        return stream, self.append_open(stream, self.refusal_event(question.command, refusal), judged)

    def refusal_event(self, command: Command, refusal: Refused) -> CommandRefused:
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

    # -- answers by id -----------------------------------------------------------------------------------------------

    def reused(self, question: Question, before: Seen) -> Outcome | None:
        """Where there is no person: the refusal of other content under the same id (settled rule 10)."""
        if before.is_of(self.open_mac(question)):
            return None
        self.append_attempt(question, IdReused())
        return answers.refused(question.command.id, IdReused(), None, None)

    def repeated(self, question: Question, before: Seen) -> Outcome:
        """The first answer again."""
        given = self.given.get((before.stream_id, question.cmd))
        if given is None:
            assert self.connection is not None, "who reads no snapshot knows of no answer"
            given = answers.again(self.connection, question.command.id, before)
        self.to_resume = self.to_resume or bool(
            {ErasureOrdered.kind, IdentifierUnlinked.kind}.intersection(given.events)
        )
        return given

    def remember(self, seen: Seen, given: Outcome) -> None:
        """Ninety days count from when its events are recorded, which a clock that went back does not put before those
        on record: whoever reads the record later counts so too."""
        noted = self.appending.noted
        if noted and noted[-1].judged.cmd == seen.cmd and noted[-1].recorded_at != seen.at:
            seen = seen._replace(at=noted[-1].recorded_at)
        self.seen[(seen.stream_id, seen.cmd)] = seen
        self.given[(seen.stream_id, seen.cmd)] = given
        self.appending.rows.commands.append(seen.row())

    def open_mac(self, question: Question) -> bytes:
        """Tells whether a repeated command has the same content, where no person's key can."""
        said = sha256(question.content).hexdigest()
        return bytes.fromhex(self.known.installation.cmd(f"content|{said}"))
