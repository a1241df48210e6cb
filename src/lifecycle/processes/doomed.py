"""What an order means: which keys and bodies, look-ups or whole person it dooms, read from headers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.domain.event import Recorded
from lifecycle.domain.streams import access_stream_of, is_access_stream, subject_of_access
from lifecycle.domain.subject.events import ErasureCompleted, ErasureOrdered, IdentifierUnlinked, KeyDestroyed
from lifecycle.domain.subject.state import Subject
from lifecycle.ledger.envelope import Part, read_header, read_parts
from lifecycle.processes.sinks import ToErase
from lifecycle.storage.application import Streams
from lifecycle.storage.erasing import Ordered
from lifecycle.storage.folding import folded
from lifecycle.storage.headers import headers_at, headers_of
from lifecycle.storage.mapper import recorded
from lifecycle.storage.packing import unpacked
from lifecycle.storage.tables import event_header
from lifecycle.value_lists import one_of

Sealed = dict[tuple[UUID, int], tuple[Part, ...]]  # what each event sealed
Order = tuple[UUID, int]  # stream and version of the event that ordered it


@dataclass(frozen=True, slots=True)
class Doomed:
    """What one order destroys. `parts` are the sealed parts, by (version, index)."""

    order: Order
    at: datetime
    subject: Subject
    whole: bool
    parts: tuple[tuple[int, int, Part], ...] = ()
    identifier: str | None = None
    receipts: Mapping[str, str] = field(default_factory=dict)  # digests, by the sink that answered

    @property
    def for_sinks(self) -> ToErase:
        named = dict.fromkeys(part.hid for _, _, part in self.parts if part.hid in self.subject.holdings)
        return ToErase(self.subject.id, self.whole, tuple(self.subject.holdings if self.whole else named))

    @property
    def streams(self) -> list[UUID]:
        return both_streams(self.subject.id) if self.whole else [self.subject.id]

    @property
    def destroyed(self) -> tuple[KeyDestroyed, ...]:
        """Each key with the commitment that its header made."""
        commitments = {part.kid: part.kc for _, _, part in self.parts if part.kid}
        return tuple(KeyDestroyed(kid=kid, kc=kc) for kid, kc in commitments.items())

    @property
    def kids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.kid for _, _, part in self.parts if part.kid))


def doomed_by(c: Connection, streams: Streams, orders: Sequence[Order]) -> list[Doomed]:
    subjects = _subjects(c, streams, orders)
    ordering = [recorded(*row) for row in headers_at(c, orders)]
    sealed = _sealed(c, subjects, ordering)
    return [_one(subjects[each.originator_id], each, sealed) for each in ordering]


def _subjects(c: Connection, streams: Streams, orders: Sequence[Order]) -> dict[UUID, Subject]:
    """As they were when it was ordered, or later: nothing is sealed any more in what an order dooms."""
    subjects = {stream: state for stream, n in orders if (state := streams.remembered(stream)) and state.version >= n}
    unknown = [stream for stream, _ in orders if stream not in subjects]
    if unknown:
        with streams.prefetched(unknown, c):
            subjects |= {stream: streams.repository.get(stream, projector_func=folded) for stream in unknown}
    return subjects


def order_of(ordered: Ordered) -> Order:
    """Of a whole person the second stream is pending too, and may be so alone: whoever was late left it."""
    stream = ordered.stream_id
    return subject_of_access(stream) if is_access_stream(stream) else stream, ordered.version


def called_completed(c: Connection, streams: Sequence[UUID]) -> set[Order]:
    """Orders that were called completed before a crash took the rest."""
    head = event_header.c
    rows = c.execute(
        select(head.stream_id, head.header).where(one_of(head.stream_id, streams), head.kind == ErasureCompleted.kind)
    )
    return {(row.stream_id, int(read_header(row.header).data["order"])) for row in rows}


def both_streams(person: UUID) -> list[UUID]:
    return [person, access_stream_of(person)]


def _one(subject: Subject, ordering: Recorded, sealed: Sealed) -> Doomed:
    stream = ordering.originator_id
    order = (stream, ordering.originator_version)
    event = ordering.event
    if isinstance(event, IdentifierUnlinked):
        return Doomed(order, ordering.recorded_at, subject, False, identifier=event.identifier)
    assert isinstance(event, ErasureOrdered), "an order is one of two kinds"
    holdings = None if event.whole else set(event.holdings)
    versions = _versions(subject, ordering)
    return Doomed(order, ordering.recorded_at, subject, event.whole, tuple(_parts(sealed, stream, versions, holdings)))


def _versions(subject: Subject, ordering: Recorded) -> Iterable[int]:
    """The events that sealed something of what is to be destroyed; after the order nothing more of it is sealed."""
    event, last = ordering.event, ordering.originator_version
    if not isinstance(event, ErasureOrdered):
        return ()
    if event.whole:
        return range(1, last + 1)
    sealed = {version for holding in event.holdings for version in subject.sealed_in(holding)}
    return sorted(version for version in sealed if version <= last)


def _sealed(c: Connection, subjects: Mapping[UUID, Subject], ordering: Sequence[Recorded]) -> Sealed:
    """What the events sealed that these orders are about, in a few queries however many there are: of whole people
    everything that they have, of others single events of records that may be long."""
    whole = {each.originator_id for each in ordering if isinstance(each.event, ErasureOrdered) and each.event.whole}
    found = {(stream, version): read_parts(unpacked(header)) for stream, version, _, header in headers_of(c, whole)}
    wanted = dict.fromkeys(
        (each.originator_id, version)
        for each in ordering
        if each.originator_id not in whole
        for version in _versions(subjects[each.originator_id], each)
    )
    return found | {(stream, n): read_parts(header) for stream, n, header in headers_at(c, list(wanted))}


def _parts(
    sealed: Sealed, stream: UUID, versions: Iterable[int], holdings: set[str] | None
) -> Iterable[tuple[int, int, Part]]:
    for version in versions:
        for index, part in enumerate(sealed[(stream, version)]):
            if holdings is None or part.hid in holdings:
                yield version, index, part
