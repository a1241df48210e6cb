"""How one value becomes a sealed part, and how it is opened again; a changed byte never looks like an erasure."""

from __future__ import annotations

import hmac
import os
from binascii import b2a_base64
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, ClassVar, NamedTuple, Protocol
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import JsonValue

from lifecycle.errors import Invalid, LifecycleError
from lifecycle.macs import Mac, mac
from lifecycle.vault.tables import Row

RECORD = "record"  # the holding id of what callers wrote in words: one key a person, dead with the whole person

AAD = b"lifecycle/aad/v1"
KEY_COMMIT = b"lifecycle/key-commit/v1"
WRAP_DATA_KEY = b"lifecycle/wrap-data-key/v1"
REFERENCE = b"lifecycle/reference/v1"
CONTENT = b"lifecycle/content/v1"

KEY_BYTES = 32
NONCE_BYTES = 12
SALT_BYTES = 64
KEY_ID_BYTES = 16
BUCKET = 64  # disclosures are padded to it, against what a length tells

# Where in the random bytes of one part what stands.
_NONCE = slice(SALT_BYTES, SALT_BYTES + NONCE_BYTES)
_DATA_KEY = slice(_NONCE.stop, _NONCE.stop + KEY_BYTES)
_KEY_ID = slice(_DATA_KEY.stop, _DATA_KEY.stop + KEY_ID_BYTES)
_WRAP_NONCE = slice(_KEY_ID.stop, _KEY_ID.stop + NONCE_BYTES)
_RANDOM_OF_A_PART = _WRAP_NONCE.stop


class Tampered(LifecycleError):
    """What is stored is not what was sealed: bytes were changed, swapped or lost. Never an erasure."""

    code: ClassVar[str] = "tampered"
    remedy: ClassVar[str] = "stop writing, and compare with a backup before anything else is written"


class SealedPart(Protocol):
    """What opening needs of a header's part; the ledger's own class has these fields too."""

    @property
    def hid(self) -> str: ...
    @property
    def kid(self) -> str: ...
    @property
    def kc(self) -> str: ...
    @property
    def ct(self) -> str: ...
    @property
    def pc(self) -> str: ...


class Part(NamedTuple):
    """What the header will say of one part."""

    hid: str
    kid: str
    kc: str
    ct: str
    pc: str

    def as_json(self) -> dict[str, str]:
        return {"ct": self.ct, "hid": self.hid, "kc": self.kc, "kid": self.kid, "pc": self.pc}


class Sealed(NamedTuple):
    """A part for the header, its ciphertext for the body, and the row of its new key, if it has one of its own."""

    part: Part
    ciphertext: bytes
    data_key_row: Row | None = None

    def __repr__(self) -> str:
        return f"Sealed({self.part!r})"


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def b64url(raw: bytes) -> str:
    """RFC 4648, section 5, without padding; some ten times for each event."""
    return b2a_base64(raw, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def wrap(key: AESGCM, secret: bytes, aad: bytes, nonce: bytes | None = None) -> bytes:
    nonce = nonce or os.urandom(NONCE_BYTES)
    return nonce + key.encrypt(nonce, secret, aad)


def unwrap(key: AESGCM, wrapped: bytes, aad: bytes) -> bytes:
    try:
        return key.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], aad)
    except (InvalidTag, ValueError):
        raise Tampered("A wrapped key does not open under the key above it.") from None


def key_commitment(dk: bytes) -> str:
    """AES-GCM does not commit to its key; this does, and it names the key that was destroyed."""
    return b64url(mac(dk, KEY_COMMIT))


@dataclass(slots=True, eq=False)
class SubjectKeys:
    """The keys of one person, unwrapped, as of one generation."""

    subject_id: UUID
    sid: bytes = field(repr=False)
    generation: int
    epoch: int
    sk: bytes = field(repr=False)
    rk: bytes = field(repr=False)
    rk_kid: str
    _sk: AESGCM = field(init=False, repr=False)
    _rk: AESGCM = field(init=False, repr=False)
    _rk_kc: str = field(init=False, repr=False)
    _mac: Mac = field(init=False, repr=False)
    _sid: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._sk = AESGCM(self.sk)
        self._rk = AESGCM(self.rk)
        self._rk_kc = key_commitment(self.rk)
        self._mac = Mac(self.rk)
        self._sid = b64url(self.sid)

    def seal(self, sid: bytes, n: int, hid: str, value: JsonValue) -> Sealed:
        """Seal a value for event `n` of the stream `sid`: under the record key, or under a new key of its own.

        All random bytes of a part are drawn at once: each is used for one thing.
        """
        if hid == RECORD:
            random = os.urandom(SALT_BYTES + NONCE_BYTES)
            key, kid, kc, row = self._rk, self.rk_kid, self._rk_kc, None
        else:
            random = os.urandom(_RANDOM_OF_A_PART)
            dk, kid = random[_DATA_KEY], b64url(random[_KEY_ID])
            key, kc, row = AESGCM(dk), key_commitment(dk), self.data_key_row(kid, hid, dk, random[_WRAP_NONCE])
        disclosure, nonce = _disclosure(random[:SALT_BYTES], hid, value), random[_NONCE]
        of = self._sid if sid is self.sid else b64url(sid)
        ciphertext = nonce + key.encrypt(nonce, disclosure, _aad(of, n, kid, hid))
        return Sealed(Part(hid, kid, kc, _digest(ciphertext), payload_commitment(disclosure)), ciphertext, row)

    def data_key_row(self, kid: str, hid: str, dk: bytes, nonce: bytes | None = None) -> Row:
        """`nonce`: twelve random bytes that nothing else was given, if they are at hand."""
        wrapped = wrap(self._sk, dk, _data_key_aad(self._sid, hid, kid), nonce)
        return {"subject_id": self.subject_id, "kid": kid, "hid": hid, "wrapped": wrapped}

    def unwrap(self, wrapped: bytes, hid: str, kid: str) -> bytes:
        return unwrap(self._sk, wrapped, _data_key_aad(self._sid, hid, kid))

    def reference(self, kind: str, text: str) -> str:
        """A name for the caller's words that may stand in a header: it means nothing once the record key is gone."""
        said = REFERENCE + b"\x00" + kind.encode() + b"|" + text.encode()
        return b64url(self._mac(said)[:16])

    def content_mac(self, content: bytes) -> bytes:
        """To tell whether a repeated command has the same content, without keeping the content."""
        return self._mac(CONTENT + b"\x00" + content)


class OpenParts:
    """Stands where `SubjectKeys` does, for streams without personal data: same parts, no key."""

    def seal(self, sid: bytes, n: int, hid: str, value: JsonValue) -> Sealed:
        disclosure = _disclosure(os.urandom(SALT_BYTES), hid, value)
        return Sealed(Part(hid, "", "", _digest(disclosure), payload_commitment(disclosure)), disclosure)


def data_key_aad(sid: bytes, hid: str, kid: str) -> bytes:
    return _data_key_aad(b64url(sid), hid, kid)


def _data_key_aad(sid: str, hid: str, kid: str) -> bytes:
    return b"%b|%b" % (WRAP_DATA_KEY, f"{sid}|{hid}|{kid}".encode())


def new_data_key() -> tuple[bytes, str]:
    random = os.urandom(KEY_BYTES + KEY_ID_BYTES)
    return random[:KEY_BYTES], b64url(random[KEY_BYTES:])


def payload_commitment(disclosure: bytes) -> str:
    """RFC 9901, section 4.2.4.2: the digest of a Disclosure is over its base64url form."""
    written = b2a_base64(disclosure, newline=False).translate(_URL_SAFE, b"=")
    return b64url(sha256(written).digest())


def open_part(sid: bytes, n: int, part: SealedPart, ciphertext: bytes, dk: bytes | None) -> JsonValue:
    """Open one part, checking everything that its header says of it. A part without `kid` was never sealed."""
    return payload_of(open_disclosure(sid, n, part, ciphertext, dk), part.hid)


def open_disclosure(sid: bytes, n: int, part: SealedPart, ciphertext: bytes, dk: bytes | None) -> bytes:
    """The exact bytes that were sealed: what a stranger needs to check the value against the header."""
    if _digest(ciphertext) != part.ct:
        raise Tampered("A ciphertext is not the one that its header pins.")
    disclosure = ciphertext
    if part.kid:
        if dk is None or not hmac.compare_digest(key_commitment(dk), part.kc):
            raise Tampered("A data key is not the one that its header commits to.")
        disclosure = _decrypted(AESGCM(dk), ciphertext, _aad(b64url(sid), n, part.kid, part.hid))
    if payload_commitment(disclosure) != part.pc:
        raise Tampered("A value is not the one that its header commits to.")
    return disclosure


def _disclosure(salt: bytes, hid: str, value: JsonValue) -> bytes:
    try:
        disclosure = orjson.dumps([b64url(salt), hid, value])
    except TypeError:
        raise Invalid("A value cannot be written as JSON (a number beyond 64 bits, or half a character).") from None
    return disclosure + b" " * (-len(disclosure) % BUCKET)


def _aad(sid: str, n: int, kid: str, hid: str) -> bytes:
    """`sid` in base64url."""
    return b"%b|%b" % (AAD, f"{sid}|{n}|{kid}|{hid}".encode())


def _digest(ciphertext: bytes) -> str:
    return b64url(sha256(ciphertext).digest())


def _decrypted(key: AESGCM, ciphertext: bytes, aad: bytes) -> bytes:
    try:
        return key.decrypt(ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], aad)
    except (InvalidTag, ValueError):
        raise Tampered("A ciphertext does not open in this place under its key.") from None


def payload_of(disclosure: bytes, hid: str) -> JsonValue:
    said: Any = orjson.loads(disclosure)
    if type(said) is not list or len(said) != 3 or said[1] != hid:
        raise Tampered("A value belongs to another holding than its header says.")
    value: JsonValue = said[2]
    return value
