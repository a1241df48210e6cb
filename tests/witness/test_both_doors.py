"""c2sp.org/tlog-witness, "add-checkpoint", answered alike over HTTP and through a folder."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest
from growing_log import LOG_KEY, ORIGIN, GrowingLog

from lifecycle.ledger import cosignature
from lifecycle.ledger.add_checkpoint import SIZE_TYPE, AddCheckpoint, origin_hash
from lifecycle.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from lifecycle.ledger.note import Note, SigningKey, read_note, read_signatures, with_signatures
from lifecycle.ledger.tree import EMPTY


def cosigned(witness, note, answer):
    """The note with the answer's cosignatures, each verified."""
    assert answer.status == 200, answer
    whole = with_signatures(read_note(note), read_signatures(answer.body.decode()))
    assert len(cosignature.verify(whole, [witness.key().verifying])) == len(answer.body.splitlines()) == 1
    return whole.written()


def held(witness):
    data = witness.published(origin_hash(ORIGIN))
    return Checkpoint.parse(read_note(data).text) if data else None


def evidence(witness):
    return [json.loads(path.read_text("utf-8")) for path in sorted(witness.evidence.iterdir())]


def test_a_log_is_cosigned_from_its_first_checkpoint_on(door, witness, log):
    for old, size in [(0, 3), (3, 4), (4, 17), (17, 20)]:
        note = cosigned(witness, log.note(size), door.add(log.request(old, size)).answer)
        assert witness.published(origin_hash(ORIGIN)) == note
    assert evidence(witness) == []


def test_the_same_checkpoint_is_cosigned_again_with_a_newer_time(door, witness, log):
    first, again = door.add(log.request(0)), door.add(log.request(20))
    times = [
        cosignature.verify(
            Note(log.checkpoint().text(), read_signatures(said.answer.body.decode())), [witness.key().verifying]
        )[0].at
        for said in (first, again)
    ]
    assert times[0] < times[1]


def test_what_is_remembered_has_the_log_s_signature_the_witness_s_and_no_stranger_s(door, witness, log):
    stranger = SigningKey.generate("stranger.example")
    note = read_note(log.note())
    body = AddCheckpoint(0, (), with_signatures(note, [stranger.signature(note.text.encode())]).written()).written()
    assert door.add(body).answer.status == 200
    names = [each.name for each in read_note(witness.published(origin_hash(ORIGIN))).signatures]
    assert names == [ORIGIN, "witness.example/w1"]


@pytest.mark.parametrize("old", [0, 3, 15, 19])
def test_another_old_size_is_answered_with_the_size_that_was_cosigned_last(door, witness, log, old):
    door.add(log.request(0, 16))
    said = door.add(log.request(old, 20))
    assert said.answer == (409, b"16\n")
    assert said.media_type in (None, SIZE_TYPE)
    assert held(witness).size == 16
    assert evidence(witness) == []


def test_who_does_not_know_may_ask_with_old_size_zero(door, log):
    assert door.add(log.request(7, 9)).answer == (409, b"0\n")


def test_another_root_for_the_same_size_is_refused_and_kept_as_evidence(door, witness, log):
    door.add(log.request(0))
    fork = log.forked(12)
    assert door.add(fork.request(20)).answer.status == 422
    assert held(witness) == log.checkpoint()
    [piece] = evidence(witness)
    assert (piece["kind"], piece["sizes"]) == ("fork/1", [20, 20])
    shown = {open_checkpoint(piece[side].encode(), [LOG_KEY.verifying]).root for side in ("held", "shown")}
    assert shown == {log.checkpoint().root, fork.checkpoint().root}


def test_a_fork_that_hides_behind_a_wrong_old_size_is_a_conflict_and_evidence_all_the_same(door, witness, log):
    door.add(log.request(0))
    assert door.add(log.forked(12).request(0)).answer == (409, b"20\n")
    assert [piece["kind"] for piece in evidence(witness)] == ["fork/1"]


def test_a_tree_that_grew_from_another_history_is_refused_and_kept_as_evidence(door, witness, log):
    door.add(log.request(0))
    fork = log.forked(12).grow(33)
    assert door.add(fork.request(20)).answer.status == 422
    assert held(witness) == log.checkpoint()
    assert [(piece["kind"], piece["sizes"]) for piece in evidence(witness)] == [("unproven/1", [20, 33])]


@pytest.mark.parametrize("proof", [[], [b"x" * 32], [b"x" * 32] * 63])
def test_a_proof_that_proves_nothing_is_refused(door, witness, log, proof):
    door.add(log.request(0, 11))
    assert door.add(AddCheckpoint(11, tuple(proof), log.note()).written()).answer.status == 422
    assert held(witness).size == 11


@pytest.mark.parametrize("old", [0, 20])
def test_a_proof_where_none_is_due_is_refused(door, witness, log, old):
    if old:
        door.add(log.request(0))
    assert door.add(AddCheckpoint(old, (b"x" * 32,), log.note()).written()).answer.status == 422


def test_a_smaller_tree_is_refused_and_kept_for_the_auditor_to_look_at(door, witness, log):
    door.add(log.request(0))
    assert door.add(log.request(20, 20)).answer.status == 200
    assert door.add(log.request(20, 15)).answer.status == 400
    assert door.add(log.request(15, 15)).answer == (409, b"20\n")
    assert door.add(log.forked(2).request(0, 15)).answer == (409, b"20\n")
    assert [piece["kind"] for piece in evidence(witness)] == ["rollback/1"] * 2
    assert held(witness) == log.checkpoint()


def test_the_same_contradiction_is_kept_once(door, witness, log):
    door.add(log.request(0))
    fork = log.forked(12)
    for _ in range(3):
        assert door.add(fork.request(20)).answer.status == 422
        assert door.add(log.request(20)).answer.status == 200
    assert len(evidence(witness)) == 1


def test_a_checkpoint_that_a_stranger_signed_is_forbidden(door, witness, log):
    impostor = GrowingLog(key=SigningKey.generate(ORIGIN)).grow(20)
    assert door.add(impostor.request(0)).answer.status == 403
    assert held(witness) is None


def test_a_signature_that_names_a_known_key_and_does_not_verify_is_forbidden(door, witness, log):
    note = read_note(log.note())
    [good] = note.signatures
    for value in (bytes(64), good.value[:-1], good.value + b"x"):
        bad = Note(note.text, (good._replace(value=value), good))
        assert door.add(AddCheckpoint(0, (), bad.written()).written()).answer.status == 403
    assert held(witness) is None


def test_a_log_that_the_witness_was_not_told_of_is_not_found(door, witness):
    other = GrowingLog(key=SigningKey.generate("lifecycle.example/other")).grow(3)
    assert door.add(other.request(0)).answer.status == 404
    witness.add_log(other.key.vkey)
    assert door.add(other.request(0)).answer.status == 200


def test_both_keys_of_a_log_that_replaces_its_key_count(door, witness, log):
    new = SigningKey.generate(ORIGIN)
    note = log.note(keys=[new])
    assert door.add(AddCheckpoint(0, (), note).written()).answer.status == 403
    witness.add_log(new.vkey)
    assert door.add(AddCheckpoint(0, (), note).written()).answer.status == 200
    assert door.add(log.request(20)).answer.status == 200


def test_an_empty_tree_has_the_empty_root(door, log):
    lie = sign_checkpoint(Checkpoint(ORIGIN, 0, b"x" * 32), [LOG_KEY])
    assert door.add(AddCheckpoint(0, (), lie).written()).answer.status == 422
    truth = sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY), [LOG_KEY])
    assert door.add(AddCheckpoint(0, (), truth).written()).answer.status == 200
    assert door.add(log.request(0)).answer.status == 200


def changed(log, *pairs):
    body = log.request(11, 20)
    for was, becomes in pairs:
        assert was in body
        body = body.replace(was, becomes, 1)
    return body


@pytest.mark.parametrize(
    "garbage",
    [
        lambda log: b"",
        lambda log: b"\n\n",
        lambda log: b"\xff" * 500,
        lambda log: log.note(),
        lambda log: changed(log, (b"old 11", b"old 011")),
        lambda log: changed(log, (b"old 11", b"old -1")),
        lambda log: changed(log, (b"old 11", b"old  11")),
        lambda log: changed(log, (b"old 11", b"Old 11")),
        lambda log: changed(log, (b"old 11", b"old 9223372036854775808")),
        lambda log: changed(log, (b"old 11\n", b"old 11\r\n")),
        lambda log: changed(log, (b"old 11\n", b"old 11\nAAAA\n")),
        lambda log: changed(log, (b"old 11\n", b"old 11\n" + b64encode(bytes(31)) + b"\n")),
        lambda log: changed(log, (b"\n20\n", b"\n020\n")),
        lambda log: changed(log, (b"\n20\n", b"\n\n")),
        lambda log: log.request(11, 20)[:-1],
        lambda log: AddCheckpoint(11, (b"x" * 32,) * 64, log.note()).written(),
    ],
)
def test_what_is_no_request_is_a_bad_request_and_changes_nothing(door, witness, log, garbage):
    door.add(log.request(0, 11))
    assert door.add(garbage(log)).answer.status == 400
    assert held(witness).size == 11


def test_a_request_without_end_is_not_read(door, log):
    assert door.add(log.request(0) + b"x" * 300_000).answer.status == 413


def test_extension_lines_are_cosigned_with_the_rest(door, witness, log):
    told = Checkpoint(ORIGIN, 20, log.checkpoint().root, ("an extension",))
    note = sign_checkpoint(told, [LOG_KEY])
    cosigned(witness, note, door.add(AddCheckpoint(0, (), note).written()).answer)


def test_a_no_says_why_in_words_without_a_path_of_the_witness_s_machine(door, witness, log):
    door.add(log.request(0))
    said = door.add(log.forked(3).request(20)).answer.body.decode()
    assert said.endswith(".\n")
    assert str(witness.folder) not in said
