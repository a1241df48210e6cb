"""Takes leaves that have their positions into the tree and the subject map, and ends with the entry of that map."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import Connection, insert, select, update

from lifecycle.domain.streams import SYSTEM
from lifecycle.errors import Conflict, StoreUnavailable
from lifecycle.ledger.envelope import EVENT_ENTRY, SYSTEM_ENTRY, leaf_hash
from lifecycle.ledger.many_rows import insert_many, rows_of
from lifecycle.ledger.map_rows import StoredMap
from lifecycle.ledger.sequencer import LogMissing, locked_size, log_size
from lifecycle.ledger.subject_map import MAP_ENTRY, MapEntry, State, packed
from lifecycle.ledger.tables import (
    event_position,
    ledger_queue,
    log_entry,
    log_state,
    log_system,
    log_tree,
    map_expunged,
)
from lifecycle.ledger.tree import HASH_BYTES, Frontier
from lifecycle.row_lists import delete_rows
from lifecycle.value_lists import among

AT_ONCE = 50_000  # leaves in one transaction
_IN_A_QUERY = 5_000


class LogDamaged(StoreUnavailable):
    """Rows of the log are missing or were changed: nothing more is signed over them."""

    remedy = "restore a backup, then run `lifecycle restore check`"


class IntegratedMeanwhile(Conflict):
    """Another publisher was faster, or this one slept past its time; its work is lost and nothing is harmed."""


class Erasure(NamedTuple):
    """The event that completed a person's whole erasure, and the sids of both their streams."""

    record: UUID
    version: int
    sids: tuple[bytes, ...]


class StreamFacts(NamedTuple):
    """What the map has to know of a stream beside its events."""

    sid: bytes
    erasure: Erasure | None = None


# The rows of streams are no business of this room: whoever wires it says how to ask for them. A stream that is not in
# the answer was expunged.
FactsOf: TypeAlias = Callable[[Connection, Collection[UUID]], Mapping[UUID, StreamFacts]]


@dataclass(frozen=True, slots=True)
class LogTree:
    """The tree of the leaves that the subject map covers, as its row says."""

    size: int
    root: bytes
    frontier: bytes
    depth: int
    streams: int
    events: int

    def grown(self) -> Frontier:
        edge = [self.frontier[at : at + HASH_BYTES] for at in range(0, len(self.frontier), HASH_BYTES)]
        return Frontier(self.size, edge)


_TREE = select(*(log_tree.c[name] for name in LogTree.__slots__))
_ENTRIES = "SELECT entry FROM log_entry WHERE position >= {first:d} AND position < {past:d} ORDER BY position"
# Along a stream positions increase with versions. NOT INDEXED leaves SQLite the key of the row, which the range is
# about, and keeps it from walking over the index of all streams for the sake of the groups.
_NEWEST = (
    "SELECT stream_id, max(version), max(position) FROM event_position {plan} "
    "WHERE position >= {first:d} AND position < {past:d} GROUP BY stream_id"
)


def read_tree(c: Connection, *, locked: bool = False) -> LogTree:
    row = c.execute(_TREE.with_for_update() if locked else _TREE).one_or_none()
    if row is None:
        raise LogMissing("The log has no genesis entry.")
    return LogTree(*row)


def is_whole(c: Connection, tree: LogTree) -> bool:
    """Whether the tree ends with a map entry, so that it may be signed."""
    last = select(log_entry.c.entry).where(log_entry.c.position == tree.size - 1)
    entry: bytes | None = c.execute(last).scalar_one_or_none()
    return entry is not None and entry[:1] == MAP_ENTRY


def integrate(c: Connection, facts_of: FactsOf, limit: int = AT_ONCE) -> bool:
    """Take up to `limit` leaves into tree and map, in the caller's transaction; True when more are waiting.

    The last leaves get the map entry with them. Positions are not given meanwhile, but only from the moment when the
    known leaves are done: whoever sequences waits for milliseconds, not for a backlog.
    """
    before = read_tree(c, locked=True)
    known = log_size(c)
    if known == before.size and is_whole(c, before):
        return False
    growth = _Growth(c, before, facts_of)
    growth.take(min(known, before.size + limit))
    if growth.size < known:
        growth.store()
        return True
    growth.take(locked_size(c))
    growth.append_map_entry()
    growth.store()
    return False


def rebuild_map(c: Connection, facts_of: FactsOf) -> bytes:
    """Make the rows of the subject map anew, as they are to be at the tree's size; return the map's root.

    Errors: LogDamaged if the log's rows are not whole.
    """
    growth = _Growth(c, read_tree(c, locked=True), facts_of)
    root = growth.rebuild_map()
    growth.store()
    return root


def whole_entries(entries: Sequence[Any], expected: int) -> None:
    """Raise LogDamaged unless these are so many entries. SQLite gives back what was put in, of whatever type."""
    if len(entries) != expected:
        raise LogDamaged("Leaves of the log are missing.")
    if any(type(entry) is not bytes for entry in entries):
        raise LogDamaged("A leaf of the log was changed.")


class _Growth:
    """One transaction's work."""

    def __init__(self, c: Connection, before: LogTree, facts_of: FactsOf) -> None:
        self._c = c
        self._before = before
        self._facts_of = facts_of
        self._frontier = before.grown()
        self._map = StoredMap(c, before.depth, before.streams)
        self._events = before.events
        if self._frontier.root() != before.root:
            raise LogDamaged("The edge of the tree does not lead to its root.")

    @property
    def size(self) -> int:
        return self._frontier.size

    def take(self, past: int) -> None:
        first = self.size
        if first == past:
            return
        entries = self._entries(first, past)
        self._frontier.extend(map(leaf_hash, entries))
        self._events += sum(entry[:1] == EVENT_ENTRY for entry in entries)
        system = [first + at for at, entry in enumerate(entries) if entry[:1] == SYSTEM_ENTRY]
        insert_many(self._c, log_system, {"position": system})
        self._into_map(self._newest(first, entries))

    def _entries(self, first: int, past: int) -> Sequence[bytes]:
        entries = [row[0] for row in rows_of(self._c, _ENTRIES.format(first=first, past=past))]
        whole_entries(entries, past - first)
        return entries

    def _newest(self, first: int, entries: Sequence[bytes]) -> dict[UUID, tuple[int, bytes]]:
        """The newest version and commitment of each stream among these entries."""
        plan = "NOT INDEXED" if self._c.dialect.name == "sqlite" else ""
        rows = rows_of(self._c, _NEWEST.format(plan=plan, first=first, past=first + len(entries)))
        return {_id(stream): (version, entries[at - first][1:33]) for stream, version, at in rows}

    def rebuild_map(self) -> bytes:
        """Empty the map and fill it from all positions; what says that a stream was expunged is nowhere else."""
        waiting = self._expunged()
        there = [leaf for leaf in self._map.all_leaves() if leaf[-1] == State.EXPUNGED or leaf[:32] in waiting]
        self._map.clear()
        self._map.put({leaf[:32]: leaf for leaf in there})
        for first in range(0, self.size, AT_ONCE):
            self._into_map(self._newest(first, self._entries(first, min(first + AT_ONCE, self.size))))
        return self._map.root()

    def _into_map(self, newest: Mapping[UUID, tuple[int, bytes]]) -> None:
        facts = self._facts_of(self._c, newest)
        erased = self._erased({its.erasure for its in facts.values() if its.erasure is not None})
        alive = State.ALIVE
        moved = {its.sid: packed(its.sid, *newest[stream], alive) for stream, its in facts.items() if stream in newest}
        self._map.put(moved, erased)

    def _erased(self, erasures: Collection[Erasure]) -> set[bytes]:
        """The sids of both streams of people whose completed erasure is covered."""
        wanted = {(erasure.record, erasure.version): erasure.sids for erasure in erasures}
        position = event_position.c
        covered: set[bytes] = set()
        for some in _chunks(wanted, _IN_A_QUERY):
            there = select(position.stream_id, position.version).where(
                among(position.stream_id, position.version, some), position.position < self.size
            )
            for row in self._c.execute(there):
                covered.update(wanted[row.stream_id, row.version])
        return covered

    def append_map_entry(self) -> None:
        self._expunge()
        covered = self.size
        streams, events = self._map.streams, self._events
        entry = MapEntry(self._map.depth, covered, streams, events, self._map.root()).packed
        self._c.execute(insert(log_entry).values(position=covered, entry=entry))
        self._c.execute(update(log_state).values(size=covered + 1))
        self._frontier.append(leaf_hash(entry))

    def _expunge(self) -> None:
        """Not before the entry that says so has its leaf: the map never says more than the log it covers."""
        sids = self._expunged()
        unsaid = select(ledger_queue.c.version).where(ledger_queue.c.stream_id == SYSTEM).limit(1)
        if not sids or self._c.execute(unsaid).first():
            return
        self._map.put({}, expunged=sids)
        delete_rows(self._c, map_expunged, [{"sid": sid} for sid in sorted(sids)])

    def _expunged(self) -> set[bytes]:
        return {bytes(sid) for sid in self._c.execute(select(map_expunged.c.sid)).scalars()}

    def store(self) -> None:
        """The row is locked; that its size is still the one that was read is asked all the same."""
        tree = replace(
            self._before,
            size=self.size,
            root=self._frontier.root(),
            frontier=b"".join(self._frontier.hashes),
            depth=self._map.depth,
            streams=self._map.streams,
            events=self._events,
        )
        values: dict[str, Any] = {name: getattr(tree, name) for name in LogTree.__slots__}
        moved = update(log_tree).where(log_tree.c.size == self._before.size).values(values)
        if self._c.execute(moved).rowcount != 1:
            raise IntegratedMeanwhile("Another publisher has taken these leaves already.")


def _id(driver_s: UUID | str) -> UUID:
    return driver_s if isinstance(driver_s, UUID) else UUID(driver_s)


def _chunks(wanted: Collection[Any], many: int) -> Iterator[Sequence[Any]]:
    left = iter(wanted)
    while some := list(islice(left, many)):
        yield some
