"""Where a log's static files are read from: a folder, or an address."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Protocol

from lifecycle.errors import LifecycleError
from lifecycle.ledger.fetching import Unreachable, get, is_url
from lifecycle.ledger.tiles import MAX_ENTRY, TILE_WIDTH

MAX_FILE = TILE_WIDTH * (2 + MAX_ENTRY)  # bytes; the largest entry bundle
_GONE = (404, 410)


class SourceDamaged(LifecycleError):
    """A file of the log is missing, or is not what the signed root demands. Nothing of it was copied."""

    code: ClassVar[str] = "source-damaged"
    remedy: ClassVar[str] = "fetch it again; if it stays so, somebody has changed the log's files: ask its operator"


class LogSource(Protocol):
    """c2sp.org/tlog-tiles: files under a prefix."""

    def read(self, path: str) -> bytes | None: ...  # None: there is no such file


class FolderSource:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, path: str) -> bytes | None:
        try:
            with (self._folder / path).open("rb") as file:
                data = file.read(MAX_FILE + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unreachable(f"The log's folder cannot be read: {error.strerror}.") from error
        if len(data) > MAX_FILE:
            raise SourceDamaged(f"The file {path} is larger than any file of a log.")
        return data


class HttpSource:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.rstrip("/")

    def read(self, path: str) -> bytes | None:
        reply = get(f"{self._prefix}/{path}", limit=MAX_FILE)
        if reply.status in _GONE:
            return None
        if reply.status != 200:
            raise Unreachable(f"The log's address answered with status {reply.status}.")
        return reply.body


def source_at(address: str) -> LogSource:
    return HttpSource(address) if is_url(address) else FolderSource(Path(address))
