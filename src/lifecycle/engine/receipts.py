"""Handing out a consent receipt: signed, with the proof that its event is in the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, select

from lifecycle.audit.consent_receipts import CLOSED, FORMAT, is_consent, receipt_of
from lifecycle.audit.history import events_of
from lifecycle.audit.package_model import ReceiptTold
from lifecycle.audit.telling import instant
from lifecycle.engine.publishing import NothingPublished
from lifecycle.errors import Invalid
from lifecycle.ledger.envelope import b64url, canonical, commitment, read_header
from lifecycle.ledger.ledger_files import VKEYS
from lifecycle.ledger.receipt_key import VKEY, receipt_key
from lifecycle.ledger.tables import event_position, log_entry
from lifecycle.ledger.tlog_proof import TlogProof
from lifecycle.storage.tables import event_header

if TYPE_CHECKING:
    from lifecycle.engine.engine import Engine


class NoConsentEvent(Invalid):
    remedy = "name the version of an event in which consent was given, refused, withdrawn or ended"

    def __init__(self) -> None:
        super().__init__("This event of the record is about no consent.")


class NotInTheLog(Invalid):
    remedy = "run `lifecycle ledger publish` where the key of the log is, and ask again"

    def __init__(self) -> None:
        super().__init__("The event is under no checkpoint yet.")


class NotToldYet(Invalid):
    remedy = "hand out the closed receipt; the opened one can be had when all that was done may be told"

    def __init__(self) -> None:
        super().__init__(
            "An opened receipt says the number of its event, and that would tell what may not be told yet."
        )


def newest_about(engine: Engine, subject: Mapping[str, str], purpose: str | None) -> int:
    """The version of the newest event about consent, to this purpose or to any."""
    with engine.database.read() as c:
        events = [event for event, _ in events_of(c, engine.read.subject_id(subject))]
    for each in reversed(events):
        if is_consent(each.event.kind) and purpose in (None, *getattr(each.event, "purposes", ())):
            return each.originator_version
    raise NoConsentEvent


def consent_receipt(engine: Engine, subject: Mapping[str, str] | UUID, version: int, *, opened: bool = False) -> bytes:
    """The file for the person; `opened` it proves by the log alone what the event says, and tells its number too. The
    log is published first where its key is at hand. Of somebody erased it can be had by their id for as long as the
    evidence is kept; one that was handed out is good for ever."""
    publish_if_possible(engine)
    subject_id = engine.read.subject_id(subject)
    if opened and _is_silent(engine, subject_id):
        raise NotToldYet
    with engine.database.read() as c:
        row, entry, proof = _proven(engine, c, subject_id, version)
    return _written(engine, row, entry, proof, opened=opened)


def publish_if_possible(engine: Engine) -> None:
    if engine.log.may_sign:
        engine.publish()


def closed_receipts(engine: Engine, c: Connection, subject_id: UUID) -> list[tuple[ReceiptTold, bytes]]:
    """Of every event about consent, in order, in the snapshot of `c`; without bytes what no checkpoint covers yet."""
    found: list[tuple[ReceiptTold, bytes]] = []
    for each, _ in events_of(c, subject_id):
        if not is_consent(each.event.kind):
            continue
        try:
            content = _written(engine, *_proven(engine, c, subject_id, each.originator_version), opened=False)
        except (NothingPublished, NotInTheLog):
            content = b""
        event: Any = each.event
        told = ReceiptTold(
            file=f"receipts/{len(found) + 1}.json" if content else None,
            kind=event.kind,
            occurred_at=event.occurred_at,
            purposes=event.purposes,
            technologies=getattr(event, "technologies", None) or (),
        )
        found.append((told, content))
    return found


def keys_of_receipts(engine: Engine) -> dict[str, bytes]:
    """The public keys by which receipts are checked, as files. Nobody has to trust a copy that came with a receipt."""
    known = b"".join(f"{key.vkey}\n".encode() for key in engine.log.known_keys())
    return {VKEYS: known, VKEY: f"{receipt_key(engine.keys, engine.log.origin).vkey}\n".encode()}


def _is_silent(engine: Engine, subject_id: UUID) -> bool:
    """Whether something may not be told to this person yet."""
    now = engine.clock.now()
    return any(not each.may_be_told(now) for each in engine.subject_state(subject_id).disclosures)


def _written(engine: Engine, row: Any, entry: bytes, proof: bytes, *, opened: bool) -> bytes:
    header = read_header(row.header)
    policy = next(each for each in engine.policies.all() if each.judged_by == header.meta["policy"])
    told = receipt_of(header, commitment(row.salt, row.header), policy, instant(engine.clock.now()) or "")
    key = receipt_key(engine.keys, engine.log.origin)
    engine.log.folder.replace(VKEY, f"{key.vkey}\n".encode())
    said: dict[str, Any] = {
        "format": FORMAT if opened else CLOSED,
        "receipt": told,
        "signature": key.signature(canonical(told) + b"\n").line(),
        "entry": b64url(entry),
        "proof": proof.decode(),
    }
    if opened:
        said |= {"header": bytes(row.header).decode(), "salt": b64url(row.salt)}
    return orjson.dumps(said, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _proven(engine: Engine, c: Connection, subject_id: UUID, version: int) -> tuple[Any, bytes, bytes]:
    head, place = event_header.c, event_position.c
    mine = (head.stream_id == subject_id) & (head.version == version)
    here = (place.stream_id == head.stream_id) & (place.version == head.version)
    found = select(head.kind, head.header, head.salt, place.position).outerjoin(event_position, here).where(mine)
    row = c.execute(found).one_or_none()
    if row is None or not is_consent(row.kind):
        raise NoConsentEvent
    evidence = engine.log.evidence(c)
    if row.position is None or row.position >= evidence.size:
        raise NotInTheLog
    entry = bytes(c.execute(select(log_entry.c.entry).where(log_entry.c.position == row.position)).scalar_one())
    proof = TlogProof(row.position, tuple(evidence.log.inclusion(row.position)), evidence.note)
    return row, entry, proof.written()
