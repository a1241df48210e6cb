"""Signed notes: text, an empty line, and lines of signatures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from lifecycle.errors import LifecycleError
from lifecycle.ledger.note_keys import (
    CONTROL,
    COSIGNATURE,
    ED25519,
    KEY_ID_BYTES,
    MARK,
    MalformedKey,
    Signature,
    SigningKey,
    VerifyingKey,
    base64,
    by_name_and_id,
    is_key_name,
    unbase64,
)

__all__ = [
    "COSIGNATURE",
    "ED25519",
    "BadSignature",
    "MalformedKey",
    "MalformedNote",
    "Note",
    "Signature",
    "SigningKey",
    "VerifyingKey",
    "base64",
    "by_name_and_id",
    "is_key_name",
    "read_note",
    "read_signatures",
    "sign",
    "unbase64",
    "verify",
    "with_signatures",
]

# Section names in comments are those of c2sp.org/signed-note.
MAX_NOTE = 1_000_000  # bytes; "Format" asks for a limit, and for 16 signatures at least
MAX_SIGNATURES = 100


class MalformedNote(LifecycleError):
    """These bytes are not a signed note."""

    code: ClassVar[str] = "malformed-note"
    rule: ClassVar[str] = "c2sp.org/signed-note"


class BadSignature(LifecycleError):
    """A signature of a known key does not verify, or no known key has signed."""

    code: ClassVar[str] = "bad-signature"
    remedy: ClassVar[str] = "compare the keys that you trust with those that the log publishes"


class Note(NamedTuple):
    """A note, read. Nothing in it is known to be true before a signature is verified."""

    text: str
    signatures: tuple[Signature, ...]

    def written(self) -> bytes:
        return (self.text + "\n" + "".join(each.line() for each in self.signatures)).encode()


def sign(text: str, keys: Sequence[SigningKey]) -> bytes:
    """ "Ed25519 signatures": a note, signed over its text."""
    if any(key.kind != ED25519 for key in keys):
        raise ValueError("a key for cosignatures signs no notes")
    note = Note(text, tuple(key.signature(text.encode()) for key in keys)).written()
    if read_note(note).text != text:
        raise ValueError("a note's text ends with a newline")
    return note


def with_signatures(note: Note, signatures: Iterable[Signature]) -> Note:
    """The note with more signatures; one that it already has is not written twice."""
    return Note(note.text, tuple(dict.fromkeys([*note.signatures, *signatures])))


def read_note(data: bytes) -> Note:
    """ "Format", strictly; signatures are read, not verified."""
    if len(data) > MAX_NOTE:
        raise MalformedNote("A note of more than a million bytes is not read.")
    try:
        written = data.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedNote("A note is text in UTF-8.") from None
    if CONTROL.search(written):
        raise MalformedNote("A note has no control characters but newlines.")
    text, empty, lines = written.rpartition("\n\n")
    if not empty:
        raise MalformedNote("A note has text, an empty line, and lines of signatures.")
    return Note(text + "\n", read_signatures(lines))


def read_signatures(lines: str) -> tuple[Signature, ...]:
    """One or more lines of signatures, as a note ends with and as a witness answers."""
    *signatures, rest = lines.split("\n")
    if rest or not signatures:
        raise MalformedNote("Signatures are one or more lines, each with its end.")
    if len(signatures) > MAX_SIGNATURES:
        raise MalformedNote("A note with more than 100 signatures is not read.")
    return tuple(_signature(line) for line in signatures)


def verify(note: Note, keys: Iterable[VerifyingKey]) -> tuple[VerifyingKey, ...]:
    """The keys that signed the note's text; BadSignature if none did, or if one of them did not sign this."""
    known = by_name_and_id(keys)
    if any(key.kind != ED25519 for key in known.values()):
        raise ValueError("a key for cosignatures verifies no notes")
    found: dict[VerifyingKey, None] = {}
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue  # "Signatures": those of unknown keys are ignored
        if not key.verifies(note.text.encode(), signature.value):
            raise BadSignature("A signature of a known key does not verify.")
        found[key] = None
    if not found:
        raise BadSignature("No known key has signed this.")
    return tuple(found)


def _signature(line: str) -> Signature:
    name, _, value = line.removeprefix(MARK).partition(" ")
    try:
        raw = unbase64(value)
    except ValueError:
        raise MalformedNote("A signature is not base64 as RFC 4648, section 4, writes it.") from None
    if not line.startswith(MARK) or not is_key_name(name) or len(raw) <= KEY_ID_BYTES:
        raise MalformedNote("A line of signature is: em dash, space, key name, space, base64 of key id and signature.")
    return Signature(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])
