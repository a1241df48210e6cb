"""The moment of one past decision: what its handler may ask for, answered out of the record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from pydantic import JsonValue

from lifecycle.audit.reopened import Record
from lifecycle.audit.ways_back_transfers import transfer_then
from lifecycle.commands.context import Found
from lifecycle.domain.decision import Asked
from lifecycle.domain.event import DomainEvent, Personal, Withheld
from lifecycle.domain.open_records import NOUNS, Named
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.custody_events import CopyPreserved, MandatoryCopyKept
from lifecycle.domain.subject.duty_events import RecipientInstructed
from lifecycle.domain.subject.request_events import RequesterVerified, RequestReceived
from lifecycle.domain.subject.revision_events import PolicyAcceptedByUse
from lifecycle.domain.subject.state import Holding, Subject
from lifecycle.domain.trustee import trustee as trustees
from lifecycle.domain.trustee.trustee import Trustee
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import age_on
from lifecycle.policy.vocabulary import IdentifierType

AT_ONCE = timedelta(minutes=1)
"""Two writers who do not see each other's append: their times of recording may cross by less than this."""

ERASED = "value erased"
CUSTODY = "value in custody"
SEALED = "value sealed for this reader"
INDEX = "only the blind index of that day knew whose identifier it was"

WITHHELD = "withheld"
Event = TypeVar("Event", bound=DomainEvent)


class Unlike(Exception):
    """The record cannot have come about as it says; the message says why, without any value."""


@dataclass(slots=True)
class Past:
    """The moment of one decision: the state before it, the events that it led to, the policy that it names.

    Fulfils `commands.context.PersonContext`: it answers as the engine did then, out of what the record says. Where that
    is withheld it answers with a stand-in that suits the record best, and `lacks` says so.
    """

    record: Record
    subject: Subject
    events: Sequence[DomainEvent]  # without those of the registration
    before: int  # events of the record that were there already
    now: datetime
    policy: Policy
    done: frozenset[int]  # orders of erasure that were carried out by then
    lacks: set[str] = field(default_factory=set)
    current: Asked | None = None
    _names: dict[str, str] = field(default_factory=dict, repr=False)
    _ids: Iterator[str] = field(default_factory=lambda: iter(()), repr=False)
    _instructions: Iterator[tuple[str, str]] = field(default_factory=lambda: iter(()), repr=False)
    _numbers: dict[tuple[str, int], int] = field(default_factory=dict, repr=False)

    # -- what the ways back ask ---------------------------------------------------------------------------------------

    @property
    def acts(self) -> list[DomainEvent]:
        """Without what merely follows: periods that are over, storage only by law or hold, orders to erase, acceptance
        by going on, and what recipients are told of all that."""
        return [event for event in self.events if not _follows(event)]

    def only(self, kind: type[Event]) -> Event | None:
        """The one act, if it is of this kind."""
        acts = self.acts
        return acts[0] if len(acts) == 1 and isinstance(acts[0], kind) else None

    def after_notice(self, kind: type[Event]) -> Event | None:
        """The one act of this kind, which may come with the notice of the version that was shown."""
        acts = self.acts
        told = len(acts) == 2 and isinstance(acts[0], e.NoticeGiven)
        act = acts[-1] if len(acts) == 1 or told else None
        return act if isinstance(act, kind) else None

    def word(self, event: DomainEvent, name: str, *, needed: bool = False) -> str | None:
        """What the caller wrote; a stand-in where it is withheld, which matters only if the decision needed it."""
        said: Personal[str | None] = getattr(event, name)
        if isinstance(said, Withheld):
            if needed:
                self.lack()
            return WITHHELD
        return said

    def value(self, hid: str, version: int, format: str) -> str:
        """A value that the decision needed; a stand-in that is like no other where it is withheld."""
        found = self.record.value(hid, version)
        if isinstance(found, str):
            return found
        if found is Withheld.CUSTODY:
            self.lacks.add(CUSTODY)
        else:
            self.lack()
        return stand_in(format, self._numbers.setdefault((hid, version), len(self._numbers)))

    def newest(self, hid: str) -> int:
        return self.subject.holdings[hid].generations[-1].version

    def format(self, category: str) -> str:
        declared = self.policy.categories.get(category)
        return declared.format if declared else "text"

    def lack(self) -> None:
        """Something is withheld on which the decision hung."""
        self.lacks.add(ERASED if self.record.index is not None else SEALED)

    def name(self, text: str, reference: str) -> None:
        """Let these words be what the keyed reference stands for."""
        self._names[text] = reference

    def begin(self, asked: Asked) -> None:
        self.current = asked
        self._ids = self._given_out()
        told = (event for event in self.events if isinstance(event, RecipientInstructed))
        self._instructions = ((event.instruction, event.token_hash) for event in told)

    # -- what handlers ask --------------------------------------------------------------------------------------------

    @property
    def asked(self) -> Asked:
        assert self.current is not None, "a handler runs within a decision"
        return self.current

    def values_of(self, holdings: Sequence[str]) -> dict[str, Personal[str]]:
        return {id: self._value_of(id) for id in holdings}

    def may_say(self, holding: Holding, format: str | None, normal: str) -> bool:
        return True

    def _value_of(self, id: str) -> Personal[str]:
        holding = self.subject.holdings[id]
        if holding.erased_at is not None:
            return Withheld.ERASED
        format = self.format(holding.category) if holding.held_by is None else "text"  # then it is a locator
        return self.value(id, self.newest(id), format)

    def reference(self, what: str, text: str) -> str:
        if text in self._names:
            return self._names[text]
        if self.record.keys is None:
            self.lack()
            return WITHHELD
        return self.record.keys.reference(what, text)

    def trustee(self, trustee: str) -> Trustee:
        """As it stood at the version that the share names, which has to be the one of that moment."""
        events, shared = self.record.trustee(trustee), self.only(e.PersonalDataShared)
        version = shared.agreement_version if shared is not None else len(events)
        begun = all(event.recorded_at <= self.now + AT_ONCE for event in events[:version])
        ended = any(event.recorded_at < self.now - AT_ONCE for event in events[version : version + 1])
        if version > len(events) or not begun or ended:
            raise Unlike("it names the trustee's agreements as they did not stand then")
        return trustees.replay(Trustee(trustee), events[:version])

    def open_record(self, named: Named) -> Any:
        """A transfer as it stood then; how any other record stood is not said by this one."""
        if named[0] == "transfer":
            return transfer_then(self.record.transfer(named[1]), named[1], self)
        self.lack()
        return NOUNS[named[0]].born(named[1])

    def find(self, type: IdentifierType, normalised: str) -> Found | None:
        """The record says of an identifier that was linked that nobody had it, of one unlinked whose it was."""
        unlinked = self.only(e.IdentifierUnlinked)
        if unlinked is None:
            return None
        return Found(unlinked.identifier, unlinked.identifier in self.subject.identifiers)

    def link(self, type: IdentifierType, normalised: str) -> str:
        linked = self.only(e.IdentifierLinked)
        return linked.identifier if linked is not None else WITHHELD

    def is_receipt(self, sid: str, salt: str) -> bool:
        """The record says whether it was the one; who has it alone could show it again."""
        verified = self.only(RequesterVerified)
        return verified is not None and verified.by is not None

    def new_id(self) -> str:
        return next(self._ids)

    def new_instruction(self) -> tuple[str, str]:
        return next(self._instructions, (WITHHELD, WITHHELD))

    def _given_out(self) -> Iterator[str]:
        """In the order in which the events name them: so results compare equal."""
        for event in self.events:
            if isinstance(event, e.PersonalDataCollected):
                yield from (new.holding for new in event.new)
            if isinstance(event, e.BirthDateRecorded | e.MissingDataAdded):
                yield event.holding
            if isinstance(event, RequestReceived):
                yield event.request
        while True:
            yield WITHHELD

    # -- how old the person was ---------------------------------------------------------------------------------------

    def ages(self, at: datetime) -> list[int | None]:
        """The age that the engine saw; several where that cannot be known any more: very young, and very old."""
        held = self.subject.birth_date
        if held is None:
            return [None]
        holding = self.subject.holdings[held]
        if holding.erased_at is not None and holding.erased_by in self.done:
            return [None]
        value = self.record.value(held, self.newest(held))
        born = _day(value)
        known = [age_on(born, self.policy.day_of(at))] if born is not None else [0, 150]
        return [*known, None] if holding.erased_at is not None else [*known]


def _day(value: Personal[JsonValue]) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _follows(event: DomainEvent) -> bool:
    if isinstance(event, e.ProcessingRestricted):
        return event.because != "asked"
    if isinstance(event, RecipientInstructed):
        return event.because not in ("asked", "agreement-ended")
    return isinstance(
        event, e.RetentionExpired | e.ErasureOrdered | MandatoryCopyKept | CopyPreserved | PolicyAcceptedByUse
    )


def stand_in(format: str, number: int) -> str:
    """A well-formed value that nobody gave, another for each number."""
    match format:
        case "email":
            return f"{WITHHELD}-{number}@example.com"
        case "phone":
            return f"0{number:029d}"
        case "ip":
            return f"2001:db8::{number % 0x10000:x}"
        case "date":
            return (date(1950, 1, 1) + timedelta(days=number)).isoformat()  # as a birth date it is possible
        case "url":
            return f"https://{WITHHELD}.example.com/{number}"
    return f"{WITHHELD} {number}"
