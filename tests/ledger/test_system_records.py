"""The log's own records never change their shape."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.ledger import system_records
from lifecycle.ledger.envelope import MAX_SYSTEM_ENTRY, system_entry

GOLDEN = Path(__file__).parent.parent / "golden" / "system-v1.json"
AT = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)
RECORDS = {
    "genesis/1": lambda: system_records.genesis(AT, "lifecycle/00ff00ff00ff00ff", simulated=True),
    "epoch-destroyed/1": lambda: system_records.epoch_destroyed(
        AT, 7, system_records.final_leaves(bytes([n]) * 32 for n in (3, 1, 2))
    ),
}
EXPUNGED = "\x03" + (
    '{"at":"2026-11-23T10:00:00.123456Z","kind":"expunged/1","leaves":[[3,4],[7,10],[4503599627370496,4503599627370497]]}'
)


@pytest.mark.parametrize("kind", RECORDS)
def test_a_golden_record_never_changes(kind: str):
    golden = json.loads(GOLDEN.read_text())
    assert system_entry(RECORDS[kind]()).decode() == golden[kind]


def test_every_golden_record_is_still_written():
    assert set(json.loads(GOLDEN.read_text())) == set(RECORDS)


def test_an_epoch_names_its_streams_in_no_order_of_ours():
    sids = [bytes([n]) * 32 for n in range(5)]
    assert system_records.final_leaves(sids) == system_records.final_leaves(reversed(sids))


def test_a_golden_record_of_expunged_leaves_never_changes():
    (record,) = system_records.expunged(AT, [2**52, 9, 3, 8, 7, 8])
    assert system_entry(record).decode() == EXPUNGED


@given(st.sets(st.integers(1, 200) | st.integers(1, 2**53 - 1), max_size=60))
def test_expunged_ranges_are_those_leaves_in_order_and_apart(positions: set[int]):
    ranges = [each for record in system_records.expunged(AT, positions) for each in record["leaves"]]
    assert {leaf for first, past in ranges for leaf in range(first, past)} == positions
    assert all(first < past for first, past in ranges)
    assert all(before[1] < after[0] for before, after in pairwise(ranges))


def test_many_ranges_are_said_in_several_entries_each_small_enough():
    """The largest positions that there are, none beside another."""
    positions = range(2**53 - 1 - 2 * 4_000, 2**53 - 1, 2)
    records = system_records.expunged(AT, positions)
    assert len(records) == 3
    assert all(len(system_entry(record)) <= MAX_SYSTEM_ENTRY for record in records)
    assert [first for record in records for first, _ in record["leaves"]] == list(positions)
    assert system_records.expunged(AT, []) == []
