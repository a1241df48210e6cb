"""One person's events in order: what happened, when, who did it and by which policy, without any personal value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.audit.opening import actors_of
from lifecycle.audit.telling import instant
from lifecycle.domain.event import Recorded
from lifecycle.ledger.envelope import b64url, commitment, read_header
from lifecycle.ledger.tables import event_position, ledger_queue
from lifecycle.storage.failures import RecordDamaged
from lifecycle.storage.mapper import recorded
from lifecycle.storage.tables import event_header, stream_head
from lifecycle.value_lists import one_of
from lifecycle.vault.tables import chunks
from lifecycle.vault.vault import Vault

_EVENTS = (
    select(
        event_header.c.version,
        event_header.c.header,
        event_header.c.salt,
        event_position.c.position,
        stream_head.c.version.label("newest"),
        stream_head.c.commitment,
    )
    .outerjoin(stream_head, stream_head.c.stream_id == event_header.c.stream_id)
    .outerjoin(
        event_position,
        (event_position.c.stream_id == event_header.c.stream_id) & (event_position.c.version == event_header.c.version),
    )
    .order_by(event_header.c.version)
)
_NEWEST = select(stream_head.c.version)
_WAITING = select(ledger_queue.c.version)


def events_of(c: Connection, stream_id: UUID, *, as_they_stand: bool = False) -> list[tuple[Recorded, int | None]]:
    """Every event of a stream, with its position; None until it is sequenced.

    What the disk changed or lost is found here, and not told as if it had happened; `as_they_stand` is for whoever
    looks for that. Errors: RecordDamaged.
    """
    rows = c.execute(_EVENTS.where(event_header.c.stream_id == stream_id)).all()
    if not as_they_stand:
        newest = rows[0].newest if rows else c.execute(_NEWEST.where(stream_head.c.stream_id == stream_id)).scalar()
        _follow(stream_id, rows, newest or 0)
        _await_their_places(c, stream_id, rows)
    return [(recorded(stream_id, row.version, row.header), row.position) for row in rows]


def _follow(stream_id: UUID, rows: Sequence[Any], newest: int) -> None:
    """Each event names the commitment to the one before, and the head that to the last."""
    if len(rows) != newest:
        raise RecordDamaged(stream_id, len(rows) + 1)
    committed, before = None, b"null"
    for n, row in enumerate(rows, start=1):
        if row.version != n or not row.header:
            raise RecordDamaged(stream_id, n)
        if b'"prev":%b,"sid"' % before not in row.header:  # all of the one before is committed to
            raise RecordDamaged(stream_id, max(n - 1, 1))
        committed = commitment(row.salt, row.header)
        before = b'"%b"' % b64url(committed).encode()
    if rows and rows[-1].commitment != committed:
        raise RecordDamaged(stream_id, newest)


def _await_their_places(c: Connection, stream_id: UUID, rows: Sequence[Any]) -> None:
    """Whatever has no position yet waits for one."""
    placeless = [row.version for row in rows if row.position is None]
    if placeless:
        waiting = set(c.execute(_WAITING.where(ledger_queue.c.stream_id == stream_id)).scalars())
        if lost := [version for version in placeless if version not in waiting]:
            raise RecordDamaged(stream_id, lost[0])


def _find_by_their_places(c: Connection, stream_id: UUID, events: Sequence[tuple[Recorded, int | None]]) -> None:
    """In a file the way to a place is an index, in which a bit may have changed: at each place stands the event."""
    if c.dialect.name != "sqlite":
        return
    placed = [(event.originator_version, position) for event, position in events if position is not None]
    for some in chunks(placed):
        asked = select(event_position).where(one_of(event_position.c.position, [position for _, position in some]))
        there = {row.position: (row.stream_id, row.version) for row in c.execute(asked)}
        if lost := [version for version, position in some if there.get(position) != (stream_id, version)]:
            raise RecordDamaged(stream_id, lost[0])


def history(c: Connection, vault: Vault | None, subject_id: UUID) -> Iterator[dict[str, Any]]:
    """The events as contract.md's JSON."""
    events = events_of(c, subject_id)
    _find_by_their_places(c, subject_id, events)
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
