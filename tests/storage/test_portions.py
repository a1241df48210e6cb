"""What is asked of many people is shared out, so that no more of their records is in memory at once than may be."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.storage.portions import EVENTS, PEOPLE, shared_out

People = dict[UUID, int]
SHORT, ALL = st.integers(0, EVENTS // 8), st.integers(0, 2 * EVENTS)
ASKED = st.lists(st.tuples(st.integers(0, 30), st.text(max_size=1)))


def person(asked: tuple[int, str]) -> UUID:
    return UUID(int=asked[0])


@given(ASKED, st.lists(SHORT | ALL, min_size=31, max_size=31))
def test_everything_is_asked_once_and_in_its_order_of_as_much_as_fits(asked: list[tuple[int, str]], long: list[int]):
    versions = {UUID(int=number): version for number, version in enumerate(long)}
    portions = shared_out(asked, person, versions)
    assert [one for portion in portions for one in portion] == asked
    sizes = [_size(portion, versions) for portion in portions]
    assert all(events <= EVENTS or people == 1 for people, events in sizes)
    for (_, events), portion, after in zip(sizes, portions, portions[1:], strict=False):
        people = {person(one) for one in portion}
        assert person(after[0]) not in people
        assert events + versions[person(after[0])] > EVENTS, "it would have fitted in"


def _size(portion, versions: People) -> tuple[int, int]:
    people = {person(one) for one in portion}
    return len(people), sum(versions[id] for id in people)


@pytest.mark.parametrize(("number", "portions"), [(0, []), (1, [1]), (PEOPLE, [PEOPLE]), (PEOPLE + 1, [PEOPLE, 1])])
def test_of_records_that_are_short_so_many_people_are_together(number: int, portions: list[int]):
    asked = [(each, "") for each in range(number)]
    shared = shared_out(asked, person, {UUID(int=each): 1 for each in range(number)})
    assert [len(portion) for portion in shared] == portions


def test_who_has_no_record_counts_as_a_person():
    assert shared_out([(1, "a"), (2, "b")], person, {}) == [[(1, "a"), (2, "b")]]
