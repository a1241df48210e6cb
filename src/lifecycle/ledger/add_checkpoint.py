"""How a witness is asked and how it answers, over HTTP and through a folder alike."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, NamedTuple

from lifecycle.errors import LifecycleError
from lifecycle.ledger.checkpoint import decimal, hash_of
from lifecycle.ledger.note import base64

# Section names in comments are those of c2sp.org/tlog-witness.
MAX_PROOF = 63  # "add-checkpoint"
MAX_REQUEST = 256 * 1024  # bytes; 63 hashes, and a note with many signatures of other witnesses
MAX_ANSWER = 64 * 1024
SIZE_TYPE = "text/x.tlog.size"
OK, BAD_REQUEST, FORBIDDEN, NOT_FOUND, CONFLICT, TOO_LARGE, UNPROCESSABLE = 200, 400, 403, 404, 409, 413, 422

# How the two files of a request and its answer are named in a folder that log and witness share.
REQUEST_SUFFIX, ANSWER_SUFFIX = ".request", ".answer"
_ANSWER = re.compile(rb"answers ([0-9a-f]{64})\n([1-5][0-9][0-9])\n\n(.*)", re.DOTALL)


class MalformedRequest(LifecycleError):
    """This is not a request to a witness."""

    code: ClassVar[str] = "malformed-request"
    rule: ClassVar[str] = "c2sp.org/tlog-witness"


class MalformedAnswer(LifecycleError):
    """This is not a witness's answer."""

    code: ClassVar[str] = "malformed-answer"


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """ "add-checkpoint": the size that the witness last cosigned, the proof from there, and the signed note."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes

    def written(self) -> bytes:
        return "\n".join([f"old {self.old}", *map(base64, self.proof), "", ""]).encode() + self.note

    @classmethod
    def parse(cls, body: bytes) -> AddCheckpoint:
        if len(body) > MAX_REQUEST:
            raise MalformedRequest("A request of more than 256 kB is not read.")
        head, empty, note = body.partition(b"\n\n")
        if not empty or not head.isascii():
            raise MalformedRequest("A request is lines of ASCII, an empty line and a checkpoint.")
        first, *proof = head.decode("ascii").split("\n")
        if not first.startswith("old "):
            raise MalformedRequest("A request begins with a line of old and a size.")
        if len(proof) > MAX_PROOF:
            raise MalformedRequest("A consistency proof has at most 63 hashes.")
        old = decimal(first.removeprefix("old "), MalformedRequest)
        return cls(old, tuple(hash_of(line, MalformedRequest) for line in proof), note)


class Answer(NamedTuple):
    """A status of HTTP and what goes with it: lines of cosignatures, a size, or a reason in words."""

    status: int
    body: bytes

    @property
    def media_type(self) -> str:
        return SIZE_TYPE if self.status == CONFLICT else "text/plain; charset=utf-8"

    def written(self, request: bytes) -> bytes:
        """As a file, which says by its digest which request it answers: either may be replaced meanwhile."""
        return f"answers {digest(request)}\n{self.status}\n\n".encode() + self.body

    @classmethod
    def parse(cls, data: bytes, request: bytes) -> Answer | None:
        """The answer in a file; None if it answers another request."""
        match = _ANSWER.fullmatch(data)
        if len(data) > MAX_ANSWER or not match:
            raise MalformedAnswer("This file is not an answer of a witness.")
        return cls(int(match[2]), match[3]) if match[1].decode() == digest(request) else None


def digest(request: bytes) -> str:
    return sha256(request).hexdigest()


def origin_hash(origin: str) -> str:
    """ "Monitor Retrieval Mechanism": what names a log in paths."""
    return sha256(origin.encode()).hexdigest()
