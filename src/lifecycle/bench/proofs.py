"""What a proof costs as the log grows, beside reading the same leaf without one; and a bundle beside its bare rows."""

from __future__ import annotations

import json
import random
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import orjson
from sqlalchemy import select

from lifecycle import verify
from lifecycle.audit.bundle import covered_events
from lifecycle.bench.measuring import Measured, interleaved, seconds, tell
from lifecycle.bench.stores import Place
from lifecycle.bench.synthetic import Peopled, peopled_log
from lifecycle.engine.bundling import write_bundle
from lifecycle.engine.engine import Engine
from lifecycle.ledger.envelope import b64url
from lifecycle.ledger.integration import read_tree
from lifecycle.ledger.ledger_files import VKEYS
from lifecycle.ledger.log_proofs import LogProofs, entries_between
from lifecycle.ledger.map_proofs import MapProofs
from lifecycle.ledger.map_rows import StoredMap
from lifecycle.ledger.subject_map import bucket_of
from lifecycle.storage.tables import event_body

SIZES = (10_000, 1_000_000, 10_000_000)  # leaves
IN_A_BUNDLE = 50  # events
TO_VERIFY = 10_000
_A_RUN = 50  # proofs, each as if it were the only one that is asked for
_MICRO = 1e6


class Log(NamedTuple):
    engine: Engine
    size: int
    peopled: Peopled
    random: random.Random

    @classmethod
    def made(cls, place: Place, stack: ExitStack, size: int, events: int) -> Log:
        engine = stack.enter_context(place.store())
        began = time.monotonic()
        peopled = peopled_log(engine, size, events)
        tell(f"{place.engine}: a log of {size:,} leaves was made in {time.monotonic() - began:.0f} s")
        return cls(engine, size, peopled, random.Random(size))  # noqa: S311 -- which leaves are asked for


def proofs(place: Place, size: int, runs: int) -> Iterator[Measured]:
    """The logs of all sizes up to `size` are asked in turn, so that growth is measured within one run."""
    sizes = [each for each in SIZES if each < size] + [size]
    with ExitStack() as stack:
        logs = [Log.made(place, stack, each, min(IN_A_BUNDLE, each // 4)) for each in sizes]
        for bench, ours, bare, unit in (
            ("proof", _proof, _leaf, "us"),
            ("map-proof", _map_proof, _bucket, "us"),
            ("bundle", _bundle, _rows, "ms"),
        ):
            tell(f"{place.engine}: {bench}")
            works = [partial(work, log) for log in logs for work in (ours, bare)]
            found = interleaved(runs, *works)
            for at, log in enumerate(logs):
                yield Measured(bench, place.engine, log.size, unit, found[2 * at], found[2 * at + 1])
            for at, log in enumerate(logs[1:], start=1):
                yield Measured(f"{bench}-growth", place.engine, log.size, unit, found[2 * at], found[0])


def verification(place: Place, size: int, runs: int) -> Iterator[Measured]:
    """A bundle of one person with very many events, beside unpacking it and parsing its lines."""
    events = min(TO_VERIFY, max(size // 4, 1))
    with ExitStack() as stack:
        log = Log.made(place, stack, max(size // 10, 2 * events), events)
        tell(f"{place.engine}: verify, {events:,} events")
        out = log.engine.keys.parent / "person.zip"
        shown = write_bundle(log.engine, out, subject_id=log.peopled.person).events
        vkeys = log.engine.log.folder.read(VKEYS)
        assert vkeys is not None, "the log was published"
        asked = verify.Asked(out, verify.read_keys(vkeys), datetime.now(UTC))
        ours, bare = interleaved(
            runs,
            lambda: seconds(lambda: verify.verify(asked)) / shown * _MICRO,
            lambda: seconds(lambda: _parsed(out)) / shown * _MICRO,
        )
        yield Measured("verify", place.engine, shown, "us/event", ours, bare)


# -- one leaf --------------------------------------------------------------------------------------------------------


def _proof(log: Log) -> float:
    wanted = _leaves(log)
    with log.engine.database.read() as c:
        began = time.perf_counter()
        for index in wanted:
            LogProofs(c, log.engine.log.folder, log.size).inclusion(index)
        return (time.perf_counter() - began) / _A_RUN * _MICRO


def _leaf(log: Log) -> float:
    wanted = _leaves(log)
    with log.engine.database.read() as c:
        began = time.perf_counter()
        for index in wanted:
            next(entries_between(c, index, index + 1))
        return (time.perf_counter() - began) / _A_RUN * _MICRO


def _leaves(log: Log) -> Sequence[int]:
    return [log.random.randrange(log.size) for _ in range(_A_RUN)]


# -- one stream in the map -------------------------------------------------------------------------------------------


def _map_proof(log: Log) -> float:
    wanted = log.random.choices(log.peopled.sids, k=_A_RUN)
    with log.engine.database.read() as c:
        began = time.perf_counter()
        for sid in wanted:
            MapProofs(c, LogProofs(c, log.engine.log.folder, log.size)).stream(sid)
        return (time.perf_counter() - began) / _A_RUN * _MICRO


def _bucket(log: Log) -> float:
    wanted = log.random.choices(log.peopled.sids, k=_A_RUN)
    with log.engine.database.read() as c:
        stored = StoredMap(c, read_tree(c).depth, 0)
        began = time.perf_counter()
        for sid in wanted:
            stored.bucket(bucket_of(sid, stored.depth))
        return (time.perf_counter() - began) / _A_RUN * _MICRO


# -- one person ------------------------------------------------------------------------------------------------------


def _bundle(log: Log) -> float:
    out = log.engine.keys.parent / "person.zip"
    return seconds(lambda: write_bundle(log.engine, out, subject_id=log.peopled.person)) * 1e3


def _rows(log: Log) -> float:
    """The same events and ciphertexts in a ZIP file, without proofs and without what is told of them."""
    out = log.engine.keys.parent / "bare.zip"

    def write() -> None:
        body = event_body.c
        theirs = select(event_body).where(body.stream_id == log.peopled.person)
        with log.engine.database.read() as c, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            bodies = {(row.version, row.part): b64url(row.ct) for row in c.execute(theirs)}
            with archive.open("events.jsonl", "w") as file:
                for rows in covered_events(c, log.peopled.person, log.size):
                    for row in rows:
                        said = {
                            "header": row.header.decode(),
                            "salt": b64url(row.salt),
                            "ct": bodies.get((row.version, 0)),
                        }
                        file.write(orjson.dumps(said) + b"\n")

    return seconds(write) * 1e3


def _parsed(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive, archive.open("events.jsonl") as lines:
        for line in lines:
            json.loads(json.loads(line)["header"])
