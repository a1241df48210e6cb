"""The subject map is the naive one: whatever came in whatever batches, through growth, on both engines."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postgres import on_sqlite
from sqlalchemy import Connection, func, insert, select, update

from lifecycle.ledger import map_rows, tree
from lifecycle.ledger.map_rows import MapDamaged, StoredMap
from lifecycle.ledger.subject_map import (
    EMPTY_TOP,
    LEAF_BYTES,
    NO_HEAD,
    MalformedMap,
    MapEntry,
    MapLeaf,
    State,
    bucket_of,
    depth_for,
    read_entry,
    read_leaf,
    top_leaf,
)
from lifecycle.ledger.tables import map_bucket, map_tile
from lifecycle.storage.database import Database

GOLDEN = {
    "empty top leaf": "118df84e1b527c1af3b1f3a9d3b8e676600a25715de6d5c8eac8c45db6003c82",
    "top leaf of three": "0000000367d4a470e9cf523eb71af2f7dbf1119c47289738a0405e579868747628067992",
    "top root of forty": "f4a2aed25ee85fdd289fff2ad1d4121f2aa596ffcbb8d17e479bdb03882d3707",
}


def sid(number: int) -> bytes:
    return sha256(b"sid %d" % number).digest()


def leaf(number: int, count: int = 1, state: State = State.ALIVE) -> MapLeaf:
    return MapLeaf(sid(number), count, sha256(b"head %d %d" % (number, count)).digest(), state)


def naive_root(leaves: dict[bytes, MapLeaf], depth: int) -> bytes:
    """By the words of the format, in one go."""
    buckets: dict[int, list[bytes]] = {}
    for one in sorted(leaves.values(), key=lambda one: one.sid):
        buckets.setdefault(bucket_of(one.sid, depth), []).append(one.packed)
    tops = []
    for bucket in range(1 << depth):
        mine = buckets.get(bucket, [])
        root = tree.root([tree.leaf_hash(one) for one in mine])
        tops.append(tree.leaf_hash(len(mine).to_bytes(4, "big") + root))
    return tree.root(tops)


def put(stored: StoredMap, *leaves: MapLeaf) -> None:
    stored.put({one.sid: one.packed for one in leaves})


def assert_is(stored: StoredMap, leaves: dict[bytes, MapLeaf]) -> None:
    assert stored.streams == len(leaves)
    assert stored.depth == depth_for(len(leaves))
    assert stored.root() == naive_root(leaves, stored.depth)
    assert sorted(stored.all_leaves()) == sorted(one.packed for one in leaves.values())


def test_a_leaf_and_an_entry_are_read_as_they_were_written():
    entry = MapEntry(6, 77, 5, 70, sha256(b"top").digest())
    assert len(leaf(1).packed) == LEAF_BYTES == 73
    assert read_leaf(leaf(1, 2**40, State.ERASED).packed) == leaf(1, 2**40, State.ERASED)
    assert len(entry.packed) == 58
    assert read_entry(entry.packed) == entry


def test_golden_leaves_roots_and_entries_of_the_map_never_change():
    """Format 1: three streams in one bucket, then the 40 that make four."""
    erased = MapLeaf(bytes(range(32)), 258, b"\x11" * 32, State.ERASED)
    assert erased.packed.hex() == bytes(range(32)).hex() + "0000000000000102" + "11" * 32 + "01"
    assert MapLeaf(b"\xff" * 32, 0, NO_HEAD, State.EXPUNGED).packed.hex() == "ff" * 32 + "00" * 40 + "02"
    assert EMPTY_TOP.hex() == GOLDEN["empty top leaf"]
    three = sorted(leaf(n, n).packed for n in (1, 2, 3))
    assert top_leaf(three).hex() == GOLDEN["top leaf of three"]
    many = {one.sid: one for one in (leaf(n) for n in range(40))}
    root = naive_root(many, 2)
    assert root.hex() == GOLDEN["top root of forty"]
    assert MapEntry(2, 41, 40, 40, root).packed.hex() == "02020000000000000029" + "0000000000000028" * 2 + root.hex()


@pytest.mark.parametrize("wrong", [b"", leaf(1).packed[:-1], leaf(1).packed[:-1] + b"\x03"])
def test_what_is_no_leaf_is_refused(wrong: bytes):
    with pytest.raises(MalformedMap):
        read_leaf(wrong)


@pytest.mark.parametrize("wrong", [b"", b"\x01" + bytes(57), b"\x02\x3f" + bytes(56), b"\x02" + bytes(58)])
def test_what_is_no_map_entry_is_refused(wrong: bytes):
    with pytest.raises(MalformedMap):
        read_entry(wrong)


@pytest.mark.parametrize(
    ("streams", "depth"), [(0, 0), (32, 0), (33, 2), (128, 2), (129, 4), (32 << 8, 8), ((32 << 8) + 1, 10), (10**7, 20)]
)
def test_the_map_grows_by_two_bits_when_its_buckets_hold_more_than_32(streams: int, depth: int):
    assert depth_for(streams) == depth


def test_a_map_never_gets_shallower():
    assert depth_for(1, depth=6) == 6


def test_the_map_of_nobody_has_a_root(database: Database):
    with database.write("sequencer") as c:
        stored = StoredMap(c, 0, 0)
        stored.put({})
        assert_is(stored, {})


def test_whatever_comes_in_whatever_batches_the_map_is_the_naive_one(database: Database):
    """Streams come, and come again; 400 of them make the map grow from one bucket to 16 on the way."""

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.dictionaries(st.integers(0, 400), st.integers(1, 9), max_size=120), min_size=1, max_size=6))
    def law(batches: list[dict[int, int]]) -> None:
        with database.write("sequencer") as c:
            stored, naive = StoredMap(c, 0, 0), dict[bytes, MapLeaf]()
            for batch in batches:
                leaves = [leaf(number, count) for number, count in batch.items()]
                put(stored, *leaves)
                naive |= {one.sid: one for one in leaves}
                assert_is(stored, naive)
            c.rollback()

    law()


@pytest.mark.parametrize("at_once", [1, 3, 512])
def test_a_map_that_grows_by_many_bits_at_once_splits_every_bucket(
    database: Database, at_once: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(map_rows, "_AT_ONCE", at_once)
    first, second = [leaf(n) for n in range(130)], [leaf(n) for n in range(130, 2100)]
    with database.write("sequencer") as c:
        stored = StoredMap(c, 0, 0)
        put(stored, *first)
        assert stored.depth == 4
        put(stored, *second)
        assert stored.depth == 8
        assert_is(stored, {one.sid: one for one in first + second})
        assert all(bucket_of(a[:32], 8) == number for number, a in c.execute(select(map_bucket)))


@on_sqlite
def test_with_several_rows_of_hashes_every_proof_leads_to_the_root(database: Database):
    leaves = {sid(n): leaf(n) for n in range(8200)}
    with database.write("sequencer") as c:
        stored = StoredMap(c, 0, 0)
        put(stored, *leaves.values())
        assert stored.depth == 10
        assert c.execute(select(map_tile.c.level, func.count()).group_by(map_tile.c.level)).all() == [(0, 4), (1, 1)]
        put(stored, leaf(5, 2))
        leaves[sid(5)] = leaf(5, 2)
        assert_is(stored, leaves)
        for bucket in (0, 255, 256, 700, 1023):
            mine = stored.bucket(bucket)
            top = tree.leaf_hash(len(mine).to_bytes(4, "big") + tree.root([tree.leaf_hash(one) for one in mine]))
            assert tree.root_of_inclusion(top, bucket, 1 << 10, stored.proof(bucket)) == stored.root()


def test_a_change_of_one_stream_reads_and_writes_few_rows(database: Database):
    from engine.stores import statements  # noqa: PLC0415 -- a neighbour's tool

    with database.write("sequencer") as c:
        stored = StoredMap(c, 0, 0)
        put(stored, *(leaf(n) for n in range(1000)))
        with statements(database) as seen:
            put(stored, leaf(7, 2))
        assert len(seen) <= 5


def test_erased_and_expunged_streams_stay_in_the_map(database: Database):
    with database.write("sequencer") as c:
        stored = StoredMap(c, 0, 0)
        put(stored, leaf(1), leaf(2), leaf(3))
        stored.put({}, erased={sid(1), sid(99)}, expunged={sid(2)})
        gone = MapLeaf(sid(2), 0, NO_HEAD, State.EXPUNGED)
        assert_is(stored, {sid(1): leaf(1, 1, State.ERASED), sid(2): gone, sid(3): leaf(3)})


def test_inner_rows_can_be_made_anew_from_the_buckets(database: Database):
    with database.write("sequencer") as c:
        stored = StoredMap(c, 0, 0)
        put(stored, *(leaf(n) for n in range(300)))
        root = stored.root()
        c.execute(update(map_tile).values(hashes=bytes(32 * 16)))
        assert stored.root() != root
        stored.rebuild_rows()
        assert stored.root() == root


@pytest.mark.parametrize("hashes", [b"", bytes(32), bytes(33)])
def test_a_damaged_row_is_not_taken_for_a_map(database: Database, hashes: bytes):
    with database.write("sequencer") as c:
        stored = StoredMap(c, 0, 0)
        put(stored, *(leaf(n) for n in range(300)))
        c.execute(update(map_tile).values(hashes=hashes))
        with pytest.raises(MapDamaged):
            stored.root()


def test_a_damaged_bucket_is_not_taken_for_a_map(database: Database):
    def damage(c: Connection) -> None:
        c.execute(insert(map_bucket).values(bucket=0, leaves=bytes(72)))

    with database.write("sequencer") as c:
        damage(c)
        with pytest.raises(MalformedMap):
            StoredMap(c, 0, 0).bucket(0)
