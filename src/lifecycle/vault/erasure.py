"""The steps that destroy keys. Each is idempotent and runs in its caller's transaction; the saga orders them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import product
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select, update

from lifecycle.columns import among
from lifecycle.vault.rekeying import locked, rekey
from lifecycle.vault.tables import chunks, custody_key, data_key, lookup, subject_key, tombstone
from lifecycle.vault.vault import Vault

_HOLD_KEYS = (data_key, custody_key)
_OF_A_PERSON = (subject_key, *_HOLD_KEYS, lookup)


class Destroyed(NamedTuple):
    """`generation` goes into the stream heads; the erasure is final once `epoch` has ended. None: nothing was there."""

    generation: int | None
    epoch: int | None


def kids_of(db: Connection, subject_id: UUID, hids: Collection[str]) -> dict[str, list[str]]:
    """The ids of all living keys of these holdings, every generation of a corrected value included."""
    kids: dict[str, list[str]] = {hid: [] for hid in hids}
    for some, table in product(chunks(list(kids)), _HOLD_KEYS):
        mine = (table.c.subject_id == subject_id) & table.c.hid.in_(some)
        for row in db.execute(select(table.c.hid, table.c.kid).where(mine)):
            kids[row.hid].append(row.kid)
    return {hid: sorted(theirs) for hid, theirs in kids.items()}


def fence_subject(db: Connection, subject_id: UUID, at: datetime) -> int:
    """From the commit on nobody gets this person's keys; the new generation also stops who already has them."""
    row = locked(db, subject_id)
    grave = db.execute(select(tombstone).where(tombstone.c.subject_id == subject_id)).first()
    if grave:
        return int(grave.generation)
    generation = row.generation + 1 if row else 1
    db.execute(insert(tombstone).values(subject_id=subject_id, at=at, generation=generation))
    db.execute(update(subject_key).where(subject_key.c.subject_id == subject_id).values(generation=generation))
    return generation


def destroy_holdings(db: Connection, vault: Vault, subject_id: UUID, kids: Collection[str]) -> Destroyed:
    """Delete these data keys and give the person a new subject key, under which the others are wrapped again.

    Without the new key, an old backup of the wrapped keys would still open under today's. The caller bumps the
    generation of both stream heads in the same transaction.
    """
    row = locked(db, subject_id)
    if row is None:
        return Destroyed(None, None)
    mine = db.execute(select(data_key).where(data_key.c.subject_id == subject_id)).all()
    doomed = [each.kid for each in mine if each.kid in kids]
    if row.record_kid in doomed:
        raise AssertionError("the record key dies only with the whole person")
    epoch = max(row.epoch, _delete_custody(db, subject_id, kids))
    if not doomed:  # what was in custody is not wrapped by the person's key
        return Destroyed(row.generation, epoch)
    _delete_data_keys(db, subject_id, doomed)
    rekey(db, vault, row, [each for each in mine if each.kid not in kids])
    return Destroyed(row.generation + 1, epoch)


def destroy_identifiers(db: Connection, subject_id: UUID, identifier_ids: Collection[str]) -> Destroyed:
    """Take identifiers out of the blind index."""
    mine = (lookup.c.subject_id == subject_id) & lookup.c.identifier_id.in_(list(identifier_ids))
    return Destroyed(None, _delete_lookups(db, mine))


def destroy_subject(db: Connection, subject_id: UUID) -> Destroyed:
    """Delete every key and look-up of a fenced person."""
    grave = db.execute(select(tombstone).where(tombstone.c.subject_id == subject_id)).first()
    if grave is None:
        raise AssertionError("a person is fenced before the keys are destroyed")
    row = locked(db, subject_id)
    epochs = [row.epoch] if row else []
    looked_up = _delete_lookups(db, lookup.c.subject_id == subject_id)
    kept = db.execute(delete(custody_key).where(custody_key.c.subject_id == subject_id).returning(custody_key.c.epoch))
    epochs += kept.scalars()
    db.execute(delete(data_key).where(data_key.c.subject_id == subject_id))
    db.execute(delete(subject_key).where(subject_key.c.subject_id == subject_id))
    epochs += [looked_up] if looked_up else []
    return Destroyed(grave.generation, max(epochs, default=None))


def rows_left(db: Connection, subject_id: UUID, kids: Sequence[str] | None = None) -> int:
    """For the sweep after an erasure: rows that still hold these keys, or anything at all of the person."""
    if kids is not None:
        return keys_left(db, (), [(subject_id, kid) for kid in kids])
    counts = (select(func.count()).select_from(table).where(table.c.subject_id == subject_id) for table in _OF_A_PERSON)
    return sum(db.execute(count).scalar_one() for count in counts)


def keys_left(db: Connection, people: Collection[UUID], kids: Collection[tuple[UUID, str]]) -> int:
    """The same for many: rows of any key or look-up of these people, and of these single keys of others."""
    left = 0
    for some in chunks(list(people)):
        for table in _OF_A_PERSON:
            left += db.execute(select(func.count()).select_from(table).where(table.c.subject_id.in_(some))).scalar_one()
    for pairs in chunks(list(kids)):
        for table in _HOLD_KEYS:
            single = among(table.c.subject_id, table.c.kid, pairs)
            left += db.execute(select(func.count()).select_from(table).where(single)).scalar_one()
    return left


def _delete_data_keys(db: Connection, subject_id: UUID, kids: Sequence[str]) -> None:
    for some in chunks(kids):
        db.execute(delete(data_key).where(data_key.c.subject_id == subject_id, data_key.c.kid.in_(some)))


def _delete_custody(db: Connection, subject_id: UUID, kids: Collection[str]) -> int:
    """The newest epoch under whose custody key one of them was sealed; 0 if none was in custody."""
    epochs = [0]
    for some in chunks(list(kids)):
        mine = (custody_key.c.subject_id == subject_id) & custody_key.c.kid.in_(some)
        epochs += db.execute(delete(custody_key).where(mine).returning(custody_key.c.epoch)).scalars()
    return max(epochs)


def _delete_lookups(db: Connection, mine: Any) -> int | None:
    """Locked first: a rotation that moves a row meanwhile would make the answer too early."""
    epochs = db.execute(select(lookup.c.epoch).where(mine).with_for_update()).scalars().all()
    if epochs:
        db.execute(delete(lookup).where(mine))
    return max(epochs, default=None)
