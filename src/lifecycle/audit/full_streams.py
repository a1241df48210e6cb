"""A full audit's way through the events, stream by stream: each opens its leaf and follows the one before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, literal, select, tuple_

from lifecycle.audit.full_erasures import NONE, Erasures, erasures_of, record_of
from lifecycle.audit.full_findings import Findings, place
from lifecycle.audit.full_leaves import Step
from lifecycle.audit.full_parts import Parts
from lifecycle.domain.catalogue import KINDS, UPCASTS
from lifecycle.domain.streams import is_access_stream, is_person_stream
from lifecycle.domain.subject.events import CommandRefused, SubjectRegistered
from lifecycle.ledger import envelope
from lifecycle.ledger.envelope import Header, MalformedHeader, b64url
from lifecycle.ledger.tables import event_position, ledger_queue, log_entry
from lifecycle.storage.appending import in_chunks
from lifecycle.storage.idempotency import KEPT
from lifecycle.storage.tables import event_header, stream_head
from lifecycle.value_lists import one_of
from lifecycle.vault.vault import Vault

AT_ONCE = 2_000
Key = tuple[UUID, int]

_header, _position, _queue = event_header.c, event_position.c, ledger_queue.c
_EVENTS = (
    select(event_header, _position.position, log_entry.c.entry, _queue.entry.label("queued"), _queue.event_id)
    .outerjoin(event_position, (_position.stream_id == _header.stream_id) & (_position.version == _header.version))
    .outerjoin(log_entry, log_entry.c.position == _position.position)
    .outerjoin(ledger_queue, (_queue.stream_id == _header.stream_id) & (_queue.version == _header.version))
    .order_by(_header.stream_id, _header.version)
    .limit(AT_ONCE)
)


@dataclass(slots=True)
class _Stream:
    """The stream whose events are being read, as far as they were."""

    id: UUID
    head: Row[Any] | None
    erasures: Erasures
    n: int = 0
    prev: str | None = None
    commitment: bytes = b""
    key: bytes | None = None
    at: datetime | None = None
    event_id: UUID | None = None  # of the last one, while it waits for its place
    position: int | None = -1  # None: this one, and so every later one, still waits
    cmd: str = ""
    cmds: dict[int, datetime] = field(default_factory=dict)  # when each was recorded; by hashes, which are smaller

    @property
    def sid(self) -> bytes | None:
        return bytes(self.head.sid) if self.head is not None else None


class Events:
    """One run over all events of the database, sequenced or not."""

    def __init__(self, c: Connection, vault: Vault | None, found: Findings) -> None:
        self._c = c
        self._found = found
        self._stream: _Stream | None = None
        self._parts = Parts(c, vault, found)
        self.count = 0

    def run(self, step: Step) -> None:
        after: Key | None = None
        while rows := self._c.execute(_EVENTS if after is None else _EVENTS.where(behind(after))).all():
            until = (rows[-1].stream_id, rows[-1].version)
            self._batch(rows, after, until)
            after = until
            step(len(rows))
        self._parts.rest(after)
        self._close()

    def _batch(self, rows: Sequence[Row[Any]], after: Key | None, until: Key) -> None:
        streams = list(dict.fromkeys(row.stream_id for row in rows))
        heads = _heads(self._c, streams)
        erasures = erasures_of(self._c, streams)
        self._parts.read(streams, erasures, after, until)
        for row in rows:
            if self._stream is None or self._stream.id != row.stream_id:
                self._close()
                self._open(row, heads, erasures)
            assert self._stream is not None, "it was just opened"
            self._event(self._stream, row)
        self._parts.unread()
        self.count += len(rows)

    # -- streams -----------------------------------------------------------------------------------------------------

    def _open(self, row: Row[Any], heads: dict[UUID, Row[Any]], erasures: dict[UUID, Erasures]) -> None:
        id = row.stream_id
        its = self._stream = _Stream(id, heads.get(id), erasures.get(record_of(id), NONE))
        if its.head is None:
            self._found.add("events-without-head", **place(_sid_in(row.header)))
        self._parts.keys(id, its.sid, its.erasures)
        for version, (order, whole) in its.erasures.completed.items():
            if id == record_of(id) and its.erasures.ordered.get(order) != whole:
                self._add("erasure-unordered", its, version)

    def _close(self) -> None:
        its, self._stream = self._stream, None
        if its is None or its.head is None:
            return
        head = its.head
        kept = (head.version, head.commitment, head.stream_key, head.at)
        if kept != (its.n, its.commitment, its.key, its.at) or its.event_id not in (None, head.event_id):
            self._add("head-differs", its, its.n)

    # -- one event ---------------------------------------------------------------------------------------------------

    def _event(self, its: _Stream, row: Row[Any]) -> None:
        if type(row.header) is not bytes or type(row.salt) is not bytes:
            self._add("header-malformed", its, row.version)
            return
        its.commitment = envelope.commitment(row.salt, row.header)
        if its.key is None and (row.version == 1 or its.head is not None):
            its.key = envelope.stream_key(row.salt) if row.version == 1 else its.head and its.head.stream_key
        try:
            header = envelope.read_header(row.header, strict=True)
        except MalformedHeader:
            self._add("header-malformed", its, row.version)
        else:
            self._columns(its, row, header)
            self._follows(its, row, header)
            self._parts.check(its.id, its.sid, header, row.version, its.erasures)
            its.at = header.at
        self._leaf(its, row)
        its.n, its.prev, its.event_id = row.version, b64url(its.commitment), row.event_id

    def _columns(self, its: _Stream, row: Row[Any], header: Header) -> None:
        derived = (header.kind, header.n, header.sid)
        known = header.kind in KINDS or header.kind in UPCASTS
        if derived != (row.kind, row.version, its.sid if its.sid is not None else header.sid) or not known:
            self._add("columns-differ", its, row.version)

    def _follows(self, its: _Stream, row: Row[Any], header: Header) -> None:
        if (header.n, header.prev) != (its.n + 1, its.prev) or (its.at is not None and header.at < its.at):
            self._add("chain-broken", its, row.version)
        if its.event_id is not None and row.event_id is not None and row.event_id <= its.event_id:
            self._add("columns-differ", its, row.version)
        self._command(its, row, header)
        whole = its.erasures.whole
        if whole is not None and header.parts and its.id == record_of(its.id) and row.version > whole[0]:
            self._add("sealed-after-erasure", its, row.version)
        if header.kind == SubjectRegistered.kind and is_person_stream(its.id):
            self._parts.access(its.id, its.sid, header)

    def _command(self, its: _Stream, row: Row[Any], header: Header) -> None:
        """One may record several events in a row, and comes again only when its id has been forgotten."""
        cmd = header.meta["cmd"]
        if cmd == its.cmd:
            return
        before = its.cmds.get(hash(cmd))
        if before is not None and header.at - before < KEPT and not _by_a_stranger(its, header):
            self._add("command-repeated", its, row.version)
        its.cmd = cmd
        its.cmds[hash(cmd)] = header.at

    def _leaf(self, its: _Stream, row: Row[Any]) -> None:
        entry = envelope.event_entry(its.commitment, envelope.tag(its.key or b"", row.version))
        if row.position is None:
            self._waits(its, row, entry)
            return
        if its.position is None or row.position <= its.position:
            self._add("order-differs", its, row.version)
        its.position = row.position
        if row.queued is not None:
            self._add("queue-differs", its, row.version)
        if row.entry is None or row.entry[:33] != entry[:33]:
            self._add("leaf-does-not-open", its, row.version)
        elif row.entry != entry:
            self._add("tag-differs", its, row.version)

    def _waits(self, its: _Stream, row: Row[Any], entry: bytes) -> None:
        if row.queued is None:
            self._add("event-outside-log", its, row.version)
            return
        its.position = None
        if row.queued != entry:
            self._add("queue-differs", its, row.version)

    def _add(self, check: str, its: _Stream, version: int) -> None:
        self._found.add(check, **place(its.sid, version))


def _sid_in(header: Any) -> bytes | None:
    try:
        return envelope.read_header(header).sid
    except MalformedHeader:
        return None


def behind(key: Key) -> Any:
    return tuple_(_header.stream_id, _header.version) > _key(key)


def _key(key: Key) -> Any:
    return tuple_(literal(key[0], _header.stream_id.type), literal(key[1], _header.version.type))


def _heads(c: Connection, streams: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    return {
        row.stream_id: row
        for some in in_chunks(streams)
        for row in c.execute(select(stream_head).where(one_of(stream_head.c.stream_id, some)))
    }


def _by_a_stranger(its: _Stream, header: Header) -> bool:
    """Refused attempts by people whom nobody knows: their ids are not remembered, each try is on record (ADR 0010)."""
    return header.kind == CommandRefused.kind and not is_access_stream(its.id)
