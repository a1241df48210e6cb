"""Signed notes: text, an empty line, and lines of signatures; and the keys that sign and verify them."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import ClassVar, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lifecycle.errors import LifecycleError

# Section names in comments are those of c2sp.org/signed-note.
ED25519 = 0x01  # "Signature types"
COSIGNATURE = 0x04
MAX_NOTE = 1_000_000  # bytes; "Format" asks for a limit, and for 16 signatures at least
MAX_SIGNATURES = 100
_KEY_ID_BYTES = 4
_ED25519_BYTES = 32
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")  # "Format": no ASCII control character but newline
_MARK = "— "
_HEX = re.compile("[0-9a-f]{8}")


class MalformedNote(LifecycleError):
    """These bytes are not a signed note."""

    code: ClassVar[str] = "malformed-note"
    rule: ClassVar[str] = "c2sp.org/signed-note"


class MalformedKey(LifecycleError):
    """This is not a key for signed notes, or not one of a type that this program knows."""

    code: ClassVar[str] = "malformed-key"
    rule: ClassVar[str] = "c2sp.org/signed-note"


class BadSignature(LifecycleError):
    """A signature of a known key does not verify, or no known key has signed."""

    code: ClassVar[str] = "bad-signature"
    remedy: ClassVar[str] = "compare the keys that you trust with those that the log publishes"


class Signature(NamedTuple):
    """One line of signature: who says to have signed, and what a key of theirs must verify."""

    name: str
    key_id: bytes
    value: bytes

    def line(self) -> str:
        return f"{_MARK}{self.name} {base64(self.key_id + self.value)}\n"


class Note(NamedTuple):
    """A note, read. Nothing in it is known to be true before a signature is verified."""

    text: str
    signatures: tuple[Signature, ...]

    def written(self) -> bytes:
        return (self.text + "\n" + "".join(each.line() for each in self.signatures)).encode()


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """Name, signature type and public key; what a verifier is configured with, out of band."""

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name):
            raise MalformedKey("A key's name is not empty and has no spaces, plus signs or control characters.")
        if self.kind not in (ED25519, COSIGNATURE) or len(self.public) != _ED25519_BYTES:
            raise MalformedKey("This is not a key of Ed25519, for notes (1) or for cosignatures (4).")

    @classmethod
    def parse(cls, vkey: str) -> VerifyingKey:
        """ "Verifier keys": <name>+<key id in hex>+<base64 of type and public key>."""
        name, key_id, raw = _parsed_key(vkey.split("+"))
        key = cls(name, raw[0], raw[1:])
        if key.key_id.hex() != key_id:
            raise MalformedKey("The id in this key is not the id of this key.")
        return key

    @property
    def key_id(self) -> bytes:
        """ "Signatures": the recommended one, which every type here prescribes."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:_KEY_ID_BYTES]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64(bytes([self.kind]) + self.public)}"

    def verifies(self, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its name. What it prints as never shows the secret."""

    verifying: VerifyingKey
    _private: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls, name: str, kind: int = ED25519) -> SigningKey:
        return cls._of(name, kind, Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, name: str, seed: bytes, kind: int = ED25519) -> SigningKey:
        if len(seed) != _ED25519_BYTES:
            raise MalformedKey("The seed of an Ed25519 key has 32 bytes.")
        return cls._of(name, kind, Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def parse(cls, skey: str) -> SigningKey:
        """The encoding of Go's note package; C2SP has none for private keys."""
        fields = skey.split("+")
        if fields[:2] != ["PRIVATE", "KEY"]:
            raise MalformedKey("This is not a private key for signed notes.")
        name, key_id, raw = _parsed_key(fields[2:])
        key = cls.from_seed(name, raw[1:], raw[0])
        if key.verifying.key_id.hex() != key_id:
            raise MalformedKey("The id in this key is not the id of this key.")
        return key

    @classmethod
    def _of(cls, name: str, kind: int, private: Ed25519PrivateKey) -> SigningKey:
        return cls(VerifyingKey(name, kind, private.public_key().public_bytes_raw()), private)

    @property
    def name(self) -> str:
        return self.verifying.name

    @property
    def kind(self) -> int:
        return self.verifying.kind

    @property
    def vkey(self) -> str:
        return self.verifying.vkey

    def secret(self) -> str:
        """What `parse` reads: to be written to a file that nobody else reads, and nowhere else."""
        raw = base64(bytes([self.kind]) + self._private.private_bytes_raw())
        return f"PRIVATE+KEY+{self.name}+{self.verifying.key_id.hex()}+{raw}"

    def signature(self, message: bytes, before: bytes = b"") -> Signature:
        """Sign; `before` goes in front of the signature's bytes, as some types have it."""
        return Signature(self.name, self.verifying.key_id, before + self._private.sign(message))


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
    if _CONTROL.search(written):
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


def by_name_and_id(keys: Iterable[VerifyingKey]) -> dict[tuple[str, bytes], VerifyingKey]:
    """ "Signatures": name and id together identify a key; two different keys must not share them."""
    known: dict[tuple[str, bytes], VerifyingKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise MalformedKey("Two of the keys have the same name and id.")
    return known


def is_key_name(name: str) -> bool:
    """ "Format"."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return bool(name) and "+" not in name and not _CONTROL.search(name) and not any(map(str.isspace, name))


def base64(raw: bytes) -> str:
    return b64encode(raw).decode("ascii")


def unbase64(text: str) -> bytes:
    """RFC 4648, section 4; anything but the one way to write these bytes is a ValueError."""
    raw = b64decode(text, validate=True)
    if base64(raw) != text:
        raise ValueError("not canonical base64")
    return raw


def _signature(line: str) -> Signature:
    name, _, value = line.removeprefix(_MARK).partition(" ")
    try:
        raw = unbase64(value)
    except ValueError:
        raise MalformedNote("A signature is not base64 as RFC 4648, section 4, writes it.") from None
    if not line.startswith(_MARK) or not is_key_name(name) or len(raw) <= _KEY_ID_BYTES:
        raise MalformedNote("A line of signature is: em dash, space, key name, space, base64 of key id and signature.")
    return Signature(name, raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:])


def _parsed_key(fields: Sequence[str]) -> tuple[str, str, bytes]:
    # Base64 may contain plus signs itself; a name and an id cannot.
    name, key_id, encoded = (*fields[:2], "+".join(fields[2:])) if len(fields) > 2 else ("", "", "")
    try:
        raw = unbase64(encoded)
    except ValueError:
        raw = b""
    if not raw or not _HEX.fullmatch(key_id):
        raise MalformedKey("A key is: name, plus, eight hex digits, plus, base64 of type and key.")
    return name, key_id, raw
