"""Folders and files that are on the disk before anything relies on them, and a lock that one holds at a time."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from lifecycle.folders import sync_folder
from lifecycle.ledger.ledger_files import replace_file

if sys.platform != "win32":
    import fcntl

OWNER_ONLY = 0o600
FOR_ALL = 0o644


def make_folder(folder: Path) -> None:
    """The folder, and those above it, durably."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)


def create_file(path: Path, content: bytes, mode: int = FOR_ALL) -> bool:
    """Whole, or not at all. False when something has that name already: it is then left as it is."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        replace_file(unfinished, content, mode)
        os.link(unfinished, path)
    except FileExistsError:
        return False
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def put_file(path: Path, content: bytes) -> None:
    """Whole, but not yet durable: for many files that mean nothing before `sync_files` has returned."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def sync_files(paths: Collection[Path]) -> None:
    """Wait for the disk once for all of them, rather than once for each."""
    for path in paths:
        descriptor = os.open(path, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    for folder in {path.parent for path in paths}:
        sync_folder(folder)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """No other process of this machine, and no other thread of this one, is in here with the same `lock`."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, OWNER_ONLY)
    try:
        if sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
