"""What a rebuild and a replay of everybody keep in memory does not grow with what is stored, on either engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lifecycle.bench.crowds import crowd
from lifecycle.bench.stores import Place
from lifecycle.engine import Engine
from lifecycle.storage.remembered import STREAMS

# Not `ru_maxrss`: a child begins with that of its parent.
AT_MOST = 'print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))'
# In batches so small that both stores have several: what one holds is not what is measured.
REBUILD = """from lifecycle.storage.following import Follower
    follower = engine.follower
    Follower(engine.database, engine.streams, engine.policies, follower.projections, batch=2_000).rebuild()"""
REPLAY = """from lifecycle.storage.tables import stream_head
    from sqlalchemy import select
    from lifecycle.domain.streams import is_person_stream
    with engine.database.read() as c:
        people = [id for id in c.execute(select(stream_head.c.stream_id)).scalars() if is_person_stream(id)]
    assert all(engine.subject_state(person).version for person in people)"""
OPENED = """
import sys
from lifecycle.engine import open_engine
with open_engine(sys.argv[1], keys=sys.argv[2], remembered={remembered}) as engine:
    {work}
"""
REMEMBERED = STREAMS // 2  # half as many show the same in half the time
MORE = 5 << 10  # kilobytes: what is known of as many further people takes 8,000 to 15,000


def peak(engine: Engine, work: str) -> int:
    """Kilobytes that a process of its own had at most."""
    said = OPENED.format(work=work, remembered=REMEMBERED) + AT_MOST
    url, keys = engine.database.url, str(engine.keys)
    told = subprocess.run([sys.executable, "-c", said, url, keys], check=True, capture_output=True, text=True)
    return int(told.stdout)


@pytest.fixture
def place(kind_of_database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if kind_of_database == "sqlite":
        return Place(tmp_path)
    return Place(tmp_path, request.getfixturevalue("postgresql").url("postgres"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says what a process had at most")
@pytest.mark.parametrize("work", [REBUILD, REPLAY], ids=["rebuild", "replay"])
def test_of_more_people_than_are_remembered_no_more_memory_is_taken(place: Place, work: str):
    with place.store() as engine:
        crowd(engine, REMEMBERED)
        few = peak(engine, work)
        crowd(engine, REMEMBERED)
        assert peak(engine, work) - few < MORE
