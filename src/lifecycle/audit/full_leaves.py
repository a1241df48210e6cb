"""A full audit's way through the leaves, in order: the root, the files, what each leaf says, if it has an event."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import orjson
from sqlalchemy import BigInteger, Connection, bindparam, select

from lifecycle.audit.full_files import Files
from lifecycle.audit.full_findings import Findings
from lifecycle.errors import LifecycleError
from lifecycle.ledger.checkpoint import Checkpoint
from lifecycle.ledger.envelope import EVENT_ENTRY, SYSTEM_ENTRY, b64url, canonical
from lifecycle.ledger.ledger_files import LedgerFolder
from lifecycle.ledger.log_proofs import system_leaves
from lifecycle.ledger.note import read_note
from lifecycle.ledger.subject_map import MAP_ENTRY, MalformedMap, MapEntry, read_entry
from lifecycle.ledger.system_records import EPOCH_DESTROYED, GENESIS
from lifecycle.ledger.tables import checkpoint, event_position, final_record, log_entry, log_system
from lifecycle.ledger.tiles import TILE_WIDTH
from lifecycle.ledger.tree import Frontier, leaf_hash
from lifecycle.storage.tables import event_header

AT_ONCE = 16 * TILE_WIDTH
LOSS, EXPUNGED = "loss-declared/1", "expunged/1"
EVENT_BYTES = 49
Step = Callable[[int], None]  # so many more are done

_FIELDS = {
    GENESIS: {"at", "format", "kind", "origin", "simulated"},
    EPOCH_DESTROYED: {"at", "epoch", "kind", "records", "root"},
    LOSS: {"at", "first", "kind", "past"},
    EXPUNGED: {"at", "kind", "leaves"},
    "log-key-added/1": {"at", "kind", "vkey"},
    "log-key-retired/1": {"at", "kind", "vkey"},
}
_position, _header = event_position.c, event_header.c
_PLACE = log_entry.c.position
_FIRST, _PAST = bindparam("first", type_=BigInteger), bindparam("past", type_=BigInteger)
# The bounds are said of both tables: PostgreSQL does not carry them over an outer join by itself.
_LEAVES = (
    select(_PLACE, log_entry.c.entry, _position.stream_id, _header.version.label("opened"))
    .outerjoin(event_position, (_position.position == _PLACE) & _position.position.between(_FIRST, _PAST - 1))
    .outerjoin(event_header, (_header.stream_id == _position.stream_id) & (_header.version == _position.version))
    .where(_PLACE.between(_FIRST, _PAST - 1))
    .order_by(_PLACE)
)


class Ranges:
    """Leaves first .. past-1, of which a declaration says that nothing opens them."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._pasts: list[int] = []
        for first, past in sorted(ranges):
            if self._pasts and first <= self._pasts[-1]:
                self._pasts[-1] = max(self._pasts[-1], past)
            else:
                self._firsts.append(first)
                self._pasts.append(past)

    def __contains__(self, position: int) -> bool:
        at = bisect_right(self._firsts, position) - 1
        return at >= 0 and position < self._pasts[at]

    def __len__(self) -> int:
        return sum(past - first for first, past in zip(self._firsts, self._pasts, strict=True))


class Leaves:
    """One run over the leaves of a checkpoint. What it learns stays here for the passes that follow."""

    def __init__(self, c: Connection, folder: LedgerFolder, size: int, origin: str, found: Findings) -> None:
        self._c = c
        self._found = found
        self._origin = origin
        self._files = Files(folder, found)
        self.size = size
        self.frontier = Frontier()
        self.events = 0
        self.last_map: MapEntry | None = None
        self.destroyed: set[int] = set()  # epochs
        self._last_loss = -1  # the position of the newest declaration
        self.lost, self.expunged = self._declared()
        self._is_whole = True

    def run(self, step: Step) -> None:
        for first in range(0, self.size, AT_ONCE):
            past = min(first + AT_ONCE, self.size)
            rows = self._c.execute(_LEAVES, {"first": first, "past": past}).all()
            self._hash(first, past, rows)
            listed = self._listed(first, past)
            for row in rows:
                self._look(row, row.position in listed)
            step(past - first)
        if self._is_whole:
            self._files.finish()

    # -- the tree and its files --------------------------------------------------------------------------------------

    def _hash(self, first: int, past: int, rows: Sequence[Any]) -> None:
        if len(rows) != past - first:
            there = {row.position for row in rows}
            for position in range(first, past):
                if position not in there:
                    self._found.add("leaf-missing", position=position)
            self._is_whole = False
        if not self._is_whole:
            return  # behind a gap nothing is where it was
        entries = [_bytes(row.entry) for row in rows]
        self._files.add_entries(entries)
        for stop, note in [*self._checkpoints(first, past), (past, None)]:
            leaves = [leaf_hash(entry) for entry in entries[self.frontier.size - first : stop - first]]
            self._files.add_rows(self.frontier.extend(leaves))
            if note is not None:
                self._compare(stop, note)

    def _checkpoints(self, first: int, past: int) -> Iterator[tuple[int, str]]:
        """All that were ever signed: none may say another thing than these rows."""
        here = (checkpoint.c.size > first) & (checkpoint.c.size <= past)
        for row in self._c.execute(select(checkpoint.c.size, checkpoint.c.note).where(here).order_by("size")).all():
            yield row.size, row.note

    def _compare(self, size: int, note: str) -> None:
        signed = signed_in(note)
        if signed is None or (signed.size, signed.origin) != (size, self._origin):
            self._found.add("checkpoint-malformed", size=size)
        elif signed.root != self.frontier.root():
            self._found.add("root-differs", size=size)

    # -- one leaf ----------------------------------------------------------------------------------------------------

    def _look(self, row: Any, is_listed: bool) -> None:
        kind, position = _bytes(row.entry)[:1], row.position
        if is_listed != (kind == SYSTEM_ENTRY):
            self._found.add("system-index-differs", position=position)
        if row.stream_id is not None and kind != EVENT_ENTRY:
            self._found.add("position-of-no-event", position=position)
        if kind == EVENT_ENTRY and len(row.entry) == EVENT_BYTES and type(row.entry) is bytes:
            self.events += 1
            self._event(row)
        elif kind == MAP_ENTRY:
            self._map_entry(position, row.entry)
        elif kind == SYSTEM_ENTRY:
            self._system_entry(position, row.entry)
        else:
            self._found.add("leaf-malformed", position=position)

    def _event(self, row: Any) -> None:
        if row.opened is None:
            if row.position not in self.lost and row.position not in self.expunged:
                self._found.add("leaf-without-event", position=row.position)
        elif row.position in self.expunged:
            self._found.add("expunged-yet-here", position=row.position)

    def _map_entry(self, position: int, entry: bytes) -> None:
        try:
            said = read_entry(entry)
        except MalformedMap:
            self._found.add("leaf-malformed", position=position)
            return
        if (said.covered, said.events) != (position, self.events):
            self._found.add("map-entry-differs", position=position)
        self.last_map = said if position == self.size - 1 else None

    def _system_entry(self, position: int, entry: bytes) -> None:
        record = read_record(entry)
        if record is None or (record["kind"] == GENESIS) != (position == 0):
            self._found.add("system-entry-malformed", position=position)
        elif record["kind"] == GENESIS:
            if record["origin"] != self._origin:
                self._found.add("system-entry-malformed", position=position)
        elif record["kind"] == EPOCH_DESTROYED:
            self._epoch(position, record)
        elif any(not 0 <= first < past <= position for first, past in ranges_of(record)):
            self._found.add("system-entry-malformed", position=position)

    def _epoch(self, position: int, record: dict[str, Any]) -> None:
        epoch = record["epoch"]
        root, count = final_root(self._c, epoch)
        differs = epoch in self.destroyed or (record["records"], record["root"]) != (count, b64url(root))
        if differs and position > self._last_loss:  # a loss takes what was kept of an epoch, and it may end once more
            self._found.add("epoch-record-differs", position=position, epoch=epoch)
        self.destroyed.add(epoch)

    # -- what was declared -------------------------------------------------------------------------------------------

    def _listed(self, first: int, past: int) -> set[int]:
        place = log_system.c.position
        return set(self._c.execute(select(place).where(place >= first, place < past)).scalars())

    def _declared(self) -> tuple[Ranges, Ranges]:
        """A declaration stands behind the leaves that it is about, so these are read first."""
        ranges: dict[str, list[tuple[int, int]]] = {LOSS: [], EXPUNGED: []}
        for position, entry in system_leaves(self._c, self.size):
            record = read_record(_bytes(entry))
            if record is not None and record["kind"] in ranges:
                ranges[record["kind"]] += ranges_of(record)
                self._last_loss = max(self._last_loss, position if record["kind"] == LOSS else -1)
        return Ranges(ranges[LOSS]), Ranges(ranges[EXPUNGED])


def signed_in(note: str) -> Checkpoint | None:
    try:
        return Checkpoint.parse(read_note(note.encode()).text)
    except LifecycleError:
        return None


def read_record(entry: bytes) -> dict[str, Any] | None:
    """A system entry's record; None if it is none that this program writes."""
    try:
        record: Any = orjson.loads(entry[1:])
        known = canonical(record) == entry[1:] and record.keys() == _FIELDS.get(record["kind"])
    except (ValueError, TypeError, AttributeError, KeyError):
        return None
    return record if known and _has_numbers(record) else None


def ranges_of(record: dict[str, Any]) -> list[tuple[int, int]]:
    if record["kind"] == LOSS:
        return [(record["first"], record["past"])]
    return [(first, past) for first, past in record["leaves"]] if record["kind"] == EXPUNGED else []


def _has_numbers(record: dict[str, Any]) -> bool:
    numbers = [record[name] for name in ("epoch", "records") if name in record]
    try:
        return all(type(each) is int for each in [*numbers, *(bound for both in ranges_of(record) for bound in both)])
    except (TypeError, ValueError):
        return False


def final_root(c: Connection, epoch: Any) -> tuple[bytes, int]:
    """The root over what is kept of an epoch's end, and over how many streams."""
    frontier = Frontier()
    for leaves in final_leaves_kept(c, epoch):
        frontier.extend(leaves)
    return frontier.root(), frontier.size


def final_leaves_kept(c: Connection, epoch: Any, many: int = AT_ONCE) -> Iterator[list[bytes]]:
    """The leaves under the record of an epoch's end, in order, some at a time."""
    number, after = final_record.c.number, -1
    kept = select(number, final_record.c.leaf).where(final_record.c.epoch == epoch).order_by(number).limit(many)
    while rows := c.execute(kept.where(number > after)).all():
        yield [_bytes(row.leaf) for row in rows]
        after = rows[-1].number


def _bytes(stored: Any) -> bytes:
    """SQLite gives back what was put in, of whatever type."""
    return stored if type(stored) is bytes else b""
