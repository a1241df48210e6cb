"""The rows of an erasure beside the keys: order, fence, bodies, completion. Each step may be repeated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, select, update

from lifecycle.ledger.tables import event_position, ledger_queue, map_expunged
from lifecycle.row_lists import delete_rows, update_rows
from lifecycle.storage.appending import in_chunks
from lifecycle.storage.failures import WroteFirst
from lifecycle.storage.rows import insert_once, write_rows
from lifecycle.storage.tables import (
    command_seen,
    epoch_erasure,
    event_body,
    event_header,
    expunge_order,
    pending_erasure,
    stream_head,
)
from lifecycle.value_lists import one_of

_FENCE = (
    update(stream_head)
    .where(stream_head.c.stream_id == bindparam("of"))
    .values(fenced=bindparam("closed"), generation=bindparam("keys"))
)
_PAIRS = 5_000  # in one query


class Ordered(NamedTuple):
    """An erasure that was ordered by event `version` of a stream and is not completed."""

    stream_id: UUID
    version: int
    at: datetime


def pending(c: Connection) -> list[Ordered]:
    """What has to be resumed, oldest order first."""
    order = pending_erasure.c
    return [
        Ordered(*row) for row in c.execute(select(pending_erasure).order_by(order.at, order.stream_id, order.version))
    ]


def extend(c: Connection, orders: Iterable[Ordered]) -> None:
    """Let orders permit deleting on further streams: a whole person has two."""
    insert_once(c, pending_erasure, [order._asdict() for order in orders])


def fence(c: Connection, stream_ids: Sequence[UUID], generation: int) -> None:
    """From now on these streams take no sealed part, and whoever read them before must read them again."""
    fence_all(c, dict.fromkeys(stream_ids, generation))


def fence_all(c: Connection, generations: Mapping[UUID, int]) -> None:
    """The same, each stream with a generation of its own."""
    write_rows(c, _FENCE, _by_stream(generations))


def regenerate(c: Connection, stream_ids: Sequence[UUID], generation: int) -> None:
    """The person was re-keyed: whoever sealed under the earlier key must seal again."""
    regenerate_all(c, dict.fromkeys(stream_ids, generation))


def regenerate_all(c: Connection, generations: Mapping[UUID, int]) -> None:
    """The same, each stream with a generation of its own. Their heads are locked already (`lock_heads`)."""
    rows = [{"stream_id": id, "generation": generation} for id, generation in generations.items()]
    update_rows(c, stream_head, ("stream_id",), rows)


def lock_heads(c: Connection, stream_ids: Sequence[UUID]) -> set[UUID]:
    """Before keys are read that are about to be wrapped anew: whoever appends meanwhile either committed before, and
    their keys are seen, or waits and then finds another generation. SQLite's writers are alone anyway. Returns which
    of them there are."""
    head = stream_head.c.stream_id
    some = (select(head).where(one_of(head, ids)).order_by(head) for ids in in_chunks(sorted(stream_ids)))
    return {id for query in some for id in c.execute(query.with_for_update()).scalars()}


def delete_bodies(c: Connection, stream_id: UUID, parts: Iterable[tuple[int, int]]) -> None:
    """Delete some sealed parts, given as (version, part)."""
    delete_bodies_of(c, ((stream_id, version, part) for version, part in parts))


def delete_bodies_of(c: Connection, parts: Iterable[tuple[UUID, int, int]]) -> None:
    """The same of many streams, given as (stream, version, part)."""
    rows = [{"stream_id": stream_id, "version": version, "part": part} for stream_id, version, part in parts]
    delete_rows(c, event_body, rows)


def delete_all_bodies(c: Connection, stream_ids: Sequence[UUID]) -> None:
    c.execute(delete(event_body).where(one_of(event_body.c.stream_id, stream_ids)))


def forget_commands(c: Connection, stream_ids: Sequence[UUID]) -> dict[UUID, dict[str, datetime]]:
    """Take away what these streams answered. The ids returned, each with when that was, are to be spent."""
    theirs = one_of(command_seen.c.stream_id, stream_ids)
    cmds: dict[UUID, dict[str, datetime]] = {}
    for row in c.execute(select(command_seen.c.stream_id, command_seen.c.cmd, command_seen.c.at).where(theirs)):
        cmds.setdefault(row.stream_id, {})[row.cmd] = row.at
    c.execute(delete(command_seen).where(theirs))
    return cmds


def complete(c: Connection, stream_ids: Sequence[UUID], version: int, epoch: int | None) -> None:
    """Every store of ours has done the order; the erasure is final when `epoch` has ended. None: that is on record."""
    forget_orders(c, ((stream_id, version) for stream_id in stream_ids))
    if epoch is not None:
        insert_once(c, epoch_erasure, [{"epoch": epoch, "stream_id": stream_id} for stream_id in stream_ids])


def forget_orders(c: Connection, orders: Iterable[tuple[UUID, int]]) -> None:
    """Of orders that are on record as completed, given as (stream, version): nobody resumes them any more."""
    delete_rows(
        c, pending_erasure, [{"stream_id": stream_id, "version": version} for stream_id, version in sorted(orders)]
    )


def awaiting(c: Connection, epoch: int) -> list[UUID]:
    """Streams whose erasure becomes final when `epoch` has ended."""
    ended = epoch_erasure.c.epoch == epoch
    return list(c.execute(select(epoch_erasure.c.stream_id).where(ended).order_by(epoch_erasure.c.stream_id)).scalars())


def awaited(c: Connection, pairs: Iterable[tuple[int, UUID]]) -> set[tuple[int, UUID]]:
    """Those of these (epoch, stream) that are on record already."""
    column, wanted = epoch_erasure.c, list(pairs)
    found: set[tuple[int, UUID]] = set()
    for start in range(0, len(wanted), _PAIRS):
        some = set(wanted[start : start + _PAIRS])
        rows = c.execute(
            select(epoch_erasure).where(
                one_of(column.epoch, {epoch for epoch, _ in some}),
                one_of(column.stream_id, {stream for _, stream in some}),
            )
        )
        found |= some & {(row.epoch, row.stream_id) for row in rows}
    return found


def finalise(c: Connection, epoch: int) -> None:
    c.execute(delete(epoch_erasure).where(epoch_erasure.c.epoch == epoch))


class Expunged(NamedTuple):
    """The leaves that are nobody's from now on."""

    streams: tuple[UUID, ...]
    positions: tuple[int, ...]


def expunge(c: Connection, stream_ids: Sequence[UUID], at: datetime) -> Expunged:
    """Delete the evidence too: what remains of these streams is that some leaves of the log are nobody's.

    The heads go first: whoever appends meanwhile fails, and whoever expunges too finds nothing left. The map hears of
    their sids in the same transaction. Errors: WroteFirst while an event still waits for its leaf.
    """
    insert_once(c, expunge_order, [{"stream_id": stream_id, "at": at} for stream_id in stream_ids])
    head = stream_head.c
    gone = (
        delete(stream_head).where(one_of(head.stream_id, stream_ids)).returning(head.stream_id, head.sid, head.version)
    )
    heads = c.execute(gone).all()
    theirs = one_of(event_position.c.stream_id, [row.stream_id for row in heads])
    positions = tuple(c.execute(select(event_position.c.position).where(theirs)).scalars())
    if len(positions) != sum(row.version for row in heads):
        raise WroteFirst(ledger_queue.name)
    insert_once(c, map_expunged, [{"sid": row.sid} for row in heads if row.version])
    for table in (event_body, event_header, event_position, command_seen):
        c.execute(delete(table).where(one_of(table.c.stream_id, stream_ids)))
    return Expunged(tuple(row.stream_id for row in heads), positions)


def end_expunge(c: Connection, stream_ids: Sequence[UUID]) -> None:
    """Nothing is left of them anywhere: the order is forgotten too."""
    c.execute(delete(expunge_order).where(one_of(expunge_order.c.stream_id, stream_ids)))


def evidence_left(c: Connection, stream_ids: Sequence[UUID]) -> bool:
    """Whether any row of these streams is still there."""
    tables = (stream_head, event_header, event_body, event_position, command_seen)
    return any(
        c.execute(select(table.c.stream_id).where(one_of(table.c.stream_id, stream_ids)).limit(1)).first()
        for table in tables
    )


def _by_stream(generations: Mapping[UUID, int]) -> list[dict[str, object]]:
    """In one order for everybody, as appends move heads."""
    return [{"of": id, "keys": generations[id], "closed": True} for id in sorted(generations)]
