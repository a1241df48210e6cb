"""A new subject key for a living person: whatever old copies of the wrapped keys there are, today's key is another."""

from __future__ import annotations

import os
from collections.abc import Sequence
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, bindparam, select, update

from lifecycle.vault.sealing import KEY_BYTES, data_key_aad, unwrap, wrap
from lifecycle.vault.tables import Answer, data_key, subject_key
from lifecycle.vault.vault import Vault
from lifecycle.vault.wrapping import subject_key_aad, unwrap_subject_key

_REWRAP = (
    update(data_key)
    .where(data_key.c.subject_id == bindparam("its_subject"), data_key.c.kid == bindparam("its_kid"))
    .values(wrapped=bindparam("rewrapped"))
)


def locked(db: Connection, subject_id: UUID) -> Answer | None:
    """One re-keying, fencing or re-wrapping of a person at a time; SQLite's writers are alone anyway."""
    return db.execute(select(subject_key).where(subject_key.c.subject_id == subject_id).with_for_update()).first()


def rekey(
    db: Connection, vault: Vault, row: Answer, survivors: Sequence[Answer], also_open: Sequence[Answer] = ()
) -> list[tuple[str, str, bytes]]:
    """Wrap the survivors under a new subject key; return holding, id and key of those that go elsewhere."""
    kek = vault.kek(db, row.epoch)
    sid, fresh = bytes(row.sid), os.urandom(KEY_BYTES)
    old, new = AESGCM(unwrap_subject_key(kek, row)), AESGCM(fresh)
    rewrapped = []
    for each in survivors:
        aad = data_key_aad(sid, each.hid, each.kid)
        again = wrap(new, unwrap(old, bytes(each.wrapped), aad), aad)
        rewrapped.append({"its_subject": row.subject_id, "its_kid": each.kid, "rewrapped": again})
    db.execute(_REWRAP, rewrapped)
    wrapped = wrap(kek, fresh, subject_key_aad(row.subject_id, sid, row.epoch))
    mine = subject_key.c.subject_id == row.subject_id
    db.execute(update(subject_key).where(mine).values(generation=row.generation + 1, wrapped=wrapped))
    return [
        (each.hid, each.kid, unwrap(old, bytes(each.wrapped), data_key_aad(sid, each.hid, each.kid)))
        for each in also_open
    ]
