"""Turning facts into rows: header, sealed parts, log entry and the stream's new head, for one transaction."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection, bindparam, select

from lifecycle.columns import Ask, ask_together
from lifecycle.domain.event import DomainEvent, Judged, Recorded, Withheld
from lifecycle.ledger import envelope
from lifecycle.storage.event_ids import EventIds
from lifecycle.storage.tables import stream_head
from lifecycle.value_lists import one_of
from lifecycle.vault.sealing import RECORD, Sealed

_MANY = 10_000  # ids in one query: both engines take three times as many


class Sealer(Protocol):
    """Seals the parts of one person's events; `sid` is the stream's, for the associated data."""

    def seal(self, sid: bytes, n: int, hid: str, value: JsonValue) -> Sealed: ...


class Head(NamedTuple):
    """Where a stream stands; version 0 means that it has no event yet.

    A head of version 0 may be `stored` before the first event (`Appending.open`): so that a person's access stream can
    be fenced before it was ever used.
    """

    stream_id: UUID
    sid: bytes
    version: int = 0
    commitment: bytes | None = None
    stream_key: bytes | None = None
    generation: int = 1
    event_id: UUID | None = None
    at: datetime | None = None
    fenced: bool = False
    stored: bool = False

    @classmethod
    def new(cls, stream_id: UUID, sid: bytes, generation: int = 1) -> Head:
        return cls(stream_id, sid, generation=generation)

    @property
    def has_row(self) -> bool:
        """Whoever has an event has a row, also when this head was not read but follows from an append."""
        return self.stored or self.version > 0

    def after(self, commitment: bytes | None, stream_key: bytes | None, event_id: UUID | None, at: datetime) -> Head:
        return Head(
            self.stream_id,
            self.sid,
            self.version + 1,
            commitment,
            stream_key,
            self.generation,
            event_id,
            at,
            self.fenced,
            self.stored,
        )


class Placed(NamedTuple):
    """What an event needs besides its header: its id, the salt of its commitment, and its entry for the log."""

    event_id: UUID
    salt: bytes
    entry: bytes


@dataclass(slots=True)
class AppendRows:
    """Everything that one append writes besides the stored events themselves. The vault's rows are dicts of columns."""

    placed: list[Placed] = field(default_factory=list)  # one per stored event, in the same order
    bodies: list[dict[str, Any]] = field(default_factory=list)
    moves: dict[UUID, tuple[Head, Head]] = field(default_factory=dict)  # per stream: as it was read, as it becomes
    subject_keys: list[dict[str, Any]] = field(default_factory=list)
    data_keys: list[dict[str, Any]] = field(default_factory=list)
    lookups: list[dict[str, Any]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)
    pending_erasures: list[dict[str, Any]] = field(default_factory=list)
    pending_custody: list[dict[str, Any]] = field(default_factory=list)
    epoch_erasures: list[dict[str, Any]] = field(default_factory=list)


class _Stream:
    """Where one stream was when it was read, where it is by what was noted, and where by what was placed."""

    __slots__ = ("as_read", "noted", "placed")

    def __init__(self, head: Head) -> None:
        self.as_read = self.noted = self.placed = head


class Appending:
    """Collects what one transaction appends. Give `recorded` and `rows` to `Streams.save` when all is decided.

    Decisions go by what was noted; sealing and hashing wait until `recorded` is asked for, and are then done for all
    of it together: the same few functions over and over take half as long as between two decisions.
    """

    def __init__(self) -> None:
        self.noted: list[Recorded] = []  # without headers
        self.rows = AppendRows()
        self._recorded: list[Recorded] = []
        self._streams: dict[UUID, _Stream] = {}
        self._placing: list[tuple[_Stream, Sealer]] = []  # of each that is noted
        self._ids = EventIds()

    def open(self, head: Head) -> None:
        """Store the head of a stream that has no event yet."""
        self.rows.moves[head.stream_id] = (head, head)
        self._streams[head.stream_id] = _Stream(head)

    def append(
        self, head: Head, sealer: Sealer, fact: DomainEvent, judged: Judged, at: datetime
    ) -> tuple[Recorded, Head]:
        """Place `fact` after `head`. Returns the event as it will be recorded, without its header, and the head to
        append after next, which knows its version and not yet its commitment.

        The time of recording never goes back along a stream, whatever the clock does.
        """
        stream = self._streams.get(head.stream_id)
        if stream is None:
            stream = self._streams[head.stream_id] = _Stream(head)
        elif stream.noted is not head and stream.noted != head:
            raise AssertionError("an append goes after the newest head of its stream")
        at = max(at, head.at) if head.at else at
        recorded = Recorded(head.stream_id, head.version + 1, at, fact, judged)
        stream.noted = head.after(head.commitment, head.stream_key, head.event_id, at)
        self.noted.append(recorded)
        self._placing.append((stream, sealer))
        return recorded, stream.noted

    @property
    def recorded(self) -> list[Recorded]:
        """What was noted, with headers; their rows are in `rows`."""
        done = len(self._recorded)
        if done < len(self.noted):
            self._carry_out(self.noted[done:], self._placing[done:])
        return self._recorded

    def _carry_out(self, noted: Sequence[Recorded], placing: Sequence[tuple[_Stream, Sealer]]) -> None:
        parts = [self._seal(stream.as_read, one, by) for one, (stream, by) in zip(noted, placing, strict=True)]
        data = [one.event.header_data() for one in noted]
        for one, (stream, _), its_parts, its_data in zip(noted, placing, parts, data, strict=True):
            header = _header(stream.placed, one, its_parts, its_data)
            placed, stream.placed = self._place(stream.placed, header, one.recorded_at)
            self.rows.placed.append(placed)
            self._recorded.append(Recorded(one.originator_id, one.originator_version, *one[2:5], header))
        for stream in dict.fromkeys(stream for stream, _ in placing):
            self.rows.moves[stream.as_read.stream_id] = (stream.as_read, stream.placed)

    def _place(self, head: Head, header: bytes, at: datetime) -> tuple[Placed, Head]:
        salt = os.urandom(envelope.SALT_BYTES)
        commitment = envelope.commitment(salt, header)
        key = head.stream_key or envelope.stream_key(salt)
        entry = envelope.event_entry(commitment, envelope.tag(key, head.version + 1))
        placed = Placed(self._ids.after(head.event_id), salt, entry)
        return placed, head.after(commitment, key, placed.event_id, at)

    def _seal(self, head: Head, recorded: Recorded, sealer: Sealer) -> list[dict[str, str]]:
        stream, version, bodies = head.stream_id, recorded.originator_version, self.rows.bodies
        parts: list[dict[str, str]] = []
        for hid, value in _values(recorded.event, recorded.judged):
            if head.fenced:  # decisions know the fence; this is the last line before a person is sealed again
                raise AssertionError("a fenced stream takes no sealed part")
            part, ciphertext, data_key_row = sealer.seal(head.sid, version, hid, value)
            bodies.append({"stream_id": stream, "version": version, "part": len(parts), "ct": ciphertext})
            parts.append(part.as_json())
            if data_key_row is not None:
                self.rows.data_keys.append(data_key_row)
        return parts


def _header(head: Head, recorded: Recorded, parts: list[dict[str, str]], data: dict[str, Any]) -> bytes:
    fact, judged = recorded.event, recorded.judged
    return envelope.header_bytes(
        at=recorded.recorded_at,
        data=data,
        meta={"cmd": judged.cmd, "policy": judged.policy, "role": judged.role},
        n=recorded.originator_version,
        parts=parts,
        prev=envelope.b64url(head.commitment) if head.commitment else None,
        sid=head.sid,
        kind=fact.kind,
        is_plain=fact.is_plain(),
    )


def _values(fact: DomainEvent, judged: Judged) -> list[tuple[str, JsonValue]]:
    record = fact.record_words()
    if judged.actor is not None:
        record["actor"] = judged.actor
    if judged.correlation is not None:
        record["correlation"] = judged.correlation
    sealed: list[tuple[str, Any]] = [(RECORD, record)] if record else []
    sealed += fact.values.items()
    if any(type(value) is Withheld for _, value in sealed):
        raise AssertionError("a value that is withheld cannot be sealed")
    return sealed


_COLUMNS = Head._fields[:-1]  # `stored` is none
_HEADS = select(*(stream_head.c[name] for name in _COLUMNS)).where(
    stream_head.c.stream_id.in_(bindparam("ids", expanding=True))
)


def load_heads(c: Connection, stream_ids: Iterable[UUID]) -> dict[UUID, Head]:
    """The heads of those of the streams that have events."""
    return heads_in(ask_together(c, heads_asked(stream_ids)))


def heads_asked(stream_ids: Iterable[UUID]) -> list[Ask]:
    """What `heads_in` has to be given the answers to: so that it can be asked together with something else."""
    return [Ask(_HEADS, {"ids": some}) for some in in_chunks(stream_ids)]


def heads_in(answers: Iterable[Sequence[Any]]) -> dict[UUID, Head]:
    return {row[0]: Head._make((*row, True)) for rows in answers for row in rows}


def versions_of(c: Connection, stream_ids: Iterable[UUID]) -> dict[UUID, int]:
    """How far those of the streams are that have a head."""
    head, found = stream_head.c, dict[UUID, int]()
    for some in in_chunks(stream_ids):
        rows = c.execute(select(head.stream_id, head.version).where(one_of(head.stream_id, some)))
        found |= {row.stream_id: row.version for row in rows}
    return found


def in_chunks(ids: Iterable[UUID]) -> Iterator[Sequence[UUID]]:
    distinct = iter(dict.fromkeys(ids))
    while some := list(islice(distinct, _MANY)):
        yield some


def head_row(head: Head) -> Mapping[str, Any]:
    return dict(zip(_COLUMNS, head, strict=False))
