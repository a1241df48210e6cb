"""The newest signed checkpoint, kept where no restore of the database reaches it: nothing older is signed again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lifecycle.ledger.ledger_files import file_errors, replace_file

if sys.platform != "win32":
    import fcntl

NAME = "anchor"
OWNER_ONLY = 0o600


class AnchorMoved(Exception):
    """Another publisher has signed meanwhile; whoever is told so looks again."""


class Anchor:
    """A file beside the keys, changed by comparing and swapping."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def read(self) -> bytes | None:
        """The signed note; None before the first one."""
        with file_errors("folder of keys", "LIFECYCLE_KEYS"):
            try:
                return self.path.read_bytes()
            except FileNotFoundError:
                return None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Alone with the anchor, among the processes of this machine."""
        with file_errors("folder of keys", "LIFECYCLE_KEYS"):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path.with_name(f"{NAME}.lock"), os.O_RDWR | os.O_CREAT, OWNER_ONLY)
        try:
            if sys.platform != "win32":
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def swap(self, old: bytes | None, new: bytes) -> None:
        """Replace `old` by `new` while it is held; AnchorMoved when it is not `old` any more."""
        if self.read() != old:
            raise AnchorMoved
        with file_errors("folder of keys", "LIFECYCLE_KEYS"):
            replace_file(self.path, new, OWNER_ONLY)
