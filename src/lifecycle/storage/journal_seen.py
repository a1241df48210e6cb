"""How far the database has come in the erasure journal, which lies outside of it."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from lifecycle.columns import insert_of
from lifecycle.storage.tables import journal_seen
from lifecycle.vault.journal_lines import Mark

column = journal_seen.c


def begin(c: Connection) -> None:
    """A new store's journal is empty. Again is harmless."""
    _insert_once(c, Mark(0, ""))


def seen(c: Connection) -> Mark | None:
    """None in a store of an earlier version, until it erases something."""
    row = c.execute(select(column.entries, column.chain)).one_or_none()
    return None if row is None else Mark(row.entries, row.chain)


def note(c: Connection, mark: Mark) -> None:
    """Written with the destruction that the journal foretold; never goes back, whoever commits last."""
    _insert_once(c, mark)
    further = column.entries < mark.entries
    c.execute(update(journal_seen).where(further).values(entries=mark.entries, chain=mark.chain))


def _insert_once(c: Connection, mark: Mark) -> None:
    c.execute(
        insert_of(c, journal_seen).on_conflict_do_nothing(), {"one": 1, "entries": mark.entries, "chain": mark.chain}
    )
