"""Checkpoints: what a log signs to say how many leaves it has and what their root is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from lifecycle.errors import LifecycleError
from lifecycle.ledger.note import BadSignature, SigningKey, VerifyingKey, base64, read_note, sign, unbase64, verify
from lifecycle.ledger.tree import HASH_BYTES

# Section names in comments are those of c2sp.org/tlog-checkpoint.
MAX_SIZE = 2**63 - 1  # what others read into a signed number
_DECIMAL = re.compile("0|[1-9][0-9]{0,18}")


class MalformedCheckpoint(LifecycleError):
    """This is not the text of a checkpoint."""

    code: ClassVar[str] = "malformed-checkpoint"
    rule: ClassVar[str] = "c2sp.org/tlog-checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """ "Note text": the log's origin, the size of its tree and the root."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(not line or "\n" in line for line in (self.origin, *self.extensions)):
            raise MalformedCheckpoint("The lines of a checkpoint are never empty.")
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_BYTES:
            raise MalformedCheckpoint("A checkpoint has the number of leaves, and a root of 32 bytes.")

    def text(self) -> str:
        return "\n".join([self.origin, str(self.size), base64(self.root), *self.extensions, ""])

    @classmethod
    def parse(cls, text: str, *, extensions: bool = False) -> Checkpoint:
        """Read a checkpoint. Extension lines are refused unless asked for: nobody who audits a log can check them."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop():
            raise MalformedCheckpoint("A checkpoint has at least three lines, each with its end.")
        origin, size, root, *more = lines
        if more and not extensions:
            raise MalformedCheckpoint("This checkpoint has extension lines, which are not accepted here.")
        return cls(origin, decimal(size, MalformedCheckpoint), hash_of(root, MalformedCheckpoint), tuple(more))


def sign_checkpoint(checkpoint: Checkpoint, keys: Sequence[SigningKey]) -> bytes:
    """ "Signatures": by the log's keys, which have the origin as their name."""
    if any(key.name != checkpoint.origin for key in keys):
        raise ValueError("the name of a log's key is the log's origin")
    return sign(checkpoint.text(), keys)


def open_checkpoint(data: bytes, log_keys: Iterable[VerifyingKey], *, extensions: bool = False) -> Checkpoint:
    """The checkpoint in a note, signed by a key of the log that it names; other logs' keys do not count."""
    note = read_note(data)
    checkpoint = Checkpoint.parse(note.text, extensions=extensions)
    keys = [key for key in log_keys if key.name == checkpoint.origin]
    if not keys:
        raise BadSignature("No known key belongs to the log that this checkpoint names.")
    verify(note, keys)
    return checkpoint


def decimal(text: str, refused: type[LifecycleError]) -> int:
    """A number as C2SP writes them: ASCII digits, no leading zero, below 2^63."""
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_SIZE:
        raise refused("A number is decimal, without leading zeros, and below 2^63.")
    return int(text)


def hash_of(text: str, refused: type[LifecycleError]) -> bytes:
    """A hash as C2SP writes them: 32 bytes in base64."""
    try:
        raw = unbase64(text)
    except ValueError:
        raw = b""
    if len(raw) != HASH_BYTES:
        raise refused("A hash is 32 bytes in base64, as RFC 4648, section 4, writes them.")
    return raw
