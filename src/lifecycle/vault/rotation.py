"""Ending an epoch: a new key, everything alive wrapped again, the old key destroyed.

Any step may be the last before a crash: calling the steps again, in this order, goes on from there.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, RootTransaction, Table, bindparam, delete, func, select, update

from lifecycle.errors import Conflict
from lifecycle.vault.epochs import EpochKeys
from lifecycle.vault.installation import Installation, lock_epochs
from lifecycle.vault.loading import begin_epoch, is_used, load_installation, open_epochs
from lifecycle.vault.sealing import wrap
from lifecycle.vault.tables import Answer, Row, epoch, installation_key, lookup, subject_key
from lifecycle.vault.wrapping import lookup_row, subject_key_aad, unseal_lookup, unwrap_subject_key

_REWRAP = (
    update(subject_key)
    .where(subject_key.c.subject_id == bindparam("its_subject"))
    .values(epoch=bindparam("its_epoch"), wrapped=bindparam("rewrapped"))
)
_REKEY = (
    update(lookup)
    .where(lookup.c.token == bindparam("old_token"))
    .values(token=bindparam("new_token"), epoch=bindparam("its_epoch"), sealed=bindparam("resealed"))
)


class RotationUnfinished(Conflict):
    """The old key is still needed, or nobody knows yet that it is not: it is not destroyed."""

    code: ClassVar[str] = "rotation-unfinished"
    remedy: ClassVar[str] = "run `lifecycle vault rotate` again"


class Rotation:
    """`begin`, then `rewrap_batch` until it answers 0, then `finish`; each in a transaction of its own."""

    def __init__(self, keys: EpochKeys) -> None:
        self._keys = keys
        self._wrote_in: RootTransaction | None = None

    def begin(self, db: Connection, at: datetime) -> int:
        """Begin the next epoch and return its number. Waits for registrations in flight, which still use the old."""
        lock_epochs(db)
        epochs = open_epochs(db)
        installation = load_installation(db, self._keys)
        if len(epochs) > 1:
            return epochs[0]
        self._wrote_in = db.get_transaction()
        begin_epoch(db, self._keys, epochs[0] + 1, at, installation.command_key)
        return epochs[0] + 1

    def rewrap_batch(self, db: Connection, limit: int = 1_000) -> int:
        """Wrap up to `limit` keys and look-ups again under the newest epoch.

        Returns how many more wait, counted no further than `limit`; `waiting` counts them all.
        """
        self._wrote_in = db.get_transaction()
        installation = load_installation(db, self._keys)
        rewrapped = _rewrap_subjects(db, installation, limit)
        if rewrapped < limit:
            _rekey_lookups(db, installation, limit - rewrapped)
        return sum(_older(db, table, installation.epoch, limit) for table in (subject_key, lookup))

    def finish(self, db: Connection, at: datetime) -> int | None:
        """Destroy the old key and return the number of the epoch that ended; None when no rotation is under way.

        The old key goes only when nothing in the *committed* database needs it. After that there is no way back:
        if this transaction is lost, `finish` is called again and says the same.
        """
        lock_epochs(db)
        epochs = open_epochs(db)
        if len(epochs) < 2:
            return None
        if self._wrote_in is not None and self._wrote_in is db.get_transaction():
            raise RotationUnfinished("What was wrapped again is not committed yet.")
        old = epochs[1]
        if is_used(db, old):
            raise RotationUnfinished(f"Keys of epoch {old} are still in use.")
        load_installation(db, self._keys)  # the new key is there and is the right one
        db.execute(delete(installation_key).where(installation_key.c.epoch <= old))
        self._keys.destroy(old)
        db.execute(update(epoch).where(epoch.c.epoch == old).values(ended_at=at))
        return old


def waiting(db: Connection) -> int:
    """How many keys and look-ups a rotation has still to wrap again."""
    newest = open_epochs(db)[0]
    return sum(_older(db, table, newest) for table in (subject_key, lookup))


def _older(db: Connection, table: Table, newest: int, at_most: int | None = None) -> int:
    older = select(table.c.epoch).where(table.c.epoch < newest).limit(at_most).subquery()
    return db.execute(select(func.count()).select_from(older)).scalar_one()


def _take(db: Connection, table: Table, newest: int, limit: int) -> list[Answer]:
    """Rows that another process is wrapping, re-keying or erasing are left to it, and to the next batch."""
    older = select(table).where(table.c.epoch < newest).limit(limit)
    return list(db.execute(older.with_for_update(skip_locked=True)))


def _rewrap_subjects(db: Connection, installation: Installation, limit: int) -> int:
    newest = installation.open[0]
    taken = _take(db, subject_key, newest.epoch, limit)
    if taken:
        db.execute(_REWRAP, [_rewrapped(row, installation.kek(row.epoch), newest.kek, newest.epoch) for row in taken])
    return len(taken)


def _rewrapped(row: Answer, old: AESGCM, new: AESGCM, number: int) -> Row:
    sk = unwrap_subject_key(old, row)
    wrapped = wrap(new, sk, subject_key_aad(row.subject_id, bytes(row.sid), number))
    return {"its_subject": row.subject_id, "its_epoch": number, "rewrapped": wrapped}


def _rekey_lookups(db: Connection, installation: Installation, limit: int) -> int:
    taken = _take(db, lookup, installation.epoch, limit)
    if taken:
        db.execute(_REKEY, [_rekeyed(row, installation) for row in taken])
    return len(taken)


def _rekeyed(row: Answer, installation: Installation) -> Row:
    normalised = unseal_lookup(installation.kek(row.epoch), row)
    again = lookup_row(installation.open[0], row.type, normalised, row.subject_id, row.identifier_id)
    return {
        "old_token": bytes(row.token),
        "new_token": again["token"],
        "its_epoch": again["epoch"],
        "resealed": again["sealed"],
    }
