"""Ids of commands of people who were erased: for ninety days a late repeat of one registers nobody."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from lifecycle.vault.tables import chunks, spent_command


def spend_commands(db: Connection, cmds: Collection[str], until: datetime) -> None:
    """Keep the keyed hashes of these ids; those kept already stay as they are."""
    fresh = sorted(set(cmds) - spent_of(db, cmds))
    if fresh:
        db.execute(insert(spent_command), [{"cmd": cmd, "until": until} for cmd in fresh])


def spent_of(db: Connection, cmds: Collection[str]) -> set[str]:
    wanted = spent_command.c.cmd
    return {cmd for some in chunks(list(cmds)) for cmd in db.execute(select(wanted).where(wanted.in_(some))).scalars()}


def forget_spent(db: Connection, now: datetime) -> int:
    return db.execute(delete(spent_command).where(spent_command.c.until <= now)).rowcount
