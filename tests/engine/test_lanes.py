"""Who may be the same person is decided in one process; what is about nobody, by itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from engine.stores import document

from lifecycle.commands.registry import COMMANDS
from lifecycle.engine.lanes import Name, lanes_of, names_in
from lifecycle.policy.vocabulary import IdentifierType

ANN = UUID("01890000-0000-7000-8000-00000000000a")
EMAIL, PHONE = ("email", "ann@example.com"), ("phone", "+6591234567")
TOGETHER = 8  # documents about one person


def named(subject: Any, command: str = "record-activity", **fields: Any) -> tuple[Name, ...] | None:
    return names_in(document(command, "c", subject, **fields))


def lanes(*names: tuple[Name, ...], owners: Any = None) -> list[set[int]]:
    """In which lanes the documents are, among many lanes."""
    return [set(lane) for lane in lanes_of(names, owners or {}, 64) if lane]


def test_a_person_is_meant_however_the_name_is_written():
    assert named({"email": " ANN@Example.com"}) == named({"email": "ann@example.com"}) == (EMAIL,)
    assert named({"phone": "+65 9123 4567"}) == (PHONE,)
    assert named({"id": str(ANN).upper()}) == named({"id": ANN.hex}) == (("id", str(ANN)),)


@pytest.mark.parametrize("command", ["link-identifier", "unlink-identifier"])
def test_a_document_that_names_an_identifier_means_two_names(command: str):
    assert named({"email": "ann@example.com"}, command, identifier={"phone": "+6591234567"}) == (EMAIL, PHONE)


@pytest.mark.parametrize("command", [name for name, entry in COMMANDS.items() if entry.family in ("trustee", "incident", "policy")])  # fmt: skip
def test_what_is_about_no_person_is_decided_alone(command: str):
    assert named(None, command) is None


@pytest.mark.parametrize("subject", [None, "ann", {}, {"email": 5}, {"name": "ann"}, {"email": "ann"}, {"email": "a@b.de", "ref": "1"}])  # fmt: skip
def test_who_is_not_named_as_a_person_is_named_is_nobody(subject: Any):
    assert named(subject) == ()


@pytest.mark.parametrize("command", ["no-such", 5, None, "receive-subject"])
def test_what_is_no_command_asks_nothing(command: Any):
    assert named({"email": "ann@example.com"}, command) == ()


def test_different_people_may_be_beside_each_other():
    assert len(lanes((EMAIL,), (PHONE,))) == 2


def test_names_that_one_document_gives_stay_together_through_others():
    third = ("ref", "7")
    assert lanes((EMAIL,), (third,), (EMAIL, PHONE), (PHONE, third)) == [{0, 1, 2, 3}]


def test_names_that_the_store_has_for_one_person_stay_together():
    owners = {(IdentifierType.EMAIL, EMAIL[1]): ANN, (IdentifierType.PHONE, PHONE[1]): ANN}
    assert lanes((EMAIL,), (PHONE,), (("id", str(ANN)),), owners=owners) == [{0, 1, 2}]


def test_a_lane_keeps_the_order_of_the_file():
    assert lanes_of([(EMAIL,)] * 5, {}, 2)[0 if lanes_of([(EMAIL,)], {}, 2)[0] else 1] == [0, 1, 2, 3, 4]


def test_who_was_given_a_lane_is_given_it_again():
    first = lanes_of([(EMAIL,), (PHONE,)], {}, 64)
    assert lanes_of([(PHONE,), (EMAIL,)], {}, 64) == [[{0: 1, 1: 0}[at] for at in lane] for lane in first]


@pytest.mark.parametrize("number", [1, 2, 3, 25, 64])
@pytest.mark.parametrize("first", [0.0, 0.5, 0.92, 1.0])
def test_whoever_reads_for_all_is_given_fewer_documents_and_the_others_alike(number: int, first: float):
    first = 1.0 if number == 1 else first
    people = [(("ref", str(each // TOGETHER)),) for each in range(4_000)]
    nobody = [()] * 10
    given = [len(lane) for lane in lanes_of([*people, *nobody], {}, number, first)]
    each = sum(given) / (number - 1 + first)
    assert sum(given) == len(people) + len(nobody)
    assert given[0] == pytest.approx(max(each * first, len(nobody)), abs=TOGETHER)
    assert given[1:] == pytest.approx([each] * (number - 1), abs=TOGETHER + len(nobody))


def test_of_those_who_come_again_nearly_all_are_given_the_same_lane():
    def whose(people: range) -> dict[int, int]:
        lanes = lanes_of([(("ref", str(each)),) for each in people], {}, 2, 0.95)
        return {people[at]: number for number, lane in enumerate(lanes) for at in lane}

    once, again = whose(range(2_000)), whose(range(1_000, 3_000))
    both = range(1_000, 2_000)
    assert sum(once[each] == again[each] for each in both) > len(both) * 0.9
