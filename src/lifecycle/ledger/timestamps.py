"""Has an authority outside say by when a checkpoint was there: RFC 3161, by the `openssl` program.

The program, because verifiers use it too, and because it reads what authorities really send: many write the set of
their certificates in another order than DER prescribes, which stricter libraries do not read at all.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, NamedTuple

from lifecycle.errors import LifecycleError
from lifecycle.ledger.checkpoint import Checkpoint
from lifecycle.ledger.fetching import PATIENCE, Unreachable, post
from lifecycle.ledger.genesis import refuse_simulated
from lifecycle.ledger.note import BadSignature, Note, VerifyingKey, read_note, verify

FILE = "checkpoint.tsr"
MAX_TOKEN = 64 * 1024  # bytes; a reply with a chain of certificates has some 6,000
_SECONDS = 60
_TIME = re.compile(
    r"^Time stamp: (\w{3}) +(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:\.\d+)? (\d{4}) GMT$", re.MULTILINE | re.ASCII
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Authority = Callable[[bytes], bytes]  # a DER request to a DER reply; or NoTimestamp


class NoTimestamp(LifecycleError):
    """No token could be had; the log goes on without one and asks again next time."""

    code: ClassVar[str] = "no-timestamp"
    remedy: ClassVar[str] = (
        "see that the authority's address is right, and that the program openssl (3 or newer) is installed"
    )


class BadTimestamp(LifecycleError):
    """A reply that is not a token over this checkpoint, or not one by an authority that is trusted here."""

    code: ClassVar[str] = "bad-timestamp"
    rule: ClassVar[str] = "RFC 3161, section 2.2"
    remedy: ClassVar[str] = "compare the certificates that you trust with those that the authority publishes"


class Timestamp(NamedTuple):
    """The reply as it came, to be kept as `checkpoint.tsr`, and the time in it."""

    token: bytes
    at: datetime


class HttpAuthority:
    """RFC 3161, section 3.4."""

    def __init__(self, url: str, seconds: float = PATIENCE) -> None:
        self._url = url
        self._seconds = seconds

    def __call__(self, request: bytes) -> bytes:
        try:
            reply = post(self._url, request, "application/timestamp-query", limit=MAX_TOKEN, seconds=self._seconds)
        except Unreachable as fault:
            raise NoTimestamp(fault.message) from fault
        if reply.status != 200:
            raise NoTimestamp(f"The authority answered with status {reply.status}.")
        return reply.body


def stamped_bytes(note: bytes, log_keys: Iterable[VerifyingKey]) -> bytes:
    """What a token is about: the note as the log alone signed it, so that later cosignatures do not matter."""
    read = read_note(note)
    origin = Checkpoint.parse(read.text).origin
    keys = [key for key in log_keys if key.name == origin]
    if not keys:
        raise BadSignature("No known key belongs to the log that this checkpoint names.")
    ours = {(key.name, key.key_id) for key in verify(read, keys)}
    return Note(read.text, tuple(each for each in read.signatures if (each.name, each.key_id) in ours)).written()


def timestamp(
    note: bytes, log_keys: Iterable[VerifyingKey], authority: Authority, trusted: Path, *, genesis: bytes
) -> Timestamp:
    """Ask for a token and verify it. `trusted` is a PEM file with certificates of the authority.

    `genesis` is the entry of leaf 0: a simulated log is refused.
    """
    data = stamped_bytes(note, log_keys)
    refuse_simulated(genesis, Checkpoint.parse(read_note(note).text).origin)
    with _files(data=data) as folder:
        if _openssl(folder, "-query", "-data", "data", "-sha256", "-cert", "-out", "query") is None:
            raise NoTimestamp("The program openssl makes no request.")
        reply = authority((folder / "query").read_bytes())
        (folder / "reply").write_bytes(reply)
        return Timestamp(reply, _verified(folder, trusted, "-queryfile", "query"))


def verify_timestamp(note: bytes, log_keys: Iterable[VerifyingKey], token: bytes, trusted: Path) -> datetime:
    """The time in a token over this checkpoint, by an authority that is trusted here; or BadTimestamp."""
    with _files(data=stamped_bytes(note, log_keys), reply=token) as folder:
        return _verified(folder, trusted, "-data", "data")


def _verified(folder: Path, trusted: Path, *against: str) -> datetime:
    told = _TIME.search(_openssl(folder, "-reply", "-in", "reply", "-text") or "")
    if told is None or told[1] not in _MONTHS:
        raise BadTimestamp("The reply has no token: the authority refused, or this is no reply.")
    day, hour, minute, second, year = map(int, told.groups()[1:])
    at = datetime(year, _MONTHS.index(told[1]) + 1, day, hour, minute, second, tzinfo=UTC)
    # At the token's own time: the authority's certificate may since have ended.
    moment = ["-attime", str(int(at.timestamp())), "-partial_chain"]
    if _openssl(folder, "-verify", *against, "-in", "reply", "-CAfile", str(trusted.absolute()), *moment) is None:
        raise BadTimestamp("This is not a token over this checkpoint by an authority that is trusted here.")
    return at


@contextmanager
def _files(**contents: bytes) -> Iterator[Path]:
    with TemporaryDirectory(prefix="lifecycle-") as name:
        for file, content in contents.items():
            Path(name, file).write_bytes(content)
        yield Path(name)


def _openssl(folder: Path, *arguments: str) -> str | None:
    """What it says; None when it says no."""
    program = shutil.which("openssl")
    if program is None:
        raise NoTimestamp("The program openssl is not here.")
    try:
        done = subprocess.run(  # noqa: S603 (no shell; file names of our own)
            [program, "ts", *arguments], cwd=folder, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoTimestamp("The program openssl does not run.") from error
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
