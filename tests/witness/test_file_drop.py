"""The door without a network: what else may lie in a folder that others write into."""

from __future__ import annotations

import os

import pytest
from growing_log import LOG_KEY

from lifecycle.ledger.add_checkpoint import Answer
from lifecycle.witness.file_drop import Answered, once, watch
from lifecycle.witness.folder import WitnessFolder, WitnessUnavailable


def drop(witness, name, body, age=0):
    path = witness.drop / name
    path.write_bytes(body)
    os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))
    return path


def test_a_request_is_answered_once(witness, log):
    request = drop(witness, "a.request", log.request(0))
    [answered] = once(witness.folder)
    assert answered.request == "a.request"
    assert once(witness.folder) == []
    assert Answer.parse((witness.drop / "a.answer").read_bytes(), request.read_bytes()) == answered.answer


def test_a_request_that_replaces_another_is_answered_anew(witness, log):
    drop(witness, "a.request", log.request(0, 10))
    once(witness.folder)
    newer = drop(witness, "a.request", log.request(10))
    [answered] = once(witness.folder)
    assert answered.answer.status == 200
    assert Answer.parse((witness.drop / "a.answer").read_bytes(), newer.read_bytes()) == answered.answer
    assert Answer.parse((witness.drop / "a.answer").read_bytes(), log.request(0, 10)) is None


def test_the_oldest_request_comes_first(witness, log):
    drop(witness, "a.request", log.request(7, 9), age=10)
    drop(witness, "b.request", log.request(0, 7), age=20)
    assert [(each.request, each.answer.status) for each in once(witness.folder)] == [
        ("b.request", 200),
        ("a.request", 200),
    ]


def test_an_answer_that_is_damaged_is_written_again(witness, log):
    drop(witness, "a.request", log.request(0))
    (witness.drop / "a.answer").write_bytes(b"garbage")
    assert [each.answer.status for each in once(witness.folder)] == [200]


def test_links_pipes_folders_and_strange_names_are_left_alone(witness, log, tmp_path):
    (tmp_path / "elsewhere").write_bytes(log.request(0))
    (witness.drop / "link.request").symlink_to(tmp_path / "elsewhere")
    (witness.drop / "dir.request").mkdir()
    os.mkfifo(witness.drop / "pipe.request")
    for name in ("request", ".request", "a.requests", "a b.request", "-.request", "a.answer"):
        (witness.drop / name).write_bytes(log.request(0))
    before = sorted(each.name for each in witness.drop.iterdir())
    assert once(witness.folder) == []
    assert sorted(each.name for each in witness.drop.iterdir()) == sorted({*before, ".lock"})


def test_an_answer_s_place_that_is_a_link_is_replaced_and_not_followed(witness, log, tmp_path):
    (tmp_path / "precious").write_bytes(b"precious")
    (witness.drop / "a.answer").symlink_to(tmp_path / "precious")
    drop(witness, "a.request", log.request(0))
    assert [each.answer.status for each in once(witness.folder)] == [200]
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_one_bad_request_does_not_stop_the_others(witness, log):
    drop(witness, "a.request", b"\xff" * 400_000, age=10)
    drop(witness, "b.request", log.request(0))
    assert [each.answer.status for each in once(witness.folder)] == [413, 200]


def test_the_folder_may_be_elsewhere(witness, log, tmp_path):
    place = tmp_path / "stick"
    assert once(witness.folder, place) == []
    (place / "a.request").write_bytes(log.request(0))
    assert [each.answer.status for each in once(witness.folder, place)] == [200]
    assert (place / "a.answer").exists()


def test_watching_answers_what_comes_until_it_is_told_to_stop(witness, log):
    told: list[Answered] = []
    coming = [log.request(0, 5), log.request(5, 9)]

    def pause() -> bool:
        if coming:
            drop(witness, "a.request", coming.pop(0))
            return True
        return False

    watch(witness.folder, pause, told.append)
    assert [each.answer.status for each in told] == [200, 200]


def test_without_a_witness_nothing_is_answered(tmp_path, log):
    its = WitnessFolder(tmp_path / "nobody")
    its.drop.mkdir(parents=True)
    (its.drop / "a.request").write_bytes(log.request(0))
    with pytest.raises(WitnessUnavailable):
        once(its.folder)
    assert [each.name for each in its.drop.iterdir()] == ["a.request"]


def test_a_witness_whose_list_of_logs_is_faulty_answers_nobody(witness, log):
    (witness.folder / "logs").write_text(f"log {LOG_KEY.vkey[:-4]}\n")
    drop(witness, "a.request", log.request(0))
    with pytest.raises(WitnessUnavailable):
        once(witness.folder)
    assert not (witness.drop / "a.answer").exists()
