"""What has to be true of a store when a soak is over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from audit.oracle import over
from engine.stores import headers_of
from projections.tables import everything
from soak.load import PLAIN
from sqlalchemy import func, select

from lifecycle.engine import Engine
from lifecycle.storage.tables import event_header, pending_erasure
from lifecycle.vault.tables import data_key

TOGETHER = 500
SWEPT_EACH = timedelta(days=3)
"""A day of the simulated clock passes between two sweeps; a sweep that lasts makes it a little more."""


def acknowledged(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.jsonl")):
        with file.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def nothing_is_lost(engine: Engine, folder: Path) -> tuple[int, list[str]]:
    """Every acknowledged command is sent again: it must be known by its id. Returns how many, and which were lost."""
    lost: list[str] = []
    count = 0
    batch: list[dict[str, Any]] = []
    kinds: dict[str, list[str]] = {}  # of each person's record

    def ask() -> None:
        for said, outcome in zip(batch, engine.execute_many([each["document"] for each in batch]), strict=True):
            same = outcome.outcome == "done" and list(outcome.events) == said["events"]
            if not same and outcome.code != "subject-erased":
                lost.append(said["document"]["id"])
        batch.clear()

    for said in acknowledged(folder):
        subject = said["subject"]
        if subject not in kinds:
            kinds[subject] = [header.kind for header in headers_of(engine.database, UUID(subject))]
        if missing := [kind for kind in said["events"] if kind not in kinds[subject]]:
            lost.append(f"{said['document']['id']}: {missing}")
        if "erasure-ordered/1" in kinds[subject]:
            continue  # who came back after an erasure is somebody else: of the earlier life the record was asked
        count += 1
        batch.append(said)
        if len(batch) == TOGETHER:
            ask()
    ask()
    return count, lost


def gone_in_time(engine: Engine, folder: Path) -> tuple[int, list[str]]:
    """Those of whom one thing was collected: when was it erased, and when does the oracle say? Returns the wrong ones."""
    wrong: list[str] = []
    seen = 0
    for said in acknowledged(folder):
        if said["document"]["command"] != "collect" or not said["document"]["subject"]["ref"].startswith("import-"):
            continue
        seen += 1
        headers = headers_of(engine.database, UUID(said["subject"]))
        collected = next(each.at for each in headers if each.kind == "personal-data-collected/1")
        erased = [each.at for each in headers if each.kind == "erasure-ordered/1" and each.data["holdings"]]
        due = over(collected, 20, 0)
        if not _fits(erased, due, engine.clock.now()):
            wrong.append(f"{said['document']['id']}: due {due}, erased {erased}")
    return seen, wrong


def _fits(erased: list[datetime], due: datetime, now: datetime) -> bool:
    if not erased:
        return now < due + SWEPT_EACH
    return len(erased) == 1 and due <= erased[0] < due + SWEPT_EACH


def checks(engine: Engine, folder: Path) -> dict[str, Any]:
    """Each invariant by name, with what was found against it: empty is good."""
    engine.sweep()
    engine.publish()
    followed = everything(engine.database)
    engine.follower.rebuild()
    known, lost = nothing_is_lost(engine, folder)
    plain, wrong = gone_in_time(engine, folder)
    with engine.database.read() as c:
        pending = c.execute(select(func.count()).select_from(pending_erasure)).scalar_one()
    engine.publish()
    audited = engine.log.audit(engine.clock.now(), engine.vault)
    return {
        "acknowledged commands asked again": known,
        f"people with one collection for {PLAIN} looked at": plain,
        "against": {
            "lost": lost[:5],
            "early or late": wrong[:5],
            "still due": [str(each) for each in engine.due()][:5],
            "erasures that hang": pending,
            "audit": [str(each) for each in audited.findings][:5],
            "ledger": engine.log.faults(engine.clock.now(), deep=True)[:5],
            "projections differ": everything_but_positions(followed, everything(engine.database)),
            "lag": [row["name"] for row in engine.follower.status() if row["lag"]],
            "keys of the erased": keys_of_the_erased(engine),
        },
        "events": audited.events,
        "leaves": audited.leaves,
    }


def everything_but_positions(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return sorted(name for name in one if one[name] != other[name])


def keys_of_the_erased(engine: Engine) -> int:
    """Data keys of holdings whose erasure was ordered."""
    with engine.database.read("eraser") as c:
        ordered = c.execute(
            select(event_header.c.stream_id).where(event_header.c.kind == "erasure-ordered/1").distinct()
        )
        people = [row.stream_id for row in ordered]
        keys = {(row.subject_id, row.hid) for row in c.execute(select(data_key.c.subject_id, data_key.c.hid))}
    erased = {
        (person, holding)
        for person in people
        for header in headers_of(engine.database, person)
        if header.kind == "erasure-ordered/1"
        for holding in header.data["holdings"]
    }
    return len(keys & erased)
