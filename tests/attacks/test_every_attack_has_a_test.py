"""Every attack of the list has its tests, found by their names."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
LISTED = {f"{number:02d}" for number in range(1, 34)} | {"04b"}
# Attack 33, old tables and old bodies with the keys that are left, is beside what else is looked for in files.
ROOMS = ("attacks", "erasure", "whole")


def test_every_listed_attack_is_carried_out_by_name():
    named = re.compile(r"^def test_attack_(\d\d[a-z]?)_", re.MULTILINE)
    found = {
        number
        for room in ROOMS
        for path in (TESTS / room).glob("test_*.py")
        for number in named.findall(path.read_text())
    }
    assert found == LISTED


def test_at_least_five_are_not_in_the_list():
    named = re.compile(r"^def test_unlisted_(?!wins)", re.MULTILINE)
    assert sum(len(named.findall(path.read_text())) for path in (TESTS / "attacks").glob("test_*.py")) >= 5
