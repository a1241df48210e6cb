"""One tree, made four ways: from all leaves, from stored hashes, from its right edge, and from proofs."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import RFC_6962_LEAVES, RFC_6962_ROOTS, AllAlike, Stored, leaves, stored

from lifecycle.ledger import envelope, tree
from lifecycle.ledger.tree import (
    EMPTY,
    BadProof,
    Frontier,
    MalformedFrontier,
    consistency_from,
    consistency_proof,
    inclusion_from,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    root_from,
    root_of_inclusion,
    verify_consistency,
)

KNOWN = [leaf_hash(entry) for entry in RFC_6962_LEAVES]
AROUND = sorted(
    {max(0, 256**k * m + d) for k in (1, 2) for m in (1, 2) for d in (-2, -1, 0, 1, 2) if 256**k * m < 70_000}
)
sizes = st.integers(0, 4100) | st.sampled_from(AROUND)
flat = AllAlike(leaf_hash(b"one"))
huge = st.integers(1, 2**62) | st.builds(lambda k, d: max(1, 256**k + d), st.integers(1, 7), st.integers(-3, 3))


def test_roots_are_rfc_6962_s_known_answers():
    assert [root(KNOWN[:n]).hex() for n in range(9)] == RFC_6962_ROOTS
    assert EMPTY.hex() == RFC_6962_ROOTS[0]


def test_proofs_are_the_ones_that_rfc_6962_draws():
    """RFC 6962, 2.1.3: the tree of seven leaves d0..d6, with the names of its figure."""
    a, b, c, d, e, f, j = KNOWN[:7]
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k, l = node_hash(g, h), node_hash(i, j)  # noqa: E741 (the figure calls it so)
    assert inclusion_proof(0, KNOWN[:7]) == [b, h, l]
    assert inclusion_proof(3, KNOWN[:7]) == [c, g, l]
    assert inclusion_proof(4, KNOWN[:7]) == [f, j, k]
    assert inclusion_proof(6, KNOWN[:7]) == [i, k]
    assert consistency_proof(3, KNOWN[:7]) == [c, d, g, l]
    assert consistency_proof(4, KNOWN[:7]) == [l]
    assert consistency_proof(6, KNOWN[:7]) == [i, j, k]


def test_leaves_and_nodes_are_hashed_in_different_domains():
    assert leaf_hash(b"x") == sha256(b"\x00x").digest() == envelope.leaf_hash(b"x")
    assert node_hash(b"l" * 32, b"r" * 32) == sha256(b"\x01" + b"l" * 32 + b"r" * 32).digest()
    assert leaf_hash(KNOWN[0] + KNOWN[1]) != root(KNOWN[:2])


@given(sizes, st.data())
@settings(max_examples=60, deadline=None)
def test_every_way_to_a_root_and_to_a_proof_gives_the_same(size, data):
    all_leaves, hashes = leaves(66_000)[:size], stored(66_000)
    top = root(all_leaves)
    assert root_from(size, hashes) == top
    assert Frontier.read(size, hashes).root() == top
    old = data.draw(st.integers(0, size))
    proof = consistency_proof(old, all_leaves)
    assert consistency_from(old, size, hashes) == proof
    verify_consistency(old, size, root(all_leaves[:old]), top, proof)
    if size:
        index = data.draw(st.integers(0, size - 1))
        path = inclusion_proof(index, all_leaves)
        assert inclusion_from(index, size, hashes) == path
        known: dict[tuple[int, int], bytes] = {}
        for near in range(max(0, index - 2), min(size, index + 3)):
            assert inclusion_from(near, size, hashes, known) == inclusion_proof(near, all_leaves)
        assert root_of_inclusion(all_leaves[index], index, size, path) == top


@given(st.lists(st.integers(0, 700), max_size=8), st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_tree_that_grew_in_steps_is_the_tree_made_at_once(steps, saved_between):
    grown, kept, size = Frontier(), Stored(), 0
    for step in steps:
        kept.add(grown.extend(leaves(66_000)[size : size + step]))
        size += step
        assert grown.root() == root(leaves(66_000)[:size])
        if saved_between:
            grown = Frontier(grown.size, grown.hashes)
    assert grown.hashes == Frontier.read(size, stored(66_000)).hashes
    assert kept.levels == {level: stored(66_000).levels[level][: size >> 8 * level] for level in kept.levels}
    assert sorted(kept.levels) == [level for level in range(8) if size >> 8 * level]


def test_a_leaf_at_a_time_is_a_row_at_a_time():
    one_by_one = Frontier()
    for leaf in leaves(66_000)[:600]:
        one_by_one.append(leaf)
    at_once = Frontier()
    at_once.extend(leaves(66_000)[:600])
    assert (one_by_one.size, one_by_one.hashes) == (at_once.size, at_once.hashes)


@given(huge, st.data())
def test_proofs_in_trees_far_too_large_to_hold_take_a_read_per_level(size, data):
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    top, before = root_from(size, flat), root_from(old, flat)
    assert Frontier(size, flat.edge(size)).root() == top
    flat.reads = 0
    path = inclusion_from(index, size, flat)
    assert flat.reads <= 2 * size.bit_length()
    assert len(path) <= size.bit_length()
    assert root_of_inclusion(flat.subtree[0], index, size, path) == top
    flat.reads = 0
    verify_consistency(old, size, before, top, consistency_from(old, size, flat))
    assert flat.reads <= 2 * size.bit_length() + 1


@given(huge, st.lists(st.just(flat.subtree[0]), max_size=600))
def test_a_frontier_goes_on_from_where_it_was_stored(size, more):
    grown = Frontier(size, flat.edge(size))
    rows = grown.extend(more)
    assert grown.root() == root_from(size + len(more), flat)
    assert grown.hashes == flat.edge(size + len(more))
    for row in rows:
        assert row.first == size >> 8 * row.level
        assert row.hashes == [flat.subtree[8 * row.level]] * ((size + len(more) >> 8 * row.level) - row.first)


@given(st.integers(1, 300), st.data())
def test_a_proof_with_anything_changed_leads_elsewhere_or_is_refused(size, data):
    all_leaves = leaves(66_000)[:size]
    index = data.draw(st.integers(0, size - 1))
    path, top = inclusion_proof(index, all_leaves), root(all_leaves)
    other = data.draw(st.integers(-2, 400).filter(lambda it: it != index))
    for changed in _changes(path, data):
        assert not _included(all_leaves[index], index, size, changed, top)
    assert not _included(all_leaves[index], other, size, path, top)
    assert not _included(b"\x00" * 32, index, size, path, top)
    assert not _included(all_leaves[index], index, size, path, b"\x00" * 32)


@given(st.integers(1, 300), st.data())
def test_a_consistency_proof_with_anything_changed_is_refused(size, data):
    all_leaves = leaves(66_000)[:size]
    old = data.draw(st.integers(0, size))
    proof, before, after = consistency_proof(old, all_leaves), root(all_leaves[:old]), root(all_leaves)
    for changed in _changes(proof, data):
        assert not _consistent(old, size, before, after, changed)
    assert not _consistent(old, size, b"\x00" * 32, after, proof)
    if old:
        assert not _consistent(old, size, before, b"\x00" * 32, proof)
    for other in {old - 1, old + 1} - {0}:
        assert not _consistent(other, size, before, after, proof)


def _changes(proof, data):
    noise = random.Random(data.draw(st.integers(0, 2**32)))
    yield [*proof, noise.randbytes(32)]
    yield [noise.randbytes(32), *proof]
    for at in range(len(proof)):
        yield proof[:at] + proof[at + 1 :]
        yield [*proof[:at], proof[at][:-1], *proof[at + 1 :]]
        yield [*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :]]
    if len(proof) > 1:
        yield proof[::-1]


def _included(leaf, index, size, path, top):
    try:
        return root_of_inclusion(leaf, index, size, path) == top
    except BadProof:
        return False


def _consistent(old, size, before, after, proof):
    try:
        verify_consistency(old, size, before, after, proof)
    except BadProof:
        return False
    return True


@pytest.mark.parametrize(
    ("old", "new", "old_root", "new_root", "proof", "why"),
    [
        (3, 2, KNOWN[0], KNOWN[0], [], "never gets smaller"),
        (-1, 2, KNOWN[0], KNOWN[0], [], "never gets smaller"),
        (0, 5, KNOWN[0], KNOWN[1], [], "not the root of the empty tree"),
        (0, 0, EMPTY, KNOWN[1], [], "not the root of the empty tree"),
        (0, 5, EMPTY, KNOWN[1], [KNOWN[1]], "too long"),
        (5, 5, KNOWN[0], KNOWN[1], [], "Two roots for one size"),
        (5, 5, KNOWN[0], KNOWN[0], [KNOWN[0]], "too long"),
        (3, 5, KNOWN[0], KNOWN[0], [], "too short"),
        (3, 5, KNOWN[0], KNOWN[0][:31], [], "32 bytes"),
    ],
)
def test_what_cannot_be_consistent_is_refused_with_its_reason(old, new, old_root, new_root, proof, why):
    with pytest.raises(BadProof, match=why):
        verify_consistency(old, new, old_root, new_root, proof)


@pytest.mark.parametrize(("index", "size", "path", "why"), [
    (0, 0, [], "no such leaf"), (2, 2, [KNOWN[0]], "no such leaf"), (-1, 2, [KNOWN[0]], "no such leaf"),
    (0, 2, [], "too short"), (0, 1, [KNOWN[0]], "too long"), (0, 2, [b""], "32 bytes"),
])  # fmt: skip
def test_what_cannot_be_included_is_refused_with_its_reason(index, size, path, why):
    with pytest.raises(BadProof, match=why):
        root_of_inclusion(KNOWN[0], index, size, path)


@given(st.integers(-(2**70), 2**70), st.integers(-(2**70), 2**70), st.lists(st.binary(max_size=33), max_size=70))
def test_a_verifier_fed_anything_answers_or_refuses(index, size, proof):
    _included(KNOWN[0], index, size, proof, EMPTY)
    _consistent(index, size, KNOWN[0], KNOWN[1], proof)


@pytest.mark.parametrize(("size", "hashes"), [(-1, []), (0, [EMPTY]), (3, [EMPTY]), (1, [b"short"])])
def test_what_is_no_right_edge_is_refused(size, hashes):
    with pytest.raises(MalformedFrontier):
        Frontier(size, hashes)


def test_a_proof_about_leaves_that_are_not_there_is_never_made():
    for ask in (
        lambda: inclusion_proof(3, KNOWN[:3]),
        lambda: inclusion_from(-1, 3, flat),
        lambda: consistency_from(4, 3, flat),
    ):
        with pytest.raises(ValueError, match=r"leaf|larger"):
            ask()


def test_the_height_of_a_tile_is_c2sp_s():
    assert tree.TILE_HEIGHT == 8
