"""Whether there is any incident to follow: asked behind every command, before what follows incidents is loaded."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from lifecycle.processes.reacting import move, positions
from lifecycle.projections.incidents import counted, waiting
from lifecycle.projections.registry import PROJECTIONS
from lifecycle.storage import standing
from lifecycle.storage.database import Database

NAME = "recount-when-more-people-were-hit"


class ToFollow(NamedTuple):
    """In one snapshot: incidents to count or to tell of, those that were counted, and which positions to look through
    for more people: from where, None if never yet, and up to where. A count that is behind it is not projected yet, and
    what came after that count must not be passed over."""

    waiting: list[str]
    counted: list[str]
    start: int | None
    stop: int

    @property
    def is_nothing(self) -> bool:
        return not self.waiting and not self.counted


def to_follow(c: Connection) -> ToFollow:
    return ToFollow(waiting(c), counted(c), positions(c).get(NAME), standing.followed(c, PROJECTIONS))


def looked_through(database: Database, start: int | None, stop: int) -> None:
    """What is recorded between these positions brought nobody, or those whom it brought are on record."""
    if (start or 0) == stop:
        return
    with database.write("writer") as c:
        move(c, NAME, start or 0, stop)
