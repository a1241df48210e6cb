"""A person whose commands are decided by the registered handlers, and whose record is kept in memory: many lives a
second, where a store takes many seconds a life."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any

from uuid_utils.compat import uuid7

from lifecycle.audit.reopened import Published, Record
from lifecycle.commands.context import Found
from lifecycle.commands.parsing import parse_command
from lifecycle.commands.registry import COMMANDS
from lifecycle.domain.catalogue import decode
from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.event import DomainEvent, Judged, Personal, Recorded, Withheld
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.duties import instructions
from lifecycle.domain.subject.fold import born, replay
from lifecycle.domain.subject.settling import fall_due
from lifecycle.domain.subject.state import Holding, Subject
from lifecycle.domain.trustee import events as t
from lifecycle.domain.trustee import trustee as trustees
from lifecycle.domain.trustee.trustee import Trustee
from lifecycle.errors import Invalid, Refused
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import age_on
from lifecycle.policy.vocabulary import IdentifierType
from lifecycle.vault.sealing import SubjectKeys, new_data_key

NAMED_BY = (IdentifierType.EMAIL, "ann@example.com")


def token_of(instruction: str) -> str:
    return f"token of {instruction}"


def new_keys() -> SubjectKeys:
    rk, kid = new_data_key()
    return SubjectKeys(uuid7(), os.urandom(32), 1, 1, os.urandom(32), rk, kid)


@dataclass
class Remembered:
    """Fulfils `commands.context.PersonContext`; erases in the moment in which it is ordered."""

    policy: Policy
    now: datetime
    agreed: Sequence[DomainEvent]  # with the trustee "udesk"
    subject: Subject = field(default_factory=lambda: born(uuid7()))
    asked: Asked | None = None
    keys: SubjectKeys = field(default_factory=new_keys)
    events: list[Recorded] = field(default_factory=list)
    values: dict[tuple[str, int], Any] = field(default_factory=dict)
    index: dict[tuple[IdentifierType, str], str] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.begun = self.now

    def values_of(self, holdings: Sequence[str]) -> dict[str, Personal[str]]:
        newest = {id: self.subject.holdings[id].generations[-1].version for id in holdings}
        return {id: self.values.get((id, version), Withheld.ERASED) for id, version in newest.items()}

    def may_say(self, holding: Holding, format: str | None, normal: str) -> bool:
        return True

    def reference(self, what: str, text: str) -> str:
        return self.keys.reference(what, text)

    def trustee(self, trustee: str) -> Trustee:
        return trustees.replay(Trustee(trustee), self._agreements(trustee))

    def _agreements(self, trustee: str) -> list[Recorded]:
        facts = self.agreed if trustee == "udesk" else ()
        return [
            Recorded(self.subject.id, number, self.begun, fact, self._judged("officer"))
            for number, fact in enumerate(facts, 1)
        ]

    def find(self, type: IdentifierType, normalised: str) -> Found | None:
        if self.subject.version == 0 and (type, normalised) == NAMED_BY:
            return Found("", is_own=True)
        id = self.index.get((type, normalised))
        return None if id is None else Found(id, is_own=True)

    def link(self, type: IdentifierType, normalised: str) -> str:
        self.index[type, normalised] = self.new_id()
        return self.index[type, normalised]

    def new_instruction(self) -> tuple[str, str]:
        instruction = self.new_id()
        return instruction, sha256(token_of(instruction).encode()).hexdigest()

    def is_receipt(self, sid: str, salt: str) -> bool:
        return False  # nobody here is erased and asks for something then

    def new_id(self) -> str:
        return f"id-{next(self.numbers)}"

    # -- living ----------------------------------------------------------------------------------------------------------

    def do(self, command: str, at: datetime, **fields: Any) -> bool:
        """Whether anything followed."""
        document = {"command": command, "id": "c", "actor": {"id": "web", "role": "service"}, **fields}
        try:
            asked = parse_command(document | {"subject": {"email": "ann@example.com"}})
            self.asked = Asked(at, self.now, self.policy, self._age(at))
            facts = self._and_told(COMMANDS[command].handle(asked, self))
        except (Refused, Invalid):
            return False
        if facts and self.subject.version == 0:
            linked = e.IdentifierLinked(occurred_at=at, identifier=self.link(*NAMED_BY), type=NAMED_BY[0])
            facts = (e.SubjectRegistered(occurred_at=at, access_sid="sid"), linked, *facts)
        self._append(facts, "service")
        return bool(facts)

    def sweep(self) -> None:
        self._append(self._and_told(fall_due(self.subject, self.now, self.policy)), "system")

    def _and_told(self, decision: Decision) -> tuple[DomainEvent, ...]:
        """As the engine does: whoever has a copy is told with the fact that causes it."""
        told = instructions(self.subject, decision.events, self.now, self.policy, self.new_instruction)
        return decision.followed_by(told).telling().events

    def answers(self, command: str, at: datetime, **fields: Any) -> bool:
        """What the recipient says to the first duty that is open."""
        waiting = [duty.instruction for duty in self.subject.duties.values() if duty.is_open]
        if not waiting or self.subject.erasure is not None:
            return False
        return self.do(command, at, instruction=waiting[0], token=token_of(waiting[0]), **fields)

    def _age(self, at: datetime) -> int | None:
        held = self.subject.birth_date
        value = self.values_of([held])[held] if held is not None else None
        return age_on(date.fromisoformat(value), self.policy.day_of(at)) if isinstance(value, str) else None

    def _judged(self, role: str) -> Judged:
        return Judged(os.urandom(16).hex(), role, self.policy.judged_by)

    def _append(self, facts: Sequence[DomainEvent], role: str) -> None:
        judged, ordered = self._judged(role), []
        for fact in facts:
            recorded = Recorded(self.subject.id, self.subject.version + 1, self.now, fact, judged)
            self.events.append(recorded)
            self.subject = replay(self.subject, [recorded]) or self.subject
            self.values |= {(id, recorded.originator_version): value for id, value in fact.values.items()}
            if isinstance(fact, e.ErasureOrdered):
                ordered.append((recorded.originator_version, fact))
        for version, order in ordered:
            self._destroy(version, order)
        self.index = {named: id for named, id in self.index.items() if id in self.subject.identifiers}

    def _destroy(self, version: int, order: e.ErasureOrdered) -> None:
        gone = {part for part in self.values if order.whole or part[0] in order.holdings}
        self.values = {part: value for part, value in self.values.items() if part not in gone}
        completed = e.ErasureCompleted(
            occurred_at=self.now, order=version, whole=order.whole, epoch=1, keys=(), stores=()
        )
        self._append([completed], "system")

    # -- looking back ----------------------------------------------------------------------------------------------------

    def record(self) -> Record:
        is_gone = self.subject.erasure is not None
        return Record(
            self.subject.id,
            tuple(self._opened(each, is_gone) for each in self.events),
            tuple(each.judged.role != "system" for each in self.events),
            None if is_gone else self.keys,
            frozenset() if is_gone else frozenset(self.index.values()),
            (Published(self.policy, self.begun - timedelta(days=400)),),
            self._agreements,
        )

    def _opened(self, stored: Recorded, is_gone: bool) -> Recorded:
        fact, version = stored.event, stored.originator_version
        words: Any = Withheld.ERASED if is_gone else fact.record_words()
        values = {id: self.values.get((id, version), Withheld.ERASED) for id in fact.values}
        again = decode(fact.kind, fact.header_data(), words, values)
        return Recorded(stored.originator_id, version, stored.recorded_at, again, stored.judged)


def agreements(at: datetime, categories: Sequence[str]) -> list[DomainEvent]:
    engaged = t.TrusteeEngaged(occurred_at=at, trustee="udesk")
    terms = {"trustee": "udesk", "starts": date(2024, 1, 1), "ends": date(9000, 1, 1), "method": "api"}
    signed = [
        t.AgreementSigned(occurred_at=at, agreement=f"udesk-{n}", purpose=purpose, categories=categories, **terms)
        for n, purpose in enumerate(("free-trial", "quotation"), 1)
    ]
    return [engaged, *signed]
