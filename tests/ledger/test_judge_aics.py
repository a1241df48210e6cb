"""A second judge, in Python: aics-tlog for the log, aics-witness for the witness, where they are (from Python 3.12 on)."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from growing_log import LOG_KEY, ORIGIN, GrowingLog
from trees import leaves, stored

from lifecycle.ledger import cosignature
from lifecycle.ledger.checkpoint import Checkpoint, sign_checkpoint
from lifecycle.ledger.note import COSIGNATURE, SigningKey, VerifyingKey, read_note, with_signatures
from lifecycle.ledger.tiles import entries_path, entry_bundle, tile_path
from lifecycle.ledger.tree import consistency_from, inclusion_from, root_from
from lifecycle.ledger.witness_doors import HttpDoor
from lifecycle.ledger.witnessing import WitnessAt, WitnessContradicts, ask_witnesses
from lifecycle.witness import http_door
from lifecycle.witness.folder import WitnessFolder

MISSING = "aics-tlog judge missing: pip install aics-tlog, on Python 3.12"
MISSING_WITNESS = "aics-witness judge missing: pip install aics-witness, on Python 3.12"
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


# -- the witness protocol, c2sp.org/tlog-witness, from both sides ----------------------------------------------------------


@pytest.fixture(scope="module")
def aics_witness() -> Any:
    """Their witness, and the client with which their logs ask one."""
    names = ("config", "feeder", "service", "store")
    found = [pytest.importorskip(f"aics_witness.{name}", reason=MISSING_WITNESS) for name in names]
    return SimpleNamespace(**dict(zip(names, found, strict=True)))


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def our_witness(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Its address and its vkey."""
    its = WitnessFolder(tmp_path / "witness")
    its.create("witness.example/ours")
    its.add_log(LOG_KEY.vkey)
    server = http_door.server(http_door.application(its.folder))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", its.key().vkey
        server.should_exit = True
        thread.join()


def test_its_client_gets_cosignatures_from_our_witness_that_it_believes(
    aics_witness: Any, our_witness: tuple[str, str]
) -> None:
    log, (address, vkey) = GrowingLog().grow(20), our_witness
    with aics_witness.feeder.WitnessClient(address, vkey, max_attempts=1) as client:
        for size in (7, 7, 20):
            cosigned = aics_witness.feeder.merge_cosignatures(log.note(size), client.submit(log.note(size), log.proof))
            keys = [note.parse_vkey(key) for key in (LOG_KEY.vkey, vkey)]
            assert checkpoint.verify_checkpoint(note.parse_note(cosigned), keys[0], keys[1:], 1).ok
    with aics_witness.feeder.WitnessClient(address, vkey, max_attempts=1) as forgetful:
        forgetful.submit(log.grow(33).note(), log.proof)  # is told 20, and asks again from there
        assert forgetful.max_cosigned(ORIGIN) == 33


def test_its_client_hears_our_witness_refuse_another_history(aics_witness: Any, our_witness: tuple[str, str]) -> None:
    log, (address, vkey) = GrowingLog().grow(20), our_witness
    other, feeder = log.forked(after=10), aics_witness.feeder
    with feeder.WitnessClient(address, vkey, max_attempts=1) as client:
        client.submit(log.note(), log.proof)
        for told in (other, other.grow(25)):
            with pytest.raises(feeder.WitnessRejected) as refusal:
                client.submit(told.note(), told.proof)
            assert refusal.value.status == 422
        with pytest.raises(feeder.WitnessAhead):
            client.submit(log.note(15), log.proof)


def test_its_witness_cosigns_our_log_and_no_other_history_of_it(aics_witness: Any, tmp_path: Path) -> None:
    log, key = GrowingLog().grow(20), Ed25519PrivateKey.generate()
    known = aics_witness.config.LogConfig.from_strings(ORIGIN, [LOG_KEY.vkey])
    with aics_witness.store.WitnessStore(tmp_path / "witness.sqlite", create=True) as store:
        theirs = aics_witness.service.Witness("witness.example/theirs", key, store, [known])
        server = aics_witness.service.make_server(theirs)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        asked = WitnessAt(VerifyingKey.parse(theirs.vkey_text), HttpDoor(server.url))
        try:
            for size in (7, 7, 20):
                assert _gained(log.grow(size), asked) == [ORIGIN, "witness.example/theirs"]
            with pytest.raises(WitnessContradicts):
                _gained(log.forked(after=10), asked)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _gained(log: GrowingLog, witness: WitnessAt) -> list[str]:
    size = len(log.entries)
    cosigned = ask_witnesses(log.note(), [witness], lambda old: log.proof(old, size), genesis=log.entries[0]).note
    return [each.name for each in read_note(cosigned).signatures]
