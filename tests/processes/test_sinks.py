"""Copies outside of ours: an erasure is completed when every store that has some has answered, and not before."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import select
from whole.stores import ANN, BEN, Store

from lifecycle.engine import open_engine
from lifecycle.ledger.envelope import b64url, read_header
from lifecycle.processes.erase_what_was_ordered import ErasureUnfinished
from lifecycle.processes.sinks import ToErase
from lifecycle.storage.tables import event_header


class SearchIndex:
    """Keeps one file a person, as a search index outside of the engine would."""

    name = "search-index"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_down = False
        self.forgets = True

    def put(self, subject_id: object) -> None:
        (self.folder / f"{subject_id}").write_text("a copy")

    def erase(self, what: ToErase) -> str:
        if self.is_down:
            raise ConnectionError("ann@example.com cannot be erased now")
        if self.forgets:
            (self.folder / f"{what.subject_id}").unlink(missing_ok=True)
        return "erased by index 7"

    def is_gone(self, what: ToErase) -> bool:
        return not (self.folder / f"{what.subject_id}").exists()


@pytest.fixture
def index(tmp_path: Path) -> SearchIndex:
    (tmp_path / "index").mkdir()
    return SearchIndex(tmp_path / "index")


@pytest.fixture
def store(store: Store, index: SearchIndex) -> Store:
    store.engine.close()
    store.engine = open_engine(store.settings.db, keys=store.settings.keys, sinks=[index])
    for person in (ANN, BEN):
        store.consent(subject=person)
        index.put(store.collect(subject=person, data={"name": "Somebody"}).subject)
    return store


def completed(store: Store) -> list[dict]:
    with store.engine.database.read() as c:
        rows = c.execute(select(event_header.c.header).where(event_header.c.kind == "erasure-completed/1")).scalars()
        return [read_header(header).data for header in rows]


def test_the_digest_of_a_sink_s_receipt_is_in_the_record(store: Store):
    assert store.do("erase", subject=ANN, ground="7.3c").receipt is not None
    (said,) = completed(store)
    assert said["stores"] == ["event-bodies", "vault", "search-index"]
    assert said["receipts"] == {"search-index": b64url(sha256(b"erased by index 7").digest())}


@pytest.mark.parametrize("how", ["is_down", "forgets"])
def test_nothing_is_completed_while_a_sink_has_not_answered(store: Store, index: SearchIndex, how: str):
    ann = store.engine.read.subject_id(ANN)
    setattr(index, how, how == "is_down")
    with pytest.raises(ErasureUnfinished, match="search-index") as failure:
        store.do("erase", subject=ANN, ground="7.3c")
    assert "ann@" not in str(failure.value)
    assert completed(store) == []
    assert {row["value"] for row in store.engine.read.holdings(ann)} == {None}  # ours is destroyed already
    setattr(index, how, how != "is_down")
    assert store.engine.resume() == 1
    assert len(completed(store)) == 1


def test_whom_a_sink_has_done_is_completed_though_another_is_not(store: Store, index: SearchIndex):
    ann, ben = store.engine.read.subject_id(ANN), store.engine.read.subject_id(BEN)
    keeps = index.folder / str(ben)
    index.erase, erase = lambda what: _refused() if what.subject_id == ben else erase(what), index.erase  # type: ignore[method-assign]
    asked = [store.document("erase", subject={"id": str(each)}, ground="7.3c") for each in (ann, ben)]
    for each in asked:
        try:
            store.engine.execute(each)
        except ErasureUnfinished:
            continue
    assert len(completed(store)) == 1
    assert keeps.exists()


def _refused() -> str:
    raise ConnectionError


def test_an_unlinked_identifier_is_no_sink_s_business(store: Store, index: SearchIndex):
    store.do("link-identifier", subject=ANN, identifier={"ref": "a-1"})
    index.is_down = True
    assert store.do("unlink-identifier", subject=ANN, identifier={"ref": "a-1"}).outcome == "done"
