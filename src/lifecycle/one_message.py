"""Several statements to PostgreSQL in one message and one answer: over the driver's connection, past its cursors.

By cursors a message of ten statements took eight times the processor time: each is converted, typed and waited for by
itself. What is sent here are constants with values of few types: a statement is prepared once in a session, and values
travel as the server has them (docs/adr/0058-one-message-by-libpq.md).
"""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from itertools import count
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Connection, Dialect, Integer, LargeBinary, SmallInteger, String, Uuid
from sqlalchemy.types import TypeDecorator, TypeEngine

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

Encode = Callable[[Any], bytes]
Decode = Callable[[bytes], Any]
_PREPARED, _HELD_BACK = "lifecycle_prepared", "lifecycle_held_back"  # of a connection's `info`
_SQLSTATE = ord("C")  # of libpq's fields of an error
_numbers = count()
_SMALL, _INT, _BIG = Struct("!h"), Struct("!i"), Struct("!q")
_ARRAY = Struct("!iiIii")
_BOTH = select.POLLIN | select.POLLOUT


class Sent(NamedTuple):
    """A constant statement, its parameters written $1, $2; make it once, as it is prepared under its name."""

    sql: bytes
    name: bytes

    @classmethod
    def of(cls, sql: str) -> Sent:
        """From the driver's own way to write parameters."""
        first, *rest = sql.split("%s")
        numbered = first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))
        return cls(numbered.replace("%%", "%").encode(), b"lifecycle_%d" % next(_numbers))


Message = tuple[Sent, Sequence[bytes | None]]


def hold_back(c: Connection, *words: bytes, with_: Sequence[Message] = ()) -> None:
    """Let these go along with the next exchange, before everything else: what ends and begins transactions."""
    c.info[_HELD_BACK] = (words, with_)


def send_now(c: Connection) -> None:
    """What was held back, if anything was."""
    if is_held_back(c):
        exchange(c, ())


def is_held_back(c: Connection) -> bool:
    return c.info.get(_HELD_BACK) is not None


def exchange(c: Connection, sent: Sequence[Message], last: bytes | None = None) -> list[PGresult]:
    """Send all, then read all: one result for each. `last` are words that end the transaction with it.

    Errors: those of psycopg. After one of the server's the transaction is to be rolled back, as ever; if the exchange
    itself is broken off, the connection is thrown away, as nobody could tell whose answers come next.
    """
    info = c.info
    prepared: set[bytes] = info.setdefault(_PREPARED, set())
    words, before = info.pop(_HELD_BACK, None) or ((), ())
    driver: Any = c.connection.driver_connection
    try:
        results, wanted = _exchanged(driver.pgconn, words, [*before, *sent], last, prepared)
    except BaseException:
        c.invalidate()
        raise
    return _answers(results, wanted, prepared)[len(before) :]


def _exchanged(
    pg: PGconn, words: Sequence[bytes], sent: Sequence[Message], last: bytes | None, prepared: set[bytes]
) -> tuple[list[PGresult], list[bytes | None]]:
    """All results, and for each what it is of: an answer, or the name of what is being prepared, or mere words."""
    if len(sent) == 1 and sent[0][0].name in prepared and not words and last is None:
        _send(pg, sent[0])  # without a pipeline, which takes half as long again
        return _received(pg, is_alone=True), [None]
    pg.enter_pipeline_mode()
    wanted: list[bytes | None] = []
    for word in words:
        pg.send_query_params(word, None)
        wanted.append(b"")
    fresh: set[bytes] = set()
    for message in sent:
        sql, name = message[0]
        if name not in prepared and name not in fresh:
            pg.send_prepare(name, sql)
            fresh.add(name)
            wanted.append(name)
        _send(pg, message)
        wanted.append(None)
    if last is not None:
        pg.send_query_params(last, None)
        wanted.append(b"")
    pg.pipeline_sync()
    results = _received(pg)
    pg.exit_pipeline_mode()
    return results, wanted


def _send(pg: PGconn, message: Message) -> None:
    (_, name), values = message
    pg.send_query_prepared(name, values, [1] * len(values), 1)


def _received(pg: PGconn, *, is_alone: bool = False) -> list[PGresult]:
    from psycopg.pq import ConnStatus, ExecStatus  # noqa: PLC0415

    waiting = select.poll()
    waiting.register(pg.socket, _BOTH)
    while pg.flush():  # the server may want to be rid of answers before it takes more
        if waiting.poll()[0][1] & ~select.POLLOUT:
            pg.consume_input()
    waiting.modify(pg.socket, select.POLLIN)
    results: list[PGresult] = []
    while True:
        while pg.is_busy():
            waiting.poll()
            pg.consume_input()
        result = pg.get_result()
        if result is None:  # the end of one statement's answer
            if pg.status == ConnStatus.BAD:
                raise _lost(results)
            if is_alone:
                return results
        elif result.status == ExecStatus.PIPELINE_SYNC:
            return results
        else:
            results.append(result)


def _lost(results: list[PGresult]) -> Exception:
    """What the server said last, if it said why."""
    from psycopg import OperationalError  # noqa: PLC0415
    from psycopg.errors import error_from_result  # noqa: PLC0415

    said = bool(results) and results[-1].error_field(_SQLSTATE) is not None
    return error_from_result(results[-1]) if said else OperationalError("the connection is lost")


def _answers(results: list[PGresult], wanted: list[bytes | None], prepared: set[bytes]) -> list[PGresult]:
    """Without those of words and of preparing. Errors: the first that the server tells; after it nothing is done."""
    from psycopg.errors import error_from_result  # noqa: PLC0415
    from psycopg.pq import ExecStatus  # noqa: PLC0415

    answered = []
    for result, of in zip(results, wanted, strict=True):
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result)
        if of is None:
            answered.append(result)
        elif of:
            prepared.add(of)
    return answered


def rows_in(result: PGresult, decoders: Sequence[Decode]) -> list[list[Any]]:
    """The rows of a result."""
    value, columns = result.get_value, list(enumerate(decoders))
    return [
        [None if (found := value(row, place)) is None else decode(found) for place, decode in columns]
        for row in range(result.ntuples)
    ]


# -- values as the server has them -------------------------------------------------------------------------------------


def encoder_of(type: TypeEngine[Any]) -> Encode:
    """How the driver's form of a value of this type is written; None travels by itself."""
    return _kind_of(type)[0]


def _kind_of(type: TypeEngine[Any]) -> tuple[Encode, Decode, int]:
    plain = type.impl_instance if isinstance(type, TypeDecorator) else type
    found = next((of for kind, of in _KINDS.items() if isinstance(plain, kind)), None)
    if found is None:
        raise TypeError(f"No value of type {type} travels in this way.")
    return found


def decoder_of(type: TypeEngine[Any], dialect: Dialect) -> Decode:
    """How a value of a column of this type is read."""
    decode = _kind_of(type)[1]
    process = type.dialect_impl(dialect).result_processor(dialect, None) if isinstance(type, TypeDecorator) else None
    return decode if process is None else lambda value: process(decode(value))


def bound_encoder_of(type: TypeEngine[Any], dialect: Dialect) -> Encode:
    """How a value is written that is not in the driver's form yet."""
    encode = encoder_of(type)
    bind = type.process_bind_param if isinstance(type, TypeDecorator) else None
    return encode if bind is None else lambda value: encode(bind(value, dialect))


def array_encoder_of(type: TypeEngine[Any], dialect: Dialect) -> Callable[[Sequence[Any]], bytes]:
    """How several values travel as one parameter."""
    encode, oid = bound_encoder_of(type, dialect), _kind_of(type)[2]

    def encoded(values: Sequence[Any]) -> bytes:
        parts = [_ARRAY.pack(1, 0, oid, len(values), 1)]
        for value in values:
            element = encode(value)
            parts += (_INT.pack(len(element)), element)
        return b"".join(parts)

    return encoded


def _uuid(value: bytes) -> UUID:
    return UUID(bytes=value)


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


# The finer kinds of numbers first, as they are whole numbers too.
_KINDS: dict[Any, tuple[Encode, Decode, int]] = {
    Uuid: (lambda value: value.bytes, _uuid, 2950),
    LargeBinary: (bytes, bytes, 17),
    String: (str.encode, bytes.decode, 25),
    BigInteger: (_BIG.pack, _number, 20),
    SmallInteger: (_SMALL.pack, _number, 21),
    Integer: (_INT.pack, _number, 23),
    Boolean: (lambda value: b"\1" if value else b"\0", lambda value: value == b"\1", 16),
}
