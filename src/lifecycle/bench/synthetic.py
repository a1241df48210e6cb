"""Large logs quickly: leaves of nobody put in bulk around the real events of one person, and then really signed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, delete, select, update

from lifecycle.domain.event import Judged
from lifecycle.domain.subject.events import ActivityRecorded
from lifecycle.engine.engine import Engine
from lifecycle.ledger.envelope import EVENT_ENTRY
from lifecycle.ledger.integration import LogTree
from lifecycle.ledger.log_proofs import entries_between
from lifecycle.ledger.many_rows import Columns, insert_many
from lifecycle.ledger.map_rows import StoredMap
from lifecycle.ledger.publisher import Publisher
from lifecycle.ledger.sequencer import locked_size
from lifecycle.ledger.subject_map import MapEntry, depth_for, packed, split
from lifecycle.ledger.tables import (
    event_position,
    ledger_queue,
    log_entry,
    log_state,
    log_system,
    log_tree,
    map_bucket,
)
from lifecycle.ledger.tiles import TILE_WIDTH, entries_path, entry_bundle, tile_bytes, tile_path
from lifecycle.ledger.tree import Frontier, leaf_hash
from lifecycle.storage.appending import Appending, load_heads
from lifecycle.storage.map_facts import facts_of
from lifecycle.storage.tables import stream_head

PERSON = {"email": "ann@example.com"}
EVENTS_A_STREAM = 8
_TOGETHER = 1_000
_AT_ONCE = 256 * TILE_WIDTH
_ENTRY = 48  # bytes behind the first


class Peopled(NamedTuple):
    """Whose evidence is asked for, and the sids that the subject map has."""

    person: UUID
    sids: Sequence[bytes]


def peopled_log(engine: Engine, size: int, events: int) -> Peopled:
    """A published log of `size` leaves over which `events` events of one person are spread."""
    person = _registered(engine)
    engine.drain()
    _live(engine, person, events)
    with engine.database.own() as c:
        waiting = _waiting(c)
        filling = _Filling(c, engine, size)
        filling.leaves(waiting)
        sids = filling.map()
        tree = filling.end()
    _sign(engine, tree)
    engine.drain()
    return Peopled(person, sids)


def _registered(engine: Engine) -> UUID:
    document = {"command": "give-consent", "id": "c-1", "actor": {"id": "web", "role": "service"}, "subject": PERSON}
    outcome = engine.execute({**document, "purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"})
    assert outcome.subject is not None, "consent registers a person"
    return outcome.subject


def _live(engine: Engine, person: UUID, events: int) -> None:
    now, made = engine.clock.now(), 0
    with engine.database.read() as c:
        keys = engine.vault.keys_of(c, [person])[person]
    judged = Judged(os.urandom(32).hex(), "service", engine.policies.in_force(now).judged_by, actor="web-7")  # type: ignore[union-attr]
    while made < events:
        appending = Appending()
        with engine.database.read() as c:
            head = load_heads(c, [person])[person]
        for _ in range(min(_TOGETHER, events - made)):
            fact = ActivityRecorded(occurred_at=now, purpose="free-trial")
            _, head = appending.append(head, keys, fact, judged, now)
            made += 1
        engine.streams.save(*appending.recorded, rows=appending.rows)


def _waiting(c: Connection) -> list[tuple[bytes, Any, int]]:
    """Entry, stream and version, as the driver has them, in the order in which they would be sequenced."""
    query = "SELECT entry, stream_id, version FROM ledger_queue ORDER BY event_id, stream_id, version"
    return [(row[0], row[1], row[2]) for row in c.exec_driver_sql(query)]


class _Filling:
    """One transaction's work. What it leaves is what sequencing and publishing would have left."""

    def __init__(self, c: Connection, engine: Engine, size: int) -> None:
        self._c = c
        self._engine = engine
        self._size = size
        self._first = locked_size(c)
        self._frontier = Frontier()
        self._files = _Files(engine.log.folder.folder)
        self._events = 0
        (known,) = entries_between(c, 0, self._first)
        self._take(known)

    def _take(self, entries: Sequence[bytes]) -> None:
        self._events += sum(entry[:1] == EVENT_ENTRY for entry in entries)
        self._files.add(self._frontier.size, entries, self._frontier.extend(map(leaf_hash, entries)))

    def leaves(self, waiting: Sequence[tuple[bytes, Any, int]]) -> None:
        """All but the last, which is the map's; those that wait are spread evenly."""
        last, step = self._size - 1, (self._size - 1 - self._first) / max(len(waiting), 1)
        assert step >= 1, "a log is larger than what is to be in it"
        placed = {self._first + int(at * step): event for at, event in enumerate(waiting)}
        for start in range(self._first, last, _AT_ONCE):
            past = min(start + _AT_ONCE, last)
            random = os.urandom(_ENTRY * (past - start))
            entries = [EVENT_ENTRY + random[at : at + _ENTRY] for at in range(0, len(random), _ENTRY)]
            here = [at for at in placed if start <= at < past] if placed else []
            for at in here:
                entries[at - start] = placed[at][0]
            insert_many(self._c, log_entry, {"position": range(start, past), "entry": entries})
            self._take(entries)
        streams, versions = [event[1] for event in waiting], [event[2] for event in waiting]
        insert_many(self._c, event_position, {"position": list(placed), "stream_id": streams, "version": versions})
        insert_many(self._c, log_system, {"position": [0]})
        self._c.execute(delete(ledger_queue))

    def map(self) -> list[bytes]:
        """A stream for every eight leaves, and the real ones."""
        many = max(self._size // EVENTS_A_STREAM, 1)
        sids = [(at * (1 << 64) // many).to_bytes(8, "big") + os.urandom(24) for at in range(many)]
        leaves = sorted([*(packed(sid, EVENTS_A_STREAM, sid, 0) for sid in sids), *self._real()])
        depth = depth_for(len(leaves))
        for some in _some(iter(split(leaves, depth).items())):
            columns: Columns = {"bucket": [at for at, _ in some], "leaves": [b"".join(held) for _, held in some]}
            insert_many(self._c, map_bucket, columns)
        self._map = StoredMap(self._c, depth, len(leaves))
        self._map.rebuild_rows()
        return sids

    def _real(self) -> Iterator[bytes]:
        head = stream_head.c
        rows = self._c.execute(select(head.sid, head.version, head.commitment).where(head.version > 0))
        return (packed(bytes(row.sid), row.version, bytes(row.commitment), 0) for row in rows)

    def end(self) -> LogTree:
        covered, stored = self._frontier.size, self._map
        entry = MapEntry(stored.depth, covered, stored.streams, self._events, stored.root()).packed
        insert_many(self._c, log_entry, {"position": [covered], "entry": [entry]})
        self._take([entry])
        self._files.end()
        edge = b"".join(self._frontier.hashes)
        tree = LogTree(self._size, self._frontier.root(), edge, stored.depth, stored.streams, self._events)
        self._c.execute(update(log_state).values(size=self._size))
        self._c.execute(update(log_tree).values({name: getattr(tree, name) for name in LogTree.__slots__}))
        return tree


class _Files:
    """Tiles and entry bundles, each written once; a bench does not wait for the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: dict[int, tuple[int, list[bytes]]] = {}
        self._entries: tuple[int, list[bytes]] = (0, [])

    def add(self, first: int, entries: Sequence[bytes], rows: Sequence[Any]) -> None:
        held_from, held = self._entries
        self._entries = self._full(held_from if held else first, [*held, *entries], entries_path, entry_bundle)
        for level, at, hashes in rows:
            held_from, held = self._rows.get(level, (at, []))
            self._rows[level] = self._full(held_from, held + hashes, _path_at(level), tile_bytes)

    def end(self) -> None:
        for level, (first, held) in self._rows.items():
            if held:
                self._write(tile_path(level, first // TILE_WIDTH, len(held)), tile_bytes(held))
        first, entries = self._entries
        if entries:
            self._write(entries_path(first // TILE_WIDTH, len(entries)), entry_bundle(entries))

    def _full(self, first: int, held: list[bytes], path: Any, content: Any) -> tuple[int, list[bytes]]:
        whole = len(held) - len(held) % TILE_WIDTH
        for at in range(0, whole, TILE_WIDTH):
            self._write(path((first + at) // TILE_WIDTH), content(held[at : at + TILE_WIDTH]))
        return first + whole, held[whole:]

    def _write(self, path: str, content: bytes) -> None:
        file = self._folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _path_at(level: int) -> Any:
    return lambda index: tile_path(level, index)


def _sign(engine: Engine, tree: LogTree) -> None:
    log = engine.log
    publisher = Publisher(engine.database, facts_of, log.folder, log.anchor, log.keys, log.origin)
    keys = log.keys.signing(log.origin)
    publisher.record(tree, publisher.sign(keys, tree, None), engine.clock.now())
    publisher.show(keys)


def _some(items: Iterator[tuple[int, list[bytes]]]) -> Iterator[list[tuple[int, list[bytes]]]]:
    while some := list(islice(items, 5_000)):
        yield some
