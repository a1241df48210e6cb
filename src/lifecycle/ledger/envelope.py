"""The exact bytes of a header, and how a header becomes a log entry that tells nothing."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any, ClassVar, NamedTuple

import orjson

from lifecycle.errors import LifecycleError
from lifecycle.ledger import tree
from lifecycle.macs import mac

LEAF = b"lifecycle/leaf/v1"
TAG = b"lifecycle/tag/v1"

EVENT_ENTRY = b"\x01"
SYSTEM_ENTRY = b"\x03"
MAX_SYSTEM_ENTRY = 0xFFFF  # c2sp.org/tlog-tiles, "Log entries": a length has two bytes
SALT_BYTES = 64
SID_BYTES = 32
COMMITMENT_BYTES = 32

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_STANDARD = bytes.maketrans(b"-_", b"+/")

leaf_hash = tree.leaf_hash  # of an entry

_FIELDS = frozenset({"at", "data", "meta", "n", "parts", "prev", "sid", "type", "v"})
_META = frozenset({"cmd", "policy", "role"})
_CANONICAL = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER  # RFC 8785 numbers are doubles: nothing beyond 2^53
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


class MalformedHeader(LifecycleError):
    """These bytes are not a header as this program writes it; never repaired, because the bytes are the evidence."""

    code: ClassVar[str] = "malformed-header"


class Part(NamedTuple):
    """What a header says of one part: whose holding, which key, and digests that still pin it when the key is gone."""

    hid: str
    kid: str
    kc: str
    ct: str
    pc: str

    def as_json(self) -> dict[str, str]:
        return {"ct": self.ct, "hid": self.hid, "kc": self.kc, "kid": self.kid, "pc": self.pc}


class Fact(NamedTuple):
    """What a header says has happened, without what proves it: `hids` name what is sealed."""

    at: datetime
    kind: str
    data: dict[str, Any]
    cmd: str
    role: str
    policy: str
    hids: list[str]


@dataclass(frozen=True, slots=True)
class Header:
    """A header, read. `prev` is the previous commitment in base64url, None for the first event of a stream."""

    at: datetime
    data: dict[str, Any]
    meta: dict[str, str]
    n: int
    parts: tuple[Part, ...]
    prev: str | None
    sid: bytes = field(repr=False)
    kind: str


def b64url(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def unb64url(text: str) -> bytes:
    """The inverse of `b64url`; anything but its own output is a ValueError."""
    raw = a2b_base64((text + "=" * (-len(text) % 4)).encode("ascii").translate(_STANDARD))
    if b64url(raw) != text:  # whatever the decoder passes over is noticed here
        raise ValueError("not base64url without padding")
    return raw


def header_bytes(
    *,
    at: datetime,
    data: dict[str, Any],
    meta: dict[str, str],
    n: int,
    parts: list[dict[str, str]],
    prev: str | None,
    sid: bytes,
    kind: str,
    is_plain: bool = False,
) -> bytes:
    """RFC 8785 canonical JSON. Keys are ASCII and numbers whole: only then is the fast encoder canonical.

    Of `data` that is looked at, unless its kind of event can hold nothing else (`is_plain`); the other fields have
    these keys and numbers alone.
    """
    if not is_plain:
        _only_plain(data)
    name, version = _type_and_version(kind)
    header = {
        "at": written(at),
        "data": data,
        "meta": meta,
        "n": n,
        "parts": parts,
        "prev": prev,
        "sid": b64url(sid),
        "type": name,
        "v": version,
    }
    return orjson.dumps(header, option=_CANONICAL)


@cache
def _type_and_version(kind: str) -> tuple[str, int]:
    name, _, version = kind.rpartition("/")
    return name, int(version)


def canonical(value: Any) -> bytes:
    """The RFC 8785 bytes of a JSON value with ASCII keys and without floats; anything else is a TypeError."""
    _only_plain(value)
    return orjson.dumps(value, option=_CANONICAL)


def read_header(header: bytes, *, strict: bool = False) -> Header:
    """Read the bytes of a header. `strict` also refuses bytes that are not the canonical ones (duplicate keys too)."""
    try:
        read = _read(orjson.loads(header))
        if strict and not _is_canonical(read, header):
            raise MalformedHeader("The bytes of a header are not canonical.")
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        raise MalformedHeader("These bytes are not a header.") from None
    return read


def read_fact(header: bytes) -> Fact:
    """Read what a fold needs, in a third of the time. Errors: MalformedHeader."""
    try:
        return _fact(orjson.loads(header))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        raise MalformedHeader("These bytes are not a header.") from None


def read_parts(header: bytes) -> tuple[Part, ...]:
    """What is sealed beside the event, and nothing else of its header. Errors: MalformedHeader."""
    try:
        parts = tuple([Part(**part) for part in orjson.loads(header)["parts"]])
    except (ValueError, TypeError, KeyError):
        raise MalformedHeader("These bytes are not a header.") from None
    if any(type(text) is not str for part in parts for text in part):
        raise MalformedHeader("These bytes are not a header.")
    return parts


def commitment(salt: bytes, header: bytes) -> bytes:
    """C: statistically hiding, because the salt is 64 random bytes that are never published."""
    return sha256(LEAF + b"\x00" + salt + header).digest()


def stream_key(first_salt: bytes) -> bytes:
    """K_stream, committed by the first event itself, as it is made from that event's salt."""
    return mac(first_salt, TAG)


def tag(key: bytes, n: int) -> bytes:
    """The n-th tag of a stream: unlinkable to its other tags without the stream's key."""
    return mac(key, n.to_bytes(8, "big"))[:16]


def event_entry(committed: bytes, its_tag: bytes) -> bytes:
    entry = EVENT_ENTRY + committed + its_tag
    if len(entry) != 1 + 32 + 16:
        raise ValueError("an event's entry has 49 bytes")
    return entry


def system_entry(record: dict[str, Any]) -> bytes:
    entry = SYSTEM_ENTRY + canonical(record)
    if len(entry) > MAX_SYSTEM_ENTRY:
        raise ValueError("a system entry has at most 65,535 bytes")
    return entry


@lru_cache(maxsize=64)
def written(at: datetime) -> str:
    """UTC with six digits and a Z, as headers and system records spell an instant. A batch has one."""
    if at.tzinfo is not UTC:
        if at.tzinfo is None:
            raise TypeError("an instant without a zone")
        at = at.astimezone(UTC)
    return at.isoformat(timespec="microseconds")[:-6] + "Z"


def _only_plain(value: Any) -> None:
    """Raise TypeError for what this encoder would not write as RFC 8785 does: floats, and keys that are not ASCII."""
    kind = type(value)
    if kind is dict:
        if not all(map(_is_ascii, value)):
            raise TypeError("a key of a header is not ASCII text")
        value = value.values()
    elif kind is not list and kind is not tuple:
        if kind not in _PLAIN:
            raise TypeError(f"a header cannot hold a {kind.__name__}")
        return
    for inner in value:
        if type(inner) not in _PLAIN:
            _only_plain(inner)


_PLAIN = frozenset({str, int, bool, type(None)})


def _is_ascii(key: Any) -> bool:
    return type(key) is str and key.isascii()


def _read(said: Any) -> Header:
    if said.keys() != _FIELDS or said["meta"].keys() != _META:
        raise ValueError("fields")
    at, n, prev, version = said["at"], said["n"], said["prev"], said["v"]
    parts = tuple(Part(**part) for part in said["parts"])
    texts = [at, said["type"], *said["meta"].values(), *(text for part in parts for text in part)]
    if not all(type(text) is str for text in texts) or not at.endswith("Z") or type(said["data"]) is not dict:
        raise ValueError("texts")
    if type(n) is not int or n < 1 or type(version) is not int or version < 1:
        raise ValueError("numbers")
    if prev is not None and len(unb64url(prev)) != COMMITMENT_BYTES:
        raise ValueError("prev")
    kind = f"{said['type']}/{version}"
    return Header(datetime.fromisoformat(at), said["data"], said["meta"], n, parts, prev, unb64url(said["sid"]), kind)


def _fact(said: Any) -> Fact:
    at, data, meta, name, version = said["at"], said["data"], said["meta"], said["type"], said["v"]
    hids = [part["hid"] for part in said["parts"]]
    cmd, role, policy = meta["cmd"], meta["role"], meta["policy"]
    if (
        len(said) != len(_FIELDS)
        or len(meta) != len(_META)
        or type(data) is not dict
        or type(said["parts"]) is not list
    ):
        raise ValueError("fields")
    if type(version) is not int or version < 1:
        raise ValueError("version")
    for text in hids:
        if type(text) is not str:
            raise ValueError("parts")
    if not type(at) is type(name) is type(cmd) is type(role) is type(policy) is str or at[-1:] != "Z":
        raise ValueError("texts")
    return tuple.__new__(Fact, (_instant(at), f"{name}/{version}", data, cmd, role, policy, hids))


_instant = datetime.fromisoformat


def _is_canonical(read: Header, header: bytes) -> bool:
    if len(read.sid) != SID_BYTES or (read.prev is None) != (read.n == 1):
        return False
    parts = [part.as_json() for part in read.parts]
    again = header_bytes(
        at=read.at,
        data=read.data,
        meta=read.meta,
        n=read.n,
        parts=parts,
        prev=read.prev,
        sid=read.sid,
        kind=read.kind,
    )
    return again == header
