"""What a process remembers of streams is bounded by how many they are, and by how many events they have together."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.remembered import EVENTS, STREAMS, Remembered


class State(NamedTuple):
    version: int


def test_the_one_used_longest_ago_goes_first():
    known = Remembered[str, State](streams=2)
    known.put("a", State(1))
    known.put("b", State(1))
    known.get("a")
    known.put("c", State(1))
    assert list(known.cache) == ["a", "c"]
    with pytest.raises(KeyError):
        known.get("b")


def test_long_ones_leave_less_room_for_others_and_the_last_stays_in_any_case():
    known = Remembered[str, State](streams=100, most=10)
    for name in "abcd":
        known.put(name, State(3))
    assert list(known.cache) == ["b", "c", "d"]
    known.put("long", State(50))
    assert list(known.cache) == ["long"]
    known.put("e", State(3))
    assert list(known.cache) == ["e"]


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 9), st.sampled_from(["put", "get", "gone"]))))
def test_the_bounds_hold_whatever_comes_and_goes(steps: list[tuple[str, int, str]]):
    known = Remembered[str, State](streams=3, most=12)
    for name, version, what in steps:
        if what == "put":
            known.put(name, State(version))
            assert known.get(name) == State(version)
        elif what == "gone":
            known.forget(name)
            assert known.peek(name) is None
        elif known.peek(name) is not None:
            known.get(name)
        assert len(known.cache) <= 3
        assert sum(state.version for state in known.cache.values()) <= 12
    known.put("last", State(12))
    assert list(known.cache) == ["last"], "it counts what is there, and nothing else"


def test_an_application_remembers_by_both(database: Database):
    streams = Streams(database)
    known = streams.repository.cache
    assert isinstance(known, Remembered)
    assert STREAMS == 4_096
    for number in range(3):
        known.put(number, State(EVENTS // 2))
    assert list(known.cache) == [1, 2]
