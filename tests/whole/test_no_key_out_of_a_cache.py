"""A read under way while somebody is erased puts the old key into the cache afterwards; nothing is opened with it."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from whole.stores import ANN, BEN, Store

from lifecycle.vault import vault as room

READERS = 4
DELAY = 0.05  # seconds between reading a wrapped key and remembering it: some ten thousand times as long as it takes


@pytest.fixture
def store(store: Store) -> Store:
    for person in (ANN, BEN):
        store.consent(subject=person)
        store.collect(subject=person, data={"name": "Somebody"})
    return store


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    unwrap = room.unwrap_subject

    def slowly(*arguments: Any) -> Any:
        keys = unwrap(*arguments)
        time.sleep(DELAY)
        return keys

    monkeypatch.setattr(room, "unwrap_subject", slowly)


@pytest.mark.parametrize("how", [{"ground": "7.3c"}, {"ground": "7.3d", "categories": ["name"]}], ids=["whole", "part"])
def test_whoever_begins_to_read_after_an_erasure_sees_nothing(store: Store, slow: None, how: dict[str, Any]):
    ann, ben = store.engine.read.subject_id(ANN), store.engine.read.subject_id(BEN)
    over, seen = threading.Event(), []

    def read() -> None:
        while not over.is_set():
            store.engine.vault._known.clear()  # so that each read fetches and remembers anew
            began = time.monotonic()
            seen.append((began, [row["value"] for row in store.engine.read.holdings(ann)]))

    readers = [threading.Thread(target=read) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    while len(seen) < READERS:
        time.sleep(DELAY / 10)
    assert store.do("erase", subject=ANN, **how).outcome == "done"
    erased = time.monotonic()
    time.sleep(3 * DELAY)  # long enough for the reads that were under way to remember what they had fetched
    over.set()
    for reader in readers:
        reader.join()
    assert any(value for began, values in seen for value in values if began < erased)
    assert not any(value for began, values in seen for value in values if began > erased)
    assert [row["value"] for row in store.engine.read.holdings(ann)] == [None]
    assert [row["value"] for row in store.engine.read.holdings(ben)] != [None]
