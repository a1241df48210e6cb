"""The log of a whole store, published: what the subject map says of people who live and who were erased."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, update
from whole.stores import ANN, BEN, Store

from lifecycle.domain.streams import access_stream_of
from lifecycle.ledger import tree
from lifecycle.ledger.checkpoint import open_checkpoint
from lifecycle.ledger.checkpoint_rows import Published
from lifecycle.ledger.ledger_files import LedgerFolder
from lifecycle.ledger.log_keys import LogKeys
from lifecycle.ledger.log_proofs import LogProofs
from lifecycle.ledger.map_proofs import MapProofs
from lifecycle.settings import Settings
from lifecycle.storage import facts, map_facts
from lifecycle.storage.tables import event_header, stream_head

DPO = {"id": "dpo", "role": "officer"}


def publish(store: Store) -> Published:
    return store.engine.publish()


def in_map(store: Store, subject: UUID) -> list[tuple[int, int] | None]:
    """(count, state) of the person's record and access stream; None for a stream that is not in the map."""
    published = publish(store)
    streams = (subject, access_stream_of(subject))
    with store.engine.database.read() as c:
        sids = dict(c.execute(select(stream_head.c.stream_id, stream_head.c.sid)).all())
        folder = LedgerFolder(store.settings.ledger)
        proofs = MapProofs(c, LogProofs(c, folder, published.size))
        told = [proofs.stream(sids[stream]) for stream in streams]
    return [(one["count"], one["state"]) if one["present"] else None for one in told]


@pytest.fixture
def ann(store: Store) -> UUID:
    store.consent()
    subject = store.collect().subject
    assert subject is not None
    return subject


def test_a_living_person_s_streams_are_alive(store: Store, ann: UUID):
    assert in_map(store, ann) == [(4, 0), None]
    store.engine.read_clear(ANN, "free-trial", DPO)
    assert in_map(store, ann) == [(4, 0), (1, 0)]


def test_whole_erasure_closes_both_streams_in_the_map_and_nobody_else_s(store: Store, ann: UUID):
    store.engine.read_clear(ANN, "free-trial", DPO)
    ben = store.consent(subject=BEN).subject
    assert ben is not None
    publish(store)
    store.do("erase", subject=ANN, ground="7.3c")
    record, access = in_map(store, ann)
    assert record is not None
    assert record[1] == 1
    assert access == (1, 1)
    assert in_map(store, ben) == [(3, 0), None]
    store.engine.rotate()
    finalised, access_too = in_map(store, ann)
    assert finalised == (record[0] + 1, 1)
    assert access_too == (2, 1)


def test_a_partial_erasure_closes_nothing(store: Store, ann: UUID):
    store.do("erase", subject=ANN, ground="7.3d", categories=["name"])
    record, _ = in_map(store, ann)
    assert record is not None
    assert record[1] == 0


def test_the_map_says_erased_only_when_the_log_covers_the_completion(store: Store, ann: UUID):
    """A fence, or a completion that still waits in the queue, is no erasure yet."""
    store.engine.drain()
    with store.engine.database.write("eraser") as c:
        c.execute(update(stream_head).where(stream_head.c.stream_id == ann).values(fenced=True))
    assert in_map(store, ann) == [(4, 0), None]


def test_streams_that_are_gone_or_nobody_s_have_no_facts(store: Store, ann: UUID):
    with store.engine.database.read() as c:
        assert map_facts.facts_of(c, [UUID(int=7)]) == {}
        every = list(c.execute(select(event_header.c.stream_id).distinct()).scalars())
        assert {stream: its.erasure for stream, its in map_facts.facts_of(c, every).items()} == dict.fromkeys(every)


def test_a_new_store_has_a_key_for_its_log_named_as_the_log(store: Store):
    with store.engine.database.read() as c:
        origin = facts.stated(c)[facts.ORIGIN]
    published = publish(store)
    (key,) = LogKeys(store.settings.keys).signing(origin)
    assert open_checkpoint(published.note, [key.verifying]).origin == origin == key.name
    assert LedgerFolder(store.settings.ledger).read("log.vkey") == f"{key.vkey}\n".encode()
    assert published.root != tree.EMPTY


# -- where things are --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///a.db", "a.db"),
        ("sqlite:////var/a%20b.db", "/var/a b.db"),
        ("sqlite:///a.db?mode=ro", "a.db"),
        ("sqlite+pysqlite:///x#1.db", "x#1.db"),
        ("sqlite:///50%25.db", "50%.db"),
    ],
)
def test_keys_and_ledger_lie_beside_a_sqlite_file(url: str, file: str):
    settings = Settings.read(url, environ={})
    assert (settings.keys, settings.ledger) == (Path(f"{file}.keys"), Path(f"{file}.ledger"))


def test_for_a_server_the_ledger_lies_beside_the_keys():
    settings = Settings.read("postgresql://h/d", "/secret/lifecycle.keys", environ={})
    assert settings.ledger == Path("/secret/lifecycle.ledger")
    assert Settings.read("postgresql://h/d", environ={}).keys == Path("lifecycle.keys")


def test_the_ledger_folder_can_be_named():
    environ = {"LIFECYCLE_LEDGER": "/public", "LIFECYCLE_DB": "postgresql://h/d"}
    assert Settings.read(environ=environ).ledger == Path("/public")
    assert Settings.read(environ=environ, ledger="/other").ledger == Path("/other")
