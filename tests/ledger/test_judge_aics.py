"""A second judge, in Python: aics-tlog, where it is installed (it needs Python 3.12)."""

from __future__ import annotations

import random

import pytest
from trees import leaves, stored

from lifecycle.ledger import cosignature
from lifecycle.ledger.checkpoint import Checkpoint, sign_checkpoint
from lifecycle.ledger.note import COSIGNATURE, SigningKey, read_note, with_signatures
from lifecycle.ledger.tiles import entries_path, entry_bundle, tile_path
from lifecycle.ledger.tree import consistency_from, inclusion_from, root_from

MISSING = "aics-tlog judge missing: pip install aics-tlog, on Python 3.12"
checkpoint, note, tiles, tree = (
    pytest.importorskip(f"aics_tlog.{module}", reason=MISSING) for module in ("checkpoint", "note", "tiles", "tree")
)

LOG = SigningKey.from_seed("log.example/acme", bytes(range(32)))
WITNESS = SigningKey.from_seed("witness.example/w1", b"w" * 32, COSIGNATURE)


def test_it_accepts_our_cosigned_checkpoint_and_no_other():
    said = read_note(sign_checkpoint(Checkpoint(LOG.name, 7, b"r" * 32), [LOG]))
    data = with_signatures(said, [cosignature.sign(said.text, WITNESS, 1_679_315_147)]).written()
    for changed, accepted in ((data, True), (data.replace(b"\n7\n", b"\n8\n"), False), (said.written(), False)):
        keys = [note.parse_vkey(key.vkey) for key in (LOG, WITNESS)]
        verdict = checkpoint.verify_checkpoint(note.parse_note(changed), keys[0], keys[1:], 1)
        assert verdict.ok is accepted, verdict


def test_it_accepts_our_proofs_and_no_others():
    noise, hashes = random.Random(1), stored(66_000)
    for size in (1, 2, 7, 255, 256, 257, 4100, *(noise.randrange(1, 4100) for _ in range(200))):
        index, old, top = noise.randrange(size), noise.randrange(1, size + 1), root_from(size, hashes)
        path, leaf = inclusion_from(index, size, hashes), leaves(66_000)[index]
        assert tree.verify_inclusion(leaf, index, size, path, top)
        assert not tree.verify_inclusion(leaf, index, size, [*path, leaf], top)
        proof, before = consistency_from(old, size, hashes), root_from(old, hashes)
        assert tree.verify_consistency(old, size, before, top, proof)
        assert not tree.verify_consistency(old, size, before, top, [*proof, leaf])


def test_it_names_and_reads_our_tiles_and_bundles():
    entries = [b"", b"a", b"\x03" + b"x" * 65_534]
    assert tiles.parse_entry_bundle(entry_bundle(entries)) == entries
    for index in (0, 999, 1000, 1_234_067):
        assert tiles.tile_path(3, index) == tile_path(3, index)
        assert tiles.tile_path(3, index, 17) == tile_path(3, index, 17)
        assert tiles.entry_bundle_path(index, 17) == entries_path(index, 17)
