"""All keys of one person by one question: what a read of the person opens with, in a snapshot that is over with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, cast
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import bindparam, select

from lifecycle.columns import Ask
from lifecycle.domain.event import Withheld
from lifecycle.vault.sealing import SubjectKeys, payload_of
from lifecycle.vault.tables import Answer, data_key, subject_key, tombstone
from lifecycle.vault.vault import Vault, Wanted, disclosed

_KEYS = (
    select(
        subject_key.c.sid,
        subject_key.c.generation,
        subject_key.c.epoch,
        subject_key.c.record_kid,
        subject_key.c.wrapped.label("subject_wrapped"),
        data_key.c.kid,
        data_key.c.hid,
        data_key.c.wrapped,
    )
    .select_from(
        subject_key.join(data_key, data_key.c.subject_id == subject_key.c.subject_id).outerjoin(
            tombstone, tombstone.c.subject_id == subject_key.c.subject_id
        )
    )
    .where(subject_key.c.subject_id == bindparam("id"), tombstone.c.subject_id.is_(None))
)


class AtHand(NamedTuple):
    """A person's keys, and those of everything that is sealed for them, by their ids: still wrapped."""

    keys: SubjectKeys
    wrapped: Mapping[str, Answer]

    def __repr__(self) -> str:
        return "AtHand()"

    def open(self, wanted: Iterable[Wanted]) -> list[JsonValue] | None:
        """All of these values; None if the key of any is not here. Errors: Tampered."""
        found: list[JsonValue] = []
        for value in wanted:
            said = disclosed(value, self.wrapped.get(value.part.kid))
            if isinstance(said, Withheld):
                return None
            found.append(payload_of(said, value.part.hid))
        return found


class _Row(NamedTuple):
    """As the vault has it of many people."""

    subject_id: UUID
    sid: bytes
    generation: int
    epoch: int
    record_kid: str
    wrapped: bytes
    record_wrapped: bytes


def asks_for_keys(subject_id: UUID) -> Ask:
    return Ask(_KEYS, {"id": subject_id})


def at_hand(vault: Vault, subject_id: UUID, rows: Sequence[Answer]) -> AtHand | None:
    """From the answer; None for somebody without keys, and if this process has not met the epoch that they are of."""
    record = next((row for row in rows if row.kid == row.record_kid), None)
    if record is None:
        return None
    said = (record.sid, record.generation, record.epoch, record.record_kid, record.subject_wrapped, record.wrapped)
    keys = vault.keys_at_hand(cast(Answer, _Row(subject_id, *said)))
    return None if keys is None else AtHand(keys, {row.kid: row for row in rows})
