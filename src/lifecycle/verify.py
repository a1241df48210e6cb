"""Check a bundle of the provable log offline: one file, to be copied away and run alone.

    python verify.py BUNDLE --key FILE [--previous CHECKPOINT] [--mirror DIR] [--auditor FILE] [--receipt FILE] ...

Needs Python 3.11 or newer and the package `cryptography`, of which one function here uses the Ed25519 check. It is a
single long module on purpose: a stranger reads and copies one file, and it shares no code with the program that writes
bundles. Nothing that a bundle holds is ever trusted before it is proved; keys come from the command line only.

Sections: verdicts, bytes and JSON, trees, notes and keys, reading a bundle, the steps V1 to V12, the report.
"""

from __future__ import annotations

import argparse
import binascii
import errno
import hmac
import itertools
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn

EXIT_CODES = {"ok": 0, "failed": 1, "usage": 2, "invalid": 3, "contradiction": 4, "stale": 5}

FORMAT = "lifecycle/bundle/v1"
NAMES = frozenset(
    {
        "bundle.json",
        "checkpoint",
        "checkpoint.tsr",
        "consistency",
        "map.json",
        "events.jsonl",
        "system.jsonl",
        "summary.html",
    }
)
MAX_TOTAL = 2 * 1024**3  # of what is read or declared, unpacked
MAX_LINE = 8 * 1024**2
MAX_SMALL = 4 * 1024**2  # a file that is read whole
MAX_RATIO = 100  # unpacked to packed; what is written honestly stays below 10
RATIO_FROM = 1024**2
MAX_EVENTS = 1_000_000
MAX_SIGNATURES = 64
CHUNK = 1 << 16

MAX_NUMBER = 2**53 - 1
SKEW = timedelta(seconds=300)
ID_KEPT = timedelta(days=90)  # so long a command's id is good for one command
_FIRST = datetime.min.replace(tzinfo=UTC) + SKEW
TAGS_AHEAD = 32
ROWS_SHOWN = 100  # of the first and of the last events of a stream


# -- verdicts ----------------------------------------------------------------------------------------------------------


class Verdict(Exception):
    """Why a bundle is not accepted: in which step, in plain words, and never with a value of the bundle."""

    def __init__(self, verdict: str, step: str, message: str, notes: tuple[bytes, ...] = ()) -> None:
        super().__init__(message)
        self.verdict = verdict
        self.step = step
        self.message = message
        self.notes = notes

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]


def _invalid(step: str, message: str) -> Verdict:
    return Verdict("invalid", step, message)


def _failed(message: str) -> Verdict:
    """Something of the verifier's own: a key file, a mirror, a missing program. Says nothing about the bundle."""
    return Verdict("failed", "", message)


class Mac:
    """HMAC-SHA256 (RFC 2104) under one key, of which many are needed: the key is taken in once."""

    def __init__(self, key: bytes) -> None:
        block = key.ljust(64, b"\x00") if len(key) <= 64 else sha256(key).digest().ljust(64, b"\x00")
        self._inner = sha256(block.translate(_IPAD))
        self._outer = sha256(block.translate(_OPAD))

    def tag(self, n: int) -> bytes:
        """The n-th tag of the stream whose key this is."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(n.to_bytes(8, "big"))
        outer.update(inner.digest())
        return outer.digest()[:16]


_IPAD = bytes(byte ^ 0x36 for byte in range(256))
_OPAD = bytes(byte ^ 0x5C for byte in range(256))


class Malformed(ValueError):
    """What is read is not in its format. The caller knows which file, step and event it was."""


@contextmanager
def _in(step: str, what: str) -> Iterator[None]:
    """What is malformed in here refuses the bundle in this step."""
    try:
        yield
    except Malformed as malformed:
        raise _invalid(step, f"{what}: {malformed}.") from None


# -- bytes and JSON ----------------------------------------------------------------------------------------------------

_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
_LAST_OF_ONE = frozenset("AQgw")  # last characters that leave no stray bits, RFC 4648 section 3.5
_LAST_OF_TWO = frozenset("AEIMQUYcgkosw048")
_PADDING = (b"", b"", b"==", b"=")


def unb64url(text: Any, length: int | None = None) -> bytes:
    """The one way to write these bytes in base64url without padding; anything else is refused."""
    if type(text) is not str:
        raise Malformed("a base64url value is not a text")
    odd = len(text) & 3
    if odd == 1 or (odd == 2 and text[-1] not in _LAST_OF_ONE) or (odd == 3 and text[-1] not in _LAST_OF_TWO):
        raise Malformed("a value is not base64url without padding")
    try:
        raw = binascii.a2b_base64(text.encode("ascii").translate(_TO_STANDARD) + _PADDING[odd])
    except ValueError:  # both binascii.Error and UnicodeEncodeError
        raise Malformed("a value is not base64url without padding") from None
    if len(raw) != len(text) * 3 >> 2:  # a character of no meaning was passed over
        raise Malformed("a value is not base64url without padding")
    if length is not None and len(raw) != length:
        raise Malformed(f"a value has {len(raw)} bytes where {length} are due")
    return raw


def b64url(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).translate(_FROM_STANDARD, b"=").decode("ascii")


_FROM_STANDARD = bytes.maketrans(b"+/", b"-_")


def unb64(text: str) -> bytes:
    """Standard base64 with padding, as C2SP's formats have it."""
    try:
        raw = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError:
        raise Malformed("a value is not base64") from None
    if binascii.b2a_base64(raw, newline=False).decode("ascii") != text:
        raise Malformed("a value is not base64")
    return raw


def _whole(text: str) -> int:
    if len(text) > 16:
        raise Malformed("a number is not between 0 and 2^53 - 1")
    number = int(text)
    if not 0 <= number <= MAX_NUMBER:
        raise Malformed("a number is not between 0 and 2^53 - 1")
    return number


def _no_float(_: str) -> NoReturn:
    raise Malformed("a number is not whole")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise Malformed("a key stands twice in one object")
    return read


_STRICT = json.JSONDecoder(
    object_pairs_hook=_no_duplicates, parse_float=_no_float, parse_int=_whole, parse_constant=_no_float
)
# For text that is encoded again and compared: a key that stands twice makes the two differ.
_COMPARED = json.JSONDecoder(parse_float=_no_float, parse_int=_whole, parse_constant=_no_float)
# A disclosed value is whatever was recorded: numbers may be negative or have fractions.
_VALUE = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_float)
_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)


def _parsed(text: str, decoder: json.JSONDecoder) -> Any:
    try:
        read, end = decoder.scan_once(text, 0)  # type: ignore[attr-defined]
    except Malformed:
        raise
    except (ValueError, StopIteration, RecursionError):
        raise Malformed("this is not JSON") from None
    if end != len(text):
        raise Malformed("something follows the JSON")
    return read


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("this is not UTF-8") from None


def read_json(raw: bytes) -> Any:
    return _parsed(_text(raw), _STRICT)


def read_canonical(text: Any) -> dict[str, Any]:
    """An object written as RFC 8785 says: with ASCII keys and whole numbers, sorted keys are all there is to it."""
    if type(text) is not str:
        raise Malformed("it is not a text")
    read = _parsed(text, _COMPARED)
    if type(read) is not dict:
        raise Malformed("it is not an object")
    if not text.isascii():
        _ascii_keys(read)
    if _canonical(read) != text:
        raise Malformed("it is not canonical JSON (RFC 8785)")
    return read


def _canonical(value: Any) -> str:
    try:
        return _encoded(value)
    except RecursionError:
        raise Malformed("it is nested too deeply") from None


def _encoder() -> Callable[[Any], str]:
    """One encoder for all headers: `encode` would make a new one each time, at the price of the encoding itself."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # a Python whose json is not in C
        return _CANONICAL.encode
    it = _CANONICAL
    one = make(
        None, it.default, json.encoder.encode_basestring, None, it.key_separator, it.item_separator, True, False, False
    )
    return lambda value: "".join(one(value, 0))


_encoded = _encoder()


def _ascii_keys(value: Any) -> None:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if type(each) is dict:
            if not all(key.isascii() for key in each):
                raise Malformed("a key is not ASCII")
            waiting.extend(each.values())
        elif type(each) is list:
            waiting.extend(each)


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed("it holds half a character") from None


def _object(value: Any, keys: frozenset[str], what: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise Malformed(f"{what} is not an object")
    if value.keys() != keys:
        missing, unknown = len(keys - value.keys()), len(value.keys() - keys)
        raise Malformed(f"{what} lacks {missing} of its keys and has {unknown} unknown")
    return value


def _number(value: Any, what: str) -> int:
    if type(value) is not int:
        raise Malformed(f"{what} is not a whole number")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if type(value) is not list:
        raise Malformed(f"{what} is not a list")
    return value


_AS_INSTANT = (
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
)
_INSTANT = re.compile(_AS_INSTANT)


def _instant(value: Any) -> str:
    """An instant as headers have it: of one length, so that instants compare as texts."""
    if type(value) is not str or not _INSTANT.fullmatch(value):
        raise Malformed("an instant is not written as UTC with six digits and Z")
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise Malformed("an instant is not in the calendar") from None
    return value


def _since(before: str, at: str) -> timedelta:
    return datetime.fromisoformat(at) - datetime.fromisoformat(before)


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


# -- trees: RFC 6962 section 2.1, RFC 9162 sections 2.1.3 and 2.1.4 ----------------------------------------------------

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root_from_path(leaf: bytes, index: int, size: int, proof: bytes) -> bytes | None:
    """RFC 9162, section 2.1.3.2: the root to which this path leads, None when it has not the length it must have."""
    if index >= size:
        return None
    fn, sn, root = index, size - 1, leaf
    for start in range(0, len(proof), 32):
        if sn == 0:
            return None
        step = proof[start : start + 32]
        if fn & 1 or fn == sn:
            root = sha256(b"\x01" + step + root).digest()
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            root = sha256(b"\x01" + root + step).digest()
        fn >>= 1
        sn >>= 1
    return root if sn == 0 else None


class Inclusions:
    """Proofs in one tree, one after the other. What a path shares with the last one is compared, not hashed again.

    A path first climbs `inner` levels at which the tree goes on to the right of it, and a bit of the index says on
    which side its hash stands; above them every hash stands on the left. RFC 9162, section 2.1.3.2, says the same step
    by step, as `root_from_path` does.
    """

    def __init__(self, size: int, root: bytes) -> None:
        self._size = size
        self._root = root
        self._index = 0  # of the last leaf whose path led to the root
        self._inner = 0  # levels that its path climbed before all hashes stood on the left
        self._text = ""
        self._proof = b""
        self._nodes: list[bytes] = []  # which it passed, from its leaf on

    def holds(self, leaf: bytes, index: int, text: Any) -> bool:
        """As `root_from_path`: from the same place, the same hashes lead to the same root."""
        joins = (index ^ self._index).bit_length()  # the level at which this path and the last one meet
        end = (joins + 2) // 3 * 128  # 128 characters are 3 hashes
        last = self._text
        # Two leaves that differ below `inner` only have paths of one length, and both are in the tree.
        if joins < self._inner and type(text) is str and len(text) == len(last) and text[end:] == last[end:]:
            near = unb64url(text[:end])
            nodes = [leaf]
            node = _climb(nodes, index, near, joins)
            if node == self._nodes[joins] and near[32 * joins :] == self._proof[32 * joins : len(near)]:
                self._nodes[:joins] = nodes[:joins]
                self._index, self._text, self._proof = index, text, near + self._proof[len(near) :]
                return True
        return self._holds_whole(leaf, index, text)

    def _holds_whole(self, leaf: bytes, index: int, text: Any) -> bool:
        proof = _proof(text)
        inner = (index ^ self._size - 1).bit_length()
        if index >= self._size or len(proof) != 32 * (inner + (index >> inner).bit_count()):
            return False
        nodes = [leaf]
        node = _climb(nodes, index, proof, inner)
        for start in range(32 * inner, len(proof), 32):
            node = _node(proof[start : start + 32], node)
        if node != self._root:
            return False
        self._index, self._inner, self._text, self._proof, self._nodes = index, inner, text, proof, nodes
        return True


def _climb(nodes: list[bytes], index: int, proof: bytes, level: int) -> bytes:
    """Add the nodes up to this level to the leaf, and return the last."""
    node = nodes[0]
    for at in range(0, 32 * level, 32):
        step = proof[at : at + 32]
        node = sha256(b"\x01" + step + node if index & 1 else b"\x01" + node + step).digest()
        nodes.append(node)
        index >>= 1
    return node


def is_consistent(old_size: int, old_root: bytes, size: int, root: bytes, hashes: list[bytes]) -> bool:
    """RFC 9162, section 2.1.4.2, for 0 < old_size < size."""
    path = ([old_root] if old_size & (old_size - 1) == 0 else []) + hashes
    if not path:
        return False
    fn, sn = old_size - 1, size - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    old, new = path[0], path[0]
    for step in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            old, new = _node(step, old), _node(step, new)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            new = _node(new, step)
        fn >>= 1
        sn >>= 1
    return sn == 0 and old == old_root and new == root


class GrowingTree:
    """The root of leaves that come one after the other, with a hash a level in memory."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # of the full subtrees, largest first

    def add(self, leaf: bytes) -> None:
        size = self.size
        while size & 1:
            leaf = sha256(b"\x01" + self._peaks.pop() + leaf).digest()
            size >>= 1
        self._peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = _node(peak, root)
        return root


# -- notes and keys: C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy ----------------------------------

ED25519, COSIGNATURE = 0x01, 0x04


class Vkey(NamedTuple):
    name: str
    key_id: bytes
    kind: int
    public: bytes


class Signature(NamedTuple):
    name: str
    key_id: bytes
    raw: bytes
    line: str


class Note(NamedTuple):
    raw: bytes
    text: str
    signatures: tuple[Signature, ...]


class Checkpoint(NamedTuple):
    note: Note
    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Policy:
    """Whom the verifier trusts. `quorum` names a witness or a group; "none" asks for no cosignature."""

    logs: tuple[Vkey, ...]
    witnesses: dict[str, Vkey]
    groups: dict[str, tuple[int, tuple[str, ...]]]
    quorum: str

    def is_met(self, cosigned: frozenset[str], name: str | None = None) -> bool:
        name = self.quorum if name is None else name
        if name == "none":
            return True
        if name in self.witnesses:
            return name in cosigned
        least, members = self.groups[name]
        return sum(self.is_met(cosigned, member) for member in members) >= least


def ed25519_is_valid(public: bytes, signature: bytes, message: bytes) -> bool:
    """The one thing that the standard library cannot do."""
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 (missing is told, not a traceback)
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    except ImportError:
        raise _failed(
            "Signatures cannot be checked: install the package `cryptography` (pip install cryptography)."
        ) from None
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


_BLANKS = re.compile(r"[ \t]+")
_SPACES = re.compile(r"[\s+]")


def read_vkey(text: str) -> Vkey:
    """`name+keyid+base64(type || key)`. C2SP signed-note, Verifier keys."""
    name, plus, rest = text.partition("+")
    key_id, second, encoded = rest.partition("+")
    if not (plus and second and name) or _SPACES.search(name) or not re.fullmatch(r"[0-9a-f]{8}", key_id):
        raise Malformed("it is not a verifier key (name+keyid+key)")
    raw = unb64(encoded)
    if raw[:1] not in (b"\x01", b"\x04") or len(raw) != 33:
        raise Malformed("its key is of a kind that this verifier cannot use (only Ed25519, types 0x01 and 0x04)")
    if sha256(_bytes(name) + b"\n" + raw).digest()[:4].hex() != key_id:
        raise Malformed("its key id is not that of its key")
    return Vkey(name, bytes.fromhex(key_id), raw[0], raw[1:])


def _key_of_kind(text: str, kind: int) -> Vkey:
    key = read_vkey(text)
    if key.kind != kind:
        raise Malformed(f"its key is of type 0x{key.kind:02x} where 0x{kind:02x} is due")
    return key


def read_vkeys(raw: bytes, kind: int) -> tuple[Vkey, ...]:
    lines = [line.strip() for line in _text(raw).split("\n")]
    keys = tuple(_key_of_kind(line, kind) for line in lines if line and not line.startswith("#"))
    if not keys:
        raise Malformed("it holds no key")
    if len({key.public for key in keys}) != len(keys):
        raise Malformed("a key stands twice")
    return keys


def read_keys(raw: bytes) -> Policy:
    """What `--key` brings: a C2SP tlog-policy, or just the vkey lines of the log."""
    text = _text(raw)
    if any(character < " " and character not in "\t\n" for character in text):
        raise Malformed("it holds control characters (lines end in a plain newline)")
    lines = [line.strip(" \t") for line in text.split("\n")]
    lines = [line for line in lines if line and not line.startswith("#")]
    if any(_BLANKS.split(line)[0] in ("log", "witness", "group", "quorum") for line in lines):
        return read_policy(lines)
    return Policy(read_vkeys(raw, ED25519), {}, {}, "none")


def read_policy(lines: list[str]) -> Policy:
    logs: list[Vkey] = []
    witnesses: dict[str, Vkey] = {}
    groups: dict[str, tuple[int, tuple[str, ...]]] = {}
    quorum: list[str] = []
    members: set[str] = set()
    for line in lines:
        kind, *words = _BLANKS.split(line)
        if kind == "log" and len(words) in (1, 2):
            logs.append(_key_of_kind(words[0], ED25519))
        elif kind == "witness" and len(words) in (2, 3):
            _new_name(words[0], witnesses, groups)
            witnesses[words[0]] = _key_of_kind(words[1], COSIGNATURE)
        elif kind == "group" and len(words) >= 3:
            _new_name(words[0], witnesses, groups)
            groups[words[0]] = _group(words[1], words[2:], {*witnesses, *groups}, members)
        elif kind == "quorum" and len(words) == 1 and words[0] in {"none", *witnesses, *groups}:
            quorum.append(words[0])
        else:
            raise Malformed("a line of the policy is not a log, witness, group or quorum, or names what is not defined")
    _no_key_twice([*logs], "log")
    _no_key_twice([*witnesses.values()], "witness")
    if len(quorum) != 1 or not logs:
        raise Malformed("a policy has exactly one quorum line, and here at least one log")
    return Policy(tuple(logs), witnesses, groups, quorum[0])


def _new_name(name: str, *taken: Iterable[str]) -> None:
    if name == "none" or any(name in names for names in taken):
        raise Malformed("a name of the policy is defined twice")


def _group(least: str, names: list[str], known: set[str], members: set[str]) -> tuple[int, tuple[str, ...]]:
    if not known.issuperset(names) or members.intersection(names) or len(set(names)) != len(names):
        raise Malformed("a group of the policy names what is not defined, or what is in a group already")
    members.update(names)
    if least not in ("any", "all") and not re.fullmatch(r"[1-9][0-9]{0,3}", least):
        raise Malformed("a group of the policy has no threshold")
    needed = 1 if least == "any" else len(names) if least == "all" else int(least)
    if needed > len(names):
        raise Malformed("a group of the policy asks for more members than it has")
    return needed, tuple(names)


def _no_key_twice(keys: list[Vkey], what: str) -> None:
    if len({key.public for key in keys}) != len(keys):
        raise Malformed(f"the key of a {what} stands twice")


def read_note(raw: bytes) -> Note:
    """C2SP signed-note: the text, an empty line, the signatures."""
    whole = _text(raw)
    if any(character < " " and character != "\n" for character in whole):
        raise Malformed("it holds control characters")
    text, gap, tail = whole.rpartition("\n\n")
    if not gap or not tail.endswith("\n"):
        raise Malformed("it is not a signed note")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise Malformed(f"it has more than {MAX_SIGNATURES} signatures")
    return Note(raw, text + "\n", tuple(_signature(line) for line in lines))


def _signature(line: str) -> Signature:
    match = re.fullmatch(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})", line)
    if not match:
        raise Malformed("a signature line is not a signature line")
    raw = unb64(match[2])
    if len(raw) < 5:
        raise Malformed("a signature is too short")
    return Signature(match[1], raw[:4], raw[4:], line)


_CHECKPOINT = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n")


def read_checkpoint(raw: bytes) -> Checkpoint:
    """C2SP tlog-checkpoint, without extension lines: this log writes none."""
    note = read_note(raw)
    match = _CHECKPOINT.fullmatch(note.text)
    if not match or int(match[2]) > MAX_NUMBER:
        raise Malformed("it is not a checkpoint of three lines")
    return Checkpoint(note, match[1], int(match[2]), unb64(match[3]))


def signed_by_log(checkpoint: Checkpoint, keys: Iterable[Vkey]) -> bool:
    """Every signature by a key that is known must be good; one is enough."""
    found = _by(checkpoint.note, keys)
    for key, each in found:
        if len(each.raw) != 64 or not ed25519_is_valid(key.public, each.raw, _bytes(checkpoint.note.text)):
            raise Malformed("a signature by a key that you brought is wrong")
    return bool(found)


def _by(note: Note, keys: Iterable[Vkey]) -> list[tuple[Vkey, Signature]]:
    return [(k, each) for k in keys for each in note.signatures if (each.name, each.key_id) == (k.name, k.key_id)]


def cosigned_at(note: Note, keys: Iterable[Vkey]) -> dict[Vkey, list[int]]:
    """Which of these keys have cosigned, and when. C2SP tlog-cosignature, Ed25519."""
    found: dict[Vkey, list[int]] = {}
    for key, each in _by(note, keys):
        at = int.from_bytes(each.raw[:8], "big")
        message = f"cosignature/v1\ntime {at}\n{note.text}".encode()
        if len(each.raw) != 72 or at >= 2**36 or not ed25519_is_valid(key.public, each.raw[8:], message):
            raise Malformed("a cosignature by a key that you brought is wrong")
        found.setdefault(key, []).append(at)
    return found


# -- reading a bundle: never extracted, never more than the limits -----------------------------------------------------


class Bundle:
    """The files of a bundle, in a folder or a ZIP. Opened one at a time and read in pieces."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened = ExitStack()
        self._zip: zipfile.ZipFile | None = None
        try:
            mode = path.stat().st_mode
        except (OSError, ValueError):
            raise _failed("The bundle is not there, or cannot be read.") from None
        if stat.S_ISDIR(mode):
            self._sizes = _list_folder(path)
        elif stat.S_ISREG(mode):
            self._sizes = self._zipped()
        else:
            raise _failed("The bundle is neither a folder nor a file.")
        if sum(self._sizes.values()) > MAX_TOTAL:
            self.close()
            raise _invalid("files", f"The bundle is larger than {MAX_TOTAL} bytes unpacked.")

    def _zipped(self) -> dict[str, int]:
        self._zip = self._opened.enter_context(_open_zip(self._path))
        try:
            return _list_zip(self._zip)
        except Verdict:
            self.close()
            raise

    def __contains__(self, name: str) -> bool:
        return name in self._sizes

    def close(self) -> None:
        """Also what is read half, when a step refuses in the middle of a file."""
        self._opened.close()

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of one file, at most as many as were declared when the bundle was opened."""
        left = self._sizes[name]
        try:
            with self._opened.enter_context(self._open(name)) as handle:
                while piece := handle.read(CHUNK):
                    left -= len(piece)
                    if left < 0:
                        raise _invalid("files", f"{name} is larger than it says.")
                    yield piece
        except OSError as error:
            raise _unreadable(error, name) from None
        except _ZIP_ERRORS:
            raise _invalid("files", f"{name} is damaged: its packed bytes are not what the ZIP says of them.") from None

    def _open(self, name: str) -> BinaryIO:
        if self._zip is not None:
            return self._zip.open(name)  # type: ignore[return-value]
        handle = os.open(self._path / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        return os.fdopen(handle, "rb", buffering=0)

    def read(self, name: str) -> bytes:
        if name not in self._sizes:
            raise _invalid("files", f"{name} is missing from the bundle.")
        if self._sizes[name] > MAX_SMALL:
            raise _invalid("files", f"{name} is larger than {MAX_SMALL} bytes.")
        return b"".join(self.pieces(name))

    def lines(self, name: str) -> Iterator[bytes]:
        """Lines without their ends. A last line without an end is refused."""
        return itertools.chain.from_iterable(self.batches(name))

    def batches(self, name: str) -> Iterator[list[bytes]]:
        """The lines, as many at a time as ended in one piece of the file."""
        rest: list[bytes] = []
        length = 0
        for piece in self.pieces(name):
            first, *others = piece.split(b"\n")
            rest.append(first)
            length += len(first)
            if length > MAX_LINE:
                raise _invalid("files", f"A line of {name} is longer than {MAX_LINE} bytes.")
            if others:
                last = others.pop()
                yield [b"".join(rest), *others]
                rest, length = [last], len(last)
        if length:
            raise _invalid("files", f"The last line of {name} has no end: the file is cut off.")


_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, IndexError)
_END_OF_ZIP = b"PK\x05\x06"
_ZIP64_LOCATOR = b"PK\x06\x07"


def _list_folder(path: Path) -> dict[str, int]:
    sizes = {}
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                _known(entry.name)
                found = entry.stat(follow_symlinks=False)
                if not stat.S_ISREG(found.st_mode):
                    raise _invalid("files", f"{entry.name} is not a plain file.")
                sizes[entry.name] = found.st_size
    except OSError:
        raise _failed("The folder of the bundle cannot be read.") from None
    return sizes


def _unreadable(error: OSError, what: str) -> Verdict:
    """A place outside the file is the ZIP's own lie; anything else is the machine's trouble."""
    if error.errno == errno.EINVAL:
        return _invalid("files", f"{what} is not where the ZIP says.")
    return _failed(f"{what} cannot be read.")


def _open_zip(path: Path) -> zipfile.ZipFile:
    """Look at the end of the file first: a directory of millions of names is never read into memory."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 42))
            tail = file.read(42)
        end = tail[-22:]
        if len(end) < 22 or end[:4] != _END_OF_ZIP or end[20:] != b"\x00\x00" or tail.startswith(_ZIP64_LOCATOR):
            raise _invalid("files", "The bundle is not a ZIP as bundles are written, or it is cut off.")
        if int.from_bytes(end[10:12], "little") > len(NAMES) or int.from_bytes(end[12:16], "little") > CHUNK:
            raise _invalid("files", "The ZIP lists more files than a bundle has.")
        return zipfile.ZipFile(path)
    except OSError as error:
        raise _unreadable(error, "The bundle") from None
    except _ZIP_ERRORS:
        raise _invalid("files", "The bundle is not a ZIP that can be read.") from None


def _list_zip(opened: zipfile.ZipFile) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for info in opened.infolist():
        _known(info.filename)
        if info.filename in sizes:
            raise _invalid("files", f"{info.filename} stands twice in the ZIP.")
        if info.flag_bits & 0x1:
            raise _invalid("files", f"{info.filename} is encrypted.")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or info.is_dir():
            raise _invalid("files", f"{info.filename} is not a plain file.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _invalid("files", f"{info.filename} is packed in a way that this verifier does not read.")
        if info.file_size > RATIO_FROM and info.file_size > MAX_RATIO * max(1, info.compress_size):
            raise _invalid("files", f"{info.filename} claims to unpack to more than {MAX_RATIO} times its size.")
        sizes[info.filename] = info.file_size
    return sizes


def _known(name: str) -> None:
    if name not in NAMES:
        raise _invalid(
            "files",
            f"The bundle holds a file that no bundle has: {name[:60]!a}. "
            "Keys, code and other files are never taken from a bundle.",
        )


# -- what is asked, and what was found ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """The verifier's side: what it trusts, holds and wants to know. Nothing of this comes from the bundle."""

    bundle: Path
    policy: Policy
    now: datetime
    previous: Checkpoint | None = None
    mirror: Path | None = None
    receipt: tuple[str, bytes] | None = field(default=None, repr=False)
    subject: str | None = None
    auditors: tuple[Vkey, ...] = ()
    tsa: Path | None = None
    max_age: timedelta | None = None


@dataclass(slots=True)
class Key:
    """What is remembered of one key that sealed something: enough to ask whether its absence is explained."""

    kc: str
    hid: str
    last_index: int
    n: int
    stream: int
    missing: bool
    shown: bool
    bare: bool  # of some part not even the ciphertext is here


@dataclass(slots=True)
class Stream:
    """One stream of the bundle: what the map says of it, and what its events said."""

    number: int
    role: str
    sid: bytes
    present: bool = False
    count: int = 0
    head: bytes = b""
    state: int = 0
    seen: int = 0
    key: bytes = b""
    first: list[tuple[int, str, str]] = field(default_factory=list)
    last: deque[tuple[int, str, str]] = field(default_factory=lambda: deque(maxlen=ROWS_SHOWN))
    finalised: list[int] = field(default_factory=list)  # epochs
    after_erasure: list[tuple[int, int, str, bool]] = field(default_factory=list)


class Order(NamedTuple):
    """An `erasure-ordered/1` of the record."""

    whole: bool
    leaf: int
    at: str
    holdings: frozenset[str]

    def covers(self, key: Key) -> bool:
        """Is this key among those that carrying out the order destroys, with all that it sealed? What callers wrote in
        words is sealed on the access stream until the person is fenced, a moment after a whole erasure was ordered."""
        before = key.last_index < self.leaf
        theirs = before or key.hid == _WORDS if self.whole else before and key.stream == 0 and key.hid in self.holdings
        return theirs and not key.shown


_WORDS = "record"  # the holding of what callers wrote


@dataclass(slots=True)
class Completed:
    """An `erasure-completed/1` of the record."""

    n: int
    index: int
    order: int
    whole: bool
    epoch: int
    keys: dict[str, str]


@dataclass(slots=True)
class Found:
    """What the steps have established so far."""

    asked: Asked
    bundle: Bundle
    checkpoint: Checkpoint
    inclusions: Inclusions
    streams: list[Stream]
    disclosed: bool
    cosigned: dict[Vkey, list[int]] = field(default_factory=dict)
    stamped: datetime | None = None
    time_bound: str | None = None
    began: str = ""  # no event is dated before this
    depth: int = 0
    covered: int = 0
    map_streams: int = 0
    map_events: int = 0
    top_root: bytes = b""
    simulated: bool = False
    kinds: dict[str, int] = field(default_factory=dict)  # of system entries shown
    final: set[tuple[int, int]] = field(default_factory=set)  # (stream, epoch) proved destroyed
    access_sid: str | None = None
    is_person: bool = False
    orders: dict[int, Order] = field(default_factory=dict)  # by n
    completed: list[Completed] = field(default_factory=list)
    keys: dict[str, Key] = field(default_factory=dict)  # by kid
    values_hidden: int = 0
    closed: int = 0  # values shown sealed in a bundle that discloses the others
    stored_only: set[str] = field(default_factory=set)  # holdings that the record once put into storage only
    prove_previous_by_mirror: bool = False
    stale: Verdict | None = None
    audited: bool = False
    mirrored: bool = False
    remarks: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)

    @property
    def record(self) -> Stream:
        return self.streams[0]

    @property
    def erasure(self) -> Completed | None:
        return next((each for each in self.completed if each.whole), None)

    @property
    def carried_out(self) -> dict[int, Order]:
        """Orders of which nothing says yet that they are completed."""
        done = {each.order for each in self.completed}
        return {n: order for n, order in self.orders.items() if n not in done}


# -- V1: the checkpoint ------------------------------------------------------------------------------------------------


def v1_checkpoint(found: Found) -> None:
    checkpoint, policy = found.checkpoint, found.asked.policy
    keys = [key for key in policy.logs if key.name == checkpoint.origin]
    if not keys:
        raise _invalid("V1", "The checkpoint is of a log for which you brought no key.")
    try:
        if not signed_by_log(checkpoint, keys):
            raise _invalid("V1", "The checkpoint is not signed by a key of the log that you brought.")
        found.cosigned = cosigned_at(checkpoint.note, {*policy.witnesses.values(), *found.asked.auditors})
    except Malformed as malformed:
        raise _invalid("V1", f"The checkpoint cannot be trusted: {malformed}.") from None
    names = frozenset(name for name, key in policy.witnesses.items() if key in found.cosigned)
    if not policy.is_met(names):
        needed = "the quorum of your policy"
        raise _invalid("V1", f"The checkpoint has not been cosigned by {needed}: {len(names)} witnesses have.")
    if policy.quorum == "none":
        found.not_checked.append(
            "No witness: your keys ask for none, so a log shown to you alone would not be noticed."
        )


def v1_timestamp(found: Found) -> None:
    """RFC 3161, by the `openssl` program."""
    if found.asked.tsa is None:
        if "checkpoint.tsr" in found.bundle:
            found.not_checked.append("The timestamp token: bring the authority's certificates with --tsa.")
        return
    if "checkpoint.tsr" not in found.bundle:
        raise _invalid("V1", "You asked for a timestamp (--tsa), and the bundle has no token.")
    openssl = shutil.which("openssl")
    if openssl is None:
        found.not_checked.append("The timestamp token: the program `openssl` is not on this machine.")
        return
    keys = [key for key in found.asked.policy.logs if key.name == found.checkpoint.origin]
    lines = [each.line + "\n" for _, each in _by(found.checkpoint.note, keys)]
    stamped = _bytes(found.checkpoint.note.text + "\n" + "".join(lines))
    found.stamped = _token_time(openssl, stamped, found.bundle.read("checkpoint.tsr"), found.asked.tsa)


def _token_time(openssl: str, stamped: bytes, token: bytes, tsa: Path) -> datetime:
    with tempfile.TemporaryDirectory() as folder:
        data, reply = Path(folder, "data"), Path(folder, "reply")
        data.write_bytes(stamped)
        reply.write_bytes(token)
        told = _run(openssl, "ts", "-reply", "-in", str(reply), "-text")
        at = _told_time(told)
        # At the token's own time: an authority's certificate may since have ended.
        moment = str(int(at.timestamp())) if at is not None else "0"
        arguments = ["-data", str(data), "-in", str(reply), "-CAfile", str(tsa), "-attime", moment, "-partial_chain"]
        good = _run(openssl, "ts", "-verify", *arguments)
    if at is None or good is None:
        raise _invalid("V1", "The timestamp token is not one over this checkpoint by an authority that you trust.")
    return at


def _run(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)  # noqa: S603 (no shell)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


_TOLD_TIME = re.compile(r"^Time stamp: (\w{3}) +(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:\.\d+)? (\d{4}) GMT$", re.M | re.A)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _told_time(told: str | None) -> datetime | None:
    match = _TOLD_TIME.search(told or "")
    if not match or match[1] not in _MONTHS:
        return None
    month, (day, hour, minute, second, year) = _MONTHS.index(match[1]) + 1, map(int, match.groups()[1:])
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def v1_age(found: Found) -> None:
    """After the genesis entry is known: the clock of a simulated log has nothing to do with ours."""
    times = [datetime.fromtimestamp(at, UTC) for ats in found.cosigned.values() for at in ats]
    times += [found.stamped] if found.stamped is not None else []
    if found.simulated:
        found.not_checked.append("Times: this is a SIMULATED log, whose clock is not a real one.")
        return
    if times:
        found.time_bound = _written(min(times) + SKEW)
    else:
        found.not_checked.append("The latest possible time of the events: no witness or timestamp.")
    if found.asked.max_age is None:
        found.not_checked.append("The age of the checkpoint: ask with --max-age.")
    elif not times:
        found.stale = Verdict("stale", "V1", "Nothing shows how old the checkpoint is: no witness, no timestamp.")
    elif found.asked.now - max(times) > found.asked.max_age:
        found.stale = Verdict("stale", "V1", f"The checkpoint was last confirmed at {_written(max(times))}: too old.")


# -- V2: what the verifier saw before ----------------------------------------------------------------------------------


def v2_previous(found: Found) -> None:
    previous, checkpoint = found.asked.previous, found.checkpoint
    if previous is None:
        found.not_checked.append("Whether the log was rewritten since you last looked: bring --previous.")
        return
    if previous.origin != checkpoint.origin:
        raise _failed("The previous checkpoint is of another log.")
    try:
        if not signed_by_log(previous, [key for key in found.asked.policy.logs if key.name == previous.origin]):
            raise _failed("The previous checkpoint is not signed by a key that you brought.")
    except Malformed as malformed:
        raise _failed(f"The previous checkpoint cannot be trusted: {malformed}.") from None
    if checkpoint.size < previous.size:
        sizes = f"{checkpoint.size} leaves, where you have seen {previous.size}"
        found.stale = Verdict("stale", "V2", f"The checkpoint is older than the one that you hold: {sizes}.")
    elif checkpoint.size == previous.size:
        if checkpoint.root != previous.root:
            raise _contradiction(found, "V2", f"Two signed roots for one size, {checkpoint.size} leaves.")
    else:
        _v2_continues(found, previous)


def _v2_continues(found: Found, previous: Checkpoint) -> None:
    checkpoint = found.checkpoint
    if previous.size == 0:
        if previous.root != EMPTY_ROOT:
            raise _contradiction(found, "V2", "The previous checkpoint has no leaves and yet another root than none.")
        return
    blocks = _consistency_blocks(found)
    if previous.size in blocks:
        proof = blocks[previous.size]
        if not is_consistent(previous.size, previous.root, checkpoint.size, checkpoint.root, proof):
            raise _contradiction(
                found, "V2", f"The log of {checkpoint.size} leaves does not continue the one of {previous.size}."
            )
    elif found.asked.mirror is not None:
        found.prove_previous_by_mirror = True
    else:
        raise _invalid(
            "V2", f"Nothing shows that the log continues yours of {previous.size} leaves: ask for the proof."
        )


def _consistency_blocks(found: Found) -> dict[int, list[bytes]]:
    if "consistency" not in found.bundle:
        return {}
    blocks: dict[int, list[bytes]] = {}
    with _in("V2", "consistency"):
        text = _text(found.bundle.read("consistency"))
        if not text.endswith("\n"):
            raise Malformed("it is cut off")
        for block in text[:-1].split("\n\n"):
            first, *hashes = block.split("\n")
            match = re.fullmatch(r"old (0|[1-9][0-9]{0,15})", first)
            if not match or int(match[1]) in blocks or len(hashes) > 128:
                raise Malformed("a block is not `old`, a size and hashes, or stands twice")
            blocks[int(match[1])] = [_hash_of_32(each) for each in hashes]
    return blocks


def _hash_of_32(text: str) -> bytes:
    raw = unb64(text)
    if len(raw) != 32:
        raise Malformed("a hash has not 32 bytes")
    return raw


def _contradiction(found: Found, step: str, message: str, held: bytes | None = None) -> Verdict:
    held = held if held is not None else found.asked.previous.note.raw if found.asked.previous is not None else None
    notes = (found.checkpoint.note.raw,) + (() if held is None else (held,))
    return Verdict("contradiction", step, message + " Both are signed by the log.", notes)


# -- V3: the map entry, and the log's own entries ----------------------------------------------------------------------


def _included(found: Found, entry: bytes, index: int, proof: Any) -> bool:
    return found.inclusions.holds(leaf_hash(entry), index, proof)


def _proof(text: Any) -> bytes:
    proof = unb64url(text)
    if len(proof) & 31 or len(proof) > 64 * 32:
        raise Malformed("a proof is not a row of hashes of 32 bytes")
    return proof


def v3_map_entry(found: Found) -> None:
    with _in("V3", "map.json"):
        said = _object(read_json(_without_end(found.bundle.read("map.json"))), _MAP, "it")
        entry = unb64url(said["entry"], 58)
        if not _included(found, entry, found.checkpoint.size - 1, said["inclusion"]):
            raise _invalid("V3", "The map entry is not the last leaf of the checkpoint.")
        _v3_read(found, entry)
        streams = _list(said["streams"], "streams")
        if len(streams) != len(found.streams):
            raise Malformed("it names other streams than bundle.json")
    for stream, each in zip(found.streams, streams, strict=True):
        with _in("V4", f"The {stream.role} stream"):
            v4_stream(found, stream, each)
    v4_counts(found)


_MAP = frozenset({"entry", "inclusion", "streams"})


def _v3_read(found: Found, entry: bytes) -> None:
    found.depth = entry[1]
    found.covered, streams, events = (int.from_bytes(entry[at : at + 8], "big") for at in (2, 10, 18))
    found.map_streams, found.map_events = streams, events
    found.top_root = entry[26:]
    if entry[0] != 2 or found.covered != found.checkpoint.size - 1:
        raise _invalid("V3", "The last leaf of the checkpoint is not a map entry over all leaves before it.")
    depth = 0
    while streams > 32 << depth:
        depth += 2
    if depth != found.depth or not streams <= events <= found.covered:
        raise _invalid("V3", "The map entry's figures do not fit each other.")


def _without_end(raw: bytes) -> bytes:
    return raw.removesuffix(b"\n")


# -- V4: membership or absence -----------------------------------------------------------------------------------------

_PRESENT = frozenset({"sid", "present", "count", "head", "state", "position", "bucket", "inclusion", "top"})
_ABSENT = frozenset({"sid", "present", "neighbours", "bucket", "top"})
_NEIGHBOUR = frozenset({"sid", "count", "head", "state", "position", "inclusion"})
_BUCKET = frozenset({"n", "root"})


class Bucket(NamedTuple):
    number: int
    leaves: int
    root: bytes


class MapLeaf(NamedTuple):
    sid: bytes
    events: int
    head: bytes
    state: int
    position: int


def v4_stream(found: Found, stream: Stream, said: Any) -> None:
    present = type(said) is dict and said.get("present")
    if type(present) is not bool:
        raise Malformed("it does not say whether it is there")
    said = _object(said, _PRESENT if present else _ABSENT, "its entry in map.json")
    if unb64url(said["sid"], 32) != stream.sid:
        raise Malformed("map.json and bundle.json name different streams")
    bucket = _v4_bucket(found, stream.sid, said)
    if present:
        _v4_member(found, stream, bucket, said)
    else:
        _v4_absent(found, stream, bucket, said["neighbours"])


def _number_of_bucket(sid: bytes, depth: int) -> int:
    return int.from_bytes(sid, "big") >> (256 - depth)


def _v4_bucket(found: Found, sid: bytes, said: dict[str, Any]) -> Bucket:
    read = _object(said["bucket"], _BUCKET, "bucket")
    leaves, root = _number(read["n"], "n of the bucket"), unb64url(read["root"], 32)
    number = _number_of_bucket(sid, found.depth)
    if leaves >= 2**32 or leaves > found.map_streams:
        raise Malformed("the bucket is too large")
    top_leaf = leaf_hash(leaves.to_bytes(4, "big") + root)
    if root_from_path(top_leaf, number, 1 << found.depth, _proof(said["top"])) != found.top_root:
        raise Malformed("its bucket is not in the map of this checkpoint")
    return Bucket(number, leaves, root)


def _v4_leaf(found: Found, bucket: Bucket, said: dict[str, Any]) -> MapLeaf:
    """A map leaf that is included in the bucket."""
    sid, head = unb64url(said["sid"], 32), unb64url(said["head"], 32)
    count, state, position = (_number(said[name], name) for name in ("count", "state", "position"))
    if state > 2 or (state == 2) != (count == 0) or (state == 2 and head != bytes(32)):
        raise Malformed("a leaf of the map has a state that does not fit its count")
    if _number_of_bucket(sid, found.depth) != bucket.number:
        raise Malformed("a leaf of the map is in a bucket where it does not belong")
    leaf = leaf_hash(sid + count.to_bytes(8, "big") + head + bytes([state]))
    if root_from_path(leaf, position, bucket.leaves, _proof(said["inclusion"])) != bucket.root:
        raise Malformed("a leaf of the map is not in its bucket")
    return MapLeaf(sid, count, head, state, position)


def _v4_member(found: Found, stream: Stream, bucket: Bucket, said: dict[str, Any]) -> None:
    leaf = _v4_leaf(found, bucket, said)
    stream.present = True
    stream.count, stream.head, stream.state = leaf.events, leaf.head, leaf.state
    if leaf.events > MAX_EVENTS:
        raise Malformed(f"it has more than {MAX_EVENTS} events, which this verifier does not read")


def _v4_absent(found: Found, stream: Stream, bucket: Bucket, said: Any) -> None:
    """Nothing between the neighbours, before the first, after the last, or in an empty bucket."""
    objects = [_object(each, _NEIGHBOUR, "a neighbour") for each in _list(said, "neighbours")[:3]]
    leaves = [_v4_leaf(found, bucket, each) for each in objects]
    if len(leaves) == 2:
        left, right = leaves
        absent = left.sid < stream.sid < right.sid and left.position + 1 == right.position
    elif len(leaves) == 1:
        (leaf,) = leaves
        absent = (leaf.position == 0 and stream.sid < leaf.sid) or (
            leaf.position == bucket.leaves - 1 and leaf.sid < stream.sid
        )
    else:
        absent = not leaves and bucket.leaves == 0 and bucket.root == EMPTY_ROOT
    if not absent:
        raise Malformed("it is said to be absent, and its neighbours do not show that")


def v4_counts(found: Found) -> None:
    """As far as one bundle can tell: every other stream of the map has at least one event entry too. That all counts
    together give the map entry's figure is seen only by a full audit (L2): no proof sums them."""
    present = [stream for stream in found.streams if stream.present]
    others = found.map_streams - len(present)
    least = sum(max(stream.count, 1) for stream in present) + others
    if others < 0 or least > found.map_events:
        raise _invalid("V4", f"The map counts {found.map_events} events, and its streams have {least} or more.")


def v4_whose(found: Found) -> None:
    """Is this the stream that was asked for?"""
    asked, sid = found.asked, b64url(found.record.sid)
    if asked.subject is None and asked.receipt is None:
        found.not_checked.append("Whose bundle this is: bring --subject or --receipt.")
    if asked.subject is not None and asked.subject != sid:
        raise _invalid("V4", "The bundle is of somebody else than the subject that you asked for.")
    if asked.receipt is not None:
        if asked.receipt[0] != sid:
            raise _invalid("V4", "The bundle is of somebody else than the receipt.")
        if not found.record.present:
            raise Verdict("contradiction", "V4", "You hold a receipt of a stream of which the map knows nothing.")


# -- the log's own entries ---------------------------------------------------------------------------------------------

_SYSTEM_LINE = frozenset({"index", "record", "inclusion"})
_SID_LINE = frozenset({"stream", "position", "size", "inclusion"})
_SYSTEM_KINDS = {
    "genesis/1": frozenset({"at", "format", "kind", "origin", "simulated"}),
    "epoch-destroyed/1": frozenset({"at", "epoch", "kind", "records", "root"}),
    "log-key-added/1": frozenset({"at", "kind", "vkey"}),
    "log-key-retired/1": frozenset({"at", "kind", "vkey"}),
    "loss-declared/1": frozenset({"at", "first", "kind", "past"}),
    "expunged/1": frozenset({"at", "kind", "leaves"}),
}


def v3_system_entries(found: Found) -> None:
    """Each included; the genesis entry first, which says whether this log is a simulated one."""
    if "system.jsonl" not in found.bundle:
        raise _invalid("V3", "system.jsonl is missing from the bundle.")
    last = -1
    for line in found.bundle.lines("system.jsonl"):
        with _in("V3", "system.jsonl, its first line" if last < 0 else f"system.jsonl, the line after leaf {last}"):
            last = _v3_system_line(found, line, last)
    if last < 0:
        raise _invalid("V3", "system.jsonl holds no genesis entry.")


def _v3_system_line(found: Found, line: bytes, last: int) -> int:
    said = read_json(line)
    sids = type(said) is dict and "sids" in said
    said = _object(said, _SYSTEM_LINE | {"sids"} if sids else _SYSTEM_LINE, "the line")
    index = _number(said["index"], "index")
    if not last < index < found.covered or (last < 0) != (index == 0):
        raise Malformed("the entries do not begin with leaf 0, or do not ascend")
    record = read_canonical(said["record"])
    entry = b"\x03" + _bytes(said["record"])
    if len(entry) > 64 * 1024 or not _included(found, entry, index, said["inclusion"]):
        raise Malformed(f"the entry is not leaf {index} of the checkpoint")
    kind = record.get("kind")
    if type(kind) is not str or kind not in _SYSTEM_KINDS:
        raise Malformed("the entry is of a kind that this verifier does not know")
    _object(record, _SYSTEM_KINDS[kind], "the entry")
    _instant(record["at"])
    if (kind == "genesis/1") != (index == 0) or (sids and kind != "epoch-destroyed/1"):
        raise Malformed("an entry stands where it does not belong")
    found.kinds[kind] = found.kinds.get(kind, 0) + 1
    _v3_meaning(found, kind, index, record, said.get("sids", []))
    return index


def _v3_meaning(found: Found, kind: str, index: int, record: dict[str, Any], sids: Any) -> None:
    if kind == "genesis/1":
        if type(record["simulated"]) is not bool or record["format"] != "1":
            raise Malformed("the genesis entry is of a version that this verifier does not know")
        if record["origin"] != found.checkpoint.origin:
            raise Malformed("the genesis entry is of another log")
        found.simulated = record["simulated"]
        if not found.simulated:  # its clock is a real one; that of another machine may be a little behind it
            found.began = _written(max(datetime.fromisoformat(record["at"]), _FIRST) - SKEW)
    elif kind == "epoch-destroyed/1":
        epoch, records = _number(record["epoch"], "epoch"), _number(record["records"], "records")
        root = unb64url(record["root"], 32)
        numbers = [_v10_final_sid(found, each, records, root) for each in _list(sids, "sids")[:3]]
        if numbers != sorted(set(numbers)):
            raise Malformed("sids does not name each stream once, ascending")
        found.final.update((number, epoch) for number in numbers)
    elif kind == "loss-declared/1":
        first, past = _number(record["first"], "first"), _number(record["past"], "past")
        _range_is_before(first, past, index)
        found.remarks.append(f"The log declares leaves {first} to {past - 1} lost: they have no openings any more.")
    elif kind == "expunged/1":
        _ranges(record["leaves"], index)
    else:
        read_vkey(record["vkey"] if type(record["vkey"]) is str else "")
        found.remarks.append(f"The log says {kind.removesuffix('/1')} at {record['at']}; keys are taken from you only.")


def _ranges(leaves: Any, index: int) -> list[tuple[int, int]]:
    read: list[tuple[int, int]] = []
    for each in _list(leaves, "leaves"):
        if len(_list(each, "a range")) != 2:
            raise Malformed("a range of leaves is not two numbers")
        first, past = _number(each[0], "first"), _number(each[1], "past")
        _range_is_before(first, past, index)
        read.append((first, past))
    return read


def _range_is_before(first: int, past: int, index: int) -> None:
    if not 0 < first < past <= index:
        raise Malformed("a range of leaves is not one before the entry")


def _v10_final_sid(found: Found, said: Any, records: int, root: bytes) -> int:
    """The number of the stream whose erasure this epoch's end makes final, proved."""
    said = _object(said, _SID_LINE, "an entry of sids")
    number, position, size = (_number(said[name], name) for name in ("stream", "position", "size"))
    if number >= len(found.streams) or size != records:
        raise Malformed("an entry of sids names no stream, or another number of records")
    leaf = leaf_hash(found.streams[number].sid)
    if root_from_path(leaf, position, size, _proof(said["inclusion"])) != root:
        raise _invalid("V10", f"The {found.streams[number].role} stream is not among those that the epoch made final.")
    return number


# -- V5 to V8: the events, one at a time -------------------------------------------------------------------------------

_LINE = frozenset({"stream", "index", "header", "salt", "inclusion", "parts"})
_HEADER = ("at", "data", "meta", "n", "parts", "prev", "sid", "type", "v")  # in the order of canonical JSON
_META = ("cmd", "policy", "role")
_PART = ("ct", "hid", "kc", "kid", "pc")
_CMD = re.compile(r"[0-9a-f]{64}")
_AS_TYPE, _AS_KID = r"[a-z][a-z0-9-]{0,63}", r"[A-Za-z0-9_-]{1,64}"
_TYPE = re.compile(_AS_TYPE)
_KID = re.compile(_AS_KID)
_LEAF = b"lifecycle/leaf/v1\x00"
_TAG = b"lifecycle/tag/v1"

SUBJECT_REGISTERED = "subject-registered"
ERASURE_ORDERED = "erasure-ordered"
ERASURE_COMPLETED = "erasure-completed"
ERASURE_FINALISED = "erasure-finalised"
_UNDERSTOOD = frozenset({SUBJECT_REGISTERED, ERASURE_ORDERED, ERASURE_COMPLETED, ERASURE_FINALISED})
_RECEIVED = "subject-received"
_STORES_ONLY = frozenset({"processing-restricted", "mandatory-copy-kept", "subject-transferred", _RECEIVED})


def v5_to_v8_events(found: Found) -> None:
    batches = found.bundle.batches("events.jsonl") if "events.jsonl" in found.bundle else iter(())
    lines: list[bytes] = []
    for stream in found.streams:
        walk = Walk(found, stream)
        while left := stream.count - walk.n:
            lines = lines or next(batches, [])
            if not lines:
                raise _v5_count(found)
            walk.events(lines[:left])
            lines = lines[left:]
        v7_head(stream, walk)
    if lines or next(batches, []):
        raise _v5_count(found)
    if found.asked.receipt is None:
        return
    if found.record.key and not hmac.compare_digest(found.record.key, _stream_key(found.asked.receipt[1])):
        raise Verdict("contradiction", "V6", "The first event's salt is not the one of the receipt that you hold.")


def _stream_key(salt: bytes) -> bytes:
    return hmac.digest(salt, _TAG, "sha256")


def _v5_count(found: Found) -> Verdict:
    shown = sum(1 for _ in found.bundle.lines("events.jsonl")) if "events.jsonl" in found.bundle else 0
    due = sum(stream.count for stream in found.streams)
    return _invalid("V5", f"The map counts {due} events, the bundle shows {shown}.")


def v7_head(stream: Stream, walk: Walk) -> None:
    if stream.count and walk.previous != stream.head:
        raise _invalid("V7", f"The last event of the {stream.role} stream is not the one that the map names.")


class Walk:
    """Goes along one stream, remembering only what the next event is checked against."""

    def __init__(self, found: Found, stream: Stream) -> None:
        self.found = found
        self.stream = stream
        self.sid = b64url(stream.sid)
        self.n = 0
        self.index = 0
        self.at = found.began
        self.cmd = ""
        self.cmds: dict[bytes, str] = {}  # when each was recorded
        self.previous = b""
        self.mac = Mac(b"")  # until the first event has said its salt

    def _where(self) -> str:
        return f"Event n={self.n} of the {self.stream.role} stream (leaf {self.index})"

    def events(self, lines: list[bytes]) -> None:
        """Some lines in a row, with each step over all of them before the next step: a processor that does the same
        thing again and again finds code and tables at hand, which is worth a fifth of the time."""
        before = self.n
        try:
            read = [self._read(line) for line in lines]
            self.n = before
            for line, header in read:
                self.n += 1
                self._chain(line, header)
        except Malformed as malformed:
            raise _invalid("V6", f"{self._where()}: {malformed}.") from None
        self.n = before
        try:
            for line, header in read:
                self.n, self.index = self.n + 1, line.leaf
                self._v8(header, line.parts)
                self._remember(header)
        except Malformed as malformed:
            raise _invalid("V8", f"{self._where()}: {malformed}.") from None

    def _read(self, raw: bytes) -> tuple[Line, Header]:
        self.n += 1
        line, header = read_event(raw)
        if line.stream != self.stream.number or header.n != self.n:
            raise self._misplaced()
        return line, header

    def _v8(self, header: Header, shown: Any) -> None:
        if len(_list(shown, "parts")) != len(header.parts):
            raise Malformed("it shows another number of parts than its header names")
        for part, each in zip(header.parts, shown, strict=True):
            self._part(part, each)

    def _misplaced(self) -> Verdict:
        """Is an event missing, or are all there in another order?"""
        counted = _v5_count(self.found)
        due = sum(stream.count for stream in self.found.streams)
        shown = sum(1 for _ in self.found.bundle.lines("events.jsonl"))
        if due != shown:
            return counted
        return _invalid("V6", f"{self._where()}: another event stands in its place.")

    def _chain(self, line: Line, header: Header) -> None:
        """V6: this stream, this place, this leaf, this time."""
        if not self.index < line.leaf < self.found.covered:
            raise Malformed("its leaf does not come after that of the event before it, or is not covered by the map")
        self.index = line.leaf
        if header.sid != self.sid:
            raise Malformed("it is of another stream")
        if header.prev != (b64url(self.previous) if self.n > 1 else None):
            raise Malformed("it does not follow the event before it")
        salt = unb64url(line.salt, 64)
        if self.n == 1:
            self.stream.key = _stream_key(salt)
            self.mac = Mac(self.stream.key)
        committed = sha256(_LEAF + salt + _bytes(line.header)).digest()
        leaf = sha256(b"\x00\x01" + committed + self.mac.tag(self.n)).digest()
        if not self.found.inclusions.holds(leaf, self.index, line.inclusion):
            raise Malformed("header, salt and place do not give the leaf that the log holds")
        self.previous = committed
        at = header.at
        if header.cmd != self.cmd:
            self._command(header.cmd, at)
        if at < self.at:
            before = "the event that precedes it" if self.n > 1 else "the log began"
            raise Malformed(f"it is dated before {before}")
        if self.found.time_bound is not None and at > self.found.time_bound:
            raise Malformed("it is dated later than a witness or timestamp had already seen it")
        self.at = at

    def _command(self, cmd: str, at: str) -> None:
        """One command may record several events in a row, and comes again only when its id has been forgotten."""
        self.cmd = cmd
        short = bytes.fromhex(cmd)
        before = self.cmds.get(short)
        if before is not None and _since(before, at) < ID_KEPT:
            raise Malformed("its command had been recorded less than 90 days before")
        self.cmds[short] = at

    def _part(self, part: Part, shown: Any) -> None:
        """V8, and what V9 and V10 will ask."""
        pinned, hid, kc, kid, _ = part
        if type(shown) is not dict or ("ct" in shown) + (disclosed := "disclosure" in shown) != len(shown):
            raise Malformed("what it shows of a part is not ct and disclosure")
        if "ct" in shown and (not kid or _digest(unb64url(shown["ct"])) != pinned):
            raise Malformed("a ciphertext is not the one that the header pins")
        if disclosed:
            self._disclosed(part, shown["disclosure"])
        if not kid:
            if not disclosed:
                raise _invalid("V9", f"{self._where()}: an open part is missing, and nothing can explain that.")
            return
        self.found.values_hidden += not disclosed
        missing = not disclosed and (self.found.disclosed or not shown)
        known = self.found.keys.get(kid)
        if known is None:
            self.found.keys[kid] = Key(kc, hid, self.index, self.n, self.stream.number, missing, bool(shown), not shown)
        else:
            self._known_key(known, kc, missing, bool(shown))

    def _disclosed(self, part: Part, text: Any) -> None:
        pinned, hid, _, kid, committed = part
        raw = unb64url(text)
        if b64url(sha256(text.encode("ascii")).digest()) != committed:
            raise Malformed("a disclosed value is not the one that the header commits to")
        if not kid and _digest(raw) != pinned:
            raise Malformed("an open part is not the one that the header pins")
        read = _parsed(_text(raw).rstrip(" "), _VALUE)
        if type(read) is not list or len(read) != 3 or read[1] != hid:
            raise Malformed("a disclosed value is of another holding than the header says")
        if type(read[0]) is not str or len(read[0]) != 86:
            raise Malformed("a disclosed value has no salt of 64 bytes")

    def _known_key(self, known: Key, kc: str, missing: bool, shown: bool) -> None:
        if known.kc != kc:
            raise _invalid("V9", f"{self._where()}: a key is named with another commitment than before.")
        known.last_index = max(known.last_index, self.index)
        known.shown = known.shown or shown
        known.bare = known.bare or not shown
        if missing and not known.missing:
            known.missing, known.n, known.stream = True, self.n, self.stream.number

    def _remember(self, header: Header) -> None:
        found, stream, kind = self.found, self.stream, header.type
        stream.seen += 1
        row = (self.n, header.at, kind)
        if len(stream.first) < ROWS_SHOWN:
            stream.first.append(row)
        else:
            stream.last.append(row)
        if kind in _UNDERSTOOD:
            with _in("V10", self._where()):
                self._understand(header)
        elif kind in _STORES_ONLY and stream.number == 0:
            with _in("V9", self._where()):
                found.stored_only |= _put_into_storage(kind, header.data)
        erasure = found.erasure if found.completed else None
        if erasure is not None and self.index > erasure.index:
            v10_after_erasure(self._where(), kind, header.parts)

    def _understand(self, header: Header) -> None:
        found, kind, data = self.found, header.type, header.data
        if kind == ERASURE_FINALISED:
            self.stream.finalised.append(_number(data.get("epoch"), "epoch"))
        elif self.stream.number != 0:
            raise Malformed(f"{kind} belongs on the record")
        elif kind == SUBJECT_REGISTERED:
            if self.n != 1:
                raise Malformed("a person is registered once")
            unb64url(data.get("access_sid"), 32)
            found.is_person, found.access_sid = True, data["access_sid"]
        elif kind == ERASURE_ORDERED:
            holdings = frozenset(_texts(data.get("holdings", []), "holdings"))
            found.orders[self.n] = Order(_flag(data.get("whole", False)), self.index, header.at, holdings)
        else:
            found.completed.append(self._completion(data))

    def _completion(self, data: dict[str, Any]) -> Completed:
        keys: dict[str, str] = {}
        for each in _list(data.get("keys", []), "keys"):
            said = _object(each, frozenset({"kid", "kc"}), "a key")
            if type(said["kid"]) is not str or type(said["kc"]) is not str:
                raise Malformed("a key is not named by texts")
            keys[said["kid"]] = said["kc"]
        order, epoch = _number(data.get("order"), "order"), _number(data.get("epoch"), "epoch")
        whole = _flag(data.get("whole", False))
        ordered = self.found.orders.get(order)
        if ordered is None or ordered.whole is not whole:
            raise Malformed("an erasure is completed that was not ordered")
        if whole:
            _v10_names_every_key(self.found, keys)
        return Completed(self.n, self.index, order, whole, epoch, keys)


def _put_into_storage(kind: str, data: dict[str, Any]) -> set[str]:
    """Whose values are kept closed from here on, so that a bundle that discloses values may show them sealed."""
    if kind == _RECEIVED:  # the record as another controller told it
        told = [each for each in _list(data.get("history", []), "history") if type(each) is dict]
        past = [(str(each.get("kind")).partition("/")[0], each.get("data")) for each in told]
        inner = [_put_into_storage(name, of) for name, of in past if name in _STORES_ONLY - {kind} and type(of) is dict]
        return {hid for each in inner for hid in each}
    return {hid for hid in _list(data.get("holdings", []), "holdings") if type(hid) is str}


Part = tuple[str, str, str, str, str]  # what a header pins of one part, as in _PART: ct, hid, kc, kid, pc


class Header(NamedTuple):
    """What the steps ask of a header. `prev` and `sid` are of any type until they are compared."""

    at: str
    data: dict[str, Any]
    cmd: str
    n: int
    parts: list[Part]
    prev: Any
    sid: Any
    type: str


class Line(NamedTuple):
    """A line of events.jsonl. `inclusion`, `parts` and `salt` are of any type until they are used."""

    header: str
    inclusion: Any
    leaf: int
    parts: Any
    salt: Any
    stream: int


def read_event(raw: bytes) -> tuple[Line, Header]:
    """A line of events.jsonl, and the header that it shows: docs/ledger-format.md."""
    text = _text(raw)
    return _plain_event(text) or _event_by_step(text)


def _plain_event(text: str) -> tuple[Line, Header] | None:
    """A line in the order and spacing in which bundles are written, taken apart at its marks instead of parsed.
    None says nothing against a line: then it is read step by step, which also tells what is wrong with it. A control
    character in `inclusion` or `salt`, which JSON forbids, is left for base64url to refuse."""
    opening, _, rest = text.partition('","inclusion":"')
    inclusion, _, more = rest.partition('","index":')
    index, _, more = more.partition(',"parts":')
    escaped = opening[11:]
    header = escaped.replace('\\"', '"')  # each quote was escaped, and nothing else: what follows makes sure
    if opening[:11] != '{"header":"' or len(escaped) - len(header) != escaped.count('"') or "\\" in header:
        return None
    if "\\" in rest or '"' in inclusion or not _INDEX.fullmatch(index):
        return None
    try:
        parts, end = _STRICT.scan_once(more, 0)  # type: ignore[attr-defined]
    except (ValueError, StopIteration, RecursionError):
        return None
    salt, _, ending = more[end + 9 :].partition('"')
    if more[end : end + 9] != ',"salt":"' or ending not in _ENDINGS:
        return None
    read = _plain_header(header)
    return None if read is None else (Line(header, inclusion, int(index), parts, salt, _ENDINGS[ending]), read)


_INDEX = re.compile(r"[1-9][0-9]{0,14}")
_ENDINGS = {',"stream":0}': 0, ',"stream":1}': 1}


def _event_by_step(text: str) -> tuple[Line, Header]:
    said = _object(_parsed(text, _STRICT), _LINE, "the line")
    index, stream = _number(said["index"], "index"), _number(said["stream"], "stream")
    header = read_header(said["header"])
    return Line(said["header"], said["inclusion"], index, said["parts"], said["salt"], stream), header


def read_header(text: Any) -> Header:
    """Canonical JSON in the closed schema of a header: docs/formats.md."""
    return _plain_header(text) or _shape(read_canonical(text))


_PLAIN = r"[ !#-\[\]-~]*+"  # printable ASCII that JSON writes as it is
_PLAIN_KEY = rf'(?:"kc":"","kid":""|"kc":"(?!"){_PLAIN}","kid":"{_AS_KID}")'
_PLAIN_PART = rf'\{{"ct":"{_PLAIN}","hid":"(?!"){_PLAIN}",{_PLAIN_KEY},"pc":"{_PLAIN}"\}}'
_UP_TO_DATA = re.compile(rf'\{{"at":"({_AS_INSTANT})","data":')
_AFTER_DATA = re.compile(
    rf',"meta":\{{"cmd":"([0-9a-f]{{64}})","policy":"{_PLAIN}","role":"{_PLAIN}"\}},"n":([1-9][0-9]{{0,14}}),'
    rf'"parts":\[((?:{_PLAIN_PART}(?:,{_PLAIN_PART})*+)?+)\],"prev":(?:null|"({_PLAIN})"),"sid":"({_PLAIN})",'
    rf'"type":"({_AS_TYPE})","v":([1-9][0-9]{{0,14}})\}}'
)
_OF_PLAIN_PART = re.compile(r'"ct":"([^"]*)","hid":"([^"]*)","kc":"([^"]*)","kid":"([^"]*)","pc":"([^"]*)"')


def _plain_header(text: Any) -> Header | None:
    """A header of plain ASCII around its data, at once: what matches is canonical and has the shape that `_shape` asks
    for. None says nothing against a header: then it is read step by step, which also tells what is wrong with it."""
    if type(text) is not str or not text.isascii() or not (opening := _UP_TO_DATA.match(text)):
        return None
    try:
        data, end = _COMPARED.scan_once(text, opening.end())  # type: ignore[attr-defined]
        canonical = type(data) is dict and _encoded(data) == text[opening.end() : end]
        datetime.fromisoformat(opening[1])
    except (ValueError, StopIteration, RecursionError):
        return None
    rest = _AFTER_DATA.fullmatch(text, end) if canonical else None
    if rest is None:
        return None
    cmd, n, parts, prev, sid, kind, version = rest.groups()
    if kind in _UNDERSTOOD and version != "1":
        return None
    return Header(opening[1], data, cmd, int(n), _OF_PLAIN_PART.findall(parts), prev, sid, kind)


def _shape(header: dict[str, Any]) -> Header:
    """The closed schema, one thing after the other."""
    if tuple(header) != _HEADER or type(header["meta"]) is not dict or tuple(header["meta"]) != _META:
        raise Malformed("its header has not the keys of a header")
    at, data, meta, n, parts, prev, sid, kind, version = header.values()
    cmd, policy, role = meta.values()
    if not (type(n) is type(version) is int and type(data) is dict and type(parts) is list and version > 0):
        raise Malformed("its header has a value of a wrong type")
    if not (type(kind) is type(cmd) is type(policy) is type(role) is str):
        raise Malformed("its header has a value of a wrong type")
    if not _TYPE.fullmatch(kind) or not _CMD.fullmatch(cmd):
        raise Malformed("its header has a type or a command id that none has")
    if kind in _UNDERSTOOD and version != 1:
        raise Malformed(f"{kind} is of version {version}, which this verifier does not know")
    return Header(_instant(at), data, cmd, n, [_part_shape(part) for part in parts], prev, sid, kind)


def _part_shape(part: Any) -> Part:
    if type(part) is not dict or tuple(part) != _PART:
        raise Malformed("a part of its header has not the keys of a part")
    ct, hid, kc, kid, pc = part.values()
    if not (type(kid) is type(kc) is type(hid) is type(ct) is type(pc) is str) or not hid:
        raise Malformed("a part of its header has a value of a wrong type")
    if (kid == "") != (kc == "") or (kid and not _KID.fullmatch(kid)):
        raise Malformed("a part of its header names a key in a way that none is named")
    return ct, hid, kc, kid, pc


def _digest(raw: bytes) -> str:
    return b64url(sha256(raw).digest())


def _texts(value: Any, what: str) -> list[str]:
    if not all(type(each) is str for each in _list(value, what)):
        raise Malformed(f"{what} are not texts")
    return list(value)


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise Malformed("a yes or no is neither")
    return value


# -- V9: what is not there must be explained ---------------------------------------------------------------------------


def v9_explained(found: Found) -> None:
    destroyed: dict[str, tuple[str, int]] = {}
    for completed in found.completed:
        for kid, kc in completed.keys.items():
            destroyed.setdefault(kid, (kc, completed.index))
    pending = found.carried_out
    gone = dict.fromkeys(pending, 0)
    for kid, key in found.keys.items():
        _v9_key(found, key, destroyed.get(kid), pending, gone)
    found.remarks.extend(_v9_pending(n, order, gone[n]) for n, order in pending.items())
    if found.values_hidden and not found.disclosed:
        found.not_checked.append("Values: they are sealed here, so that they still open was not checked.")
    if found.closed:
        found.not_checked.append(f"Values kept in storage only, {found.closed}: they are shown sealed, not in clear.")


def _v9_pending(n: int, order: Order, gone: int) -> str:
    what = "of the whole person" if order.whole else f"of {len(order.holdings)} holdings"
    left = f"{gone} keys' values are gone by it" if gone else "nothing is gone by it"
    return (
        f"Event n={n}: an erasure {what} was ordered at {order.at} and is not completed: {left}, and nothing says that "
        "every copy is. If the log is much newer than the order, ask why."
    )


def _v9_key(
    found: Found, key: Key, destroyed: tuple[str, int] | None, pending: dict[int, Order], gone: dict[int, int]
) -> None:
    where = f"event n={key.n} of the {found.streams[key.stream].role} stream"
    whole = found.erasure
    by_whole = whole is not None and key.stream == 1 and key.last_index < whole.index
    if key.shown and (destroyed is not None or by_whole):
        raise _invalid("V9", f"Erased, yet here: a part of {where} is shown, and its key is recorded as destroyed.")
    if not key.missing:
        return
    named = destroyed is not None and destroyed[0] == key.kc and destroyed[1] > key.last_index
    if key.stream == 0 and key.hid in found.stored_only and not key.bare:
        found.closed += 1
    elif not named and not by_whole:
        by_order = next((n for n, order in pending.items() if order.covers(key)), None)
        if by_order is None or destroyed is not None:
            raise _invalid("V9", f"A payload is missing and nothing explains it: {where}.")
        gone[by_order] += 1


# -- V10: erasure ------------------------------------------------------------------------------------------------------

_AFTER_ERASURE = re.compile(
    r"erasure-finalised|deadline-(?:missed|extended)|requester-verified|(?:recipient|request|complaint)-[a-z-]+"
)


def _v10_names_every_key(found: Found, keys: dict[str, str]) -> None:
    """The record comes first in the file: so far only its parts are known."""
    if any(keys.get(kid) != key.kc for kid, key in found.keys.items()):
        raise Malformed("a whole person is called erased, and not every key is named")


def v10_after_erasure(where: str, kind: str, parts: list[Part]) -> None:
    if parts or not _AFTER_ERASURE.fullmatch(kind):
        raise _invalid("V10", f"{where}: something was recorded of a person who had been erased.")


def v10_erasure(found: Found) -> None:
    record, erasure = found.record, found.erasure
    if record.state == 2:
        _v10_expunged(found)
    elif record.present and (record.state == 1) != (erasure is not None):
        raise _invalid("V10", "The map and the record do not agree on whether this person has been erased.")
    for stream in found.streams:
        if stream.present and record.present and stream.state != record.state:
            raise _invalid("V10", "The map gives the two streams of one person different states.")
        for epoch in stream.finalised:
            if (stream.number, epoch) not in found.final:
                raise _invalid("V10", f"The end of epoch {epoch} is said to make an erasure final and is not shown.")
    if erasure is not None and erasure.epoch not in record.finalised:
        found.remarks.append(
            "The erasure is completed and not yet final: the epoch in which it happened has not ended."
        )


def _v10_expunged(found: Found) -> None:
    if "expunged/1" not in found.kinds:
        raise _invalid("V10", "The record is called expunged, and no entry of the log says that anything was.")
    found.not_checked.append("The events: they were expunged after their evidence period, and nothing of them is left.")


def v4_both_streams(found: Found) -> None:
    """A person has two streams, and the first event names the second: leaving it out is not possible."""
    named = b64url(found.streams[1].sid) if len(found.streams) > 1 else None
    if found.record.count == 0:
        if named is not None:
            found.not_checked.append("Whether the second stream is this person's: the record has no events to say so.")
    elif named != found.access_sid:
        raise _invalid("V4", "The access stream that the record names is not the one in the bundle.")
    elif not found.is_person:
        found.remarks.append("This is not the record of a person: its first event registers nobody.")


# -- V11 and V12: what one bundle alone cannot show --------------------------------------------------------------------


def v11_full_audit(found: Found) -> None:
    found.audited = any(key in found.cosigned for key in found.asked.auditors)
    if found.asked.auditors and not found.audited:
        raise _invalid("V11", "None of the full auditors that you trust has cosigned this checkpoint.")


def v12_mirror(found: Found) -> None:
    if found.asked.mirror is None:
        return
    wanted = {tag: stream.role for stream in found.streams for tag in _next_tags(stream)}
    old_size = found.asked.previous.size if found.prove_previous_by_mirror and found.asked.previous else None
    scan = Scan(wanted, old_size, _expunged_key(found))
    for entry in mirror_entries(found.asked.mirror, found.checkpoint.size):
        scan.entry(entry)
    _v12_roots(found, scan)
    if scan.events != found.map_events:
        raise _invalid("V12", f"The map counts {found.map_events} events in the log, the mirror holds {scan.events}.")
    lost = scan.lost
    for index, role in scan.hits:
        if not any(first <= index < past for first, past in lost):
            raise _invalid("V12", f"Leaf {index} of the mirror is a later event of the {role} stream, withheld here.")
    if scan.hits:
        found.remarks.append(f"{len(scan.hits)} later events lie in leaves that the log declares lost.")
    found.mirrored = True
    _v12_expunged(found, scan)
    known = {*wanted.values(), *(["record"] if _expunged_key(found) else [])}
    unknown = [stream.role for stream in found.streams if stream.role not in known]
    if unknown:
        names = " and ".join(unknown)
        found.not_checked.append(f"Later events of the {names} stream in the mirror: no first event tells its tags.")


def _next_tags(stream: Stream) -> list[bytes]:
    """The tags that a later event of this stream would carry; of one without events nobody knows them."""
    if not stream.key:
        return []
    mac = Mac(stream.key)
    return [mac.tag(n) for n in range(stream.count + 1, stream.count + 1 + TAGS_AHEAD)]


def _expunged_key(found: Found) -> bytes:
    """Of an expunged record whose receipt is at hand: by it, and by nothing else, its leaves can still be known."""
    if found.record.state != 2 or found.asked.receipt is None:
        return b""
    return _stream_key(found.asked.receipt[1])


def _v12_expunged(found: Found, scan: Scan) -> None:
    ranges = [*scan.lost, *scan.expunged]
    for index in scan.gone:
        if not any(first <= index < past for first, past in ranges):
            raise _invalid("V12", f"Leaf {index} of the mirror is the record's, and nothing says that it was expunged.")
    if scan.gone:
        found.remarks.append(
            f"By your receipt {len(scan.gone)} leaves of your copy are this record's; the log says of each that it was "
            "expunged or lost."
        )


class Scan:
    """What one pass over a mirror tells."""

    def __init__(self, wanted: dict[bytes, str], old_size: int | None, expunged_key: bytes = b"") -> None:
        self._wanted = wanted
        self._old_size = old_size
        self._mac = Mac(expunged_key) if expunged_key else None
        self._tags: set[bytes] = set()
        self._tagged = 0
        self._look_ahead(TAGS_AHEAD)
        self.gone: list[int] = []
        self.expunged: list[tuple[int, int]] = []
        self.tree = GrowingTree()
        self.old_root: bytes | None = None
        self.events = 0
        self.hits: list[tuple[int, str]] = []
        self.lost: list[tuple[int, int]] = []

    def entry(self, entry: bytes) -> None:
        if entry[:1] == b"\x01":
            self.events += 1
            if entry[33:] in self._wanted:
                self.hits.append((self.tree.size, self._wanted[entry[33:]]))
            if entry[33:] in self._tags:
                self.gone.append(self.tree.size)
                self._look_ahead(1)
        elif entry[:1] == b"\x03":
            self._system(entry)
        self.tree.add(sha256(b"\x00" + entry).digest())
        if self.tree.size == self._old_size:
            self.old_root = self.tree.root()

    def _look_ahead(self, more: int) -> None:
        """How many events there were is not known any more; along a stream none is far from the one before it."""
        if self._mac is not None:
            self._tags.update(self._mac.tag(n) for n in range(self._tagged + 1, self._tagged + more + 1))
            self._tagged += more

    def _system(self, entry: bytes) -> None:
        try:
            record = read_canonical(_text(entry[1:]))
            if record.get("kind") == "expunged/1":
                _object(record, _SYSTEM_KINDS["expunged/1"], "the entry")
                self.expunged += _ranges(record["leaves"], self.tree.size)
            if record.get("kind") == "loss-declared/1":
                _object(record, _SYSTEM_KINDS["loss-declared/1"], "the entry")
                first, past = _number(record["first"], "first"), _number(record["past"], "past")
                _range_is_before(first, past, self.tree.size)
                self.lost.append((first, past))
        except Malformed as malformed:
            raise _invalid("V12", f"Leaf {self.tree.size} of the mirror: {malformed}.") from None


def _v12_roots(found: Found, scan: Scan) -> None:
    previous = found.asked.previous
    if scan.tree.root() != found.checkpoint.root:
        held = _mirror_checkpoint(found)
        message = "The entries of your mirror do not give the root of this checkpoint."
        if held is None:
            raise Verdict("contradiction", "V12", message, (found.checkpoint.note.raw,))
        raise _contradiction(found, "V12", message, held)
    if found.prove_previous_by_mirror and previous is not None and scan.old_root != previous.root:
        raise _contradiction(found, "V2", f"The log of {found.checkpoint.size} leaves does not continue yours.")


def _mirror_checkpoint(found: Found) -> bytes | None:
    """The mirror's own checkpoint, if the log signed it: the other half of the evidence."""
    assert found.asked.mirror is not None, "only asked of a mirror"
    try:
        checkpoint = read_checkpoint(_read_own(found.asked.mirror / "checkpoint", "the mirror's checkpoint"))
        keys = [key for key in found.asked.policy.logs if key.name == checkpoint.origin]
        return checkpoint.note.raw if signed_by_log(checkpoint, keys) else None
    except (Verdict, Malformed):
        return None


def mirror_entries(folder: Path, size: int) -> Iterator[bytes]:
    """C2SP tlog-tiles, log entries: bundles of 256, each entry after its length in two bytes."""
    for number in range((size + 255) // 256):
        due = min(256, size - 256 * number)
        raw = _entry_bundle(folder, number, due)
        at = 0
        for _ in range(due):
            end = at + 2 + int.from_bytes(raw[at : at + 2], "big")
            if at + 2 > len(raw) or end > len(raw):
                raise _failed(f"Bundle {number} of the mirror is cut off.")
            yield raw[at + 2 : end]
            at = end


def tile_path(number: int) -> str:
    """1234067 is x001/x234/067."""
    path = f"{number % 1000:03d}"
    while number >= 1000:
        number //= 1000
        path = f"x{number % 1000:03d}/{path}"
    return path


def _entry_bundle(folder: Path, number: int, due: int) -> bytes:
    full = folder / "tile" / "entries" / tile_path(number)
    partial = full.with_name(full.name + ".p")
    try:
        if full.is_file():
            return _read_own(full, f"Bundle {number} of the mirror", 256 * (2 + 2**16))
        widths = sorted(int(each.name) for each in partial.iterdir() if re.fullmatch(r"[1-9][0-9]{0,2}", each.name))
        width = next((each for each in widths if each >= due), None)
    except OSError:
        width = None
    if width is None:
        raise _failed(
            f"The mirror does not hold bundle {number} of the entries of this checkpoint: bring it up to date."
        )
    return _read_own(partial / str(width), f"Bundle {number} of the mirror", 256 * (2 + 2**16))


# -- the whole check ---------------------------------------------------------------------------------------------------

STEPS: tuple[Callable[[Found], None], ...] = (
    v1_checkpoint,
    v1_timestamp,
    v2_previous,
    v3_map_entry,  # and V4 for each stream
    v3_system_entries,
    v4_whose,
    v1_age,
    v5_to_v8_events,
    v4_both_streams,
    v9_explained,
    v10_erasure,
    v11_full_audit,
    v12_mirror,
)


def verify(asked: Asked) -> Found:
    """Run every step. Raises the Verdict of the first that refuses; a bundle that is merely old comes last."""
    bundle = Bundle(asked.bundle)
    try:
        found = _opened(asked, bundle)
        for step in STEPS:
            step(found)
    finally:
        bundle.close()
    if found.stale is not None:
        raise found.stale
    _say_what_was_not_checked(found)
    return found


_BUNDLE = frozenset({"format", "origin", "streams", "values"})
_STREAM = frozenset({"sid", "role"})


def _opened(asked: Asked, bundle: Bundle) -> Found:
    with _in("V1", "The checkpoint"):
        checkpoint = read_checkpoint(bundle.read("checkpoint"))
    with _in("V1", "bundle.json"):
        said = _object(read_json(_without_end(bundle.read("bundle.json"))), _BUNDLE, "it")
        if said["format"] != FORMAT:
            raise Malformed("it is of a version that this verifier does not know")
        if said["values"] not in ("disclosed", "sealed"):
            raise Malformed("its values are neither disclosed nor sealed")
        streams = [_stream(number, each) for number, each in enumerate(_list(said["streams"], "streams")[:3])]
        if not 1 <= len(streams) <= 2 or len({stream.sid for stream in streams}) != len(streams):
            raise Malformed("it names not one or two different streams")
    if said["origin"] != checkpoint.origin:
        raise _invalid("V1", "bundle.json and the checkpoint are of different logs.")
    if checkpoint.size < 2:
        raise _invalid("V3", "The checkpoint covers no leaf besides its map entry.")
    inclusions = Inclusions(checkpoint.size, checkpoint.root)
    return Found(asked, bundle, checkpoint, inclusions, streams, said["values"] == "disclosed")


def _stream(number: int, said: Any) -> Stream:
    said = _object(said, _STREAM, "a stream")
    if said["role"] != ("record", "access")[min(number, 1)]:
        raise Malformed("the first stream is the record, the second the access stream")
    return Stream(number, said["role"], unb64url(said["sid"], 32))


def _say_what_was_not_checked(found: Found) -> None:
    if not found.audited:
        found.not_checked.append(
            "L2, a full audit: nobody whom you named with --auditor has opened every leaf. "
            "A bundle alone cannot see a map that lies about how many events there are."
        )
    if not found.mirrored:
        found.not_checked.append("L3, later events of this person in the log itself: bring a copy of it with --mirror.")
    found.not_checked.append("Whether what was recorded is true, and whether copies were made before an erasure.")


# -- the report --------------------------------------------------------------------------------------------------------

_LEVELS = {
    "L1": "L1: the bundle is consistent with the signed checkpoint.",
    "L2": "L2: an auditor whom you trust has opened every leaf of this checkpoint and cosigned it.",
    "L3": "L3: your copy of the whole log gives the same root and holds no later event of these streams.",
}
_STATES = ("alive", "erased", "expunged")


def _levels(found: Found) -> list[str]:
    return ["L1", *(["L2"] if found.audited else []), *(["L3"] if found.mirrored else [])]


def _stream_json(stream: Stream) -> dict[str, Any]:
    rows = [*stream.first, *stream.last]
    return {
        "role": stream.role,
        "sid": b64url(stream.sid),
        "present": stream.present,
        "count": stream.count,
        "state": _STATES[stream.state] if stream.present else "absent",
        "events": [{"n": n, "at": at, "type": kind} for n, at, kind in rows],
        "events_not_listed": stream.seen - len(rows),
    }


def _accepted_json(found: Found) -> dict[str, Any]:
    return {
        "verdict": "ok",
        "step": None,
        "message": " ".join(_LEVELS[level] for level in _levels(found)),
        "level": _levels(found)[-1],
        "simulated": found.simulated,
        "streams": [_stream_json(stream) for stream in found.streams],
        "remarks": found.remarks,
        "not_checked": found.not_checked,
    }


def _refused_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": verdict.verdict,
        "step": verdict.step or None,
        "message": verdict.message,
        "level": None,
        "simulated": None,
        "streams": [],
        "remarks": [],
        "not_checked": ["Everything after the step that refused."],
    }


def _accepted_text(found: Found) -> Iterator[str]:
    checkpoint = found.checkpoint
    yield "ok"
    if found.simulated:
        yield "SIMULATED: this log says of itself that it is a simulation. It proves nothing about real people."
    yield from (_LEVELS[level] for level in _levels(found))
    yield ""
    witnesses = f"cosigned by {len(found.cosigned)}" if found.cosigned else "not cosigned"
    yield f"Log {checkpoint.origin}: {checkpoint.size} leaves, signed, {witnesses}."
    if found.stamped is not None:
        yield f"Timestamped at {_written(found.stamped)}."
    for stream in found.streams:
        yield from _stream_text(stream)
    yield from _bulleted("Remarks:", found.remarks)
    yield from _bulleted("Not checked:", found.not_checked)


def _stream_text(stream: Stream) -> Iterator[str]:
    yield ""
    if not stream.present:
        yield f"The {stream.role} stream {b64url(stream.sid)}: proved absent. The log holds nothing under this name."
        return
    yield f"The {stream.role} stream {b64url(stream.sid)}: {stream.count} events, {_STATES[stream.state]}."
    for n, at, kind in stream.first:
        yield f"  {n:>6}  {at}  {kind}"
    left_out = stream.seen - len(stream.first) - len(stream.last)
    if left_out:
        yield f"          … {left_out} more, checked like the others …"
    for n, at, kind in stream.last:
        yield f"  {n:>6}  {at}  {kind}"


def _bulleted(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        yield from (f"- {line}" for line in lines)


def _refused_text(verdict: Verdict) -> Iterator[str]:
    step = f" ({verdict.step})" if verdict.step else ""
    yield f"{verdict.verdict}{step}: {verdict.message}"


def _write_evidence(folder: Path, verdict: Verdict) -> str:
    """The two notes: whoever holds them can show that the log has said two different things."""
    names = ("checkpoint-of-the-bundle", "checkpoint-you-hold")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, note in zip(names, verdict.notes, strict=False):
            (folder / name).write_bytes(note)
    except OSError:
        return " The evidence could not be written."
    return f" The evidence is in {folder}."


# -- the command line --------------------------------------------------------------------------------------------------


def _read_own(path: Path, what: str, most: int = MAX_SMALL) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except (OSError, ValueError):
        raise _failed(f"{what} cannot be read.") from None
    if len(raw) > most:
        raise _failed(f"{what} is larger than {most} bytes.")
    return raw


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,9})([smhd]?)", text, re.A)
    if not match:
        raise argparse.ArgumentTypeError("a duration is a number of seconds, or like 30m, 12h, 1d")
    return timedelta(seconds=int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]])


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise argparse.ArgumentTypeError("an instant is like 2026-11-23T10:00:00Z")
    return at.astimezone(UTC)


def parser(prog: str = "verify") -> argparse.ArgumentParser:
    it = argparse.ArgumentParser(prog=prog, description="Check a bundle of the provable log, offline.")
    it.add_argument("bundle", type=Path, metavar="BUNDLE", help="a ZIP or a folder")
    it.add_argument("--key", type=Path, required=True, metavar="FILE", help="vkey lines of the log, or a tlog-policy")
    it.add_argument("--previous", type=Path, metavar="CHECKPOINT", help="a checkpoint that you saw before")
    it.add_argument("--mirror", type=Path, metavar="DIR", help="your copy of the log (level L3)")
    it.add_argument("--receipt", type=Path, metavar="FILE", help='{"sid","salt"}, handed out at an erasure')
    it.add_argument("--subject", metavar="SID", help="the stream that you asked for")
    it.add_argument("--auditor", type=Path, metavar="FILE", help="vkeys of full auditors whom you trust (level L2)")
    it.add_argument("--tsa", type=Path, metavar="FILE", help="PEM certificates of timestamp authorities")
    it.add_argument("--max-age", type=_duration, metavar="DURATION", help="seconds, or 30m, 12h, 1d")
    it.add_argument("--now", type=_moment, metavar="INSTANT", help="instead of the clock")
    it.add_argument("--evidence", type=Path, metavar="DIR", help="where the two notes of a contradiction go")
    it.add_argument("--json", action="store_true", help="for machines")
    return it


def _receipt(raw: bytes) -> tuple[str, bytes]:
    said = _object(read_json(_without_end(raw)), frozenset({"sid", "salt"}), "it")
    unb64url(said["sid"], 32)
    return said["sid"], unb64url(said["salt"], 64)


def _own(path: Path | None, what: str, read: Callable[[bytes], Any]) -> Any:
    if path is None:
        return None
    raw = _read_own(path, what)
    try:
        return read(raw)
    except Malformed as malformed:
        raise _failed(f"{what}: {malformed}.") from None


def asked_by(arguments: argparse.Namespace) -> Asked:
    if arguments.tsa is not None:
        _read_own(arguments.tsa, "The file of --tsa")
    return Asked(
        bundle=arguments.bundle,
        policy=_own(arguments.key, "The file of --key", read_keys),
        now=arguments.now or datetime.fromtimestamp(time.time(), UTC),
        previous=_own(arguments.previous, "The previous checkpoint", read_checkpoint),
        mirror=arguments.mirror,
        receipt=_own(arguments.receipt, "The receipt", _receipt),
        subject=arguments.subject,
        auditors=_own(arguments.auditor, "The file of --auditor", lambda raw: read_vkeys(raw, COSIGNATURE)) or (),
        tsa=arguments.tsa,
        max_age=arguments.max_age,
    )


def _joined(argv: list[str]) -> list[str]:
    """One stream in 64 has a name that begins with a dash, which argparse takes for an option unless `=` is before."""
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1] == "--subject":
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def main(argv: list[str] | None = None, prog: str = "verify") -> int:
    try:
        arguments = parser(prog).parse_args(_joined(sys.argv[1:] if argv is None else argv))
    except SystemExit as stopped:  # argparse has said why
        return stopped.code if isinstance(stopped.code, int) else EXIT_CODES["usage"]
    try:
        found = verify(asked_by(arguments))
    except Verdict as refused:
        verdict = refused
    except Exception as bug:  # noqa: BLE001 (the last resort: hostile input must not end in a traceback)
        verdict = _invalid("", f"could not be read ({type(bug).__name__})")
    else:
        _say(_accepted_json(found) if arguments.json else _accepted_text(found))
        return EXIT_CODES["ok"]
    if verdict.notes and arguments.evidence is not None:
        verdict.message += _write_evidence(arguments.evidence, verdict)
    _say(_refused_json(verdict) if arguments.json else _refused_text(verdict))
    return verdict.exit_code


def _say(what: dict[str, Any] | Iterable[str]) -> None:
    text = json.dumps(what, indent=2) if isinstance(what, dict) else "\n".join(what)
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")


if __name__ == "__main__":
    sys.exit(main())
