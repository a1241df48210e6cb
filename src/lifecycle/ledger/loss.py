"""After a restore that lost events: the log takes back the published leaves, and says which lost their events.

Nothing is forked. Leaves come from the ledger folder's entry bundles and are compared with the anchor; their events
cannot come back, and the entry `loss-declared/1` says so for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update
from uuid_utils.compat import uuid7

from lifecycle.domain.streams import SYSTEM
from lifecycle.ledger.checkpoint import Checkpoint
from lifecycle.ledger.checkpoint_rows import RolledBack, remember
from lifecycle.ledger.envelope import EVENT_ENTRY, written
from lifecycle.ledger.integration import read_tree
from lifecycle.ledger.ledger_files import LedgerFolder, LedgerUnavailable
from lifecycle.ledger.log_proofs import entries_between
from lifecycle.ledger.many_rows import insert_many
from lifecycle.ledger.sequencer import enqueue_system_entry, locked_size
from lifecycle.ledger.tables import event_position, ledger_queue, log_entry, log_state
from lifecycle.ledger.tiles import TILE_WIDTH, MalformedTile, read_entry_bundle
from lifecycle.ledger.tree import Frontier, leaf_hash
from lifecycle.row_lists import delete_rows


class NotOurs(RolledBack):
    """What is in the database is no beginning of what was published: it was written to after the restore."""

    remedy = "restore the backup again, start nothing that writes, and declare the loss before anything else"


class LeavesMissing(LedgerUnavailable):
    """The ledger folder lacks leaves that were published."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What was taken back: leaves from `first` to `past`, of which these ranges have no events any more."""

    first: int
    past: int
    recovered: int
    ranges: tuple[tuple[int, int], ...]


def declare_loss(c: Connection, folder: LedgerFolder, anchored: Checkpoint, note: bytes, now: datetime) -> Loss:
    """Take back the leaves up to the anchor's checkpoint, in one transaction of the sequencer's.

    Events that wait in the queue and are among those leaves get their old positions. Afterwards publishing goes on
    above the anchor. Errors: LeavesMissing, NotOurs; nothing is written then.
    """
    read_tree(c, locked=True)
    size = locked_size(c)
    lost = _published(folder, size, anchored.size)
    _compare(c, size, lost, anchored)
    recovered = _from_queue(c, size, lost)
    insert_many(c, log_entry, {"position": range(size, size + len(lost)), "entry": lost})
    c.execute(update(log_state).values(size=size + len(lost)))
    remember(c, anchored.size, note, now)
    ranges = tuple(_ranges(size, lost, recovered))
    for first, past in ranges:
        record = {"at": written(now), "first": first, "kind": "loss-declared/1", "past": past}
        enqueue_system_entry(c, record, uuid7())
    return Loss(size, anchored.size, len(recovered), ranges)


def _published(folder: LedgerFolder, first: int, past: int) -> list[bytes]:
    """The leaves first .. past-1, from the entry bundles."""
    entries: list[bytes] = []
    for index in range(first // TILE_WIDTH, -(-past // TILE_WIDTH)):
        width = min(TILE_WIDTH, past - index * TILE_WIDTH)
        bundle = folder.entries(index, width)
        try:
            there = read_entry_bundle(bundle, width) if bundle is not None else None
        except MalformedTile:
            there = None
        if there is None:
            raise LeavesMissing(
                f"The ledger folder lacks the entries from {index * TILE_WIDTH} on.",
                "put the folder back as it was published, from a mirror or an auditor's copy",
            )
        entries += there[max(first - index * TILE_WIDTH, 0) :]
    return entries


def _compare(c: Connection, size: int, lost: Sequence[bytes], anchored: Checkpoint) -> None:
    """All rows of the log and then these leaves are the tree that was signed."""
    frontier = Frontier()
    for some in entries_between(c, 0, min(size, anchored.size)):
        frontier.extend(map(leaf_hash, some))
    frontier.extend(map(leaf_hash, lost))
    if size > anchored.size or frontier.root() != anchored.root:
        raise NotOurs("The database is not the beginning of the log that was published.")


def _from_queue(c: Connection, size: int, lost: Sequence[bytes]) -> set[int]:
    """Give what waits its published position, if it had one; return the positions of the events."""
    places = {entry: size + at for at, entry in enumerate(lost)}
    queue = ledger_queue.c
    waiting = c.execute(select(queue.stream_id, queue.version, queue.entry))
    found = [(places[row.entry], row.stream_id, row.version) for row in waiting if row.entry in places]
    delete_rows(c, ledger_queue, [{"stream_id": stream, "version": version} for _, stream, version in found])
    events = [{"position": at, "stream_id": id, "version": version} for at, id, version in found if id != SYSTEM]
    if events:
        c.execute(insert(event_position), events)
    return {at for at, _, _ in found}


def _ranges(size: int, lost: Sequence[bytes], recovered: set[int]) -> Iterator[tuple[int, int]]:
    """Runs of leaves whose events are gone. The log's own entries among them need no event, and break no run."""
    first: int | None = None
    past = size
    for at, entry in enumerate(lost, start=size):
        if at in recovered and first is not None:
            yield first, past
            first = None
        elif at not in recovered and entry[:1] == EVENT_ENTRY:
            first, past = at if first is None else first, at + 1
    if first is not None:
        yield first, past
