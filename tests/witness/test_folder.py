"""What an auditor sets up: a key of the witness's own, and the logs that it is told of."""

from __future__ import annotations

import os

import pytest
from growing_log import LOG_KEY, ORIGIN, GrowingLog

from lifecycle.errors import LifecycleError
from lifecycle.ledger.genesis import MalformedGenesis, SimulatedLog
from lifecycle.ledger.note import COSIGNATURE, BadSignature, MalformedKey, SigningKey
from lifecycle.ledger.tlog_proof import MalformedTlogProof, TlogProof
from lifecycle.ledger.tree import inclusion_proof
from lifecycle.witness.folder import WitnessExists, WitnessFolder, WitnessUnavailable


@pytest.fixture
def fresh(tmp_path):
    its = WitnessFolder(tmp_path / "fresh")
    its.create("witness.example/w2")
    return its


def test_a_witness_has_a_key_for_cosignatures_that_only_its_owner_reads(tmp_path):
    its = WitnessFolder(tmp_path / "new")
    key = its.create("witness.example/w1")
    assert (key.kind, key.name) == (COSIGNATURE, "witness.example/w1")
    assert its.key().verifying == key
    assert (tmp_path / "new" / "witness.key").stat().st_mode & 0o777 == 0o600


def test_a_witness_is_never_made_over_another(fresh):
    before = fresh.key()
    with pytest.raises(WitnessExists):
        fresh.create("witness.example/w3")
    assert fresh.key() == before


def test_a_key_that_others_can_read_is_not_used(fresh):
    os.chmod(fresh.folder / "witness.key", 0o644)
    with pytest.raises(WitnessUnavailable, match="chmod 600"):
        fresh.key()


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"PRIVATE+KEY+a+00000000+AAAA", SigningKey.generate("a").secret().encode()],
    ids=["empty", "binary", "wrong-id", "log-key"],
)
def test_a_damaged_key_or_one_of_another_kind_is_told(fresh, content):
    (fresh.folder / "witness.key").write_bytes(content)
    with pytest.raises(WitnessUnavailable):
        fresh.key()


def test_where_no_witness_was_made_it_is_said_how_to_make_one(tmp_path):
    with pytest.raises(WitnessUnavailable, match="witness init"):
        WitnessFolder(tmp_path).key()


def test_the_secret_stands_in_no_repr(fresh):
    secret = fresh.key().secret().rsplit("+", 1)[1]
    assert secret not in repr(fresh.key()) + repr(fresh)


def test_a_log_is_told_once_and_both_of_its_keys_are_known(fresh):
    new = SigningKey.generate(ORIGIN)
    for vkey in (LOG_KEY.vkey, LOG_KEY.vkey, new.vkey):
        fresh.add_log(vkey)
    assert fresh.log_keys() == {ORIGIN: [LOG_KEY.verifying, new.verifying]}


def test_logs_may_also_be_written_by_hand(fresh):
    path = fresh.folder / "logs"
    path.write_text(f"{path.read_text()}\n# ours\nlog {LOG_KEY.vkey} https://log.example/\n")
    assert fresh.log_keys() == {ORIGIN: [LOG_KEY.verifying]}


@pytest.mark.parametrize("line", ["log", "log nonsense\n", f"log {LOG_KEY.vkey}", "quorum none\n"])
def test_a_faulty_line_is_told_rather_than_overread(fresh, line):
    path = fresh.folder / "logs"
    path.write_text(path.read_text() + line)
    with pytest.raises(WitnessUnavailable, match="logs"):
        fresh.log_keys()


@pytest.mark.parametrize(
    "vkey", ["", "nonsense", SigningKey.generate("a", COSIGNATURE).vkey], ids=["empty", "nonsense", "witness-key"]
)
def test_what_is_no_log_s_key_is_refused(fresh, vkey):
    with pytest.raises(MalformedKey):
        fresh.add_log(vkey)
    assert fresh.log_keys() == {}


def test_a_log_in_real_time_is_added_by_the_proof_of_its_first_entry(fresh, log):
    fresh.add_log(LOG_KEY.vkey, log.genesis_proof())
    assert list(fresh.log_keys()) == [ORIGIN]


def test_a_simulated_log_is_refused(fresh):
    with pytest.raises(SimulatedLog, match="simulated"):
        fresh.add_log(LOG_KEY.vkey, GrowingLog(simulated=True).grow(5).genesis_proof())
    assert fresh.log_keys() == {}


def test_a_simulated_log_cannot_be_added_by_another_entry_or_another_log_s_proof(fresh, log):
    simulated = GrowingLog(simulated=True)
    simulated.entries.append(log.entries[0])  # an entry that looks like a genesis entry, but is not leaf 0
    at_one = TlogProof(1, tuple(inclusion_proof(1, simulated.hashes)), simulated.note(), log.entries[0]).written()
    other = GrowingLog(key=SigningKey.generate("lifecycle.example/other")).grow(3)
    wrong_origin = GrowingLog(key=LOG_KEY)
    wrong_origin.entries = other.entries
    untrue = TlogProof(0, tuple(inclusion_proof(0, simulated.hashes)), simulated.note(), log.entries[0]).written()
    not_genesis = GrowingLog().grow(3)
    not_genesis.entries = not_genesis.entries[1:]
    faults: dict[bytes, type[LifecycleError]] = {
        at_one: BadSignature,
        other.genesis_proof(): BadSignature,
        wrong_origin.genesis_proof(): MalformedGenesis,
        untrue: LifecycleError,
        not_genesis.genesis_proof(): MalformedGenesis,
        b"garbage": MalformedTlogProof,
    }
    for proof, fault in faults.items():
        with pytest.raises(fault):
            fresh.add_log(LOG_KEY.vkey, proof)
    assert fresh.log_keys() == {}
