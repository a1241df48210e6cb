"""The log's own records never change their shape."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lifecycle.ledger import system_records
from lifecycle.ledger.envelope import system_entry

GOLDEN = Path(__file__).parent.parent / "golden" / "system-v1.json"
AT = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)
RECORDS = {
    "genesis/1": lambda: system_records.genesis(AT, "lifecycle/00ff00ff00ff00ff", simulated=True),
    "epoch-destroyed/1": lambda: system_records.epoch_destroyed(
        AT, 7, system_records.final_leaves(bytes([n]) * 32 for n in (3, 1, 2))
    ),
}


@pytest.mark.parametrize("kind", RECORDS)
def test_a_golden_record_never_changes(kind: str):
    golden = json.loads(GOLDEN.read_text())
    assert system_entry(RECORDS[kind]()).decode() == golden[kind]


def test_every_golden_record_is_still_written():
    assert set(json.loads(GOLDEN.read_text())) == set(RECORDS)


def test_an_epoch_names_its_streams_in_no_order_of_ours():
    sids = [bytes([n]) * 32 for n in range(5)]
    assert system_records.final_leaves(sids) == system_records.final_leaves(reversed(sids))
