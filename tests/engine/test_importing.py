"""A file of any length is imported within the same memory, and goes on where it was stopped."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from statistics import median

import orjson
from engine.stores import count_of, document
from whole.stores import Store

from lifecycle.engine.about_people import AboutPeople
from lifecycle.engine.asking import Known
from lifecycle.engine.decided import Decided
from lifecycle.engine.deciding import Deciding
from lifecycle.engine.documents import Imported, Reject, import_file
from lifecycle.engine.person import Batch, Person
from lifecycle.storage.appending import Appending
from lifecycle.storage.tables import event_header

TOGETHER = 50
PEOPLE = 10


def a_file(folder: Path, number: int, lot: str) -> Path:
    """The same few people and values again and again: what is remembered of them does not grow."""
    path = folder / f"{lot}.jsonl"
    with path.open("wb") as file:
        for at in range(number):
            said = document(
                "collect", f"{lot}-{at}", {"email": f"p{at % PEOPLE}@example.com"}, purpose="quotation", basis="contract",
                evidence="K-1", source="import", data={"company": "Ltd " * 50},
            )  # fmt: skip
            file.write(orjson.dumps(said) + b"\n")
    return path


def imported(store: Store, path: Path) -> Imported:
    rejected: list[Reject] = []
    done = import_file(store.engine, path, rejected=rejected.append, batch=TOGETHER)
    assert rejected == []
    return done


def peak_of(store: Store, path: Path) -> float:
    """Of a transaction, up to the last commit; sequencing and projecting, which follow, take windows of a thousand events."""
    peaks: list[int] = []

    def committed(*_: int) -> None:
        peaks.append(tracemalloc.get_traced_memory()[1])
        gc.collect()  # when garbage is collected is not the question
        tracemalloc.reset_peak()

    tracemalloc.start()
    import_file(store.engine, path, rejected=print, batch=TOGETHER, progress=committed)
    tracemalloc.stop()
    return median(peaks)


def test_four_times_the_file_needs_no_more_memory(store: Store, tmp_path: Path):
    imported(store, a_file(tmp_path, 2 * TOGETHER, "before"))  # what is loaded once is loaded
    short, long = (peak_of(store, a_file(tmp_path, times * TOGETHER, f"lot-{times}")) for times in (2, 8))
    assert long <= 1.3 * short


def test_a_file_that_is_imported_again_answers_as_before_and_doubles_nothing(store: Store, tmp_path: Path):
    path = a_file(tmp_path, 2 * TOGETHER, "again")
    first = imported(store, path)
    events = count_of(store.engine.database, event_header)
    assert imported(store, path).counts == first.counts
    assert count_of(store.engine.database, event_header) == events


def there_after(store: Store, path: Path) -> set[type]:
    """Of what classes there are objects when a file was imported and nobody looked for circles meanwhile."""
    gc.collect()
    gc.disable()
    try:
        import_file(store.engine, path, rejected=print, batch=TOGETHER)
        return {type(one) for one in gc.get_objects()}
    finally:
        gc.enable()


def test_what_a_batch_was_decided_with_goes_when_it_is_let_go_and_waits_for_no_collector(store: Store, tmp_path: Path):
    there = there_after(store, a_file(tmp_path, 2 * TOGETHER, "lot"))
    assert there.isdisjoint({Deciding, Decided, AboutPeople, Person, Batch, Appending, Known})
