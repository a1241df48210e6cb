"""A new subject key for a living person: whatever old copies of the wrapped keys there are, today's key is another."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, select

from lifecycle.row_lists import update_rows
from lifecycle.value_lists import one_of
from lifecycle.vault.sealing import KEY_BYTES, data_key_aad, unwrap, wrap
from lifecycle.vault.tables import Answer, chunks, data_key, subject_key
from lifecycle.vault.vault import Vault
from lifecycle.vault.wrapping import subject_key_aad, unwrap_subject_key


def locked(db: Connection, subject_id: UUID) -> Answer | None:
    """One re-keying, fencing or re-wrapping of a person at a time; SQLite's writers are alone anyway."""
    return locked_all(db, [subject_id]).get(subject_id)


def locked_all(db: Connection, subject_ids: Collection[UUID]) -> dict[UUID, Answer]:
    """The same for many, in one order, so that two who want some of the same people cannot wait for each other."""
    key = subject_key.c.subject_id
    asked = (select(subject_key).where(one_of(key, some)).order_by(key) for some in chunks(sorted(subject_ids)))
    return {row.subject_id: row for query in asked for row in db.execute(query.with_for_update())}


def opened_under(db: Connection, vault: Vault, row: Answer, keys: Sequence[Answer]) -> list[tuple[Answer, bytes]]:
    """The data keys of one person that are to go elsewhere: each with what it wraps."""
    old = AESGCM(unwrap_subject_key(vault.kek(db, row.epoch), row))
    return [(each, _unwrapped(old, row, each)) for each in keys]


def rekey_all(db: Connection, vault: Vault, people: Iterable[tuple[Answer, Sequence[Answer]]]) -> None:
    """Each person by the row of their locked subject key and the rows of the data keys that stay."""
    rewrapped, renewed = [], []
    for row, survivors in people:
        kek, fresh, sid = vault.kek(db, row.epoch), os.urandom(KEY_BYTES), bytes(row.sid)
        old, new = AESGCM(unwrap_subject_key(kek, row)), AESGCM(fresh)
        for each in survivors:
            again = wrap(new, _unwrapped(old, row, each), data_key_aad(sid, each.hid, each.kid))
            rewrapped.append({"subject_id": row.subject_id, "kid": each.kid, "wrapped": again})
        wrapped = wrap(kek, fresh, subject_key_aad(row.subject_id, sid, row.epoch))
        renewed.append({"subject_id": row.subject_id, "generation": row.generation + 1, "wrapped": wrapped})
    update_rows(db, data_key, ("subject_id", "kid"), rewrapped)
    update_rows(db, subject_key, ("subject_id",), renewed)


def _unwrapped(old: AESGCM, row: Answer, key: Answer) -> bytes:
    return unwrap(old, bytes(key.wrapped), data_key_aad(bytes(row.sid), key.hid, key.kid))
