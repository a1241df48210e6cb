"""The statements of an append: a few executemany, one for each table, in an order in which writers cannot deadlock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from eventsourcing.persistence import StoredEvent
from sqlalchemy import Connection, Table, bindparam, insert, update

from lifecycle.ledger.tables import ledger_queue
from lifecycle.storage.appending import AppendRows, Head, head_row
from lifecycle.storage.failures import WroteFirst
from lifecycle.storage.relied import Relied
from lifecycle.storage.rows import Step, write_together
from lifecycle.storage.tables import (
    command_seen,
    epoch_erasure,
    event_body,
    event_header,
    pending_custody,
    pending_erasure,
    stream_head,
)
from lifecycle.vault.tables import data_key, lookup, subject_key

head = stream_head.c
# What was read must still be so: version, the commitment that is built upon, key generation, and the fence.
_MOVE = (
    update(stream_head)
    .where(
        head.stream_id == bindparam("of"),
        head.version == bindparam("was"),
        head.commitment.is_not_distinct_from(bindparam("upon")),
        head.generation == bindparam("keys"),
        head.fenced == bindparam("closed"),
    )
    .values(
        version=bindparam("version"),
        commitment=bindparam("commitment"),
        stream_key=bindparam("stream_key"),
        event_id=bindparam("event_id"),
        at=bindparam("at"),
    )
)
_INSERT = {
    table: insert(table)
    for table in (
        stream_head, event_header, event_body, ledger_queue, command_seen, pending_erasure, pending_custody,
        epoch_erasure, subject_key, data_key, lookup,
    )
}  # fmt: skip


def write_append(
    c: Connection, stored_events: Sequence[StoredEvent], rows: AppendRows, relied: Relied | None = None
) -> None:
    """Write one append. Contended rows come first and sorted: heads, then look-ups, then what nobody else writes.

    So that two appends over the same streams meet at their first common head, and the later one fails there. With
    `relied` the append is the whole of PostgreSQL's transaction, and is committed if that is so.
    """
    moves = sorted(rows.moves.values(), key=lambda move: move[0].stream_id.int)
    moved = [_move(was, becomes) for was, becomes in moves if was.has_row]
    inserted: list[tuple[Table, Sequence[Mapping[str, Any]]]] = [
        (stream_head, [head_row(becomes) for was, becomes in moves if not was.has_row]),
        (lookup, sorted(rows.lookups, key=itemgetter("token"))),
        (event_header, _headers(stored_events, rows)),
        (event_body, rows.bodies),
        (ledger_queue, _queued(stored_events, rows)),
        (command_seen, rows.commands),
        (subject_key, rows.subject_keys),
        (data_key, rows.data_keys),
        (pending_erasure, rows.pending_erasures),
        (pending_custody, rows.pending_custody),
        (epoch_erasure, rows.epoch_erasures),
    ]
    steps: list[Step] = [(_MOVE, moved), *((_INSERT[table], some) for table, some in inserted if some)]
    touched = write_together(c, steps, None if relied is None else relied.look(c.dialect))
    if relied is None and touched[0] != len(moved):
        raise WroteFirst(stream_head.name)


def _move(was: Head, becomes: Head) -> dict[str, Any]:
    return {
        "of": was.stream_id,
        "was": was.version,
        "upon": was.commitment,
        "keys": was.generation,
        "closed": was.fenced,
        "version": becomes.version,
        "commitment": becomes.commitment,
        "stream_key": becomes.stream_key,
        "event_id": becomes.event_id,
        "at": becomes.at,
    }


def _headers(stored_events: Sequence[StoredEvent], rows: AppendRows) -> list[dict[str, Any]]:
    return [
        {
            "stream_id": stored.originator_id,
            "version": stored.originator_version,
            "kind": stored.topic,
            "header": stored.state,
            "salt": placed.salt,
        }
        for stored, placed in zip(stored_events, rows.placed, strict=True)
    ]


def _queued(stored_events: Sequence[StoredEvent], rows: AppendRows) -> list[dict[str, Any]]:
    return [
        {
            "stream_id": stored.originator_id,
            "version": stored.originator_version,
            "event_id": placed.event_id,
            "entry": placed.entry,
        }
        for stored, placed in zip(stored_events, rows.placed, strict=True)
    ]
