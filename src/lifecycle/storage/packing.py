"""How a header is stored: in less than half the room of its bytes. What is hashed, read and shown is those bytes.

Most of a header is digests, which nothing compresses: they are written as bytes instead of text. What is left is much
the same in every header, and is deflated (RFC 1951) with words that both sides know:

    packed = 0x01 || deflate(form) || 32 bytes of the command's id || the texts of all digests, joined, from base64url
    form   = the header with %b for the id and each digest, and %% for % || 0x00 || how long each of their texts is

A header begins with a brace. Those that older programs stored do still: what is stored is not written again.
"""

from __future__ import annotations

import re
import struct
import zlib
from binascii import Error, a2b_base64, b2a_base64, hexlify, unhexlify
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import Any

from sqlalchemy import Dialect, LargeBinary
from sqlalchemy.types import TypeDecorator

FORM_1 = b"\x01"
_HEX_DIGITS = 64  # of a command's id, HMAC-SHA256
_USUAL = bytes((0, _HEX_DIGITS, 43, 43, 22, 43, 43, 43, 22, 43, 43, 43))
# Frozen: what was packed with these words is unpacked with them for ever. Other words are another form.
WORDS_1 = files("lifecycle.storage").joinpath("header_words_1.txt").read_bytes().replace(b"\n", b"") + _USUAL
MOST = 1 << 20  # bytes of a form; a longer header is stored as it is, so that no stored row unfolds without end

_WINDOW = 13  # bits: the words and a header
_LEVEL, _MEMORY = 3, 2  # little to set up for each header; more of either saves no byte
_DEFLATE = zlib.compressobj(_LEVEL, zlib.DEFLATED, -_WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, WORDS_1)

_CMD = b'"meta":{"cmd":"'
_DIGESTS = re.compile(rb'":"([A-Za-z0-9_-]{43}|[A-Za-z0-9_-]{22})"').split
_TO_BASE64, _FROM_BASE64 = bytes.maketrans(b"-_", b"+/"), bytes.maketrans(b"+/", b"-_")


def packed(header: bytes) -> bytes:
    """As it is stored: other bytes than a header's, and a very long header, as they are."""
    before, _, after = header.partition(_CMD)
    cmd = after[:_HEX_DIGITS]
    try:
        id = unhexlify(cmd)
    except Error:
        return header
    if hexlify(id) != cmd or len(header) > MOST // 2 or header[:1] != b"{" or b"\0" in header:
        return header
    pieces = _DIGESTS(after[_HEX_DIGITS:].replace(b"%", b"%%"))
    digests = pieces[1::2]
    form = (before.replace(b"%", b"%%"), _CMD, b"%b", b'":"%b"'.join(pieces[::2]), b"\0@", bytes(map(len, digests)))
    text = b"".join(digests)
    deflate = _DEFLATE.copy()
    return b"".join(
        (
            FORM_1,
            deflate.compress(b"".join(form)),
            deflate.flush(),
            id,
            a2b_base64(text.translate(_TO_BASE64) + b"A" * (-len(text) % 4))[: (len(text) * 3 + 3) // 4],
        )
    )


def unpacked(stored: bytes) -> bytes:
    """The bytes that were hashed. What nobody packed is given as it is: no header is read from it."""
    if stored[:1] != FORM_1:
        return stored
    inflate = zlib.decompressobj(-_WINDOW, WORDS_1)
    try:
        form, _, lengths = inflate.decompress(stored[1:], MOST).rpartition(b"\0")
        raw = inflate.unused_data
        digests = _texts_of(lengths[1:])(b2a_base64(raw[32:], newline=False).translate(_FROM_BASE64))
        return form % (hexlify(raw[:32]), *digests)
    except (zlib.error, struct.error, TypeError, ValueError, OverflowError):
        return stored


def inflated(stored: bytes) -> tuple[bytes, bytes, bytes] | None:
    """The form, how long the texts of its marks are, and what stands behind it; None of what nobody packed."""
    if stored[:1] != FORM_1:
        return None
    inflate = zlib.decompressobj(-_WINDOW, WORDS_1)
    try:
        form, _, lengths = inflate.decompress(stored[1:], MOST).rpartition(b"\0")
    except zlib.error:
        return None
    return form, lengths, inflate.unused_data


def form_of(form: bytes, lengths: bytes, raw: bytes) -> tuple[bytes, str] | None:
    """A header for whoever needs no digest of it, and the command's id: JSON that says %b where these stand.

    That is half as long, and nothing has to be put together. None wherever the bytes themselves are to be read: of what
    is damaged, of what has a % of its own, and where a word that tells what happened has the length of a digest and was
    taken for one.
    """
    cmd = form.find(_CMD)
    number = form.find(NUMBER, cmd)
    parts = form.find(PARTS, number)
    if not is_number(form, number, parts) or b"%" in form[:cmd]:  # none in what was recorded
        return None
    # The first of the lengths is that of the id.
    if len(raw) != raw_size(lengths) or _marks(form[cmd:number], form[parts:]) != len(lengths):
        return None
    return form, raw[:32].hex()


def is_number(form: bytes, number: int, parts: int) -> bool:
    """Whether nothing but an event's number stands between the places of its name and of what follows."""
    digits = form[number + len(NUMBER) : parts]
    return digits.isdigit() and digits[:1] != b"0"


NUMBER, PARTS = b',"n":', b',"parts":['
_NAMED = tuple(b'"%b":"%%b"' % name for name in (b"hid", b"policy", b"role", b"type"))


@lru_cache(maxsize=1_024)
def _marks(meta: bytes, rest: bytes) -> int:
    """How many marks stand in what comes before a header's number and after it, both much the same in all of a kind;
    -1 if any stands where a fold looks."""
    both = meta + rest
    marks = both.count(b"%")
    in_place = meta.startswith(_CMD + b'%b"') and both.count(_CMD) == 1 and both.count(b'"%b"') == marks
    return marks if in_place and not any(named in both for named in _NAMED) else -1


@lru_cache(maxsize=256)
def raw_size(lengths: bytes) -> int:
    """Bytes of the command's id and of texts of these lengths."""
    return 32 + (sum(lengths[1:]) * 3 + 3) // 4


@lru_cache(maxsize=256)
def _texts_of(lengths: bytes) -> Callable[[bytes], tuple[bytes, ...]]:
    """Cuts joined texts of these lengths apart; nearly every event has the lengths of another."""
    return struct.Struct("".join(f"{length}s" for length in lengths)).unpack_from


class PackedHeader(TypeDecorator[bytes]):
    """A column of headers. Whoever goes past SQLAlchemy says `unpacked` of what it reads."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return None if value is None else packed(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any:
        return unpacked(value) if type(value) is bytes else value
