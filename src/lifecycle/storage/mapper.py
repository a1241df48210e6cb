"""Between an event as decided and an event as stored: the kind is its topic, the header its state."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent

from lifecycle.domain.catalogue import decode_sealed
from lifecycle.domain.event import Judged, Recorded, Withheld
from lifecycle.ledger.envelope import MalformedHeader, read_fact
from lifecycle.storage.folding import UNFIT, RecordDamaged
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
        return recorded(cast(UUID, stored_event.originator_id), stored_event.originator_version, stored_event.state)


def recorded(stream_id: UUID, version: int, header: bytes) -> Recorded:
    """Read an event from its header; the words and values of a person are `Withheld.SEALED`.

    Errors: RecordDamaged when the bytes are no event; UnknownKind when a newer program wrote it.
    """
    try:
        fact = read_fact(header)
        hids = fact.hids
        if RECORD in hids:
            hids.remove(RECORD)
        event = decode_sealed(fact.kind, fact.data, hids)
    except (MalformedHeader, *UNFIT):
        raise RecordDamaged(stream_id, version) from None
    judged = Judged(fact.cmd, fact.role, fact.policy, Withheld.SEALED, Withheld.SEALED)
    return Recorded(stream_id, version, fact.at, event, judged, header)
