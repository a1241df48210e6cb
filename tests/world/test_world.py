"""A simulated world: whoever does what, and whatever goes wrong, a seed ends as the oracle says, and always the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from postgres import on_postgresql
from world.plans import Plan
from world.simulate import home_of, lived
from world.world import found, live

from lifecycle.settings import Settings

SEEDS = {3: 250, 4: 250, 7: 250, 12: 250}
"""Days of each: 1,000."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return home_of(tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_interleaving_of_a_seed_ends_alike_and_deletes_when_the_oracle_says(
    seed: int, home: Path, tmp_path: Path
):
    ends = lived(Plan.of(seed, SEEDS[seed]), home, tmp_path)
    assert sum(each.deaths for each in ends) > 5
    assert sum(each.overtaken for each in ends) > 5
    assert ends[0].erased > 1
    assert ends[0].old_ids > 0


@on_postgresql
def test_a_seed_ends_on_postgresql_as_it_ends_in_a_file(
    home: Path, kind_of_database: str, database_url: str, keys: Path, tmp_path: Path
):
    assert kind_of_database == "postgresql"
    seed, days = 5, 60
    (in_a_file,) = lived(Plan.of(seed, days), home, tmp_path, 1)
    settings = Settings(database_url, keys)
    found(settings)
    on_a_server = live(Plan.of(seed, days), 1, settings)
    assert on_a_server.outcomes == in_a_file.outcomes
    assert on_a_server.state == in_a_file.state
