"""Everything that one person's record says, opened as far as its keys still exist, with what it was judged by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection, select

from lifecycle.audit.history import events_of
from lifecycle.audit.opening import Place, open_parts
from lifecycle.domain.catalogue import decode
from lifecycle.domain.event import Personal, Recorded, Withheld
from lifecycle.domain.streams import policy_stream, transfer_stream, trustee_stream
from lifecycle.domain.subject import events as e
from lifecycle.ledger.envelope import Header, read_header
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import start_of
from lifecycle.storage.policies import Policies
from lifecycle.vault.sealing import RECORD, SubjectKeys
from lifecycle.vault.tables import lookup
from lifecycle.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Published:
    """A policy version, and since when it could be judged by."""

    policy: Policy
    recorded_at: datetime

    def in_force(self, at: datetime) -> bool:
        return start_of(self.policy.effective, self.policy.time_zone) <= at


@dataclass(frozen=True, slots=True)
class Record:
    """The events of one person's record with words and values as far as they can still be opened. `index` are the
    identifiers that the blind index finds this person by; None for a reader who may not look."""

    id: UUID
    events: tuple[Recorded, ...] = field(repr=False)
    sealed: tuple[bool, ...]  # whether the event of that place has sealed parts, opened or not
    keys: SubjectKeys | None = field(repr=False)
    index: frozenset[str] | None
    published: tuple[Published, ...]
    trustee: Callable[[str], Sequence[Recorded]]
    transfer: Callable[[str], Sequence[Recorded]] = lambda _: ()

    def value(self, hid: str, version: int) -> Personal[JsonValue]:
        return self.events[version - 1].event.values.get(hid, Withheld.ERASED)

    def denied(self, identifier: str) -> bool:
        """Whether the person still goes by this identifier, and yet nobody is found by it."""
        given_up = any(
            event.identifier == identifier
            if isinstance(event, e.IdentifierUnlinked)
            else isinstance(event, e.ErasureOrdered) and event.whole
            for event in (each.event for each in self.events)
        )
        return self.index is not None and not given_up and identifier not in self.index


def opened(c: Connection, vault: Vault | None, policies: Policies, subject_id: UUID) -> Record:
    """Read everything in the snapshot of `c`. Errors: Tampered when bytes are not what was sealed."""
    stored = [event for event, _ in events_of(c, subject_id, as_they_stand=True)]
    headers = {event.originator_version: read_header(event.header) for event in stored}
    places = [Place(version, part.hid) for version, header in headers.items() for part in header.parts]
    found: Mapping[Place, Personal[JsonValue]] = dict.fromkeys(places, Withheld.SEALED)
    keys = index = None
    if vault is not None:
        keys = vault.keys_of(c, [subject_id]).get(subject_id)
        found = open_parts(c, vault, subject_id, headers, places)
        index = frozenset(c.execute(select(lookup.c.identifier_id).where(lookup.c.subject_id == subject_id)).scalars())
    events = tuple(_opened(event, headers[event.originator_version], found) for event in stored)
    known: dict[str, Sequence[Recorded]] = {}

    def trustee(name: str) -> Sequence[Recorded]:
        if name not in known:
            known[name] = [event for event, _ in events_of(c, trustee_stream(name), as_they_stand=True)]
        return known[name]

    def transfer(name: str) -> Sequence[Recorded]:
        return [event for event, _ in events_of(c, transfer_stream(name), as_they_stand=True)]

    sealed = tuple(bool(header.parts) for header in headers.values())
    return Record(subject_id, events, sealed, keys, index, _published(c, policies), trustee, transfer)


def _opened(stored: Recorded, header: Header, found: Mapping[Place, Personal[JsonValue]]) -> Recorded:
    parts = {part.hid: found[Place(header.n, part.hid)] for part in header.parts}
    said = parts.pop(RECORD, {})
    words = said if isinstance(said, dict | Withheld) else {}
    event = decode(header.kind, header.data, words, parts)
    return Recorded(
        stored.originator_id, stored.originator_version, stored.recorded_at, event, stored.judged, stored.header
    )


def _published(c: Connection, policies: Policies) -> tuple[Published, ...]:
    stream = [event for event, _ in events_of(c, policy_stream(), as_they_stand=True)]
    return tuple(Published(policy, event.recorded_at) for policy, event in zip(policies.all(c), stream, strict=False))
