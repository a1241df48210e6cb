"""The strongest attacker: has the database, its administrator's rights, the log's key and our own programs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from attacks.drafts import draft_of
from attacks.victim import Person, Scene, streams_of
from sqlalchemy import Connection, delete, insert, select, update
from verify.book import Draft

from lifecycle.audit.bundle import Stream
from lifecycle.domain.streams import access_stream_of
from lifecycle.ledger import envelope
from lifecycle.ledger.envelope import b64url
from lifecycle.ledger.ledger_files import CHECKPOINT
from lifecycle.ledger.map_rows import StoredMap
from lifecycle.ledger.subject_map import MapLeaf, leaves_of, read_leaf
from lifecycle.ledger.tables import (
    checkpoint,
    event_position,
    ledger_queue,
    log_entry,
    log_state,
    log_system,
    log_tree,
    map_bucket,
    map_tile,
)
from lifecycle.ledger.tree import EMPTY
from lifecycle.storage.event_ids import EventIds
from lifecycle.storage.tables import event_body, event_header, stream_head

Header = dict[str, Any]


class Forger:
    """Works on a scene. Nothing here asks whether it may."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    # -- events ------------------------------------------------------------------------------------------------------

    def append(
        self,
        stream_id: UUID,
        kind: str,
        data: dict[str, Any] | None = None,
        *,
        parts: Sequence[dict[str, str]] = (),
        bodies: Sequence[bytes] = (),
        tag: bytes | None = None,
        **lies: Any,
    ) -> int:
        """Append an event that no rule allowed; `lies` replace fields of its header. Returns its version."""
        at = envelope.written(self.scene.clock.now())
        with self.scene.dba() as c:
            head = c.execute(select(stream_head).where(stream_head.c.stream_id == stream_id)).one()
            n = head.version + 1
            header = envelope.canonical(
                {
                    "at": at,
                    "data": {"occurred_at": at, **(data or {})},
                    "meta": {"cmd": os.urandom(32).hex(), "policy": "none", "role": "system"},
                    "n": n,
                    "parts": list(parts),
                    "prev": b64url(head.commitment) if head.commitment else None,
                    "sid": b64url(head.sid),
                    "type": kind,
                    "v": 1,
                    **lies,
                }
            )
            salt = os.urandom(64)
            key = head.stream_key or envelope.stream_key(salt)
            committed = envelope.commitment(salt, header)
            entry = envelope.event_entry(committed, tag or envelope.tag(key, n))
            id = EventIds().after(head.event_id)
            place = {"stream_id": stream_id, "version": n}
            c.execute(insert(event_header).values(**place, kind=f"{kind}/1", header=header, salt=salt))
            for number, ct in enumerate(bodies):
                c.execute(insert(event_body).values(stream_id=stream_id, version=n, part=number, ct=ct))
            c.execute(insert(ledger_queue).values(**place, event_id=id, entry=entry))
            said = envelope.read_header(header).at
            moved = {"version": n, "commitment": committed, "stream_key": key, "event_id": id, "at": said}
            c.execute(update(stream_head).where(stream_head.c.stream_id == stream_id).values(moved))
        return n

    def open_stream(self, stream_id: UUID) -> bytes:
        """A stream that has no event yet; its new sid."""
        sid = os.urandom(32)
        with self.scene.dba() as c:
            c.execute(insert(stream_head).values(stream_id=stream_id, sid=sid, version=0, generation=1, fenced=False))
        return sid

    def rewrite(self, stream_id: UUID, version: int, change: Callable[[Header], None]) -> None:
        """Change one header, and make everything after it fit: chain, commitments, entries, head."""
        with self.scene.dba() as c:
            rows = self.headers(c, stream_id)
            key = envelope.stream_key(rows[0].salt)
            committed = b""
            for row in rows:
                said = json.loads(row.header)
                if row.version == version:
                    change(said)
                elif row.version > version:
                    said["prev"] = b64url(committed)
                header = envelope.canonical(said)
                committed = envelope.commitment(row.salt, header)
                entry = envelope.event_entry(committed, envelope.tag(key, row.version))
                self.put_header(c, stream_id, row.version, header)
                self.put_entry(c, stream_id, row.version, entry)
            head = update(stream_head).where(stream_head.c.stream_id == stream_id)
            c.execute(head.values(commitment=committed))

    def remove_newest(self, stream_id: UUID) -> None:
        """As if the newest event of a stream had never been, except for its leaf."""
        with self.scene.dba() as c:
            *_, before, newest = self.headers(c, stream_id)
            for table in (event_header, event_body, event_position):
                c.execute(delete(table).where(table.c.stream_id == stream_id, table.c.version == newest.version))
            moved = {
                "version": before.version,
                "commitment": envelope.commitment(before.salt, before.header),
                "at": envelope.read_header(before.header).at,
            }
            c.execute(update(stream_head).where(stream_head.c.stream_id == stream_id).values(moved))

    @staticmethod
    def headers(c: Connection, stream_id: UUID) -> Sequence[Any]:
        return c.execute(
            select(event_header).where(event_header.c.stream_id == stream_id).order_by(event_header.c.version)
        ).all()

    @staticmethod
    def put_header(c: Connection, stream_id: UUID, version: int, header: bytes) -> None:
        of = (event_header.c.stream_id == stream_id) & (event_header.c.version == version)
        c.execute(update(event_header).where(of).values(header=header))

    @staticmethod
    def put_entry(c: Connection, stream_id: UUID, version: int, entry: bytes) -> None:
        of = (event_position.c.stream_id == stream_id) & (event_position.c.version == version)
        position = c.execute(select(event_position.c.position).where(of)).scalar_one()
        c.execute(update(log_entry).where(log_entry.c.position == position).values(entry=entry))

    # -- the log -----------------------------------------------------------------------------------------------------

    def add_leaf(self, entry: bytes) -> int:
        """A leaf straight into the log; its position."""
        with self.scene.dba() as c:
            position = c.execute(select(log_state.c.size)).scalar_one()
            c.execute(insert(log_entry).values(position=position, entry=entry))
            c.execute(update(log_state).values(size=position + 1))
        return int(position)

    def add_system_entry(self, record: dict[str, Any]) -> int:
        at = envelope.written(self.scene.clock.now())
        return self.add_leaf(envelope.system_entry({"at": at, **record}))

    def cut_off(self, size: int) -> None:
        """Leave the first leaves, and the events that have them."""
        with self.scene.dba() as c:
            late = select(event_position).where(event_position.c.position >= size)
            for row in c.execute(late).all():
                for table in (event_header, event_body):
                    c.execute(delete(table).where(table.c.stream_id == row.stream_id, table.c.version == row.version))
            for table in (event_position, log_entry, log_system):
                c.execute(delete(table).where(table.c.position >= size))
            c.execute(update(log_state).values(size=size))

    def rebuild_tree(self, *, without_last_map: bool = False) -> None:
        """Forget tree, map and checkpoints: publishing makes them anew from the leaves as they now are."""
        with self.scene.dba() as c:
            for table in (map_bucket, map_tile, log_system, checkpoint):
                c.execute(delete(table))
            anew = {"size": 0, "root": EMPTY, "frontier": b"", "depth": 0, "streams": 0, "events": 0}
            c.execute(update(log_tree).values(anew))
            if without_last_map:
                last = c.execute(select(log_state.c.size)).scalar_one() - 1
                c.execute(delete(log_entry).where(log_entry.c.position == last))
                c.execute(update(log_state).values(size=last))

    def forget_what_was_signed(self) -> None:
        """Checkpoints, anchor and public folder go: nothing of ours is left that would notice."""
        with self.scene.dba() as c:
            c.execute(delete(checkpoint))
        (self.scene.keys / "anchor").unlink()
        shutil.rmtree(self.scene.ledger)

    def lie_in_the_map(self, change: Callable[[list[MapLeaf]], list[MapLeaf]]) -> None:
        """Change the leaves of the stored map; the next map entry is made over them."""
        with self.scene.dba() as c:
            tree = c.execute(select(log_tree)).one()
            assert tree.depth == 0
            (row,) = c.execute(select(map_bucket)).all()
            leaves = sorted(change([read_leaf(leaf) for leaf in leaves_of(row.leaves)]), key=lambda leaf: leaf.sid)
            c.execute(update(map_bucket).values(leaves=b"".join(leaf.packed for leaf in leaves)))
            c.execute(update(log_tree).values(streams=len(leaves)))
            StoredMap(c, 0, len(leaves)).rebuild_rows()

    # -- bundles -----------------------------------------------------------------------------------------------------

    def bundle(self, person: Person | bytes, *, disclosed: bool = False) -> Draft:
        """A bundle of the rows as they are; of a sid alone as if nobody had it."""
        streams = [Stream("record", person)] if isinstance(person, bytes) else streams_of(person)
        return draft_of(self.scene.engine, streams, disclosed=disclosed, previous=self.scene.auditor.sizes)

    def person(self, id: UUID) -> Person:
        """Somebody whom the forger made up."""
        sid = stream_head.c.sid
        with self.scene.dba() as c:
            record, access = (
                c.execute(select(sid).where(stream_head.c.stream_id == stream)).scalar_one()
                for stream in (id, access_stream_of(id))
            )
        return Person(id, record, access)

    def shown_checkpoint(self) -> bytes:
        return (self.scene.ledger / CHECKPOINT).read_bytes()
