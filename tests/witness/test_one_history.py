"""Whatever is sent, in whatever order, at once or across crashes: a witness vouches for one history of a log."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from growing_log import LOG_KEY, ORIGIN, GrowingLog
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lifecycle.ledger import cosignature
from lifecycle.ledger.add_checkpoint import AddCheckpoint, Answer, origin_hash
from lifecycle.ledger.checkpoint import Checkpoint
from lifecycle.ledger.note import read_note, read_signatures, with_signatures
from lifecycle.ledger.tree import EMPTY, root
from lifecycle.witness.cosigning import Witness
from lifecycle.witness.folder import WitnessFolder

HERE = Path(__file__)


def a_witness(folder: Path) -> WitnessFolder:
    its = WitnessFolder(folder)
    its.create("witness.example/w1")
    its.add_log(LOG_KEY.vkey)
    return its


BASE = GrowingLog().grow(40)
BRANCHES = [BASE, *(BASE.forked(after, f"fork at {after}, ") for after in (1, 5, 8, 16, 31))]
sizes = st.integers(0, 40)
branches = st.sampled_from(range(len(BRANCHES)))


class Witnessed(RuleBasedStateMachine):
    """Six histories that share their beginnings, all signed by the log's real key."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.its = a_witness(Path(self._folder.name) / "witness")
        self.witness = Witness(self.its)
        self.size, self.root = 0, EMPTY
        self.vouched: list[Checkpoint] = []

    def teardown(self) -> None:
        self._folder.cleanup()

    def send(self, log: GrowingLog, old: int, size: int, proof: list[bytes]) -> int:
        note = log.note(size)
        answer = self.witness.add_checkpoint(AddCheckpoint(old, tuple(proof), note).written())
        if answer.status == 200:
            whole = with_signatures(read_note(note), read_signatures(answer.body.decode()))
            assert len(cosignature.verify(whole, [self.its.key().verifying])) == 1
            told = log.checkpoint(size)
            self.vouched.append(told)
            self.size, self.root = told.size, told.root
        return answer.status

    @rule(branch=branches, size=sizes)
    def ask_as_an_honest_log_would(self, branch, size):
        log = BRANCHES[branch]
        continues = self.size <= size and root(log.hashes[: self.size]) == self.root
        old = min(self.size, size)
        status = self.send(log, self.size, size, log.proof(old, size))
        assert (status == 200) == continues
        assert status in ((200,) if continues else (400, 422))

    @rule(branch=branches, size=sizes, old=sizes)
    def ask_from_any_size(self, branch, size, old):
        log, before = BRANCHES[branch], self.size
        status = self.send(log, old, size, log.proof(min(old, size), size))
        assert status == 400 if old > size else status in ((409,) if old != before else (200, 422))

    @rule(branch=branches, other=branches, size=sizes, of=sizes)
    def ask_with_the_proof_of_another_tree(self, branch, other, size, of):
        self.send(BRANCHES[branch], self.size, size, BRANCHES[other].proof(min(self.size, of), of))

    @precondition(lambda self: self.vouched)
    @rule(data=st.data())
    def ask_for_an_older_one_again(self, data):
        self.witness.add_checkpoint(BASE.request(self.size, data.draw(st.integers(0, self.size))))

    @rule()
    def start_anew(self):
        self.witness = Witness(WitnessFolder(self.its.folder))

    @invariant()
    def what_was_vouched_for_is_one_history_that_only_grows(self):
        assert [each.size for each in self.vouched] == sorted(each.size for each in self.vouched)
        assert any(all(root(log.hashes[: each.size]) == each.root for each in self.vouched) for log in BRANCHES), (
            "no history has all of these"
        )


Witnessed.TestCase.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
TestOneHistory = Witnessed.TestCase


def test_of_many_forks_that_are_sent_at_once_one_is_cosigned(http, witness, log):
    assert http.add(log.request(0, 10)).answer.status == 200
    requests = [log.forked(10, f"fork {i}, ").request(10) for i in range(12)]
    with ThreadPoolExecutor(12) as pool:
        answers = [said.answer for said in pool.map(http.add, requests)]
    assert sorted(each.status for each in answers) == [200] + [409] * 11
    assert {each.body for each in answers if each.status == 409} == {b"20\n"}


ONCE = (
    "import sys; from pathlib import Path; from lifecycle.witness.file_drop import once; once(*map(Path, sys.argv[1:]))"
)


def test_of_many_forks_that_processes_take_up_at_once_one_is_cosigned(witness, tmp_path, log):
    Witness(witness).add_checkpoint(log.request(0, 10))
    drops = [tmp_path / f"drop {i}" for i in range(4)]
    requests = [log.forked(10, f"fork {i}, ").request(10) for i in range(4)]
    for drop, request in zip(drops, requests, strict=True):
        drop.mkdir()
        (drop / "a.request").write_bytes(request)
    running = [subprocess.Popen([sys.executable, "-c", ONCE, witness.folder, drop]) for drop in drops]
    assert [each.wait(30) for each in running] == [0] * 4
    answers = [
        Answer.parse((drop / "a.answer").read_bytes(), request) for drop, request in zip(drops, requests, strict=True)
    ]
    assert sorted(each.status for each in answers if each) == [200, 409, 409, 409]


# Dies at the n-th thing that it asks of the file system; what it would have answered comes out only at the end.
DYING = """
import os, signal, sys
from pathlib import Path
from lifecycle.witness.cosigning import Witness
from lifecycle.witness.folder import WitnessFolder

left = int(sys.argv[2])
witness, body = Witness(WitnessFolder(Path(sys.argv[1]))), sys.stdin.buffer.read()

def count(event, arguments):
    global left
    if event in ("open", "os.rename", "os.remove", "os.link"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
answer = witness.add_checkpoint(body)
left = 0
sys.stdout.buffer.write(answer.body)
"""


def test_a_witness_killed_anywhere_remembers_what_it_may_have_vouched_for(tmp_path, log):
    points = (1, 6, 7, 8, 9, 99)  # around the renaming of the file that remembers
    folders = [tmp_path / f"killed at {n}" for n in points]
    fork = log.forked(10)
    running = []
    for n, folder in zip(points, folders, strict=True):
        Witness(a_witness(folder)).add_checkpoint(log.request(0, 10))
        command = [sys.executable, "-c", DYING, folder, str(n)]
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    said = [each.communicate(log.request(10), timeout=60)[0] for each in running]
    assert said[0] == b"", "it was killed"
    assert said[-1].startswith("— witness.example/w1 ".encode()), "it came through"
    remembered = [_after(folder, log, fork) for folder in folders]
    assert all(size == 20 for size, answer in zip(remembered, said, strict=True) if answer)
    assert {10, 20} == set(remembered), "some were killed before and some after"


def _after(folder: Path, log: GrowingLog, fork: GrowingLog) -> int:
    its = WitnessFolder(folder)
    data = its.published(origin_hash(ORIGIN))
    assert data
    held = Checkpoint.parse(read_note(data).text)
    assert held.root == log.checkpoint(held.size).root
    witness = Witness(its)
    if held.size == 20:
        assert witness.add_checkpoint(fork.request(20)).status == 422
    assert witness.add_checkpoint(log.request(held.size)).status == 200
    return held.size


@pytest.mark.parametrize("held", [b"", b"garbage", "another witness's"])
def test_a_witness_whose_memory_was_tampered_with_vouches_for_nothing(http, witness, log, tmp_path, held):
    http.add(log.request(0, 10))
    if isinstance(held, str):
        other = a_witness(tmp_path / "other")
        Witness(other).add_checkpoint(log.request(0, 5))
        held = other.published(origin_hash(ORIGIN))
    (witness.folder / "cosigned" / origin_hash(ORIGIN) / "checkpoint").write_bytes(held)
    for old in (0, 5, 10):
        assert http.add(log.request(old)).answer.status == 503
