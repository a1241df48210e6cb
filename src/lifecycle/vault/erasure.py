"""The steps that destroy keys. Each is idempotent and runs in its caller's transaction; the saga orders them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import product
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from lifecycle.row_lists import delete_rows
from lifecycle.value_lists import among, one_of
from lifecycle.vault.rekeying import locked_all, rekey_all
from lifecycle.vault.tables import Answer, chunks, custody_key, data_key, lookup, subject_key, tombstone
from lifecycle.vault.vault import Vault

_HOLD_KEYS = (data_key, custody_key)
_OF_A_PERSON = (subject_key, *_HOLD_KEYS, lookup)
_GENERATION = (
    update(subject_key).where(subject_key.c.subject_id == bindparam("whose")).values(generation=bindparam("next"))
)


class Destroyed(NamedTuple):
    """`generation` goes into the stream heads; the erasure is final once `epoch` has ended. None: nothing was there."""

    generation: int | None
    epoch: int | None


def kids_of(db: Connection, subject_id: UUID, hids: Collection[str]) -> dict[str, list[str]]:
    """The ids of all living keys of these holdings, every generation of a corrected value included."""
    kids: dict[str, list[str]] = {hid: [] for hid in hids}
    for some, table in product(chunks(list(kids)), _HOLD_KEYS):
        mine = (table.c.subject_id == subject_id) & one_of(table.c.hid, some)
        for row in db.execute(select(table.c.hid, table.c.kid).where(mine)):
            kids[row.hid].append(row.kid)
    return {hid: sorted(theirs) for hid, theirs in kids.items()}


def fence_subject(db: Connection, subject_id: UUID, at: datetime) -> int:
    """From the commit on nobody gets this person's keys; the new generation also stops who already has them."""
    return fence_subjects(db, [subject_id], at)[subject_id]


def fence_subjects(db: Connection, people: Collection[UUID], at: datetime) -> dict[UUID, int]:
    """The same for many; the new generation of each."""
    rows, graves = locked_all(db, people), _graves(db, people)
    dug = {id: rows[id].generation + 1 if id in rows else 1 for id in people if id not in graves}
    if dug:
        stones = [{"subject_id": id, "at": at, "generation": generation} for id, generation in dug.items()]
        db.execute(insert(tombstone), stones)
        db.execute(_GENERATION, [{"whose": id, "next": generation} for id, generation in dug.items()])
    return graves | dug


def destroy_holdings(db: Connection, vault: Vault, subject_id: UUID, kids: Collection[str]) -> Destroyed:
    """Delete these data keys and give the person a new subject key, under which the others are wrapped again.

    Without the new key, an old backup of the wrapped keys would still open under today's. The caller bumps the
    generation of both stream heads in the same transaction.
    """
    return destroy_holdings_of(db, vault, {subject_id: kids})[subject_id]


def destroy_holdings_of(db: Connection, vault: Vault, doomed: Mapping[UUID, Collection[str]]) -> dict[UUID, Destroyed]:
    """The same for many people, each with the keys that go; a few statements, however many they are."""
    locked_rows = locked_all(db, doomed)
    epochs = _delete_custody(db, [(id, kid) for id in locked_rows for kid in doomed[id]])
    held = _data_keys(db, locked_rows)
    done: dict[UUID, Destroyed] = {}
    gone: list[Answer] = []
    renewed: list[tuple[Answer, list[Answer]]] = []
    for id, kids in doomed.items():
        row = locked_rows.get(id)
        if row is None:
            done[id] = Destroyed(None, None)
            continue
        mine = [each for each in held.get(id, ()) if each.kid in kids]
        if any(each.kid == row.record_kid for each in mine):
            raise AssertionError("the record key dies only with the whole person")
        if mine:  # what was in custody is not wrapped by the person's key
            gone += mine
            renewed.append((row, [each for each in held[id] if each.kid not in kids]))
        done[id] = Destroyed(row.generation + bool(mine), max(row.epoch, epochs.get(id, 0)))
    delete_rows(db, data_key, [{"subject_id": each.subject_id, "kid": each.kid} for each in gone])
    rekey_all(db, vault, renewed)
    return done


def destroy_identifiers(db: Connection, subject_id: UUID, identifier_ids: Collection[str]) -> Destroyed:
    """Take identifiers out of the blind index."""
    mine = (lookup.c.subject_id == subject_id) & one_of(lookup.c.identifier_id, identifier_ids)
    return Destroyed(None, _delete_lookups(db, mine))


def destroy_subject(db: Connection, subject_id: UUID) -> Destroyed:
    """Delete every key and look-up of a fenced person."""
    return destroy_subjects(db, [subject_id])[subject_id]


def destroy_subjects(db: Connection, people: Collection[UUID]) -> dict[UUID, Destroyed]:
    """The same for many."""
    graves = _graves(db, people)
    if len(graves) < len(set(people)):
        raise AssertionError("a person is fenced before the keys are destroyed")
    epochs: dict[UUID, list[int]] = {id: [] for id in people}
    for id, row in locked_all(db, people).items():
        epochs[id].append(row.epoch)
    for some in chunks(sorted(people)):
        # Locked first: a rotation that moves a row meanwhile would make the answer too early.
        mine = one_of(lookup.c.subject_id, some)
        looked_up = select(lookup.c.subject_id, lookup.c.epoch).where(mine).order_by(lookup.c.token)
        for row in db.execute(looked_up.with_for_update()).all():
            epochs[row.subject_id].append(row.epoch)
        db.execute(delete(lookup).where(mine))
        stored_only = delete(custody_key).where(one_of(custody_key.c.subject_id, some))
        for row in db.execute(stored_only.returning(custody_key.c.subject_id, custody_key.c.epoch)):
            epochs[row.subject_id].append(row.epoch)
        for table in (data_key, subject_key):
            db.execute(delete(table).where(one_of(table.c.subject_id, some)))
    return {id: Destroyed(graves[id], max(theirs, default=None)) for id, theirs in epochs.items()}


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
            left += db.execute(
                select(func.count()).select_from(table).where(one_of(table.c.subject_id, some))
            ).scalar_one()
    for pairs in chunks(list(kids)):
        for table in _HOLD_KEYS:
            single = among(table.c.subject_id, table.c.kid, pairs)
            left += db.execute(select(func.count()).select_from(table).where(single)).scalar_one()
    return left


def _graves(db: Connection, people: Collection[UUID]) -> dict[UUID, int]:
    """The generation under which each of these people was fenced, of those who were."""
    grave = tombstone.c
    asked = (
        select(grave.subject_id, grave.generation).where(one_of(grave.subject_id, some)) for some in chunks([*people])
    )
    return {row.subject_id: row.generation for query in asked for row in db.execute(query)}


def _data_keys(db: Connection, people: Collection[UUID]) -> dict[UUID, list[Answer]]:
    held: dict[UUID, list[Answer]] = {}
    for some in chunks([*people]):
        for row in db.execute(select(data_key).where(one_of(data_key.c.subject_id, some))):
            held.setdefault(row.subject_id, []).append(row)
    return held


def _delete_custody(db: Connection, keys: Sequence[tuple[UUID, str]]) -> dict[UUID, int]:
    """By person the newest epoch under whose custody key one of these was sealed."""
    epochs: dict[UUID, int] = {}
    for some in chunks(keys):
        mine = among(custody_key.c.subject_id, custody_key.c.kid, some)
        gone = delete(custody_key).where(mine).returning(custody_key.c.subject_id, custody_key.c.epoch)
        for row in db.execute(gone):
            epochs[row.subject_id] = max(row.epoch, epochs.get(row.subject_id, 0))
    return epochs


def _delete_lookups(db: Connection, mine: Any) -> int | None:
    """Locked first: a rotation that moves a row meanwhile would make the answer too early."""
    epochs = db.execute(select(lookup.c.epoch).where(mine).with_for_update()).scalars().all()
    if epochs:
        db.execute(delete(lookup).where(mine))
    return max(epochs, default=None)
