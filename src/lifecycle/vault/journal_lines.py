"""What the erasure journal says, line by line: each chained to the one before, so that none is lost or changed unseen.

line  = {"chain": hex(SHA-256(chain before || 0x00 || erase)), "erase": [entry, ...]}   keys in order, no spaces
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from lifecycle.columns import instant_of, microseconds
from lifecycle.vault.files import KeysUnavailable

NAME = "erasure.journal"
_AT_ONCE = 1 << 20  # bytes that are read
_BEGINS = b'{"chain":"%b"'


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """What one order dooms: the whole person, or the data keys and identifiers that it names, which may be none."""

    subject_id: UUID
    order: int  # version of the event that ordered it
    at: datetime
    _: KW_ONLY
    whole: bool = False
    kids: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.whole and (self.kids or self.identifiers):
            raise ValueError("an order dooms all or something, not both")

    @property
    def digest(self) -> int:
        """Of all but the time: two entries with the same digest doom the same."""
        content = [str(self.subject_id), self.order, self.whole, self.kids, self.identifiers]
        return int.from_bytes(sha256(orjson.dumps(content)).digest()[:16], "big")

    def as_json(self) -> dict[str, Any]:
        return {
            "at": microseconds(self.at),
            "identifiers": list(self.identifiers),
            "kids": list(self.kids),
            "order": self.order,
            "subject": str(self.subject_id),
            "whole": self.whole,
        }

    @classmethod
    def read(cls, said: dict[str, Any]) -> JournalEntry:
        return cls(
            UUID(said["subject"]),
            said["order"],
            instant_of(said["at"]),
            whole=said["whole"],
            kids=tuple(said["kids"]),
            identifiers=tuple(said["identifiers"]),
        )


class Mark(NamedTuple):
    """A place in the journal: behind how many entries, and the chain up to there. The beginning is (0, "")."""

    entries: int
    chain: str


def broken(how: str) -> KeysUnavailable:
    return KeysUnavailable(how, f"put back an unbroken copy of {NAME}; until then nothing may be erased or restored")


def line_of(chain: str, entries: list[dict[str, Any]]) -> bytes:
    body = orjson.dumps(entries, option=orjson.OPT_SORT_KEYS)
    chained = sha256(chain.encode() + b"\x00" + body).hexdigest()
    return orjson.dumps({"chain": chained, "erase": entries}, option=orjson.OPT_SORT_KEYS)


def checked(descriptor: int, start: int, mark: Mark, stop: int) -> Iterator[tuple[Mark, list[JournalEntry]]]:
    """Every line from `start`, where `mark` is, up to `stop`: the place behind it, and what it says."""
    for line in lines_of(descriptor, start, stop):
        mark, said = read_line(mark, line)
        yield mark, said


def read_line(mark: Mark, line: bytes) -> tuple[Mark, list[JournalEntry]]:
    """Errors: KeysUnavailable, if the line is not whole, or does not come after `mark`."""
    try:
        said = orjson.loads(line)
        entries = [JournalEntry.read(entry) for entry in said["erase"]]
        is_whole = line == line_of(mark.chain, said["erase"])
    except (ValueError, TypeError, KeyError):
        is_whole = False
    if not is_whole:
        raise broken("A line of the erasure journal is broken.")
    return Mark(mark.entries + len(entries), said["chain"]), entries


def lines_of(descriptor: int, start: int, stop: int) -> Iterator[bytes]:
    """The lines that have an end, of the file from `start` to `stop`, a piece at a time."""
    os.lseek(descriptor, start, os.SEEK_SET)
    rest, at = b"", start
    while piece := os.read(descriptor, min(_AT_ONCE, stop - at)):
        at += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines


def behind(descriptor: int, chain: str, stop: int) -> int | None:
    """Where the line ends that has this chain, looked for from `stop` backwards: it is among the last, mostly."""
    if not chain:
        return 0
    begins = _BEGINS % chain.encode()
    start = stop
    while start > 0:
        end, start = min(stop, start + len(begins)), max(0, start - _AT_ONCE)
        os.lseek(descriptor, start, os.SEEK_SET)
        found = os.read(descriptor, end - start).rfind(begins)  # within a line its quotes have backslashes
        if found >= 0:
            line = next(lines_of(descriptor, start + found, stop), None)
            return None if line is None else start + found + len(line) + 1
    return None
