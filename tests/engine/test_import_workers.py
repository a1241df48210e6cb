"""Law: several processes answer the lines of a file as one does, and record the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from engine.stores import count_of, document, headers_of
from engine.test_importing import a_file, imported
from engine.test_many_as_one_by_one import LISTS, QUICKLY, Names, documents_of, state_of, stores
from hypothesis import given, settings
from hypothesis import strategies as st
from postgres import on_postgresql, on_sqlite
from sqlalchemy import select
from whole.stores import Store

from lifecycle.commands.outcome import Outcome
from lifecycle.domain.streams import is_person_stream
from lifecycle.engine.documents import Told, carry_out, import_file, told_of
from lifecycle.engine.import_workers import CannotShare, ImportWorkers, Opening, WorkerFailed, WorkerGone, _Worker
from lifecycle.errors import Invalid
from lifecycle.storage.tables import event_header, stream_head

__all__ = ["stores"]  # a fixture

TOGETHER = 3  # documents in a transaction
WINDOW = 8  # lines that are shared out at once
JUNK = (b"\n", b"not json\n", b'{"command":"collect"}\n', b'{"command":"erase","id":"x","subject":{"email":"?"}}\n')
ENGAGED = {"trustee": "udesk", "name": "Udesk", "contact": "dpo@udesk.example", "country": "CN"}
BETWEEN = st.lists(st.tuples(st.integers(0, 12), st.integers(0, len(JUNK))), max_size=4)


def lines_of(asked: list[Any], between: list[tuple[int, int]]) -> list[bytes]:
    """Documents about people, and between them lines that are none, and one about a trustee."""
    documents = documents_of(asked)
    lines = [orjson.dumps(each) + b"\n" for each in documents]
    for at, number in between:
        engaged = document("engage-trustee", f"{documents[0]['id']}-{at}", None, **ENGAGED)
        lines.insert(at, JUNK[number] if number < len(JUNK) else orjson.dumps(engaged) + b"\n")
    return lines


def people_of(store: Store) -> set[UUID]:
    with store.engine.database.read() as c:
        streams = c.execute(select(stream_head.c.stream_id).where(stream_head.c.version > 0)).scalars()
        return {stream for stream in streams if is_person_stream(stream)}


def records_of(store: Store, people: set[UUID]) -> list[str]:
    """What is recorded about each of them; in the order of what it says, as ids are random."""
    return sorted(repr(_record(store, person)) for person in people)


def _record(store: Store, person: UUID) -> list[Any]:
    names = Names()
    told = [[h.kind, h.data, len(h.parts), h.meta["role"]] for h in headers_of(store.engine.database, person)]
    return [names.plain(told), names.plain(state_of(store, person))]


def answers_of(told: list[Told]) -> list[Any]:
    names = Names()
    return [each if isinstance(each, str) else _answer(each, names) for each in told]


def _answer(outcome: Outcome, names: Names) -> Any:
    said = outcome.model_dump(mode="json")
    return {**said, "subject": said["subject"] and names.of(said["subject"])}


class Two:
    """One store that several processes write, and one that a single process does."""

    def __init__(self, stores: tuple[Store, Store], workers: ImportWorkers) -> None:
        self.shared, self.single = stores
        self._workers = workers

    def compare(self, lines: list[bytes]) -> None:
        before = people_of(self.shared), people_of(self.single)
        windows = [lines[at : at + WINDOW] for at in range(0, len(lines), WINDOW)]
        told = [each for some in self._workers.carry_out(windows, Path(), TOGETHER) for each in some]
        alone = [
            told_of(outcome)
            for at in range(0, len(lines), TOGETHER)
            for outcome in carry_out(self.single.engine, lines[at : at + TOGETHER], Path())
        ]
        assert answers_of(told) == answers_of(alone)
        both = zip((self.shared, self.single), before, strict=True)
        shared, single = (records_of(store, people_of(store) - known) for store, known in both)
        assert shared == single


@pytest.fixture
def two(stores: tuple[Store, Store]) -> Iterator[Two]:
    with ImportWorkers(stores[0].engine, 3) as workers:
        yield Two(stores, workers)


@on_sqlite
@given(asked=LISTS, between=BETWEEN)
@settings(max_examples=40, **QUICKLY)
def test_on_sqlite_several_processes_do_what_one_does(two: Two, asked: list[Any], between: list[tuple[int, int]]):
    two.compare(lines_of(asked, between))


@on_postgresql
@given(asked=LISTS, between=BETWEEN)
@settings(max_examples=20, **QUICKLY)
def test_on_postgresql_several_processes_do_what_one_does(two: Two, asked: list[Any], between: list[tuple[int, int]]):
    two.compare(lines_of(asked, between))


def test_people_whom_earlier_lines_made_one_are_kept_together(two: Two):
    """The same two names again, when the store says that they are one person's."""
    names = [({"email": f"{at}@example.com"}, {"ref": f"r-{at}"}) for at in range(12)]
    consent, again = (
        [consent_of(f"{lot}-{at}", one) for at, (one, _) in enumerate(names)] for lot in ("first", "again")
    )
    link = [document("link-identifier", f"l-{at}", one, identifier=other) for at, (one, other) in enumerate(names)]
    withdraw = [
        document("withdraw-consent", f"w-{at}", other, purposes=["free-trial"], channel="web-form")
        for at, (_, other) in enumerate(names)
    ]
    for documents in (consent, link, [each for pair in zip(withdraw, again, strict=True) for each in pair]):
        two.compare([orjson.dumps(each) + b"\n" for each in documents])


def consent_of(id: str, subject: dict[str, str]) -> dict[str, Any]:
    return document("give-consent", id, subject, purposes=["free-trial"], notice="1.0", channel="web-form")


def test_a_file_that_several_import_counts_and_rejects_as_for_one(store: Store, tmp_path: Path):
    path = a_file(tmp_path, 60, "lot")
    content = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*content[:7], b"not json\n", *content[7:]]))
    rejected, progress = [], []
    done = import_file(
        store.engine, path, rejected=rejected.append, batch=10, workers=2, progress=lambda *told: progress.append(told)
    )
    assert done.counts == {"done": 60, "invalid": 1}
    assert [(reject.line, reject.outcome.code) for reject in rejected] == [(8, "invalid")]
    assert progress[-1] == (path.stat().st_size, path.stat().st_size)
    events = count_of(store.engine.database, event_header)
    path.write_bytes(b"".join(content))
    assert imported(store, path).counts == {"done": 60}  # again, by one
    assert count_of(store.engine.database, event_header) == events


def test_a_worker_that_was_killed_is_told_of_and_the_import_can_go_on(store: Store, tmp_path: Path):
    path = a_file(tmp_path, 40, "lot")
    lines = path.read_bytes().splitlines(keepends=True)
    with ImportWorkers(store.engine, 2) as workers:
        assert list(workers.carry_out([lines[:10], lines[10:20]], tmp_path, 5)) == [["done"] * 10] * 2
        (other,) = workers._others
        os.kill(other._process.pid, signal.SIGKILL)  # type: ignore[arg-type]
        other._process.join()
        with pytest.raises(WorkerGone, match="ended by signal 9") as told:
            list(workers.carry_out([lines], tmp_path, 5))
    assert "import the file again" in told.value.remedy
    assert imported(store, path).counts == {"done": 40}
    assert count_of(store.engine.database, event_header, event_header.c.kind.startswith("personal-data-col")) == 40


def test_a_worker_that_cannot_open_the_store_says_why(store: Store, tmp_path: Path):
    worker = _Worker(Opening(f"sqlite:///{tmp_path / 'gone.db'}", tmp_path, tmp_path, store.engine.calendars))
    with pytest.raises(WorkerFailed) as told:
        worker.take()
    worker.end(at_once=True)
    assert told.value.message == "The database file cannot be opened."
    assert told.value.remedy


class Sinks:
    name = "elsewhere"


def test_what_another_process_would_not_know_of_is_refused_before_anything_is_read(store: Store, tmp_path: Path):
    store.engine.sinks = (Sinks(),)  # type: ignore[assignment]
    with pytest.raises(CannotShare, match="stores beside it"):
        import_file(store.engine, tmp_path / "none", rejected=print, workers=2)


@pytest.mark.parametrize("workers", [0, -1])
def test_fewer_than_one_process_is_no_number(store: Store, tmp_path: Path, workers: int):
    with pytest.raises(Invalid):
        import_file(store.engine, a_file(tmp_path, 1, "lot"), rejected=print, workers=workers)
