"""Between an event as decided and an event as stored: the kind is its topic, the header its state."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent

from lifecycle.domain.catalogue import decode_sealed
from lifecycle.domain.event import Judged, Recorded, Withheld
from lifecycle.ledger.envelope import MalformedHeader, read_fact
from lifecycle.storage.alike import remember, told_again
from lifecycle.storage.failures import UNFIT, RecordDamaged
from lifecycle.storage.packing import form_of, inflated, unpacked
from lifecycle.vault.sealing import RECORD


class HeaderMapper(Mapper[UUID]):
    """Stores the very bytes that were hashed, and reads events without any key: what is sealed stays sealed.

    Classes are found in the catalogue by their stored name, never by an import path that a row could name.
    """

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        event = cast(Recorded, domain_event)
        if not event.header:
            raise AssertionError("an event is stored after Appending has placed it")
        return StoredEvent(event.originator_id, event.originator_version, event.event.kind, event.header)

    def to_domain_event(self, stored_event: StoredEvent) -> Recorded:
        return as_stored(cast(UUID, stored_event.originator_id), stored_event.originator_version, stored_event.state)


def as_stored(stream_id: UUID, version: int, stored: bytes) -> Recorded:
    """As `recorded`, from the bytes that the column holds. Where they are packed the header's own bytes are not put
    together: the event has none, for nobody who folds it looks at them."""
    there = inflated(stored)
    if there is None:
        return recorded(stream_id, version, unpacked(stored))
    again = told_again(stream_id, version, *there)
    if again is not None:
        return again
    form = form_of(*there)
    if form is None:
        return recorded(stream_id, version, unpacked(stored))
    read = _read(stream_id, version, *form, b"")
    remember(there[0], there[1], read)
    return read


def recorded(stream_id: UUID, version: int, header: bytes) -> Recorded:
    """Read an event from its header; the words and values of a person are `Withheld.SEALED`.

    Errors: RecordDamaged when the bytes are no event; UnknownKind when a newer program wrote it.
    """
    return _read(stream_id, version, header, None, header)


def _read(stream_id: UUID, version: int, said: bytes, cmd: str | None, header: bytes) -> Recorded:
    try:
        at, kind, data, own, role, policy, hids = read_fact(said)
        if RECORD in hids:
            hids.remove(RECORD)
        event = decode_sealed(kind, data, hids)
    except (MalformedHeader, *UNFIT):
        raise RecordDamaged(stream_id, version) from None
    judged = _new(Judged, (own if cmd is None else cmd, role, policy, Withheld.SEALED, Withheld.SEALED))
    return _new(Recorded, (stream_id, version, at, event, judged, header))


_new = tuple.__new__  # the classes' own is written in Python, and takes three times as long
