"""HTTP as a client that trusts nobody: no redirects, no endless answers, no endless waiting."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPException
from typing import IO, ClassVar, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from lifecycle.errors import LifecycleError

PATIENCE = 20.0  # seconds for a whole answer
_QUIET = 10.0  # seconds without a byte
_PIECE = 64 * 1024
_AGENT = {"User-Agent": "lifecycle"}


class Unreachable(LifecycleError):
    """Another machine gave no usable answer; asking again later may help."""

    code: ClassVar[str] = "unreachable"
    remedy: ClassVar[str] = "see that the address is right and that its machine is up, then ask again"


class Reply(NamedTuple):
    status: int
    body: bytes


class _NoRedirects(HTTPRedirectHandler):
    """Whoever answers for a witness or a log is the address that was configured, not one that it names."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> Request | None:
        return None


def is_url(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def get(url: str, *, limit: int, seconds: float = PATIENCE) -> Reply:
    return _asked(url, None, {}, limit, seconds)


def post(url: str, body: bytes, media_type: str, *, limit: int, seconds: float = PATIENCE) -> Reply:
    return _asked(url, body, {"Content-Type": media_type}, limit, seconds)


def _asked(url: str, body: bytes | None, headers: Mapping[str, str], limit: int, seconds: float) -> Reply:
    if not is_url(url):
        raise Unreachable("An address begins with http:// or https:// and names a machine.")
    until = time.monotonic() + seconds
    request = Request(url, body, {**_AGENT, **headers})  # noqa: S310 (its scheme was looked at)
    try:
        try:
            answer = build_opener(_NoRedirects).open(request, timeout=min(_QUIET, seconds))
        except HTTPError as refusal:
            answer = refusal
        with answer:
            return Reply(answer.status, _read(answer, limit, until))
    except (OSError, HTTPException, ValueError) as error:
        raise Unreachable(f"No answer: {type(error).__name__}.") from error


def _read(answer: IO[bytes], limit: int, until: float) -> bytes:
    body = bytearray()
    while piece := answer.read1(_PIECE):  # type: ignore[attr-defined]
        body += piece
        if len(body) > limit:
            raise Unreachable("The answer is larger than any honest one.")
        if time.monotonic() > until:
            raise Unreachable("The answer did not arrive in time.")
    return bytes(body)
