"""Tiles are named, cut and read as c2sp.org/tlog-tiles says, and every proof can be built from them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import leaves, stored

from lifecycle.errors import LifecycleError
from lifecycle.ledger.tiles import (
    MalformedTile,
    Tile,
    TileHashes,
    entries_path,
    entry_bundle,
    read_entry_bundle,
    read_tile,
    tile_bytes,
    tile_path,
    tiles_of,
)
from lifecycle.ledger.tree import consistency_from, consistency_proof, inclusion_from, inclusion_proof, root, root_from

sizes = st.integers(0, 4100) | st.integers(65_280, 65_800)


@pytest.mark.parametrize(("level", "index", "width", "path"), [
    (0, 0, 256, "tile/0/000"), (0, 0, 1, "tile/0/000.p/1"), (1, 999, 255, "tile/1/999.p/255"),
    (2, 1000, 256, "tile/2/x001/000"), (0, 1_234_067, 256, "tile/0/x001/x234/067"), (63, 273, 112, "tile/63/273.p/112"),
    (0, 1_234, 17, "tile/0/x001/234.p/17"),
])  # fmt: skip
def test_a_tile_is_named_as_the_specification_says(level, index, width, path):
    assert tile_path(level, index, width) == Tile(level, index, width).path == path
    assert entries_path(index, width) == path.replace(f"tile/{level}/", "tile/entries/")


@pytest.mark.parametrize(("level", "index", "width"), [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)])
def test_a_tile_that_cannot_be_has_no_name(level, index, width):
    with pytest.raises(ValueError, match="tile's"):
        tile_path(level, index, width)


def test_the_specification_s_examples_have_the_tiles_that_it_counts():
    """Partial Tiles: 70,000 leaves, and 256."""
    tiles = list(tiles_of(0, 70_000))
    assert sum(tile.level == 0 and tile.width == 256 for tile in tiles) == 273
    assert [tile for tile in tiles if tile.width != 256] == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert [tile for tile in tiles if tile.level == 1] == [Tile(1, 0), Tile(1, 1, 17)]
    assert list(tiles_of(0, 256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0, 0)) == []


@given(st.lists(st.integers(0, 900), max_size=6))
def test_what_is_written_as_a_tree_grows_is_enough_to_read_any_of_its_sizes(steps):
    kept, size = {}, 0
    for step in steps:
        for tile in tiles_of(size, size + step):
            assert tile not in kept, "a tile is written once"
            kept[tile] = _cut(tile)
        size += step
        assert root_from(size, TileHashes(size, kept.__getitem__)) == root(leaves(66_000)[:size])


@given(sizes, st.data())
@settings(max_examples=30, deadline=None)
def test_proofs_from_tiles_are_the_proofs_from_all_leaves(size, data):
    fetched = []
    hashes = TileHashes(size, lambda tile: fetched.append(tile) or _cut(tile))
    old = data.draw(st.integers(0, size))
    assert consistency_from(old, size, hashes) == consistency_proof(old, leaves(66_000)[:size])
    if size:
        index = data.draw(st.integers(0, size - 1))
        assert inclusion_from(index, size, hashes) == inclusion_proof(index, leaves(66_000)[:size])
    assert len(fetched) == len(set(fetched)) <= 9
    assert set(fetched) <= set(tiles_of(0, size)), "only tiles that exist are fetched"


def test_a_full_tile_serves_where_the_partial_one_is_gone():
    hashes = TileHashes(300, lambda tile: _cut(replace(tile, width=256)) if tile.level == 0 else _cut(tile))
    assert root_from(300, hashes) == root(leaves(66_000)[:300])


def test_hashes_may_be_read_across_tiles():
    assert TileHashes(1000, _cut)(0, 200, 500) == leaves(66_000)[200:700]


@pytest.mark.parametrize("asked", [(0, 5, 6), (1, 0, 1), (0, -1, 1), (0, 0, 0)])
def test_a_subtree_that_is_not_complete_is_not_read(asked):
    with pytest.raises(ValueError, match="not complete"):
        TileHashes(10, _cut)(*asked)


def _cut(tile):
    start = tile.index * 256
    return tile_bytes(stored(66_000).levels[tile.level][start : start + tile.width])


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256) | st.just([b"\x03" + b"x" * 65_534]))
def test_a_bundle_is_read_as_it_was_written(entries):
    bundle = entry_bundle(entries)
    assert read_entry_bundle(bundle) == read_entry_bundle(bundle, len(entries)) == entries
    assert read_entry_bundle(bundle, 1) == entries[:1]


def test_a_bundle_is_lengths_and_entries():
    assert entry_bundle([b"", b"ab", b"c" * 256]) == b"\x00\x00" + b"\x00\x02ab" + b"\x01\x00" + b"c" * 256


@pytest.mark.parametrize("entries", [[], [b""] * 257, [b"x" * 65_536]])
def test_what_fits_no_bundle_is_not_written(entries):
    with pytest.raises(ValueError, match="a bundle has"):
        entry_bundle(entries)


@pytest.mark.parametrize("hashes", [[], [b"x" * 32] * 257, [b"x" * 31]])
def test_what_fits_no_tile_is_not_written(hashes):
    with pytest.raises(ValueError, match="a tile has"):
        tile_bytes(hashes)


def test_a_log_does_not_shrink():
    with pytest.raises(ValueError, match="smaller"):
        list(tiles_of(2, 1))


@pytest.mark.parametrize(("read", "data", "width", "why"), [
    (read_tile, b"", None, "1 to 256"), (read_tile, b"x" * 33, None, "1 to 256"), (read_tile, b"x" * 257 * 32, None, "1 to 256"),
    (read_tile, b"x" * 64, 3, "fewer elements"), (read_entry_bundle, b"", None, "never empty"),
    (read_entry_bundle, b"\x00", None, "add up"), (read_entry_bundle, b"\x00\x02x", None, "add up"),
    (read_entry_bundle, b"\x00\x00" * 257, None, "add up"), (read_entry_bundle, b"\x00\x01xx", None, "add up"),
    (read_entry_bundle, b"\x00\x01x", 2, "fewer elements"),
])  # fmt: skip
def test_damaged_tiles_and_bundles_are_refused_with_their_reason(read, data, width, why):
    with pytest.raises(MalformedTile, match=why):
        read(data, width)


@given(
    st.binary(max_size=300) | st.binary(max_size=40).map(lambda b: b"\x00\x04" * 8 + b), st.none() | st.integers(1, 256)
)
def test_readers_fed_anything_answer_or_refuse(data, width):
    for read, write in ((read_tile, tile_bytes), (read_entry_bundle, entry_bundle)):
        with suppress(LifecycleError):
            assert data.startswith(write(read(data, width)))
