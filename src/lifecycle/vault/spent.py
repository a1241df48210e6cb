"""Ids of commands of people who were erased: for ninety days a late repeat of one registers nobody.

An id is good for one person, so another person may use it too. Each is kept twice: bound to every name that the person
had, by tokens that nobody can make any more when the epoch has ended; and alone, for the time after that.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, select

from lifecycle.columns import Ask, ask_together, insert_of
from lifecycle.vault.installation import Installation, Names
from lifecycle.vault.tables import chunks, lookup, spent_command

_UNTIL = select(spent_command.c.cmd, spent_command.c.until).where(
    spent_command.c.cmd.in_(bindparam("cmds", expanding=True))
)

_TOKENS = select(lookup.c.subject_id, lookup.c.epoch, lookup.c.token).where(
    lookup.c.subject_id.in_(bindparam("ids", expanding=True))
)


class Spent(NamedTuple):
    """`by_name`: that person was named as the command names somebody. Otherwise the id alone is known."""

    until: datetime
    by_name: bool


class Spending(NamedTuple):
    """The keyed hash of a command's id, until when it is spent, and the names that its person had."""

    cmd: str
    until: datetime
    names: Names


def names_of(db: Connection, installation: Installation, people: Iterable[UUID]) -> dict[UUID, Names]:
    """By which names commands may have meant these people: the identifiers that are in the index, and their id."""
    newest = installation.open[0]
    names = {id: [(newest.epoch, newest.token("id", str(id)))] for id in people}
    for some in chunks(list(names)):
        for row in db.execute(_TOKENS, {"ids": some}):
            names[row.subject_id].append((row.epoch, bytes(row.token)))
    return {id: tuple(theirs) for id, theirs in names.items()}


def spend_commands(db: Connection, spendings: Iterable[Spending]) -> None:
    """What was spent before is spent for longer."""
    untils: dict[str, datetime] = {}
    for cmd, until, names in spendings:
        keys = [cmd, *(_bound(cmd, token) for _, token in names)]
        if names:  # the oldest epoch: when it has ended, not every name can be told
            keys.append(_told_by_name(cmd, min(epoch for epoch, _ in names)))
        untils |= {key: max(until, untils.get(key, until)) for key in keys}
    if not untils:
        return
    rows = [{"cmd": key, "until": untils[key]} for key in sorted(untils)]
    unless_there = insert_of(db, spent_command).on_conflict_do_nothing()
    fresh = db.execute(unless_there, rows, execution_options={"preserve_rowcount": True}).rowcount
    if fresh == len(rows):
        return  # nearly always: to look for each of them first went through the table where it was not large
    for key, before in spent_of(db, untils).items():
        if before < untils[key]:
            db.execute(delete(spent_command).where(spent_command.c.cmd == key))
            db.execute(insert(spent_command), {"cmd": key, "until": untils[key]})


def few_asked(cmds: Iterable[str]) -> Ask:
    """To be asked together with something else, and read by `untils_in`."""
    return Ask(_UNTIL, {"cmds": list(dict.fromkeys(cmds))})


def untils_in(rows: Iterable[tuple[str, datetime]]) -> dict[str, datetime]:
    return {row[0]: row[1] for row in rows}


def spent_of(db: Connection, cmds: Iterable[str]) -> dict[str, datetime]:
    """Until when each of these ids is spent, of those that are; by the id alone."""
    asked = [few_asked(some) for some in chunks(list(dict.fromkeys(cmds)))]
    return untils_in(row for rows in (ask_together(db, asked) if asked else ()) for row in rows)


def spent_by(
    db: Connection, alone: Mapping[str, datetime], asked: Iterable[tuple[str, Names]]
) -> dict[tuple[str, Names], Spent]:
    """Which of these commands may be an erased person's, given the answer for their ids alone."""
    suspects = [each for each in dict.fromkeys(asked) if each[0] in alone]
    keys = [key for cmd, names in suspects for epoch, token in names for key in _keys(cmd, epoch, token)]
    known = spent_of(db, keys) if keys else {}
    found: dict[tuple[str, Names], Spent] = {}
    for cmd, names in suspects:
        bound = [known[key] for _, token in names if (key := _bound(cmd, token)) in known]
        if bound:
            found[cmd, names] = Spent(max(bound), by_name=True)
        elif not any(_told_by_name(cmd, epoch) in known for epoch, _ in names):
            found[cmd, names] = Spent(alone[cmd], by_name=False)
    return found


def forget_spent(db: Connection, now: datetime) -> int:
    return db.execute(delete(spent_command).where(spent_command.c.until <= now)).rowcount


def _keys(cmd: str, epoch: int, token: bytes) -> tuple[str, str]:
    return _bound(cmd, token), _told_by_name(cmd, epoch)


def _bound(cmd: str, token: bytes) -> str:
    return hmac.digest(token, b"spent|" + cmd.encode(), "sha256").hex()


def _told_by_name(cmd: str, epoch: int) -> str:
    """That in this epoch those who used the id are told by their names."""
    return f"{cmd}@{epoch}"
