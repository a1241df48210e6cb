"""What is wrong with the log, found by looking: entries that wait too long, gaps, leaves that nobody accounts for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select

from lifecycle.columns import instant_of
from lifecycle.domain.streams import SYSTEM
from lifecycle.ledger.checkpoint_rows import newest_checkpoint
from lifecycle.ledger.envelope import EVENT_ENTRY, SYSTEM_ENTRY, leaf_hash
from lifecycle.ledger.integration import LogTree, is_whole, read_tree
from lifecycle.ledger.log_proofs import entries_between, system_leaves
from lifecycle.ledger.map_rows import StoredMap
from lifecycle.ledger.sequencer import log_size
from lifecycle.ledger.subject_map import MAP_ENTRY, read_entry, read_leaf
from lifecycle.ledger.tables import event_position, ledger_queue, log_entry, map_expunged
from lifecycle.ledger.tree import Frontier

MERGE_DELAY = timedelta(seconds=60)
_UNIX_MILLISECONDS = 80  # bits below them in a UUIDv7
_EXPLAINED = ("loss-declared/1", "expunged/1")


def faults(c: Connection, now: datetime | None = None) -> list[str]:
    """One sentence for each fault; cheap enough to ask every minute. `now` is the machine's time, never simulated."""
    return [*_waiting(c, now or datetime.now(UTC)), *_gaps(c), *_unpublished(c)]


def deep_faults(c: Connection) -> list[str]:
    """As `faults`, for what only a walk over all leaves and the whole map finds."""
    tree = read_tree(c)
    if c.execute(select(func.count()).select_from(log_entry)).scalar_one() != log_size(c):
        return ["The positions of the log have a gap."]
    return [*_leaves(c, tree), *_counts(c, tree)]


def _waiting(c: Connection, now: datetime) -> Iterator[str]:
    oldest = c.execute(select(ledger_queue.c.event_id).order_by(ledger_queue.c.event_id).limit(1)).scalar_one_or_none()
    if oldest is not None and now - instant_of((oldest.int >> _UNIX_MILLISECONDS) * 1000) > MERGE_DELAY:
        yield "An event has waited for its position for more than a minute: nothing sequences, or it cannot."


def _gaps(c: Connection) -> Iterator[str]:
    last = c.execute(select(func.coalesce(func.max(log_entry.c.position), -1))).scalar_one()
    if last + 1 != log_size(c):
        yield "The size of the log is not that of its leaves."
    if log_size(c) < read_tree(c).size:
        yield "The log has fewer leaves than its tree."


def _unpublished(c: Connection) -> Iterator[str]:
    tree, newest = read_tree(c), newest_checkpoint(c)
    if newest is not None and newest.size > tree.size:
        yield "The newest checkpoint is of a larger tree than the log has."
    if newest is not None and newest.size == tree.size and newest.root != tree.root:
        yield "The newest checkpoint has another root than the tree."
    if newest is not None and newest.size < tree.size and is_whole(c, tree):
        yield "The tree has a checkpoint to come: publishing was interrupted, or is under way."


def _leaves(c: Connection, tree: LogTree) -> Iterator[str]:
    frontier, events, last = Frontier(), 0, b""
    for some in entries_between(c, 0, tree.size):
        frontier.extend(map(leaf_hash, some))
        events += sum(entry[:1] == EVENT_ENTRY for entry in some)
        last = some[-1]
    if frontier.root() != tree.root:
        yield "The rows of the log are not the leaves of its tree: a row was changed."
    if events != tree.events:
        yield "The number of events in the log is not the one that its tree counts."
    if last[:1] == MAP_ENTRY and tree.size and read_entry(last).top_root != StoredMap(c, tree.depth, 0).root():
        yield "The subject map is not the one that the log's last leaf describes."


def _counts(c: Connection, tree: LogTree) -> Iterator[str]:
    """Every event is counted for one stream, or an entry of the log says why not."""
    counted = streams = 0
    expunged = {bytes(sid) for sid in c.execute(select(map_expunged.c.sid)).scalars()}  # the map is to hear of it yet
    for leaf in StoredMap(c, tree.depth, tree.streams).all_leaves():
        counted += 0 if leaf[:32] in expunged else read_leaf(leaf).count
        streams += 1
    covered = event_position.c.position < tree.size
    owned = c.execute(select(func.count()).select_from(event_position).where(covered)).scalar_one()
    if streams != tree.streams:
        yield "The number of streams in the subject map is not the one that its tree counts."
    if counted != owned:
        yield "The subject map does not count the events that have positions."
    ranges = _explained(c)
    if any(not _is_explained(at, ranges) for at in _ownerless(c, tree)):
        yield "A leaf of an event belongs to no stream, and neither a loss nor an expunging explains it."


def _ownerless(c: Connection, tree: LogTree) -> Iterator[int]:
    entry, position = log_entry.c, event_position.c
    query = (
        select(entry.position, entry.entry)
        .outerjoin(event_position, position.position == entry.position)
        .where(position.position.is_(None), entry.position < tree.size)
    )
    yield from (row.position for row in c.execute(query) if row.entry[:1] == EVENT_ENTRY)


def _explained(c: Connection) -> list[tuple[int, int]]:
    said = [
        select(log_entry.c.entry).where(log_entry.c.position >= read_tree(c).size),
        select(ledger_queue.c.entry).where(ledger_queue.c.stream_id == SYSTEM),  # said, and waiting for its leaf
    ]
    unpublished = (each for query in said for each in c.execute(query).scalars())
    ranges: list[tuple[int, int]] = []
    for entry in map(bytes, (*(entry for _, entry in system_leaves(c)), *unpublished)):
        if entry[:1] != SYSTEM_ENTRY:
            continue
        record = json.loads(entry[1:])
        if record["kind"] in _EXPLAINED:
            ranges += record.get("leaves", [(record.get("first"), record.get("past"))])
    return ranges


def _is_explained(at: int, ranges: list[tuple[int, int]]) -> bool:
    return any(first <= at < past for first, past in ranges)
