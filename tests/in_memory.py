"""Where the files of the tests and their PostgreSQL lie: in memory where there is room, however often they are synced."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 -- whoever uses it makes folders of their own in it


def _of_this_machine() -> Path | None:
    """Programs are copied there too where another user may not read ours."""
    if sys.platform != "linux" or not os.access(_MEMORY, os.W_OK):
        return None
    runs_programs = not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC
    return _MEMORY if runs_programs and shutil.disk_usage(_MEMORY).free > 4 << 30 else None


IN_MEMORY = _of_this_machine()
"""None is where this machine has its temporary files."""
