"""Keys of signed notes: names, ids and the text that they are handed around as; and the lines that they sign."""

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
CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")  # "Format": no ASCII control character but newline
MARK = "— "
KEY_ID_BYTES = 4
_ED25519_BYTES = 32
_HEX = re.compile("[0-9a-f]{8}")
# Points of small order: whoever hands one out as a key lets everybody sign for it. Their y, the sign of x left out.
_P = 2**255 - 19
_OF_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_WEAK = frozenset({0, 1, _P - 1, _P, _P + 1, _OF_ORDER_8, _P - _OF_ORDER_8})


class MalformedKey(LifecycleError):
    """This is not a key for signed notes, or not one of a type that this program knows."""

    code: ClassVar[str] = "malformed-key"
    rule: ClassVar[str] = "c2sp.org/signed-note"


class Signature(NamedTuple):
    """One line of signature: who says to have signed, and what a key of theirs must verify."""

    name: str
    key_id: bytes
    value: bytes

    def line(self) -> str:
        return f"{MARK}{self.name} {base64(self.key_id + self.value)}\n"


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
        if int.from_bytes(self.public, "little") % 2**255 in _WEAK:
            raise MalformedKey("This is no key: anybody could sign for it.")

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
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:KEY_ID_BYTES]

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
    return bool(name) and "+" not in name and not CONTROL.search(name) and not any(map(str.isspace, name))


def base64(raw: bytes) -> str:
    return b64encode(raw).decode("ascii")


def unbase64(text: str) -> bytes:
    """RFC 4648, section 4; anything but the one way to write these bytes is a ValueError."""
    raw = b64decode(text, validate=True)
    if base64(raw) != text:
        raise ValueError("not canonical base64")
    return raw


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
