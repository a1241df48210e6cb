"""Proofs are made from the files of the ledger folder, and from the rows where a file is missing or lies."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from appends import Person
from postgres import on_sqlite
from published import Log

from lifecycle.ledger import tree
from lifecycle.ledger.checkpoint_rows import Published
from lifecycle.ledger.envelope import unb64url
from lifecycle.ledger.integration import LogDamaged
from lifecycle.ledger.log_proofs import LogProofs
from lifecycle.ledger.map_proofs import MapProofs, NotPublished
from lifecycle.ledger.map_rows import MapDamaged
from lifecycle.ledger.subject_map import bucket_of, packed, read_entry
from lifecycle.ledger.tables import map_bucket, map_tile
from lifecycle.storage.database import Database


@pytest.fixture
def log(database: Database, tmp_path: Path) -> Log:
    return Log(database, tmp_path).begin()


@pytest.fixture
def people(log: Log) -> list[Person]:
    """140 people with 300 events in all; the map has four buckets or more."""
    people = [Person() for _ in range(140)]
    log.live(*people, events=2)
    log.publish()
    log.live(*people[:20])
    return people


def hashes_of(text: str) -> list[bytes]:
    raw = unb64url(text)
    return [raw[at : at + 32] for at in range(0, len(raw), 32)]


def assert_all_included(log: Log, published: Published, indexes: list[int]) -> None:
    entries = log.entries()
    with log.database.read() as c:
        proofs = LogProofs(c, log.folder, published.size)
        together = LogProofs(c, log.folder, published.size).inclusions(indexes)
        for index in indexes:
            leaf = tree.leaf_hash(entries[index])
            assert tree.root_of_inclusion(leaf, index, published.size, proofs.inclusion(index)) == published.root
            assert together[index] == proofs.inclusion(index)


def assert_consistent(log: Log, old: Published, new: Published) -> None:
    with log.database.read() as c:
        proof = LogProofs(c, log.folder, new.size).consistency(old.size)
    tree.verify_consistency(old.size, new.size, old.root, new.root, proof)


def test_every_leaf_is_proved_and_every_checkpoint_continues_the_one_before(log: Log, people: list[Person]):
    old = log.publish()
    log.live(*people)
    new = log.publish()
    assert_all_included(log, new, list(range(0, new.size, 7)))
    assert_all_included(log, old, list(range(0, old.size, 7)))
    assert_consistent(log, old, new)


@on_sqlite
@pytest.mark.parametrize("damage", ["missing", "cut", "flipped"])
@pytest.mark.parametrize("level", ["0", "1"])
def test_a_tile_that_is_missing_or_lies_is_computed_from_the_leaves(
    log: Log, people: list[Person], damage: str, level: str
):
    old = log.publish()
    log.live(*people)
    new = log.publish()
    for path in (log.folder.folder / "tile" / level).rglob("*"):
        if path.is_file() and damage == "missing":
            path.unlink()
        elif path.is_file():
            content = path.read_bytes()
            path.write_bytes(content[:-5] if damage == "cut" else bytes(len(content)))
    assert_all_included(log, new, [0, 3, 255, 256, new.size - 1])
    assert_consistent(log, old, new)


@on_sqlite
@pytest.mark.parametrize("put", ["zeroblob(49)", "'text, as only SQLite takes it'"])
def test_a_row_that_was_changed_is_not_proved(log: Log, people: list[Person], put: str):
    new = log.publish()
    with log.database.own() as c:
        c.exec_driver_sql("DROP TRIGGER log_entry_update_03")
        c.exec_driver_sql(f"UPDATE log_entry SET entry = {put} WHERE position = 5")
    with log.database.read() as c, pytest.raises(LogDamaged):
        LogProofs(c, log.folder, new.size).inclusion(5)


# -- the subject map, verified by the words of docs/ledger-format.md ---------------------------------------------------


def verified(document: dict[str, Any], published: Published) -> list[str]:
    """What the document proves of each of its streams: "present" or "absent"."""
    entry = unb64url(document["entry"])
    top = hashes_of(document["inclusion"])
    leaf = tree.leaf_hash(entry)
    assert tree.root_of_inclusion(leaf, published.size - 1, published.size, top) == published.root
    said = read_entry(entry)
    assert said.covered == published.size - 1
    return [verified_stream(stream, said.depth, said.top_root) for stream in document["streams"]]


def verified_stream(stream: dict[str, Any], depth: int, top_root: bytes) -> str:
    sid = unb64url(stream["sid"])
    n, root = stream["bucket"]["n"], unb64url(stream["bucket"]["root"])
    top = tree.leaf_hash(n.to_bytes(4, "big") + root)
    bucket = bucket_of(sid, depth)
    assert tree.root_of_inclusion(top, bucket, 1 << depth, hashes_of(stream["top"])) == top_root
    if stream["present"]:
        verified_leaf(stream, n, root)
        return "present"
    neighbours = stream["neighbours"]
    for each in neighbours:
        verified_leaf(each, n, root)
    places = [(each["position"], unb64url(each["sid"])) for each in neighbours]
    match places:
        case []:
            assert n == 0
        case [(0, only)] if only > sid:
            pass
        case [(last, only)] if only < sid:
            assert last == n - 1
        case [(one, before), (two, after)]:
            assert two == one + 1
            assert before < sid < after
        case _:
            pytest.fail("these neighbours enclose nothing")
    return "absent"


def verified_leaf(leaf: dict[str, Any], n: int, root: bytes) -> None:
    raw = packed(unb64url(leaf["sid"]), leaf["count"], unb64url(leaf["head"]), leaf["state"])
    proof = hashes_of(leaf["inclusion"])
    assert tree.root_of_inclusion(tree.leaf_hash(raw), leaf["position"], n, proof) == root


def document_of(log: Log, published: Published, *sids: bytes) -> dict[str, Any]:
    with log.database.read() as c:
        document = MapProofs(c, LogProofs(c, log.folder, published.size)).document(*sids)
    read: dict[str, Any] = json.loads(json.dumps(document))
    return read


def test_membership_and_absence_are_proved_for_everybody(log: Log, people: list[Person]):
    published = log.publish()
    sids = [person.head.sid for person in people]
    strangers = [os.urandom(32) for _ in range(60)] + [bytes(32), b"\xff" * 32]
    mixed = sids + strangers
    random.Random(5).shuffle(mixed)
    document = document_of(log, published, *mixed)
    assert verified(document, published) == ["present" if sid in sids else "absent" for sid in mixed]
    told = {stream["sid"]: stream for stream in document["streams"] if stream["present"]}
    assert sorted(stream["count"] for stream in told.values()) == [2] * 120 + [3] * 20


def test_absence_from_an_empty_map_is_proved(log: Log):
    published = log.publish()
    assert verified(document_of(log, published, bytes(32)), published) == ["absent"]


def test_a_map_that_moved_on_proves_nothing_of_an_older_checkpoint(log: Log, people: list[Person]):
    old = log.publish()
    log.live(people[0])
    log.publish()
    with log.database.read() as c, pytest.raises(NotPublished, match="publish"):
        MapProofs(c, LogProofs(c, log.folder, old.size))


@pytest.mark.parametrize("table", [map_bucket, map_tile], ids=["bucket", "tile"])
def test_a_map_row_that_was_changed_proves_nothing(log: Log, people: list[Person], table: Any):
    published = log.publish()
    with log.database.own() as c:
        column = table.c.leaves if table is map_bucket else table.c.hashes
        for row in c.execute(table.select()).all():
            changed = {column.name: bytes(len(row._mapping[column.name]))}
            key = [name == row._mapping[name.name] for name in table.primary_key.columns]
            c.execute(table.update().where(*key).values(**changed))
    with log.database.read() as c, pytest.raises(MapDamaged):
        MapProofs(c, LogProofs(c, log.folder, published.size)).stream(people[0].head.sid)
