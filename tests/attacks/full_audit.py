"""Opens every leaf of a store's log with the headers and salts of its database: what `audit full` has to find too."""

from __future__ import annotations

from attacks.victim import Scene
from sqlalchemy import Connection, select

from lifecycle.ledger.envelope import EVENT_ENTRY, commitment, event_entry, read_header, stream_key, tag
from lifecycle.ledger.subject_map import MAP_ENTRY, leaves_of, read_entry, read_leaf
from lifecycle.ledger.tables import event_position, log_entry, map_bucket
from lifecycle.storage.tables import event_header, stream_head

LEAF_WITHOUT_EVENT = "a leaf has no event"
EVENT_WITHOUT_LEAF = "an event has no leaf"
DOES_NOT_OPEN = "a leaf does not open"
COLUMNS_DIFFER = "columns differ from their header"
MAP_COUNTS_OTHERWISE = "the map counts other events than the log has"


def full_audit(scene: Scene) -> set[str]:
    """The kinds of faults; empty for an honest store."""
    with scene.engine.database.read() as c:
        leaves = {key: value for key, value in c.execute(select(log_entry.c.position, log_entry.c.entry))}  # noqa: C416 -- rows are no pairs to `dict`
        headers = {(row.stream_id, row.version): row for row in c.execute(select(event_header))}
        placed = {(row.stream_id, row.version): row.position for row in c.execute(select(event_position))}
        sids = {key: value for key, value in c.execute(select(stream_head.c.stream_id, stream_head.c.sid))}  # noqa: C416 -- rows are no pairs to `dict`
        mapped = _mapped(c)
    faults = set()
    events = {position for position, entry in leaves.items() if entry[:1] == EVENT_ENTRY}
    if events - {position for place, position in placed.items() if place in headers}:
        faults.add(LEAF_WITHOUT_EVENT)
    if set(headers) - set(placed):
        faults.add(EVENT_WITHOUT_LEAF)
    for place, row in headers.items():
        first = headers.get((place[0], 1))
        committed = commitment(row.salt, row.header)
        entry = leaves.get(placed.get(place, -1))
        if entry is None or first is None or entry != event_entry(committed, tag(stream_key(first.salt), place[1])):
            faults.add(DOES_NOT_OPEN)
        said = read_header(row.header)
        if (said.kind, said.n, said.sid) != (row.kind, row.version, sids.get(row.stream_id)):
            faults.add(COLUMNS_DIFFER)
    newest = read_entry(next(leaves[at] for at in sorted(leaves, reverse=True) if leaves[at][:1] == MAP_ENTRY))
    counted = sum(count for count, _ in mapped.values())
    covered = sum(position < newest.covered for position in events)
    if not counted == newest.events == covered or any(
        _head(headers, sids, sid, count) != head for sid, (count, head) in mapped.items()
    ):
        faults.add(MAP_COUNTS_OTHERWISE)
    return faults


def _mapped(c: Connection) -> dict[bytes, tuple[int, bytes]]:
    rows = c.execute(select(map_bucket.c.leaves)).scalars()
    leaves = [read_leaf(leaf) for bucket in rows for leaf in leaves_of(bucket)]
    return {leaf.sid: (leaf.count, leaf.head) for leaf in leaves}


def _head(headers: dict[tuple[object, int], object], sids: dict[object, bytes], sid: bytes, count: int) -> bytes:
    stream = next((id for id, each in sids.items() if each == sid), None)
    row = headers.get((stream, count))
    return b"" if row is None else commitment(row.salt, row.header)  # type: ignore[attr-defined]
