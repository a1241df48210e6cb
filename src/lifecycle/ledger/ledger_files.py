"""The log as a folder of static files: written whole and for ever, or replaced whole; never half there."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from lifecycle.errors import StoreUnavailable
from lifecycle.folders import sync_folder
from lifecycle.ledger.tiles import TILE_WIDTH, Tile, entries_path

CHECKPOINT = "checkpoint"
VKEYS = "log.vkey"
_UNFINISHED = ".unfinished"
_AT_A_TIME = 16  # files on their way to the disk: a file system waits once for all those that it knows of
_FORGOTTEN = 3600  # seconds after which an unfinished file is nobody's any more


class LedgerUnavailable(StoreUnavailable):
    """The ledger folder, or the log's part of the folder of keys, cannot serve."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy  # type: ignore[misc]  # here the remedy depends on the file


class LedgerDamaged(StoreUnavailable):
    """A published file says something else than the log: one of the two was changed, and nothing is overwritten."""

    remedy = "compare the file with a mirror's; see docs/operating.md before anything is published again"


@contextmanager
def file_errors(of: str, setting: str) -> Iterator[None]:
    """The operating system's refusal, told as ours."""
    try:
        yield
    except OSError as error:
        raise LedgerUnavailable(
            f"The {of} cannot be used: {error.strerror}.",
            f"see that {setting} names a folder that this user may write, with free space",
        ) from error


def replace_file(path: Path, content: bytes, mode: int) -> None:
    """Replace `path` whole and durably: after a crash it has the old content or the new one."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        _write(unfinished, content, mode)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(path.parent)


class LedgerFolder:
    """`checkpoint`, `log.vkey`, and everything under `tile/` as c2sp.org/tlog-tiles names it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, path: str) -> bytes | None:
        with file_errors("ledger folder", "LIFECYCLE_LEDGER"):
            try:
                return (self.folder / path).read_bytes()
            except FileNotFoundError:
                return None

    def tile(self, tile: Tile) -> bytes | None:
        """A tile, or the full one in the place of a partial one that is not kept any more."""
        content = self.read(tile.path)
        if content is None and tile.width < TILE_WIDTH:
            content = self.read(Tile(tile.level, tile.index).path)
        return content

    def entries(self, index: int, width: int) -> bytes | None:
        content = self.read(entries_path(index, width))
        return self.read(entries_path(index)) if content is None and width < TILE_WIDTH else content

    def replace(self, name: str, content: bytes) -> None:
        if self.read(name) == content:
            return
        with file_errors("ledger folder", "LIFECYCLE_LEDGER"):
            self._make()
            replace_file(self.folder / name, content, 0o644)

    def add(self, files: Mapping[str, bytes]) -> None:
        """Add files, all durable when this returns. One that is there with other bytes is LedgerDamaged."""
        new = {path: content for path, content in files.items() if not self._has(path, content)}
        if not new:
            return
        with file_errors("ledger folder", "LIFECYCLE_LEDGER"):
            self._make()
            unfinished = self._written(new)
            for path, written in unfinished.items():
                self._name(written, path, new[path])
            for folder in {folder for path in new for folder in _above(path)}:
                sync_folder(self.folder / folder)

    def drop_partial(self, path: str) -> None:
        """Remove the partial files before a full one; c2sp.org/tlog-tiles, "Partial Tiles", allows that."""
        with suppress(OSError):  # they may stay, and somebody may be adding one
            folder = self.folder / f"{path}.p"
            for partial in folder.iterdir():
                partial.unlink()
            folder.rmdir()

    def _has(self, path: str, content: bytes) -> bool:
        there = self.read(path)
        if there is not None and there != content:
            raise LedgerDamaged(f"The published file {path} differs from what the log says.")
        return there is not None

    def _make(self) -> None:
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)

    def _written(self, files: Mapping[str, bytes]) -> dict[str, Path]:
        """All of them, written and synced, many at a time: the disk is waited for a few times, not once a file."""
        place = self.folder / _UNFINISHED
        place.mkdir(mode=0o700, exist_ok=True)
        self._forget(place)
        written = {path: place / secrets.token_hex(8) for path in files}
        with ThreadPoolExecutor(min(_AT_A_TIME, len(files))) as threads:
            list(threads.map(_write_durably, written.values(), files.values()))  # list: raise what a thread raised
        return written

    def _forget(self, place: Path) -> None:
        """What a crash left behind; younger ones may be another publisher's."""
        for left in place.iterdir():
            try:
                if time.time() - left.stat().st_mtime > _FORGOTTEN:
                    left.unlink()
            except FileNotFoundError:
                continue

    def _name(self, written: Path, path: str, content: bytes) -> None:
        """Give a written file its name for good. A rename could overwrite what another publisher just named so."""
        final = self.folder / path
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(written, final)
        except FileExistsError:
            self._has(path, content)
        finally:
            written.unlink()


def _above(path: str) -> Iterator[Path]:
    """The folders that a path lies in, the ledger folder itself too."""
    yield from Path(path).parents


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        left = content
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_durably(path: Path, content: bytes) -> None:
    _write(path, content, 0o644)
