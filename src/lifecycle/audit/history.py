"""One person's events in order: what happened, when, who did it and by which policy, without any personal value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.audit.opening import actors_of
from lifecycle.audit.telling import instant
from lifecycle.domain.event import Recorded
from lifecycle.ledger.envelope import read_header
from lifecycle.ledger.tables import event_position
from lifecycle.storage.mapper import recorded
from lifecycle.storage.tables import event_header
from lifecycle.vault.vault import Vault

_EVENTS = (
    select(event_header.c.version, event_header.c.header, event_position.c.position)
    .outerjoin(
        event_position,
        (event_position.c.stream_id == event_header.c.stream_id) & (event_position.c.version == event_header.c.version),
    )
    .order_by(event_header.c.version)
)


def events_of(c: Connection, stream_id: UUID) -> list[tuple[Recorded, int | None]]:
    """Every event of a stream, with its position; None until it is sequenced."""
    rows = c.execute(_EVENTS.where(event_header.c.stream_id == stream_id))
    return [(recorded(stream_id, row.version, row.header), row.position) for row in rows]


def history(c: Connection, vault: Vault | None, subject_id: UUID) -> Iterator[dict[str, Any]]:
    """The events as contract.md's JSON."""
    events = events_of(c, subject_id)
    headers = {event.originator_version: read_header(event.header) for event, _ in events}
    actors = actors_of(c, vault, subject_id, headers)
    return (_told(event, position, actors.get(event.originator_version)) for event, position in events)


def _told(event: Recorded, position: int | None, actor: str | None) -> dict[str, Any]:
    data = event.event.header_data()
    data.pop("occurred_at")
    return {
        "version": event.originator_version,
        "position": position,
        "kind": event.event.kind,
        "occurred_at": instant(event.event.occurred_at),
        "recorded_at": instant(event.recorded_at),
        "actor": {"id": actor, "role": event.judged.role},
        "policy": event.judged.policy,
        "data": data,
    }
