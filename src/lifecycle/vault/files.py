"""Small files that must be whole or not there at all, and known to be on the disk before anything relies on them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lifecycle.errors import StoreUnavailable
from lifecycle.folders import sync_folder

OWNER_ONLY = 0o600


class KeysUnavailable(StoreUnavailable):
    """The folder of keys cannot serve."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy  # type: ignore[misc]  # here the remedy depends on the file


class KeyMissing(KeysUnavailable):
    """There is no file for an epoch's key."""


@contextmanager
def keys_folder_errors(doing: str) -> Iterator[None]:
    """The operating system's refusal, told as ours."""
    try:
        yield
    except OSError as error:
        raise KeysUnavailable(
            f"The folder of keys refuses {doing}: {error.strerror}.",
            "see that LIFECYCLE_KEYS names a folder that this user may write, with free space",
        ) from error


def make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def create_once(path: Path, content: bytes) -> bool:
    """Create `path` whole and durable. False when it is there already: it is then left as it is."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(unfinished, path)  # a rename would overwrite a key that somebody else just made
    except FileExistsError:
        return False
    finally:
        unfinished.unlink()
        sync_folder(path.parent)
    return True


def destroy(path: Path) -> None:
    """Take the name away, overwrite, then remove: who reads meanwhile finds no file, rather than a damaged one.

    The overwriting is best effort: a copy-on-write file system or an SSD may keep the old blocks until they are
    reused, so the folder of keys belongs on an encrypted disk.
    """
    dead, unfinished = path.with_name(path.name + ".dead"), path.with_name(path.name + ".new")
    if path.exists():
        path.replace(dead)
    for doomed in (dead, unfinished):
        if doomed.exists():
            with doomed.open("r+b") as file:
                file.write(os.urandom(doomed.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
            doomed.unlink()
    sync_folder(path.parent)
