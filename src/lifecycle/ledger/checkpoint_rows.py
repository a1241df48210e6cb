"""The signed checkpoints of a store, as rows, and what is said when a log is not the one that they were signed for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from lifecycle.columns import insert_of
from lifecycle.errors import StoreUnavailable
from lifecycle.ledger.checkpoint import Checkpoint
from lifecycle.ledger.note import read_note
from lifecycle.ledger.tables import checkpoint


class RolledBack(StoreUnavailable):
    """The log is older than what was signed, or another one: signing it would show two histories."""

    remedy = "let nobody write, and run `lifecycle restore check`: it compares the store with its last checkpoint"


@dataclass(frozen=True, slots=True)
class Published:
    """The newest checkpoint, and its note with all signatures that are known."""

    size: int
    root: bytes
    note: bytes


def newest_checkpoint(c: Connection) -> Published | None:
    row = c.execute(select(checkpoint).order_by(checkpoint.c.size.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    note: bytes = row.note.encode()
    return Published(row.size, Checkpoint.parse(read_note(note).text).root, note)


def remember(c: Connection, size: int, note: bytes, at: datetime) -> None:
    """Keep a signed note; another publisher may have kept the same one."""
    c.execute(insert_of(c, checkpoint).on_conflict_do_nothing(), {"size": size, "note": note.decode(), "at": at})
