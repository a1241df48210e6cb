"""One person while a batch of commands is decided: the state as it grows, and what the handlers may ask."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lifecycle.commands.context import Found
from lifecycle.domain.decision import Asked
from lifecycle.domain.event import DomainEvent, Judged, Personal, Recorded, Withheld
from lifecycle.domain.open_records import Named
from lifecycle.domain.streams import access_stream_of
from lifecycle.domain.subject.events import IdentifierLinked, SubjectRegistered
from lifecycle.domain.subject.fold import fold
from lifecycle.domain.subject.refusals import SubjectErased
from lifecycle.domain.subject.state import Draft, Holding, Subject
from lifecycle.domain.subject.transfer_events import SubjectReceived
from lifecycle.engine.erasure_receipts import opens
from lifecycle.ledger.envelope import SID_BYTES, b64url
from lifecycle.policy.calendars import Calendars
from lifecycle.policy.countries import STANDARD
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import age_on
from lifecycle.policy.values import normal_form
from lifecycle.policy.vocabulary import IdentifierType
from lifecycle.storage.appending import Appending, Head
from lifecycle.storage.lost_keys import KeyLost
from lifecycle.vault.installation import Installation, SubjectRows
from lifecycle.vault.sealing import OpenParts, SubjectKeys

if TYPE_CHECKING:
    from lifecycle.domain.trustee.trustee import Trustee

Identifier = tuple[str, str]  # type and normalised text
Part = tuple[str, int]  # holding id and version of the event that sealed it


@dataclass(slots=True)
class Batch:
    """What all persons of one batch share."""

    now: datetime
    installation: Installation
    appending: Appending
    owners: dict[Identifier, tuple[UUID, str]] = field(repr=False)  # blind index as read, and as this batch adds to it
    open_record: Callable[[Named], Any]
    calendars: Calendars = STANDARD


@dataclass(slots=True)
class Person:
    """Fulfils `commands.context.PersonContext`. Keys are made when something has to be sealed or referred to."""

    batch: Batch
    subject: Subject
    head: Head | None = None
    access_head: Head | None = None
    keys: SubjectKeys | None = None
    values: dict[Part, Personal[str]] = field(default_factory=dict, repr=False)
    named_by: Identifier | None = field(default=None, repr=False)
    current: Asked | None = None
    _links: dict[str, Identifier] = field(default_factory=dict, repr=False)
    _normal: dict[tuple[str, int, str | None], str] = field(default_factory=dict, repr=False)  # forms of values
    _key_rows: SubjectRows | None = field(default=None, repr=False)

    @property
    def is_known(self) -> bool:
        return self.subject.version > 0

    # -- what handlers ask -------------------------------------------------------------------------------------------

    @property
    def asked(self) -> Asked:
        assert self.current is not None, "a handler runs within a command"
        return self.current

    def values_of(self, holdings: Sequence[str]) -> dict[str, Personal[str]]:
        found: dict[str, Personal[str]] = {}
        for id in holdings:
            holding = self.subject.holdings[id]
            found[id] = self.values.get((id, holding.generations[-1].version), Withheld.ERASED)
            if found[id] is Withheld.ERASED and holding.erased_at is None:
                raise KeyLost(self.subject.id)
        return found

    def may_say(self, holding: Holding, format: str | None, normal: str) -> bool:
        place = holding.id, holding.generations[-1].version, format
        known = self._normal.get(place)
        if known is None:
            value = self.values.get(place[:2])
            if not isinstance(value, str):
                return True
            known = self._normal[place] = normal_form(format, value)
        return known == normal

    def reference(self, what: str, text: str) -> str:
        return self.own_keys().reference(what, text)

    def trustee(self, trustee: str) -> Trustee:
        found: Trustee = self.batch.open_record(("trustee", trustee))
        return found

    def open_record(self, named: Named) -> Any:
        return self.batch.open_record(named)

    def find(self, type: IdentifierType, normalised: str) -> Found | None:
        if not self.is_known and self.named_by == (type, normalised):
            return Found("", True)  # registering links it anyway
        owner = self.batch.owners.get((type, normalised))
        if owner is not None:
            return Found(owner[1], owner[0] == self.subject.id)
        # A stranger goes by the name that registers them, before any index says so.
        return Found("", is_own=True) if (type, normalised) == self.named_by else None

    def link(self, type: str, normalised: str) -> str:
        identifier = secrets.token_hex(8)
        self._links[identifier] = (type, normalised)
        return identifier

    def link_as(self, identifier: str, type: IdentifierType, normalised: str) -> None:
        self._links[identifier] = (type, normalised)

    def is_receipt(self, sid: str, salt: str) -> bool:
        return self.subject.erasure is not None and self.head is not None and opens(self.head, sid, salt)

    def new_id(self) -> str:
        return os.urandom(8).hex()  # as secrets.token_hex, which takes four calls for it

    def new_instruction(self) -> tuple[str, str]:
        return self.batch.installation.new_instruction()

    # -- what the batch does -----------------------------------------------------------------------------------------

    def begin(self, at: datetime, now: datetime, policy: Policy, published: tuple[Policy, ...] = ()) -> Asked:
        """Turn to the next command about this person."""
        self._links.clear()
        age = self._age(policy, at) if self.subject.birth_date is not None else None
        self.current = Asked(at, now, policy, age, self.batch.calendars, published)
        return self.current

    def _age(self, policy: Policy, at: datetime) -> int | None:
        held = self.subject.birth_date
        value = self.values_of([held])[held] if held is not None else None
        return age_on(date.fromisoformat(value), policy.day_of(at)) if isinstance(value, str) else None

    def own_keys(self) -> SubjectKeys:
        """Made for somebody unknown. Raises SubjectErased for somebody whose keys are gone, KeyLost if by no order."""
        if self.keys is None:
            if self.is_known:  # the keys of everybody else were loaded
                raise KeyLost(self.subject.id) if self.subject.erasure is None else SubjectErased
            self.keys, self._key_rows = self.batch.installation.new_subject(self.subject.id)
        return self.keys

    def append(self, events: Sequence[DomainEvent], judged: Judged, at: datetime) -> None:
        """Place decided events; an unknown person is registered by the first of them."""
        if not self.is_known:
            events = (*self._registration(at), *events)
            self._store_keys()
        draft: Subject = Draft.of(self.subject)
        for event in events:
            recorded = self._place(event, judged)
            draft = fold(draft, event, recorded.recorded_at)
        self.subject = draft.finished() if isinstance(draft, Draft) else draft
        self._index(events)

    def _registration(self, at: datetime) -> list[DomainEvent]:
        sid = secrets.token_bytes(SID_BYTES)
        # The second stream has a head from the beginning, so that an erasure can fence it even if it was never used.
        self.access_head = Head.new(access_stream_of(self.subject.id), sid, self.own_keys().generation)
        self.batch.appending.open(self.access_head)
        registered: list[DomainEvent] = [SubjectRegistered(occurred_at=at, access_sid=b64url(sid))]
        if self.named_by is not None:
            identifier = self.link(*self.named_by)
            type = IdentifierType(self.named_by[0])
            registered.append(IdentifierLinked(occurred_at=at, identifier=identifier, type=type))
        return registered

    def _store_keys(self) -> None:
        """Only now: a refused command of an unknown person leaves no keys behind."""
        self.own_keys()
        assert self._key_rows is not None
        self.batch.appending.rows.subject_keys.append(self._key_rows.subject_key)
        self.batch.appending.rows.data_keys.append(self._key_rows.data_key)

    def _place(self, event: DomainEvent, judged: Judged) -> Recorded:
        keys = self.own_keys()
        head = self.head or Head.new(self.subject.id, keys.sid, keys.generation)
        recorded, self.head = self.batch.appending.append(head, keys, event, judged, self.batch.now)
        for holding, value in event.values.items():
            if isinstance(value, str):
                self.values[(holding, recorded.originator_version)] = value
        return recorded

    def append_late(self, events: Sequence[DomainEvent], judged: Judged) -> None:
        """Place facts without words: what may still be told of somebody erased, as no key is left for them, and what
        time brought, which nobody said."""
        assert self.head is not None, "a known person's record has a head"
        for event in events:
            told = event.without_words()
            recorded, self.head = self.batch.appending.append(self.head, OpenParts(), told, judged, self.batch.now)
            self.subject = fold(self.subject, told, recorded.recorded_at)

    def _index(self, events: Sequence[DomainEvent]) -> None:
        """Write look-up rows for identifiers that were linked just now."""
        if not self._links:
            return
        linked = [event.identifier for event in events if isinstance(event, IdentifierLinked)]
        if any(isinstance(event, SubjectReceived) for event in events):
            linked += self._links  # the record that came along names them
        for identifier in linked:
            if identifier in self._links:
                named = self._links[identifier]
                row = self.batch.installation.lookup_row(*named, self.subject.id, identifier)
                self.batch.appending.rows.lookups.append(row)
                self.batch.owners[named] = (self.subject.id, identifier)

    def append_to_access(self, event: DomainEvent, judged: Judged) -> int:
        """Place an event on the person's second stream; return its version there."""
        assert self.access_head is not None, "a known person's second stream has a head"
        _, self.access_head = self.batch.appending.append(
            self.access_head, self.own_keys(), event, judged, self.batch.now
        )
        return self.access_head.version
