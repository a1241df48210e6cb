"""What has to be true of a store when a soak is over."""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from audit.oracle import over
from projections.tables import everything
from soak.load import PLAIN
from sqlalchemy import func, select

from lifecycle.engine import Engine
from lifecycle.ledger.envelope import read_header
from lifecycle.storage.idempotency import KEPT
from lifecycle.storage.tables import event_header, pending_erasure
from lifecycle.vault.tables import data_key

T = TypeVar("T")
TOGETHER = 500
SWEPT_EACH = timedelta(days=3)
"""A day of the simulated clock passes between two sweeps; a sweep that lasts makes it a little more."""


class Happened(NamedTuple):
    kind: str
    at: datetime
    holdings: tuple[str, ...]  # that an erasure was ordered of


Records = dict[UUID, list[Happened]]


def records_of(engine: Engine) -> Records:
    """Everybody's, read in one go: one question a person took longer than all checks together."""
    records: Records = defaultdict(list)
    columns = (event_header.c.stream_id, event_header.c.kind, event_header.c.header)
    everyone = select(*columns).order_by(event_header.c.stream_id, event_header.c.version)
    with engine.database.read("eraser") as c:
        for stream, kind, packed in c.execution_options(yield_per=TOGETHER).execute(everyone):
            header = read_header(bytes(packed))
            erased = tuple(header.data["holdings"]) if kind == "erasure-ordered/1" else ()
            records[stream].append(Happened(kind, header.at, erased))
    return records


def acknowledged(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.jsonl")):
        with file.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def nothing_is_lost(engine: Engine, folder: Path, records: Records) -> tuple[int, list[str]]:
    """Of every acknowledged command the events are on record; and it is sent again as long as its id is good for it, and
    must be known by it. Returns how many were sent, and which were lost."""
    lost: list[str] = []
    count = 0
    batch: list[dict[str, Any]] = []
    kinds = {stream: {each.kind for each in record} for stream, record in records.items()}
    forgotten = engine.clock.now() - KEPT

    def ask() -> None:
        for said, outcome in zip(batch, engine.execute_many([each["document"] for each in batch]), strict=True):
            same = outcome.outcome == "done" and list(outcome.events) == said["events"]
            if not same and outcome.code != "subject-erased":
                lost.append(said["document"]["id"])
        batch.clear()

    for said in acknowledged(folder):
        person = UUID(said["subject"])
        happened = kinds.get(person, set())
        if missing := [kind for kind in said["events"] if kind not in happened]:
            lost.append(f"{said['document']['id']}: {missing}")
        if "erasure-ordered/1" in happened:
            continue  # who came back after an erasure is somebody else: of the earlier life the record was asked
        if missing or records[person][said["version"] - 1].at <= forgotten:
            continue
        count += 1
        batch.append(said)
        if len(batch) == TOGETHER:
            ask()
    ask()
    return count, lost


def gone_in_time(engine: Engine, folder: Path, records: Records) -> tuple[int, list[str]]:
    """Those of whom one thing was collected: when was it erased, and when does the oracle say? Returns the wrong ones."""
    wrong: list[str] = []
    seen = 0
    for said in acknowledged(folder):
        if said["document"]["command"] != "collect" or not said["document"]["subject"]["ref"].startswith("import-"):
            continue
        seen += 1
        record = records[UUID(said["subject"])]
        collected = next(each.at for each in record if each.kind == "personal-data-collected/1")
        erased = [each.at for each in record if each.holdings]
        due = over(collected, 20, 0)
        if not _fits(erased, due, engine.clock.now()):
            wrong.append(f"{said['document']['id']}: due {due}, erased {erased}")
    return seen, wrong


def _fits(erased: list[datetime], due: datetime, now: datetime) -> bool:
    if not erased:
        return now < due + SWEPT_EACH
    return len(erased) == 1 and due <= erased[0] < due + SWEPT_EACH


def _said(what: str, check: Callable[[], T]) -> T:
    """Progress, on the error stream: some checks take minutes."""
    begun = time.monotonic()
    found = check()
    print(f"{what}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)  # noqa: T201
    return found


def checks(engine: Engine, folder: Path) -> dict[str, Any]:
    """Each invariant by name, with what was found against it: empty is good."""
    _said("the last sweep", engine.sweep)
    _said("published", engine.publish)
    followed = everything(engine.database)
    _said("projections made anew", engine.follower.rebuild)
    differ = _said("compared", lambda: everything_but_positions(followed, everything(engine.database)))
    records = _said("everybody's record", lambda: records_of(engine))
    known, lost = _said("asked again", lambda: nothing_is_lost(engine, folder, records))
    plain, wrong = gone_in_time(engine, folder, records)
    with engine.database.read() as c:
        pending = c.execute(select(func.count()).select_from(pending_erasure)).scalar_one()
    engine.publish()
    audited = _said("audited", lambda: engine.log.audit(engine.clock.now(), engine.vault))
    faults = _said("the log's files", lambda: engine.log.faults(engine.clock.now(), deep=True))
    return {
        "acknowledged commands asked again": known,
        f"people with one collection for {PLAIN} looked at": plain,
        "against": {
            "lost": lost[:5],
            "early or late": wrong[:5],
            "still due": [str(each) for each in engine.due()][:5],
            "erasures that hang": pending,
            "audit": [str(each) for each in audited.findings][:5],
            "ledger": faults[:5],
            "projections differ": differ,
            "lag": [row["name"] for row in engine.follower.status() if row["lag"]],
            "keys of the erased": keys_of_the_erased(engine, records),
        },
        "events": audited.events,
        "leaves": audited.leaves,
    }


def everything_but_positions(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return sorted(name for name in one if one[name] != other[name])


def keys_of_the_erased(engine: Engine, records: Records) -> int:
    """Data keys of holdings whose erasure was ordered."""
    with engine.database.read("eraser") as c:
        keys = {(row.subject_id, row.hid) for row in c.execute(select(data_key.c.subject_id, data_key.c.hid))}
    return len(
        keys & {(person, holding) for person, record in records.items() for each in record for holding in each.holdings}
    )
