"""The ways to a witness: its address on a network, or a folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar, Protocol

from lifecycle.errors import LifecycleError
from lifecycle.ledger.add_checkpoint import (
    ANSWER_SUFFIX,
    MAX_ANSWER,
    MAX_REQUEST,
    REQUEST_SUFFIX,
    Answer,
    MalformedAnswer,
    origin_hash,
)
from lifecycle.ledger.durable_files import FOR_ALL, make_folder
from lifecycle.ledger.fetching import PATIENCE, Unreachable, post
from lifecycle.ledger.ledger_files import replace_file

_PAUSE = 0.1  # seconds between two looks into a folder


class Silent(LifecycleError):
    """A witness gave no usable answer; the log goes on without it and asks again next time."""

    code: ClassVar[str] = "witness-silent"


class Door(Protocol):
    """A way to a witness, for requests about any log."""

    def ask(self, request: bytes, origin: str) -> Answer:
        """The answer, or Silent."""

    def collect(self, origin: str) -> tuple[bytes, Answer] | None:
        """The last request and its answer, if that came after `ask` had given up."""


class HttpDoor:
    """c2sp.org/tlog-witness; `prefix` is the submission prefix."""

    def __init__(self, prefix: str, seconds: float = PATIENCE) -> None:
        self._url = prefix.rstrip("/") + "/add-checkpoint"
        self._seconds = seconds

    def ask(self, request: bytes, origin: str) -> Answer:
        try:
            return Answer(*post(self._url, request, "text/plain", limit=MAX_ANSWER, seconds=self._seconds))
        except Unreachable as fault:
            raise Silent(fault.message) from fault

    def collect(self, origin: str) -> None:
        return None


class DropDoor:
    """A folder that both sides can reach, or that somebody carries: one pending request a log, the newest."""

    def __init__(self, folder: Path, wait: float = 0.0) -> None:
        self._folder = folder
        self._wait = wait

    def ask(self, request: bytes, origin: str) -> Answer:
        until = time.monotonic() + self._wait
        try:
            make_folder(self._folder)
            self._file(origin, ANSWER_SUFFIX).unlink(missing_ok=True)  # the same question may have another answer now
            replace_file(self._file(origin, REQUEST_SUFFIX), request, FOR_ALL)
            while (answer := self._answer(request, origin)) is None:
                if time.monotonic() >= until:
                    raise Silent("The witness has not answered in the folder yet.")
                time.sleep(_PAUSE)
            self._forget(origin)
        except OSError as error:
            raise Silent(f"The folder cannot be used: {error.strerror}.") from error
        return answer

    def collect(self, origin: str) -> tuple[bytes, Answer] | None:
        try:
            request = _read(self._file(origin, REQUEST_SUFFIX), MAX_REQUEST)
            answer = self._answer(request, origin) if request else None
            if request is None or answer is None:
                return None
            self._forget(origin)
        except OSError as error:
            raise Silent(f"The folder cannot be used: {error.strerror}.") from error
        return request, answer

    def _answer(self, request: bytes, origin: str) -> Answer | None:
        data = _read(self._file(origin, ANSWER_SUFFIX), MAX_ANSWER)
        try:
            return Answer.parse(data, request) if data else None
        except MalformedAnswer as fault:
            raise Silent(fault.message) from fault

    def _forget(self, origin: str) -> None:
        for suffix in (REQUEST_SUFFIX, ANSWER_SUFFIX):
            self._file(origin, suffix).unlink(missing_ok=True)

    def _file(self, origin: str, suffix: str) -> Path:
        return self._folder / (origin_hash(origin) + suffix)


def _read(path: Path, limit: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except FileNotFoundError:
        return None
