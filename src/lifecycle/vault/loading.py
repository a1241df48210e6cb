"""Opening the installation's keys: the rows of the open epochs, with the files that go with them."""

from __future__ import annotations

import hmac
import os
from datetime import datetime

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, bindparam, exists, insert, or_, select

from lifecycle.vault.epochs import EpochKeys, epoch_commitment
from lifecycle.vault.files import KeyMissing, KeysUnavailable
from lifecycle.vault.installation import OPEN_EPOCHS, EpochChanged, Installation
from lifecycle.vault.sealing import KEY_BYTES
from lifecycle.vault.tables import Answer, custody_key, epoch, installation_key, lookup, subject_key
from lifecycle.vault.wrapping import (
    COMMAND_KEY,
    LOOKUP_KEY,
    EpochSecrets,
    installation_key_row,
    unwrap_installation_key,
)

_OPEN = select(epoch.c.epoch, epoch.c.commitment).where(epoch.c.ended_at.is_(None)).order_by(epoch.c.epoch.desc())
_INSTALLATION_KEYS = select(installation_key).where(installation_key.c.epoch == bindparam("epoch"))


def open_epochs(db: Connection) -> tuple[int, ...]:
    """Newest first."""
    return tuple(db.execute(OPEN_EPOCHS).scalars())


def load_installation(db: Connection, keys: EpochKeys) -> Installation:
    rows = db.execute(_OPEN).all()
    if not rows:
        raise KeysUnavailable("This database has no open epoch.", "run `lifecycle init`")
    opened: list[EpochSecrets] = []
    command_key = b""
    for row in rows:
        try:
            kek = _kek(keys, row)
        except KeyMissing:
            if not opened:
                raise
            if is_used(db, row.epoch):
                raise EpochChanged("An epoch ended while this was being read.") from None
            continue  # a rotation stopped between destroying the key and saying so
        found = db.execute(_INSTALLATION_KEYS, {"epoch": row.epoch})
        unwrapped = {k.name: unwrap_installation_key(kek, k.name, row.epoch, bytes(k.wrapped)) for k in found}
        opened.append(EpochSecrets(row.epoch, kek, unwrapped[LOOKUP_KEY]))
        command_key = command_key or unwrapped[COMMAND_KEY]
    return Installation(tuple(row.epoch for row in rows), tuple(opened), command_key)


def is_used(db: Connection, of_epoch: int) -> bool:
    """Does anything of a person still depend on this epoch's key?"""
    people = exists().where(subject_key.c.epoch == of_epoch)
    identifiers = exists().where(lookup.c.epoch == of_epoch)
    stored_only = exists().where(custody_key.c.epoch == of_epoch)
    return bool(db.execute(select(or_(people, identifiers, stored_only))).scalar_one())


def begin_first_epoch(db: Connection, keys: EpochKeys, at: datetime) -> None:
    if db.execute(select(epoch.c.epoch).limit(1)).first():
        return
    if keys.present():
        raise KeysUnavailable(
            "The folder of keys already holds a key, and this database has none.",
            "give each database a folder of its own (LIFECYCLE_KEYS); if an earlier `lifecycle init` was interrupted, "
            "remove the epoch-*.key file that it left",
        )
    begin_epoch(db, keys, 1, at, os.urandom(KEY_BYTES))


def begin_epoch(db: Connection, keys: EpochKeys, number: int, at: datetime, command_key: bytes) -> None:
    """The file first, then the row: a row without a file would be a database that nobody can open.

    The key of the blind index is new; the key of command ids stays, so that a repeated command is still known.
    """
    key = keys.create(number)
    kek = AESGCM(key)
    db.execute(insert(epoch).values(epoch=number, commitment=epoch_commitment(key), began_at=at))
    installation_keys = ((LOOKUP_KEY, os.urandom(KEY_BYTES)), (COMMAND_KEY, command_key))
    db.execute(
        insert(installation_key),
        [installation_key_row(kek, name, number, secret) for name, secret in installation_keys],
    )


def _kek(keys: EpochKeys, row: Answer) -> AESGCM:
    key = keys.load(row.epoch)
    if not hmac.compare_digest(epoch_commitment(key), bytes(row.commitment)):
        raise KeysUnavailable(
            f"The key of epoch {row.epoch} in the folder is not this database's.",
            "set LIFECYCLE_KEYS to the folder that belongs to this database",
        )
    return AESGCM(key)
