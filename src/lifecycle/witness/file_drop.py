"""The witness's door without a network: request files in a folder, an answer file beside each."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lifecycle.clock import Clock
from lifecycle.ledger.add_checkpoint import (
    ANSWER_SUFFIX,
    MAX_ANSWER,
    MAX_REQUEST,
    REQUEST_SUFFIX,
    TOO_LARGE,
    Answer,
    MalformedAnswer,
)
from lifecycle.ledger.durable_files import FOR_ALL, alone, make_folder
from lifecycle.ledger.ledger_files import replace_file
from lifecycle.witness.cosigning import Witness
from lifecycle.witness.folder import WitnessFolder, WitnessUnavailable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}\.request")


class Answered(NamedTuple):
    """What `witness once` tells its auditor of one request."""

    request: str
    answer: Answer


def once(folder: Path, drop: Path | None = None, clock: Clock | None = None) -> list[Answered]:
    """Answer every request that has no answer yet; the oldest first."""
    its = WitnessFolder(folder)
    its.key()
    witness, place = Witness(its, clock), drop or its.drop
    try:
        make_folder(place)
        with alone(place / ".lock"):
            answers = [_answered(witness, path) for path in _requests(place)]
    except OSError as error:
        raise WitnessUnavailable(
            f"The folder of requests cannot be used: {error.strerror}.", "see that this user may write it"
        ) from error
    return [each for each in answers if each]


def watch(folder: Path, pause: Callable[[], bool], tell: Callable[[Answered], None], drop: Path | None = None) -> None:
    """Answer requests as they come, until `pause`, which waits, says False."""
    while True:
        for each in once(folder, drop):
            tell(each)
        if not pause():
            return


def _requests(place: Path) -> list[Path]:
    with os.scandir(place) as listed:
        plain = [each for each in listed if _NAME.fullmatch(each.name) and each.is_file(follow_symlinks=False)]
    return [place / name for _, name in sorted((each.stat().st_mtime_ns, each.name) for each in plain)]


def _answered(witness: Witness, path: Path) -> Answered | None:
    request = _read(path, MAX_REQUEST)
    if request is None:
        return None  # taken away meanwhile, or not a plain file
    beside = path.with_name(path.name.removesuffix(REQUEST_SUFFIX) + ANSWER_SUFFIX)
    if _is_answer_to(request, _read(beside, MAX_ANSWER)):
        return None
    if len(request) > MAX_REQUEST:
        answer = Answer(TOO_LARGE, b"A request of more than 256 kB is not read.\n")
    else:
        answer = witness.add_checkpoint(request)
    replace_file(beside, answer.written(request), FOR_ALL)
    return Answered(path.name, answer)


def _is_answer_to(request: bytes, data: bytes | None) -> bool:
    try:
        return data is not None and Answer.parse(data, request) is not None
    except MalformedAnswer:
        return False


def _read(path: Path, limit: int) -> bytes | None:
    """At most one byte more than `limit`. The other side writes into this folder: links and pipes are not followed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit + 1) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
