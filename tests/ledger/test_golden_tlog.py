"""What a log has published stays readable: keys, tiles, checkpoints and proofs of version 1 never change."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from lifecycle.ledger import cosignature
from lifecycle.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from lifecycle.ledger.note import COSIGNATURE, ED25519, SigningKey, VerifyingKey, read_note, with_signatures
from lifecycle.ledger.tiles import (
    TileHashes,
    entries_path,
    entry_bundle,
    read_entry_bundle,
    tile_bytes,
    tile_path,
    tiles_of,
)
from lifecycle.ledger.tlog_policy import TrustPolicy
from lifecycle.ledger.tlog_proof import TlogProof
from lifecycle.ledger.tree import (
    Frontier,
    consistency_from,
    inclusion_from,
    leaf_hash,
    root_of_inclusion,
    verify_consistency,
)

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "tlog-v1.json").read_text(encoding="utf-8"))
KINDS = {"log": ED25519, "next": ED25519, "witness": COSIGNATURE}
SIZE = GOLDEN["size"]
ROOT = bytes.fromhex(GOLDEN["root"])
ENTRIES = [b"\x01" + bytes([i % 256]) * 48 for i in range(SIZE)]


def _key(name: str) -> SigningKey:
    return SigningKey.parse(GOLDEN["keys"][name]["secret"])


@pytest.fixture(scope="module")
def grown():
    """The frontier and the stored hashes of the golden tree."""
    frontier = Frontier()
    return frontier, {row.level: row.hashes for row in frontier.extend(map(leaf_hash, ENTRIES))}


@pytest.mark.parametrize("name", KINDS)
def test_golden_keys_never_change(name):
    said = GOLDEN["keys"][name]
    key = _key(name)
    assert (key.vkey, key.secret(), key.kind) == (said["vkey"], said["secret"], KINDS[name])
    assert SigningKey.from_seed(key.name, bytes.fromhex(GOLDEN["seeds"][name]), KINDS[name]).vkey == said["vkey"]
    assert VerifyingKey.parse(said["vkey"]) == key.verifying


def test_golden_tiles_bundles_and_edge_never_change(grown):
    frontier, stored = grown
    assert frontier.root() == ROOT
    assert [each.hex() for each in frontier.hashes] == GOLDEN["frontier"]
    cut = {tile: slice(tile.index * 256, tile.index * 256 + tile.width) for tile in tiles_of(0, SIZE)}
    assert {tile.path: _digest(tile_bytes(stored[tile.level][at])) for tile, at in cut.items()} == GOLDEN["tiles"]
    bundles = {
        entries_path(tile.index, tile.width): _digest(entry_bundle(ENTRIES[at]))
        for tile, at in cut.items()
        if tile.level == 0
    }
    assert bundles == GOLDEN["bundles"]
    assert (tile_path(1, 0, 2), tile_bytes(stored[1]).hex()) == tuple(GOLDEN["partial_tile"].values())
    few, written = (
        [bytes.fromhex(entry) for entry in GOLDEN["bundle"]["entries"]],
        bytes.fromhex(GOLDEN["bundle"]["bytes"]),
    )
    assert entry_bundle(few) == written
    assert read_entry_bundle(written) == few


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def test_golden_proofs_never_change_and_verify(grown):
    hashes = TileHashes(
        SIZE, lambda tile: tile_bytes(grown[1][tile.level][tile.index * 256 : tile.index * 256 + tile.width])
    )
    index, path = GOLDEN["inclusion"]["index"], [bytes.fromhex(each) for each in GOLDEN["inclusion"]["proof"]]
    assert inclusion_from(index, SIZE, hashes) == path
    assert root_of_inclusion(leaf_hash(ENTRIES[index]), index, SIZE, path) == ROOT
    old, proof = GOLDEN["consistency"]["old"], [bytes.fromhex(each) for each in GOLDEN["consistency"]["proof"]]
    assert consistency_from(old, SIZE, hashes) == proof
    verify_consistency(old, SIZE, bytes.fromhex(GOLDEN["consistency"]["old_root"]), ROOT, proof)


def test_golden_checkpoints_never_change_and_open():
    checkpoint = Checkpoint("log.example/acme", SIZE, ROOT)
    signed, cosigned = GOLDEN["signed"].encode(), GOLDEN["cosigned"].encode()
    assert sign_checkpoint(checkpoint, [_key("log"), _key("next")]) == signed
    note = read_note(signed)
    added = cosignature.sign(note.text, _key("witness"), GOLDEN["cosigned_at"])
    assert with_signatures(note, [added]).written() == cosigned
    for name in ("log", "next"):
        assert open_checkpoint(cosigned, [_key(name).verifying]) == checkpoint
    assert cosignature.verify(read_note(cosigned), [_key("witness").verifying]) == (
        (_key("witness").verifying, GOLDEN["cosigned_at"]),
    )


def test_the_golden_proof_never_changes_and_proves_its_entry_under_the_golden_policy():
    trusted = TrustPolicy.parse(GOLDEN["tlog_policy"].encode())
    proof = TlogProof.parse(GOLDEN["tlog_proof"].encode())
    assert proof.written() == GOLDEN["tlog_proof"].encode()
    checkpoint, cosigned = proof.verify(leaf_hash(ENTRIES[proof.index]), trusted)
    assert (checkpoint.size, checkpoint.root, len(cosigned), proof.extra) == (SIZE, ROOT, 1, b"extra")
