"""How far an archive was taken over: whoever goes on after a crash neither checks it all again nor begins at its head.

The mark is in the database that the people came into, so a backup that is put back has both as they were then. It
names the archive by the digest of its manifest, and that names every byte of it.
"""

from __future__ import annotations

from sqlalchemy import select

from lifecycle.processes.reacting import move
from lifecycle.storage.database import Database
from lifecycle.storage.tables import reaction_position

CHECKED = 1  # and nobody taken over yet


class Mark:
    """Its `people` are those at the head of the archive who were all received; None before the archive was checked."""

    def __init__(self, database: Database, digest: str) -> None:
        self._database = database
        self._name = f"archive/{digest}"
        with database.read() as c:
            mine = reaction_position.c.name == self._name
            self._at: int = c.execute(select(reaction_position.c.position).where(mine)).scalar_one_or_none() or 0

    @property
    def people(self) -> int | None:
        return self._at - CHECKED if self._at else None

    def set(self, people: int) -> None:
        with self._database.write("writer") as c:
            move(c, self._name, self._at, people + CHECKED)
        self._at = people + CHECKED
