"""What a stream has answered already. A command's id is good for one content, for 90 days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, select

from lifecycle.columns import Ask, instant_of
from lifecycle.ledger.many_rows import rows_at
from lifecycle.storage.tables import command_seen

KEPT = timedelta(days=90)
_STRANGER = b"stranger|"
_HALF = 16  # bytes

column = command_seen.c


class Seen(NamedTuple):
    """A command that was answered: by which events, or by none. `cmd` and `content_mac` are keyed hashes; of the second
    half is kept, which tells contents apart as well.

    `answer_stream` is where its events are, when that is not the stream that was asked (a refusal is on the access
    stream).
    """

    stream_id: UUID
    cmd: str
    content_mac: bytes
    outcome: str
    first_version: int | None
    last_version: int | None
    at: datetime
    answer_stream: UUID | None = None
    told: bytes | None = None  # JSON: what the events do not say of the answer, without any value

    def row(self) -> dict[str, Any]:
        return self._asdict() | {"content_mac": self.content_mac[:_HALF]}

    def is_of(self, content_mac: bytes) -> bool:
        """Whether the content was the same, stored or not."""
        return self.content_mac[:_HALF] == content_mac[:_HALF]


def stranger_stream(token: bytes) -> UUID:
    """Under what the answers are kept that a name was given while nobody had it. No stream of events has such an id;
    nobody can tell it from the name any more when the epoch of the token has ended."""
    return UUID(bytes=sha256(_STRANGER + token).digest()[:16], version=4)


_SEEN = select(*(column[name] for name in Seen._fields))
_COLUMNS, _KEY = ", ".join(Seen._fields), {"stream_id": "uuid", "cmd": "bytea"}
_FEW = _SEEN.where(
    column.stream_id.in_(bindparam("ids", expanding=True)), column.cmd.in_(bindparam("cmds", expanding=True))
)


def few_asked(pairs: Sequence[tuple[UUID, str]]) -> Ask:
    """For a handful of (stream, cmd) pairs: to be asked together with something else, and read by `few_in`. All of the
    streams are looked through for all of the commands."""
    streams, cmds = zip(*pairs, strict=True)
    return Ask(_FEW, {"ids": list(dict.fromkeys(streams)), "cmds": cmds})


def few_in(rows: Iterable[Any]) -> dict[tuple[UUID, str], Seen]:
    return {(row.stream_id, row.cmd): Seen(*row) for row in rows}


def seen(c: Connection, commands: Iterable[tuple[UUID, str]]) -> dict[tuple[UUID, str], Seen]:
    """Those of the (stream, cmd) pairs that were answered already."""
    on_sqlite = c.dialect.name == "sqlite"
    pairs = [(stream.hex if on_sqlite else stream, bytes.fromhex(cmd)) for stream, cmd in dict.fromkeys(commands)]
    rows = rows_at(c, _COLUMNS, command_seen.name, _KEY, pairs)
    return {(each.stream_id, each.cmd): each for each in map(_seen, rows)}


def _seen(row: tuple[Any, ...]) -> Seen:
    """From what the driver gives."""
    stream, cmd, mac, outcome, first, last, at, answered_in, told = row
    return Seen(_id(stream), cmd.hex(), mac, outcome, first, last, instant_of(at), _id(answered_in), told)


def _id(given: Any) -> Any:
    return UUID(given) if isinstance(given, str) else given


def purge(c: Connection, now: datetime) -> int:
    """Forget what is older than 90 days; return how many. Needs the expunger's role."""
    return c.execute(delete(command_seen).where(column.at < now - KEPT)).rowcount
