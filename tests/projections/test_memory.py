"""What a rebuild keeps in memory does not grow with what is stored."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lifecycle.bench.crowds import crowd
from lifecycle.bench.stores import Place
from lifecycle.storage.changes import REMEMBERED

# Not `ru_maxrss`: a child begins with that of its parent.
REBUILD = """
import sys
from lifecycle.engine import open_engine
with open_engine(sys.argv[1], keys=sys.argv[2]) as engine:
    engine.follower.rebuild()
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
MORE = 10 << 10  # kilobytes: what is known of as many further people takes three times that


def peak(url: str, keys: Path) -> int:
    """Kilobytes that a process of its own had at most."""
    told = subprocess.run([sys.executable, "-c", REBUILD, url, str(keys)], check=True, capture_output=True, text=True)
    return int(told.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says what a process had at most")
def test_a_rebuild_of_more_than_it_remembers_takes_no_more_memory(tmp_path: Path):
    with Place(tmp_path).store() as engine:
        crowd(engine, REMEMBERED)
        few = peak(engine.database.url, engine.keys)
        crowd(engine, REMEMBERED)
        assert peak(engine.database.url, engine.keys) - few < MORE
