"""Every bench of the whole path runs from end to end on both engines, and says what it measured in one shape."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lifecycle.bench import importing, lives, reading, synthetic
from lifecycle.bench.registry import BENCHES, TooSmall, run
from lifecycle.bench.stores import Place
from lifecycle.bench.workload import people
from lifecycle.cli.main import answer

FIELDS = {
    "bench", "engine", "size", "ours", "floor", "peer", "ratio_to_floor", "ratio_to_peer", "unit", "spread", "runs",
}  # fmt: skip
SMALL = 16


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(tmp_path)
    return Place(tmp_path, request.getfixturevalue("postgresql").url("postgres"))


@pytest.fixture(autouse=True)
def few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A measurement that nobody reads need not be steady, nor its processes warm."""
    monkeypatch.setattr(reading, "TIMES", 10)
    monkeypatch.setattr(reading, "CLEAR", 5)
    monkeypatch.setattr(importing, "BATCH", SMALL)


@pytest.mark.parametrize("name", BENCHES)
def test_a_bench_measures_in_the_shape_that_was_agreed_and_leaves_nothing_behind(place: Place, name: str):
    found = [measured.as_json() for measured in run(name, [place], SMALL, 1)]
    assert found[0]["bench"].startswith(name)
    for each in found:
        assert each.keys() == FIELDS
        assert (each["engine"], each["runs"]) == (place.engine, 1)
        assert each["ours"] > 0
        assert each["spread"] == [each["ours"], each["ours"]]
        for beside in ("floor", "peer"):
            assert (each[beside] is None) == (each[f"ratio_to_{beside}"] is None)
            assert each[beside] is None or each[beside] > 0
    assert list(place.folder.iterdir()) == []


def test_the_command_line_prints_a_list_and_tells_progress_on_the_other_stream(capsys):
    assert answer(["bench", "import", "--engine", "sqlite", "--size", "16", "--runs", "1", "--json"]) == 0
    printed = capsys.readouterr()
    assert [each["unit"] for each in json.loads(printed.out)] == ["commands/s"] * 4
    assert "import" in printed.err


def test_an_import_is_measured_by_several_processes_too_in_the_same_rounds(place: Place):
    found = [measured.as_json() for measured in run("import", [place], SMALL, 1, workers=2)]
    assert [each["bench"] for each in found[:2]] == ["import", "import-two-workers"]
    assert [each["bench"].removesuffix("-two-workers") for each in found[1::2]] == [
        each["bench"] for each in found[::2]
    ]
    assert all(alone["floor"] == shared["floor"] for alone, shared in zip(found[::2], found[1::2], strict=True))
    assert list(place.folder.iterdir()) == []


def test_the_command_line_takes_the_number_of_processes(capsys):
    asked = ["bench", "import", "--engine", "sqlite", "--size", "16", "--runs", "1", "--workers", "2", "--json"]
    assert answer(asked) == 0
    assert "import-strangers-two-workers" in {each["bench"] for each in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize(("size", "runs"), [(0, 1), (1, 0)])
def test_nothing_cannot_be_measured(tmp_path: Path, size: int, runs: int):
    with pytest.raises(TooSmall):
        list(run("import", [Place(tmp_path)], size, runs))


def test_a_life_that_takes_several_batches_is_recorded_to_its_end(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lives, "BATCH", SMALL)
    monkeypatch.setattr(synthetic, "_TOGETHER", SMALL)
    with place.store() as engine:
        (person,) = lives.with_one_value(engine, people(1))
        before = len(engine.read.history(person))
        lives.active(engine, person, 2 * SMALL + 1)
        assert len(engine.read.history(person)) == before + 2 * SMALL + 1
        found = synthetic.peopled_log(engine, 200, 2 * SMALL + 1)
        assert len(engine.read.history(found.person)) > 2 * SMALL + 1
