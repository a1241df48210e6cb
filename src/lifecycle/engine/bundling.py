"""From a person, or the receipt of somebody erased, to a bundle of evidence on the disk."""

from __future__ import annotations

import os
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.audit import bundle as evidence_of
from lifecycle.audit.bundle import Evidence, Keys, Stream
from lifecycle.audit.explode import exploded
from lifecycle.audit.summary import summary
from lifecycle.domain.event import Judged
from lifecycle.domain.streams import access_stream_of, is_person_stream
from lifecycle.domain.subject.events import ErasureOrdered, PersonalDataRead
from lifecycle.engine.archives import add_member, beside
from lifecycle.engine.erasure_receipts import NotAReceipt
from lifecycle.errors import Invalid, StoreUnavailable
from lifecycle.ledger.envelope import SID_BYTES, unb64url
from lifecycle.ledger.subject_map import State
from lifecycle.ledger.tables import event_position
from lifecycle.policy.vocabulary import Role
from lifecycle.storage.appending import Appending, load_heads
from lifecycle.storage.folding import folded
from lifecycle.storage.lost_keys import explained_wholly
from lifecycle.storage.tables import event_header, stream_head
from lifecycle.value_lists import one_of

if TYPE_CHECKING:
    from lifecycle.engine.engine import Engine

PURPOSE = "evidence-bundle"  # no purpose of the policy: whoever asks for evidence asks for all of it


class NoRecord(Invalid):
    remedy = "give the pseudonym of a person's record; if its evidence was expunged just now, publish the log first"

    def __init__(self) -> None:
        super().__init__("The log has this pseudonym, and it is not that of a record.")


class OrderNotPublished(StoreUnavailable):
    remedy = "try again in a moment, or run `lifecycle ledger publish` where the key of the log is"

    def __init__(self) -> None:
        super().__init__("An erasure of this person was ordered just now, and no checkpoint covers the order yet.")


@dataclass(frozen=True, slots=True)
class Bundled:
    """What was written: under which checkpoint, about how many events."""

    path: Path
    size: int
    events: int
    is_absent: bool
    is_expunged: bool = False

    def as_json(self) -> dict[str, Any]:
        said = {"path": str(self.path), "size": self.size, "events": self.events}
        return {**said, "absent": self.is_absent, "expunged": self.is_expunged}


def sid_of_receipt(receipt: Mapping[str, Any]) -> bytes:
    """The pseudonym in an erasure receipt, or in what an auditor asks about."""
    try:
        sid = unb64url(receipt["sid"])
    except (KeyError, TypeError, ValueError):
        raise NotAReceipt from None
    if len(sid) != SID_BYTES:
        raise NotAReceipt
    return sid


def streams_of(c: Connection, *, subject_id: UUID | None = None, sid: bytes | None = None) -> list[Stream]:
    """A person's two streams; for a sid that nobody has, one that is absent."""
    if subject_id is None:
        found = c.execute(select(stream_head.c.stream_id).where(stream_head.c.sid == sid)).scalar_one_or_none()
        if found is None or not is_person_stream(found):
            assert sid is not None, "either a person or a sid is asked for"
            return [Stream("record", sid)]
        subject_id = found
    wanted = {subject_id: "record", access_stream_of(subject_id): "access"}
    rows = c.execute(select(stream_head.c.stream_id, stream_head.c.sid).where(one_of(stream_head.c.stream_id, wanted)))
    sids = {row.stream_id: bytes(row.sid) for row in rows}
    return [
        Stream("record", sids[subject_id], subject_id),
        Stream("access", sids[access_stream_of(subject_id)], access_stream_of(subject_id)),
    ]


def write_bundle(
    engine: Engine,
    out: Path,
    *,
    subject_id: UUID | None = None,
    sid: bytes | None = None,
    disclosed: bool = False,
    previous: tuple[int, ...] = (),
    explode: bool = False,
) -> Bundled:
    """Write the evidence as a ZIP file, whole or not at all. The log is published first where its key is at hand.

    Disclosing values is a clear read: it is on record, and in the bundle, before they are opened. Policy clause 4.
    """
    if disclosed:
        _record_read(engine, subject_id, sid)
    if engine.log.may_sign:
        engine.publish()
    with engine.database.read() as c:
        streams = streams_of(c, subject_id=subject_id, sid=sid)
        evidence = engine.log.evidence(c)
        _orders_are_covered(c, streams[0].id, evidence.size)
        state = _state_without_events(evidence, streams)
        keys = _keys(engine, c, streams) if disclosed else None
        with _zip(out) as archive:
            for name, chunks in evidence_of.bundle(
                c, evidence, streams, keys=keys, disclosed=disclosed, previous=previous
            ):
                add_member(archive, name, chunks)
            told = summary(
                c, evidence, streams, keys, now=engine.clock.now(), simulated=engine.is_simulated, state=state
            )
            add_member(archive, "summary.html", [told.html.encode()])
        if explode:
            _explode(c, evidence, streams, out)
    is_expunged = state is State.EXPUNGED
    return Bundled(out, evidence.size, told.events, streams[0].id is None and not is_expunged, is_expunged)


def _orders_are_covered(c: Connection, record: UUID | None, size: int) -> None:
    """What an order has destroyed is missing at once, and only the order explains it: so it has to be in the evidence.
    Of its completion the evidence may still say nothing."""
    head, at = event_header.c, event_position.c
    same = (at.stream_id == head.stream_id) & (at.version == head.version)
    orders = select(at.position).select_from(event_header.outerjoin(event_position, same))
    for position in c.execute(orders.where(head.stream_id == record, head.kind == ErasureOrdered.kind)).scalars():
        if position is None or position >= size:
            raise OrderNotPublished


def _state_without_events(evidence: Evidence, streams: list[Stream]) -> State | None:
    """Of a sid under which no record is here: whether the map knows nothing of it, or that it was expunged."""
    if streams[0].id is not None:
        return None
    state = evidence.map.state(streams[0].sid)
    if state not in (None, State.EXPUNGED):
        raise NoRecord
    return state


def _record_read(engine: Engine, subject_id: UUID | None, sid: bytes | None) -> None:
    now = engine.clock.now()
    with engine.database.read() as c:
        record, *rest = streams_of(c, subject_id=subject_id, sid=sid)
        keys = engine.vault.keys_of(c, [record.id]).get(record.id) if record.id is not None else None
        if record.id is None:
            return  # nobody
        if keys is None:
            explained_wholly(c, engine.vault, record.id)
            return  # nobody any more: there is nothing to disclose
        head = load_heads(c, [rest[0].id])[rest[0].id] if rest[0].id is not None else None
    assert head is not None, "a known person's second stream has a head"
    subject = engine.streams.repository.get(record.id, projector_func=folded)
    kept = tuple(holding.id for holding in subject.kept())
    label = engine.policies.label_at(now)
    judged = Judged(engine.vault.cmd(secrets.token_hex(16)), Role.AUDITOR.value, label)
    appending = Appending()
    appending.append(
        head, keys, PersonalDataRead(occurred_at=now, purpose=PURPOSE, holdings=kept, clear=True), judged, now
    )
    engine.streams.save(*appending.recorded, rows=appending.rows)


def _keys(engine: Engine, c: Connection, streams: list[Stream]) -> Keys | None:
    person = streams[0].id
    found = None if person is None else engine.vault.keys_of(c, [person]).get(person)
    if person is not None and found is None:
        explained_wholly(c, engine.vault, person)
    return None if found is None else Keys(engine.vault, found)


@contextmanager
def _zip(out: Path) -> Iterator[zipfile.ZipFile]:
    with beside(out) as unfinished, unfinished.open("r+b") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            yield archive
        file.flush()
        os.fsync(file.fileno())


def _explode(c: Connection, evidence: Evidence, streams: list[Stream], out: Path) -> None:
    """Beside the bundle: a proof an event, for tools that know nothing of us."""
    folder = out.with_name(f"{out.stem}.proofs")
    folder.mkdir(exist_ok=True)
    for name, content in exploded(c, evidence, streams):
        (folder / name).write_bytes(content)
