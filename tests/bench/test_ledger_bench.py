"""Every bench of the ledger runs from end to end on both engines, and says what it measured in one shape."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from lifecycle.bench.ledger import BENCHES, NoSuchBench, TooSmall, ledger
from lifecycle.bench.measuring import Measured, interleaved
from lifecycle.bench.stores import Place
from lifecycle.bench.synthetic import peopled_log
from lifecycle.cli.main import answer
from lifecycle.ledger.log_proofs import LogProofs
from lifecycle.ledger.map_proofs import MapProofs

# Other workers of the run have benches on the same server, and are connected to their databases nearly all the time.
LEFT = """
    SELECT datname FROM pg_database d WHERE datname LIKE 'lifecycle_bench%'
       AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname)
"""

FIELDS = {
    "bench", "engine", "size", "ours", "floor", "peer", "ratio_to_floor", "ratio_to_peer", "unit", "spread", "runs",
}  # fmt: skip
EXPECTED = {
    "integration": {"integrate-together", "integrate-apart"},
    "append": {"append", "stored"},
    "proofs": {"proof", "map-proof", "bundle"},
    "verify": {"verify"},
    "rotation": {"rotate", "rotate-with-identifiers"},
}
SMALL = 400


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(tmp_path)
    return Place(tmp_path, request.getfixturevalue("postgresql").url("postgres"))


def left_behind(place: Place) -> list[str]:
    if place.server is None:
        return []
    with psycopg.connect(place.server) as c:
        return [row[0] for row in c.execute(LEFT)]


def _until(true: Callable[[], bool], seconds: float = 20) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "a database was left behind"
        time.sleep(0.1)


@pytest.mark.parametrize("name", BENCHES)
def test_a_bench_measures_in_the_shape_that_was_agreed_and_leaves_nothing_behind(place: Place, name: str):
    before = set(left_behind(place))
    found = [measured.as_json() for measured in ledger([place], SMALL, 1, [name])]
    assert {each["bench"] for each in found} >= EXPECTED[name]
    for each in found:
        assert each.keys() == FIELDS
        assert each["engine"] == place.engine
        assert each["ours"] > 0
        assert each["floor"] > 0
        assert each["ratio_to_floor"] > 0
        assert (each["peer"], each["ratio_to_peer"]) == (None, None)
        assert each["spread"][0] <= each["ours"] <= each["spread"][1]
        assert (each["size"] > 0, each["runs"], bool(each["unit"])) == (True, 1, True)
    assert list(place.folder.iterdir()) == []
    _until(lambda: set(left_behind(place)) <= before)


def test_a_rotation_that_is_killed_half_way_is_ended_by_another_process(tmp_path: Path, capsys):
    found = {measured.bench for measured in ledger([Place(tmp_path)], 12_000, 1, ["rotation"])}
    assert "rotate-after-a-kill" in found
    assert "killed with" in capsys.readouterr().err


def test_a_log_made_in_bulk_proves_every_leaf_and_goes_on_as_if_it_had_grown(place: Place):
    with place.store() as engine:
        person, sids = peopled_log(engine, 1_000, 50)
        with engine.database.read() as c:
            proofs = LogProofs(c, engine.log.folder, 1_000)
            told = MapProofs(c, proofs)
            assert all(proofs.inclusion(index) for index in range(1_000))
            assert all(told.stream(sid)["present"] for sid in sids)
        withdrawn = {"command": "withdraw-consent", "id": "c-2", "actor": {"id": "web", "role": "service"}}
        said = {"subject": {"id": str(person)}, "purposes": ["free-trial"], "channel": "web-form"}
        assert engine.execute(withdrawn | said).outcome == "done"
        published = engine.publish()
        assert published.size > 1_000
        with engine.database.read() as c:
            assert LogProofs(c, engine.log.folder, published.size).consistency(1_000)


def test_rounds_are_interleaved_and_every_other_one_goes_backwards():
    order: list[str] = []

    def work(name: str) -> float:
        order.append(name)
        return len(order)

    ours, floor = interleaved(3, lambda: work("ours"), lambda: work("floor"))
    assert order == ["ours", "floor", "floor", "ours", "ours", "floor"]
    assert (ours, floor) == ([1, 4, 5], [2, 3, 6])


def test_a_ratio_is_the_median_of_the_rounds_own_ratios():
    said = Measured("b", "sqlite", 1, "s", [1.0, 10.0, 3.0], [1.0, 5.0, 1.0], [2.0, 2.0, 2.0]).as_json()
    assert (said["ours"], said["floor"], said["ratio_to_floor"]) == (3.0, 1.0, 2.0)
    assert (said["ratio_to_peer"], said["spread"], said["runs"]) == (1.5, [1.0, 10.0], 3)


def test_the_command_line_prints_a_list_and_tells_progress_on_the_other_stream(capsys):
    assert (
        answer(["bench", "ledger", "--engine", "sqlite", "--size", "400", "--runs", "1", "--only", "verify", "--json"])
        == 0
    )
    printed = capsys.readouterr()
    (measured,) = json.loads(printed.out)
    assert (measured["bench"], measured["unit"]) == ("verify", "us/event")
    assert "verify" in printed.err


def test_the_command_line_shows_a_table(capsys):
    assert answer(["bench", "ledger", "--engine", "sqlite", "--size", "400", "--runs", "1", "--only", "verify"]) == 0
    assert "us/event" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--engine", "postgres"], "--db postgresql://"),
        (["--only", "speed"], "no such bench"),
        (["--size", "10"], "measure nothing"),
    ],
)
def test_what_cannot_be_measured_is_said(capsys, arguments: list[str], complaint: str):
    assert answer(["--db", "sqlite:///nobody.db", "bench", "ledger", *arguments]) != 0
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(("size", "runs", "only", "error"), [(SMALL, 0, (), TooSmall), (SMALL, 1, ["x"], NoSuchBench)])
def test_no_rounds_and_unknown_benches_are_refused(tmp_path: Path, size: int, runs: int, only, error):
    with pytest.raises(error):
        list(ledger([Place(tmp_path)], size, runs, only))
