"""Cosignatures: a witness says that, as of a time, this was the largest tree of the log that it found consistent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lifecycle.ledger.checkpoint import MAX_SIZE, Checkpoint
from lifecycle.ledger.note import COSIGNATURE, BadSignature, Note, Signature, SigningKey, VerifyingKey, by_name_and_id

# Section names in comments are those of c2sp.org/tlog-cosignature.
_TIME_BYTES = 8


class Cosignature(NamedTuple):
    """A cosignature that verified: whose it is, and when it was made, in seconds since the Epoch."""

    key: VerifyingKey
    at: int


def sign(checkpoint_text: str, key: SigningKey, at: int) -> Signature:
    """ "Format": the timestamp, eight bytes big-endian, and the signature over "Ed25519 signed message"."""
    if key.kind != COSIGNATURE or not 0 < at <= MAX_SIZE:
        raise ValueError("a cosignature is made with a key for cosignatures, at a time after the Epoch")
    Checkpoint.parse(checkpoint_text, extensions=True)
    return key.signature(_message(checkpoint_text, at), before=at.to_bytes(_TIME_BYTES, "big"))


def verify(note: Note, keys: Iterable[VerifyingKey]) -> tuple[Cosignature, ...]:
    """The cosignatures of known witnesses, in the order of the note; BadSignature if one of theirs does not verify.

    None is no error: how many are enough is for the policy to say.
    """
    known = by_name_and_id(keys)
    if any(key.kind != COSIGNATURE for key in known.values()):
        raise ValueError("a key for notes verifies no cosignatures")
    Checkpoint.parse(note.text, extensions=True)
    return tuple(
        Cosignature(key, _verified(note.text, signature.value, key))
        for signature in note.signatures
        if (key := known.get((signature.name, signature.key_id)))
    )


def _verified(text: str, value: bytes, key: VerifyingKey) -> int:
    at = int.from_bytes(value[:_TIME_BYTES], "big")
    if len(value) <= _TIME_BYTES or at > MAX_SIZE:
        raise BadSignature("A cosignature of a known witness has no time below 2^63.")
    if not key.verifies(_message(text, at), value[_TIME_BYTES:]):
        raise BadSignature("A cosignature of a known witness does not verify.")
    return at


def _message(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()  # "Ed25519 signed message"
