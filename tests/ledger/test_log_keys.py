"""The log's key is replaced with an overlap, in which whoever knows one of the two keys believes the log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from appends import MONDAY, Person
from published import ORIGIN, Log

from lifecycle.ledger.checkpoint import open_checkpoint
from lifecycle.ledger.key_rotation import KeysInTransition, NoNewerKey, add_key, retire_key, system_entries
from lifecycle.ledger.log_keys import LogKeyDamaged, LogKeys
from lifecycle.ledger.note import BadSignature, VerifyingKey, read_note
from lifecycle.storage.database import Database


@pytest.fixture
def log(database: Database, tmp_path: Path) -> Log:
    log = Log(database, tmp_path).begin()
    log.live(Person())
    log.publish()
    return log


def signers(log: Log) -> int:
    note = log.folder.read("checkpoint")
    assert note is not None
    return len(read_note(note).signatures)


def believes(log: Log, vkey: str) -> bool:
    note = log.folder.read("checkpoint")
    assert note is not None
    try:
        return open_checkpoint(note, [VerifyingKey.parse(vkey)]).origin == ORIGIN
    except BadSignature:
        return False


def said(log: Log) -> list[tuple[str, str]]:
    with log.database.read() as c:
        records = [json.loads(entry[1:]) for entry in system_entries(c)]
    return [(record["kind"], record["vkey"]) for record in records if "vkey" in record]


def test_while_two_keys_overlap_both_sign_and_then_the_new_one_alone(log: Log):
    old = log.keys.signing(ORIGIN)[0].vkey
    new = add_key(log.database, log.keys, ORIGIN, MONDAY)
    log.sequence()
    log.assert_published(log.publish())
    assert signers(log) == 2
    assert believes(log, old)
    assert believes(log, new)
    assert log.folder.read("log.vkey") == f"{old}\n{new}\n".encode()

    assert retire_key(log.database, log.keys, ORIGIN, log.publisher, MONDAY) == old
    assert signers(log) == 2  # the checkpoint that says so is still signed by both
    assert said(log) == [("log-key-added/1", new), ("log-key-retired/1", old)]
    log.live(Person())
    log.assert_published(log.publish())
    assert signers(log) == 1
    assert not believes(log, old)
    assert believes(log, new)
    assert log.folder.read("log.vkey") == f"{new}\n".encode()


def test_a_third_key_has_to_wait(log: Log):
    add_key(log.database, log.keys, ORIGIN, MONDAY)
    with pytest.raises(KeysInTransition, match="at most two"):
        add_key(log.database, log.keys, ORIGIN, MONDAY)


def test_the_only_key_cannot_be_retired(log: Log):
    with pytest.raises(NoNewerKey, match="add a key first"):
        retire_key(log.database, log.keys, ORIGIN, log.publisher, MONDAY)
    assert len(log.keys.signing(ORIGIN)) == 1


def test_a_key_that_was_made_before_a_crash_is_taken_up_and_said_once(log: Log):
    log.keys.add(ORIGIN)
    made = log.keys.signing(ORIGIN)[-1].vkey
    assert add_key(log.database, log.keys, ORIGIN, MONDAY) == made
    log.sequence()
    with pytest.raises(KeysInTransition):  # positioned, and not yet published
        add_key(log.database, log.keys, ORIGIN, MONDAY)
    assert said(log) == [("log-key-added/1", made)]


def test_a_retirement_that_was_interrupted_is_gone_on_with(log: Log, monkeypatch: pytest.MonkeyPatch):
    add_key(log.database, log.keys, ORIGIN, MONDAY)
    old = log.keys.signing(ORIGIN)[0].vkey
    drop = LogKeys.drop_oldest
    monkeypatch.setattr(LogKeys, "drop_oldest", _die)
    with pytest.raises(KeyboardInterrupt):
        retire_key(log.database, log.keys, ORIGIN, log.publisher, MONDAY)
    monkeypatch.setattr(LogKeys, "drop_oldest", drop)
    assert retire_key(log.database, log.keys, ORIGIN, log.publisher, MONDAY) == old
    assert [kind for kind, _ in said(log)] == ["log-key-added/1", "log-key-retired/1"]


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_key_that_is_there_is_not_replaced(log: Log):
    before = log.keys.signing(ORIGIN)
    log.keys.create(ORIGIN)
    assert log.keys.signing(ORIGIN) == before


@pytest.mark.parametrize("content", [b"", b"PRIVATE+KEY+x\n", b"\xff\xfe", b"\n"])
def test_a_damaged_file_of_keys_is_told_without_its_content(log: Log, content: bytes):
    log.keys.path.write_bytes(content)
    with pytest.raises(LogKeyDamaged, match=r"log\.key is damaged") as told:
        log.keys.signing(ORIGIN)
    assert "PRIVATE" not in str(told.value)
