"""A new subject key for a living person: whatever old copies of the wrapped keys there are, today's key is another."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, bindparam, select, update

from lifecycle.value_lists import one_of
from lifecycle.vault.sealing import KEY_BYTES, data_key_aad, unwrap, wrap
from lifecycle.vault.tables import Answer, chunks, data_key, subject_key
from lifecycle.vault.vault import Vault
from lifecycle.vault.wrapping import subject_key_aad, unwrap_subject_key

_REWRAP = (
    update(data_key)
    .where(data_key.c.subject_id == bindparam("its_subject"), data_key.c.kid == bindparam("its_kid"))
    .values(wrapped=bindparam("rewrapped"))
)


_NEW_KEY = (
    update(subject_key)
    .where(subject_key.c.subject_id == bindparam("its_subject"))
    .values(generation=bindparam("next_generation"), wrapped=bindparam("fresh"))
)


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
            rewrapped.append({"its_subject": row.subject_id, "its_kid": each.kid, "rewrapped": again})
        wrapped = wrap(kek, fresh, subject_key_aad(row.subject_id, sid, row.epoch))
        renewed.append({"its_subject": row.subject_id, "next_generation": row.generation + 1, "fresh": wrapped})
    if rewrapped:
        db.execute(_REWRAP, rewrapped)
    if renewed:
        db.execute(_NEW_KEY, renewed)


def _unwrapped(old: AESGCM, row: Answer, key: Answer) -> bytes:
    return unwrap(old, bytes(key.wrapped), data_key_aad(bytes(row.sid), key.hid, key.kid))
