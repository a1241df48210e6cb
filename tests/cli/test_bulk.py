"""Many documents: what was acknowledged is kept, what was killed is gone on with, and nothing is doubled."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from typing import Any

import pytest
from cli.doors import Door, about, collect, consent, jsonl

PEOPLE = 40


def stored(door: Door) -> dict[str, int]:
    c = sqlite3.connect(door.folder / "store.db")
    rows = c.execute("SELECT kind, count(*) FROM event_header GROUP BY kind").fetchall()
    c.close()
    return dict(rows)


def state(door: Door, people: int) -> list[Any]:
    """What is held about everybody, without what differs from store to store."""
    told = []
    for number in range(people):
        rows = door("subject", "holdings", "--subject", f"email=p{number}@example.com", "--json").json
        told.append([{**row, "holding": None} for row in rows])
    return told


def test_an_apply_that_is_killed_has_committed_at_most_one_more_than_it_acknowledged(door: Door):
    documents = [each for number in range(PEOPLE) for each in about(number)]
    door.write("all.jsonl", *documents)
    running = door.process("apply", "all.jsonl", "--clock", "follow", stdout=subprocess.PIPE)
    assert running.stdout is not None
    first = [running.stdout.readline() for _ in range(7)]
    os.kill(running.pid, signal.SIGKILL)
    acknowledged = first + running.stdout.readlines()  # what it had printed by then
    running.stdout.close()
    running.wait()
    whole = [json.loads(line) for line in acknowledged if line.endswith("\n")]
    kinds = stored(door)
    committed = kinds["consent-given/1"] + kinds.get("personal-data-collected/1", 0)
    assert committed - len(whole) in (0, 1)
    again = door.apply(*documents)
    assert again[: len(whole)] == whole
    assert stored(door)["personal-data-collected/1"] == stored(door)["subject-registered/1"] == PEOPLE


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_import_killed_in_the_middle_ends_as_one_that_was_not(door: Door, workers: str):
    """With two processes the other one may still be at it when the next import begins."""
    people = 700  # more than one transaction
    refused = [collect(f"refused-{number}", subject={"ref": f"r{number}"}) for number in range(3)]
    everybody = [each for number in range(people) for each in about(number)]
    documents = [*everybody[:500], *refused, "not json", *everybody[500:]]
    door.write("bulk.jsonl", *documents)
    now = ("--now", "2024-08-02T00:00:00+08:00")
    running = door.process(*now, "import", "bulk.jsonl", "--workers", workers, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not stored(door).get("subject-registered/1"):
        assert time.monotonic() < end
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert workers == "2" or stored(door)["subject-registered/1"] < people
    told = door(*now, "import", "bulk.jsonl", "--rejects", "rejects.jsonl", "--workers", workers, "--json", code=1).json
    assert told == {"done": 2 * people, "nothing": 0, "refused": 3, "invalid": 1, "conflict": 0, "rejects": 4}
    rejects = [json.loads(line) for line in (door.folder / "rejects.jsonl").read_text().splitlines()]
    assert [reject["line"] for reject in rejects] == [501, 502, 503, 504]
    assert {reject["code"] for reject in rejects} == {"consent-missing", "invalid"}
    kinds = stored(door)
    assert kinds["subject-registered/1"] == kinds["personal-data-collected/1"] == kinds["consent-given/1"] == people


def test_applying_and_importing_the_same_documents_lead_to_the_same_state(door: Door, tmp_path: Any):
    documents = [each for number in range(4) for each in about(number)]
    door.apply(*documents)
    applied = state(door, 4)
    door.write("same.jsonl", *documents)
    assert door("import", "same.jsonl", "--json").json["done"] == len(documents)  # each answers as the first time
    assert state(door, 4) == applied
    for name in ("store.db", "keys", "keys.ledger"):
        (door.folder / name).rename(tmp_path / name)
    door("init", "--policy", "policy.toml", "--simulated")
    imported = door("--now", "2024-08-01T10:00:05+08:00", "import", "same.jsonl")
    assert imported.out.startswith(f"{len(documents)} done")
    assert [[row["category"] for row in rows] for rows in state(door, 4)] == [
        [row["category"] for row in rows] for rows in applied
    ]


def test_an_import_tells_the_first_rejects_when_nobody_named_a_file_for_them(door: Door):
    door.write("few.jsonl", consent(), collect("x", purpose="quotation", data={"company": "Acme"}))
    told = door("--now", "2024-08-02T00:00:00+08:00", "import", "few.jsonl")
    assert told.out.startswith("1 done, 0 nothing, 1 refused")
    assert "line 2: refused (consent-missing)" in told.out


def test_documents_come_from_standard_input_too_and_their_clock_can_stand(door: Door):
    (future,) = door("apply", "-", stdin=jsonl(consent())).lines
    assert (future["outcome"], future["code"]) == ("refused", "in-the-future")
    (given,) = door("apply", "-", "--now", "2024-08-02T00:00:00+08:00", stdin=jsonl(consent("c-3"))).lines
    assert given["outcome"] == "done"
