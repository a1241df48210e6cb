"""The words on streams that are about no person (policy, trustees): written without a key, read without one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.ledger.envelope import read_header
from lifecycle.storage.failures import RecordDamaged
from lifecycle.storage.tables import event_body, event_header
from lifecycle.vault.sealing import RECORD, open_part

_WORDS = (
    select(event_header.c.version, event_header.c.header, event_body.c.part, event_body.c.ct)
    .outerjoin(
        event_body,
        (event_body.c.stream_id == event_header.c.stream_id) & (event_body.c.version == event_header.c.version),
    )
    .order_by(event_header.c.version)
)


def open_words(c: Connection, stream: UUID, after: int = 0) -> dict[int, dict[str, Any]]:
    """Behind version `after`, by version, in order; an event without words is missing. Nobody erases these words: one
    that has lost its own is damaged. Errors: Tampered, RecordDamaged."""
    found: dict[int, dict[str, Any]] = {}
    lacking: set[int] = set()
    for row in c.execute(_WORDS.where(event_header.c.stream_id == stream, event_header.c.version > after)):
        header = read_header(row.header)
        if row.ct is None:
            lacking.update(row.version for part in header.parts if part.hid == RECORD)
        elif (part := header.parts[row.part]).hid == RECORD:
            words = open_part(header.sid, header.n, part, row.ct, None)
            assert isinstance(words, dict)
            found[header.n] = words
    if lacking:
        raise RecordDamaged(stream, min(lacking))
    return found
