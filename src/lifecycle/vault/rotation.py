"""Ending an epoch: a new key, everything alive wrapped again, the old key destroyed.

Any step may be the last before a crash: calling the steps again, in this order, goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeAlias

from sqlalchemy import Connection, RootTransaction, Table, delete, func, select, update

from lifecycle.errors import Conflict
from lifecycle.vault.custody_keys import CustodyKeys
from lifecycle.vault.custody_sealing import reseal
from lifecycle.vault.epochs import EpochKeys
from lifecycle.vault.installation import Installation, lock_epochs
from lifecycle.vault.loading import begin_epoch, is_used, load_installation, open_epochs
from lifecycle.vault.sealing import unwrap, wrap
from lifecycle.vault.tables import custody_key, epoch, installation_key, lookup, subject_key
from lifecycle.vault.wrapping import bound_to_identifier, bound_to_subject

Taken: TypeAlias = Sequence[Any]  # a row as the driver has it, behind the person's id

# Past SQLAlchemy's handling of each value, which took most of the time of ending an epoch. Ids are 32 hexadecimal
# digits, as SQLite stores them. In the order of people, because a plain LIMIT made PostgreSQL walk over all the dead
# rows of earlier batches each time.
_TAKE = (
    "SELECT {id}, {columns} FROM {table} WHERE epoch < {newest:d} AND subject_id >= {mark}"
    " ORDER BY subject_id LIMIT {limit:d}{locked}"
)
_FIRST = "0" * 32
_WRAPPED = (subject_key, lookup, custody_key)


class RotationUnfinished(Conflict):
    """The old key is still needed, or nobody knows yet that it is not: it is not destroyed."""

    code: ClassVar[str] = "rotation-unfinished"
    remedy: ClassVar[str] = "run `lifecycle vault rotate` again"


class Rotation:
    """`begin`, then `rewrap_batch` until it answers 0, then `finish`; each in a transaction of its own."""

    def __init__(self, keys: EpochKeys, custody: CustodyKeys | None = None) -> None:
        self._keys = keys
        self._custody = custody or CustodyKeys(keys.folder)
        self._wrote_in: RootTransaction | None = None
        self._reached = {subject_key: _FIRST, lookup: _FIRST}

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
        taken = self._take(db, subject_key, ("sid", "epoch", "wrapped"), installation.epoch, limit)
        _write(db, subject_key, "subject_id", *_rewrapped(taken, installation))
        if len(taken) < limit:
            columns = ("type", "identifier_id", "epoch", "token", "sealed")
            found = self._take(db, lookup, columns, installation.epoch, limit - len(taken))
            _write(db, lookup, "token", *_rekeyed(found, installation))
            if len(found) < limit - len(taken):
                self._seal_again(db, installation, limit)
        return sum(_older(db, table, installation.epoch, limit) for table in _WRAPPED)

    def _seal_again(self, db: Connection, installation: Installation, limit: int) -> None:
        """What is in custody, under the newest epoch's custody key; rows that somebody moves or erases are theirs."""
        newest = installation.epoch
        older = select(custody_key).where(custody_key.c.epoch < newest).limit(limit).with_for_update(skip_locked=True)
        if rows := db.execute(older).all():
            reseal(db, installation.kek(newest), newest, self._custody, rows)

    def _take(self, db: Connection, table: Table, columns: Sequence[str], newest: int, limit: int) -> list[Taken]:
        """The next rows to be wrapped; after the last person the first is asked again.

        Rows that another process is wrapping, re-keying or erasing are left to it, and to the next round.
        """
        after = self._reached[table]
        taken = _take(db, table, columns, newest, limit, after)
        if not taken and after != _FIRST:
            taken = _take(db, table, columns, newest, limit, _FIRST)
        self._reached[table] = taken[-1][0] if len(taken) == limit else _FIRST
        return taken

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
        self._custody.destroy(old)
        self._keys.destroy(old)
        db.execute(update(epoch).where(epoch.c.epoch == old).values(ended_at=at))
        return old


def waiting(db: Connection) -> int:
    """How many keys and look-ups a rotation has still to wrap again."""
    newest = open_epochs(db)[0]
    return sum(_older(db, table, newest) for table in _WRAPPED)


def _older(db: Connection, table: Table, newest: int, at_most: int | None = None) -> int:
    older = select(table.c.epoch).where(table.c.epoch < newest).limit(at_most).subquery()
    return db.execute(select(func.count()).select_from(older)).scalar_one()


def _take(db: Connection, table: Table, columns: Sequence[str], newest: int, limit: int, after: str) -> list[Taken]:
    server = db.dialect.name == "postgresql"
    query = _TAKE.format(
        id="replace(subject_id::text, '-', '')" if server else "subject_id",
        columns=", ".join(columns),
        table=_name(db, table),
        newest=newest,
        mark="%s::uuid" if server else "?",
        limit=limit,
        locked=" FOR UPDATE SKIP LOCKED" if server else "",
    )
    return list(db.exec_driver_sql(query, (after,)).all())


def _rewrapped(taken: Sequence[Taken], installation: Installation) -> tuple[list[Any], dict[str, list[Any]]]:
    """By subject: the same key, wrapped anew. One person's key is wrapped for one epoch after the other, never two."""
    newest = installation.open[0]
    wrapped = []
    for subject_id, sid, number, before in taken:
        bound = bound_to_subject(subject_id, sid)
        sk = unwrap(installation.kek(number), before, bound + b"%d" % number)
        wrapped.append(wrap(newest.kek, sk, bound + b"%d" % newest.epoch))
    return [row[0] for row in taken], {"epoch": [newest.epoch] * len(taken), "wrapped": wrapped}


def _rekeyed(taken: Sequence[Taken], installation: Installation) -> tuple[list[Any], dict[str, list[Any]]]:
    """By old token: the same identifier under the newest key of the blind index."""
    newest = installation.open[0]
    tokens, sealed = [], []
    for subject_id, kind, identifier_id, number, _, before in taken:
        bound = bound_to_identifier(kind, subject_id, identifier_id)
        normalised = unwrap(installation.kek(number), before, bound + b"%d" % number)
        tokens.append(newest.token(kind, normalised.decode()))
        sealed.append(wrap(newest.kek, normalised, bound + b"%d" % newest.epoch))
    return [row[4] for row in taken], {"token": tokens, "epoch": [newest.epoch] * len(taken), "sealed": sealed}


def _write(db: Connection, table: Table, key: str, keys: Sequence[Any], columns: Mapping[str, Sequence[Any]]) -> None:
    """Change these columns of many rows: executemany on SQLite, a join with arrays on PostgreSQL."""
    if not keys:
        return
    if db.dialect.name == "sqlite":
        values = ", ".join(f"{name} = ?" for name in columns)
        update = f"UPDATE {table.name} SET {values} WHERE {key} = ?"  # noqa: S608 -- names of our own tables
        db.exec_driver_sql(update, list(zip(*columns.values(), keys, strict=True)))
        return
    values = ", ".join(f"{name} = new.{name}" for name in columns)
    arrays = ", ".join(f"%b::{_type(db, table, name)}[]" for name in columns)
    by_person = key == "subject_id"
    given = "string_to_array(%s, ',')::uuid[]" if by_person else "%b::bytea[]"
    update = (
        f"UPDATE {_name(db, table)} AS old SET {values} "  # noqa: S608
        f"FROM unnest({given}, {arrays}) AS new(old_key, {', '.join(columns)}) WHERE old.{key} = new.old_key"
    )
    db.exec_driver_sql(update, (",".join(keys) if by_person else list(keys), *columns.values()))


def _name(db: Connection, table: Table) -> str:
    return table.name if db.dialect.name == "sqlite" else f"{table.schema}.{table.name}"


def _type(db: Connection, table: Table, column: str) -> str:
    return table.columns[column].type.compile(dialect=db.dialect)
