"""What we write, others' programs accept; what they write, we accept; what either refuses, so does the other."""

from __future__ import annotations

import random
import subprocess
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import judges
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import RFC_6962_LEAVES, AllAlike, leaves, stored

from lifecycle.errors import LifecycleError
from lifecycle.ledger import cosignature
from lifecycle.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from lifecycle.ledger.note import (
    COSIGNATURE,
    Note,
    Signature,
    SigningKey,
    VerifyingKey,
    is_key_name,
    read_note,
    sign,
    verify,
    with_signatures,
)
from lifecycle.ledger.tiles import Tile, TileHashes, tile_bytes, tile_path, tiles_of
from lifecycle.ledger.tree import (
    BadProof,
    consistency_from,
    inclusion_from,
    leaf_hash,
    root_from,
    root_of_inclusion,
    verify_consistency,
)

LOG = SigningKey.from_seed("log.example/acme", bytes(range(32)))
WITNESS = SigningKey.from_seed("witness.example/w1", b"w" * 32, COSIGNATURE)
KEYS = [LOG, SigningKey.from_seed("log.example/acme", b"n" * 32), SigningKey.from_seed("é.example", b"e" * 32)]
flat = AllAlike(leaf_hash(b"one"))
huge = st.integers(1, 2**62 - 1) | st.builds(lambda k, d: 256**k + d, st.integers(1, 7), st.integers(-3, 3))
texts = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=0x20) | st.just("\n"), max_size=60).map(
    lambda t: t + "\n"
)
many = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 255, 256, 257, 4100])
def test_go_finds_the_same_root(go, size):
    said = go.ask("root", Leaves=leaves(66_000)[:size])
    assert judges.b64decode(said["Root"]) == root_from(size, stored(66_000))


def test_go_finds_rfc_6962_s_roots(go):
    known = [leaf_hash(entry) for entry in RFC_6962_LEAVES]
    assert judges.b64decode(go.ask("root", Leaves=known)["Root"]).hex().startswith("5dc9da79a70659a9")


@given(size=st.integers(1, 400), data=st.data())
@settings(max_examples=40, deadline=None)
def test_go_makes_the_proofs_that_we_make(go, size, data):
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    held = leaves(66_000)[:size]
    assert go.hashes("prove-inclusion", Leaves=held, Index=index)[::1] == inclusion_from(index, size, stored(66_000))
    assert go.hashes("prove-consistency", Leaves=held, Old=old) == consistency_from(old, size, stored(66_000))


@given(size=huge, data=st.data())
@many
def test_go_and_we_accept_each_other_s_proofs_in_trees_of_any_size(go, size, data):
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    top, before = root_from(size, flat), root_from(old, flat)
    assert judges.b64decode(go.ask("root", Same=flat.subtree[0], Size=size)["Root"]) == top
    assert go.agrees(
        "inclusion", Proof=inclusion_from(index, size, flat), Size=size, Index=index, Root=top, Leaf=flat.subtree[0]
    )
    assert go.agrees(
        "consistency", Proof=consistency_from(old, size, flat), Size=size, Old=old, Root=top, OldRoot=before
    )
    theirs = go.hashes("prove-inclusion", Same=flat.subtree[0], Size=size, Index=index)
    assert root_of_inclusion(flat.subtree[0], index, size, theirs) == top
    verify_consistency(old, size, before, top, go.hashes("prove-consistency", Same=flat.subtree[0], Size=size, Old=old))


def _changed(proof, noise):
    at = noise.randrange(len(proof) + 1)
    yield [*proof[:at], noise.randbytes(32), *proof[at:]]
    if proof:
        at = noise.randrange(len(proof))
        yield proof[:at] + proof[at + 1 :]
        yield [*proof[:at], noise.randbytes(32), *proof[at + 1 :]]
        yield [*proof[:at], proof[at][:31], *proof[at + 1 :]]


@given(size=st.integers(1, 300), seed=st.integers(0, 2**32))
@many
def test_go_and_we_refuse_the_same_proofs_of_inclusion(go, size, seed):
    noise, hashes = random.Random(seed), stored(66_000)
    index, top = noise.randrange(size), root_from(size, stored(66_000))
    proof, leaf = inclusion_from(index, size, hashes), leaves(66_000)[index]
    cases = [(changed, index, size, leaf, top) for changed in [proof, *_changed(proof, noise)]]
    cases += [(proof, index + d, size + e, leaf, top) for d in (-1, 0, 1) for e in (-1, 0, 1)]
    cases += [(proof, index, size, noise.randbytes(32), top), (proof, index, size, leaf, noise.randbytes(32))]
    verdicts = [_includes(*case) for case in cases]
    assert [go.agrees("inclusion", Proof=p, Index=i, Size=n, Leaf=h, Root=r) for p, i, n, h, r in cases] == verdicts
    assert verdicts[0]
    assert not all(verdicts)


def _includes(proof, index, size, leaf, top):
    with suppress(BadProof):
        return root_of_inclusion(leaf, index, size, proof) == top
    return False


@given(size=st.integers(1, 300), seed=st.integers(0, 2**32))
@many
def test_go_and_we_refuse_the_same_proofs_of_consistency(go, size, seed):
    noise, hashes = random.Random(seed), stored(66_000)
    old = noise.randrange(1, size + 1)
    before, top = root_from(old, hashes), root_from(size, hashes)
    proof = consistency_from(old, size, hashes)
    cases = [(changed, old, size, before, top) for changed in [proof, *_changed(proof, noise)]]
    cases += [(proof, old + d, size + e, before, top) for d in (-1, 0, 1) for e in (-1, 0, 1) if old + d > 0]
    cases += [(proof, old, size, noise.randbytes(32), top), (proof, old, size, before, noise.randbytes(32))]
    verdicts = [_consistent(*case) for case in cases]
    assert [go.agrees("consistency", Proof=p, Old=o, Size=n, OldRoot=b, Root=r) for p, o, n, b, r in cases] == verdicts
    assert verdicts[0]
    assert not all(verdicts)


def _consistent(proof, old, size, before, top):
    with suppress(BadProof):
        verify_consistency(old, size, before, top, proof)
        return True
    return False


@given(level=st.integers(0, 63), index=st.integers(0, 2**50), width=st.integers(1, 256))
@many
def test_go_names_tiles_as_we_do(go, level, index, width):
    assert go.ask("tile-path", Level=level, Index=index, Width=width)["Paths"] == [tile_path(level, index, width)]
    assert go.agrees("parse-path", Path=tile_path(level, index, width), Level=level, Index=index, Width=width)


@given(old=st.integers(0, 70_000) | st.integers(0, 2**40), more=st.integers(0, 2000))
@many
def test_go_writes_the_tiles_that_we_write(go, old, more):
    """Go also lists each width between: C2SP asks only for those of sizes with a checkpoint, so the widest."""
    ours = [tile.path for tile in tiles_of(old, old + more)]
    theirs = go.ask("new-tiles", Old=old, Size=old + more).get("Paths", [])
    widest = {path.partition(".p/")[0]: path for path in theirs}  # in order of width
    unchanged = {path for path in widest.values() if path not in ours}
    assert set(ours) <= set(widest.values())
    before = {tile_path(level, (old >> 8 * level) // 256, (old >> 8 * level) % 256 or 256) for level in range(8)}
    assert unchanged <= before, "what we do not write again was written with the older tree"


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 4100, 65_536, 65_793])
def test_go_makes_our_proofs_from_our_tiles(go, size):
    held = {tile.path: _cut(tile) for tile in tiles_of(0, size)}
    top = root_from(size, TileHashes(size, _cut))
    for index in {0, size // 2, size - 1}:
        theirs = go.hashes("from-tiles", Tiles=held, Size=size, Root=top, Index=index)
        assert theirs == inclusion_from(index, size, TileHashes(size, _cut))
    if size > 1:  # the proof for a single leaf is empty, and read from no tile
        assert not go.agrees("from-tiles", Tiles=held, Size=size, Root=b"x" * 32, Index=0)


def _cut(tile: Tile) -> bytes:
    start = tile.index * 256
    return tile_bytes(stored(66_000).levels[tile.level][start : start + tile.width])


@given(text=texts, some=st.lists(st.sampled_from(KEYS), min_size=1, unique=True))
@many
def test_go_opens_our_notes_and_we_open_go_s(go, text, some):
    said = go.ask("open", Note=sign(text, some), Keys=[key.vkey for key in some])
    assert said["OK"], said
    assert judges.b64decode(said["Text"]).decode() == text
    assert said["Signed"] == [key.name for key in some]
    theirs = judges.b64decode(go.ask("sign", Text=text.encode(), Keys=[key.secret() for key in some])["Note"])
    assert theirs == sign(text, some)
    assert verify(read_note(theirs), [key.verifying for key in some])


@given(text=texts, at=st.integers(0, 10_000), change=st.integers(0, 255), more=st.binary(max_size=3))
@settings(max_examples=150, deadline=None)
def test_a_note_that_go_refuses_we_refuse(go, text, at, change, more):
    """We are stricter in base64 alone: Go passes over loose bits and repeated signatures."""
    data = bytearray(sign(text, KEYS[:2]))
    at %= len(data)
    data[at : at + 1] = bytes([data[at] ^ change]) + more
    said = go.agrees("open", Note=bytes(data), Keys=[key.vkey for key in KEYS[:2]])
    if said != _opens(bytes(data)):
        assert said, "Go refuses what we accept"
        assert at > len(text.encode()), "the difference is in a signature, not in the text"


def _opens(data):
    with suppress(LifecycleError):
        return bool(verify(read_note(data), [key.verifying for key in KEYS[:2]]))
    return False


@given(name=st.text(max_size=6) | st.text(" +\u00a0\u0085\u2028\u3000\u200bé", max_size=3))
@settings(max_examples=150, deadline=None)
def test_go_takes_the_key_names_that_we_take(go, name):
    ours = is_key_name(name)
    public = LOG.verifying.public
    key_id = _key_id(name, public)
    said = go.agrees("key", Keys=[f"{name}+{key_id}+{judges.b64encode(bytes([1]) + public).decode()}"])
    assert said == ours or any(char < " " for char in name), "control characters cannot stand in a note"


def _key_id(name: str, public: bytes) -> str:
    return sha256(name.encode("utf-8", "surrogatepass") + b"\n\x01" + public).hexdigest()[:8]


@given(size=st.integers(0, 2**63 - 1), root=st.binary(min_size=32, max_size=32))
@many
def test_go_reads_our_checkpoints(go, size, root):
    checkpoint = Checkpoint(LOG.name, size, root)
    said = go.ask("open", Note=sign_checkpoint(checkpoint, [LOG]), Keys=[LOG.vkey])
    read = go.ask("checkpoint", Text=judges.b64decode(said["Text"]))
    assert (read.get("Size", 0), judges.b64decode(read["Root"])) == (size, root)


ROOT = judges.b64encode(b"r" * 32).decode()


@pytest.mark.parametrize("text", [
    "", "o\n", f"\n1\n{ROOT}\n", f"o\n01\n{ROOT}\n", f"o\n-1\n{ROOT}\n", f"o\n+1\n{ROOT}\n", f"o\n{2**63}\n{ROOT}\n", f"o\n1\n{ROOT}",
    f"o\n1\n{ROOT[4:]}\n", f"o\n 1\n{ROOT}\n", "o\n1\nno\n",
])  # fmt: skip
def test_a_checkpoint_that_go_refuses_we_refuse(go, text):
    assert not go.agrees("checkpoint", Text=text.encode())
    with pytest.raises(LifecycleError):
        Checkpoint.parse(text, extensions=True)


def test_go_opens_our_cosigned_checkpoint_and_neither_takes_a_false_one(go):
    checkpoint = Checkpoint(LOG.name, 7, b"r" * 32)
    note = read_note(sign_checkpoint(checkpoint, [LOG]))
    cosigned = with_signatures(note, [cosignature.sign(note.text, WITNESS, 1_679_315_147)])
    false = Note(note.text, (*note.signatures, Signature(WITNESS.name, WITNESS.verifying.key_id, b"\x00" * 72)))
    cosigner = {
        "Name": WITNESS.name,
        "ID": int.from_bytes(WITNESS.verifying.key_id, "big"),
        "Public": WITNESS.verifying.public,
    }
    said = go.ask("open", Note=cosigned.written(), Keys=[LOG.vkey], Cosigners=[cosigner])
    assert said["Signed"] == [LOG.name, WITNESS.name]
    assert not go.agrees("open", Note=false.written(), Keys=[LOG.vkey], Cosigners=[cosigner])
    with pytest.raises(LifecycleError):
        cosignature.verify(false, [WITNESS.verifying])


def test_openssl_verifies_the_signature_of_a_checkpoint(tmp_path):
    command = judges.openssl()
    note = read_note(sign_checkpoint(Checkpoint(LOG.name, 7, b"r" * 32), [LOG]))
    text, value = note.text.encode(), note.signatures[0].value
    assert _openssl_verifies(command, tmp_path, LOG.verifying, text, value)
    assert not _openssl_verifies(command, tmp_path, LOG.verifying, text.replace(b"7", b"8"), value)
    assert not _openssl_verifies(command, tmp_path, KEYS[1].verifying, text, value)


def test_openssl_verifies_a_cosignature(tmp_path):
    command = judges.openssl()
    text = Checkpoint(LOG.name, 7, b"r" * 32).text()
    value = cosignature.sign(text, WITNESS, 1_679_315_147).value
    message = b"cosignature/v1\ntime 1679315147\n" + text.encode()
    assert _openssl_verifies(command, tmp_path, WITNESS.verifying, message, value[8:])
    assert not _openssl_verifies(command, tmp_path, WITNESS.verifying, text.encode(), value[8:])


def _openssl_verifies(command: str, folder: Path, key: VerifyingKey, message: bytes, signature: bytes) -> bool:
    public = Ed25519PublicKey.from_public_bytes(key.public)
    (folder / "key").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (folder / "message").write_bytes(message)
    (folder / "signature").write_bytes(signature)
    done = subprocess.run(
        [command, "pkeyutl", "-verify", "-pubin", "-inkey", "key", "-rawin", "-in", "message", "-sigfile", "signature"],
        cwd=folder, capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode == 0


def test_openssl_signs_a_checkpoint_that_we_open(tmp_path):
    command = judges.openssl()
    subprocess.run(
        [command, "genpkey", "-algorithm", "ed25519", "-out", "private"], cwd=tmp_path, check=True, capture_output=True
    )
    der = subprocess.run(
        [command, "pkey", "-in", "private", "-pubout", "-outform", "DER"], cwd=tmp_path, check=True, capture_output=True
    ).stdout
    key = VerifyingKey(LOG.name, 1, der[-32:])
    checkpoint = Checkpoint(LOG.name, 7, b"r" * 32)
    (tmp_path / "text").write_bytes(checkpoint.text().encode())
    signing = [command, "pkeyutl", "-sign", "-inkey", "private", "-rawin", "-in", "text"]
    value = subprocess.run(signing, cwd=tmp_path, check=True, capture_output=True).stdout
    note = Note(checkpoint.text(), (Signature(key.name, key.key_id, value),))
    assert open_checkpoint(note.written(), [key]) == checkpoint
