"""The log's side: whom it asks, what it believes of the answers, and when it stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from growing_log import LOG_KEY, ORIGIN, GrowingLog

from lifecycle.ledger import cosignature
from lifecycle.ledger.add_checkpoint import AddCheckpoint, Answer, origin_hash
from lifecycle.ledger.checkpoint import open_checkpoint
from lifecycle.ledger.genesis import MalformedGenesis, SimulatedLog
from lifecycle.ledger.note import COSIGNATURE, SigningKey, read_note
from lifecycle.ledger.witness_doors import DropDoor, HttpDoor, Silent
from lifecycle.ledger.witnessing import WitnessAt, WitnessContradicts, ask_witnesses
from lifecycle.witness.cosigning import Witness
from lifecycle.witness.file_drop import once
from lifecycle.witness.folder import WitnessFolder

LIAR = SigningKey.generate("liar.example", COSIGNATURE)


def asked(log, *witnesses, size=None, seconds=10):
    return ask_witnesses(
        log.note(size), witnesses, lambda old: log.proof(old, size), genesis=log.entries[0], seconds=seconds
    )


def cosigners(note):
    open_checkpoint(note, [LOG_KEY.verifying])
    return [each.name for each in read_note(note).signatures][1:]


@pytest.fixture
def over_http(http, witness):
    return lambda last=0: WitnessAt(witness.key().verifying, HttpDoor(http.url), last)


@pytest.fixture
def watched(tmp_path) -> Iterator:
    """A second witness, which watches its folder."""
    its = WitnessFolder(tmp_path / "w2")
    its.create("witness.example/w2")
    its.add_log(LOG_KEY.vkey)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            once(its.folder)

    thread = threading.Thread(target=watch)
    thread.start()
    yield lambda last=0: WitnessAt(its.key().verifying, DropDoor(its.drop, wait=10), last)
    done.set()
    thread.join()


@pytest.fixture
def through_folder(tmp_path):
    """A third, whose auditor looks into the folder now and then."""
    its = WitnessFolder(tmp_path / "w3")
    its.create("witness.example/w3")
    its.add_log(LOG_KEY.vkey)
    return its, lambda last=0: WitnessAt(its.key().verifying, DropDoor(its.drop), last)


@pytest.fixture
def liar() -> Iterator:
    """A server that answers as it is told to."""
    servers = []

    def lying(answer) -> WitnessAt:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                answer(self, self.rfile.read(int(self.headers["Content-Length"])))

            def do_GET(self) -> None:  # what most clients make of a redirected request
                answer(self, b"")

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return WitnessAt(LIAR.verifying, HttpDoor(f"http://127.0.0.1:{server.server_port}/", seconds=1))

    yield lying
    for server in servers:
        server.shutdown()
        server.server_close()


def saying(status, body, **headers):
    def answer(handler, _request) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def test_witnesses_behind_both_doors_cosign_one_note(over_http, watched, log):
    first, second = over_http(), watched()
    gained = asked(log, first, second, size=10)
    assert sorted(cosigners(gained.note)) == ["witness.example/w1", "witness.example/w2"]
    assert set(gained.cosigned) == {first.key, second.key}
    assert gained.silent == gained.contradicting == {}
    again = asked(log, over_http(10), watched(10))
    found = cosignature.verify(read_note(again.note), [first.key, second.key])
    assert {each.key: each.at for each in found} == again.cosigned


def test_go_accepts_the_note_and_both_cosignatures(go, over_http, watched, log):
    gained = asked(log, over_http(), watched())
    others = [
        {"Name": key.name, "ID": int.from_bytes(key.key_id, "big"), "Public": key.public} for key in gained.cosigned
    ]
    said = go.ask("open", Note=gained.note, Keys=[LOG_KEY.vkey], Cosigners=others)
    assert said["OK"], said
    assert sorted(said["Signed"]) == [ORIGIN, "witness.example/w1", "witness.example/w2"]


@pytest.mark.parametrize("believed", [0, 5, 12])
def test_who_is_wrong_about_the_witness_s_size_asks_once_more(over_http, log, believed):
    asked(log, over_http(), size=11)
    assert len(asked(log, over_http(believed)).cosigned) == 1


def test_a_fork_is_loud_and_what_others_cosigned_is_not_lost(over_http, watched, log):
    asked(log, over_http(), size=20)
    fork = log.forked(12)
    with pytest.raises(WitnessContradicts, match="publish nothing more") as loud:
        asked(fork, over_http(20), watched())
    assert cosigners(loud.value.gained.note) == ["witness.example/w2"]
    with pytest.raises(WitnessContradicts, match=r"witness\.example/w1"):
        asked(fork.grow(30), over_http())


@pytest.mark.parametrize("believed", [0, 15, 20])
def test_a_log_that_was_rolled_back_is_told_so_by_its_witness(over_http, log, believed):
    asked(log, over_http())
    with pytest.raises(WitnessContradicts, match="larger tree"):
        asked(log, over_http(believed), size=15)


def test_a_witness_that_is_down_holds_nobody_up(over_http, log, tmp_path):
    down = [
        WitnessAt(LIAR.verifying, HttpDoor("http://127.0.0.1:1", seconds=1)),
        WitnessAt(SigningKey.generate("odd.example", COSIGNATURE).verifying, HttpDoor("file:///etc/passwd")),
        WitnessAt(SigningKey.generate("away.example", COSIGNATURE).verifying, DropDoor(tmp_path / "log.txt" / "drop")),
    ]
    (tmp_path / "log.txt").write_text("a file, no folder")
    gained = asked(log, *down, over_http())
    assert cosigners(gained.note) == ["witness.example/w1"]
    assert set(gained.silent) == {each.key for each in down}


def test_a_witness_that_was_not_told_of_the_log_is_silent_and_says_why(over_http, log):
    other = GrowingLog(key=SigningKey.generate("lifecycle.example/other"))
    rotated = GrowingLog(key=SigningKey.generate(ORIGIN))
    assert "not told of this log" in asked(other, over_http()).silent[over_http().key]
    assert "new key" in asked(rotated, over_http()).silent[over_http().key]


def lines_for(text, key=LIAR, at=1_800_000_000):
    return cosignature.sign(text, key, at).line().encode()


@pytest.mark.parametrize(
    "body",
    [
        lambda text: b"",
        lambda text: b"garbage\n",
        lambda text: b"\xff\n",
        lambda text: lines_for(text)[:-1],
        lambda text: lines_for(text, SigningKey.generate("liar.example", COSIGNATURE)),
        lambda text: lines_for(text.replace("\n20\n", "\n21\n")),
        lambda text: lines_for(text) + lines_for(text.replace("\n20\n", "\n21\n")),
        lambda text: b"x" * 100_000,
    ],
)
def test_what_does_not_verify_is_not_taken_over(liar, log, body):
    gained = asked(log, liar(saying(200, body(log.checkpoint().text()))))
    assert gained.note == log.note()
    assert set(gained.silent) == {LIAR.verifying}


def test_a_stranger_s_lines_beside_the_witness_s_are_left_out(liar, log):
    text = log.checkpoint().text()
    both = lines_for(text, SigningKey.generate("stranger.example", COSIGNATURE)) + lines_for(text)
    assert cosigners(asked(log, liar(saying(200, both))).note) == ["liar.example"]


@pytest.mark.parametrize(
    "answer",
    [
        saying(409, b"7\n"),
        saying(409, b"x"),
        saying(409, b""),
        saying(409, b"-1\n"),
        saying(500, b"sorry"),
        saying(302, b"", Location="http://127.0.0.1:1/"),
        saying(308, b"", Location="http://127.0.0.1:1/"),
        saying(200, b"", **{"Content-Length": "50"}),
    ],
)
def test_other_answers_leave_the_note_as_it_is(liar, log, answer):
    gained = asked(log, liar(answer))
    assert gained.note == log.note()
    assert set(gained.silent) == {LIAR.verifying}


def test_a_redirect_is_not_followed(liar, log):
    text = log.checkpoint().text()
    honest = liar(saying(200, lines_for(text)))
    assert len(asked(log, honest).cosigned) == 1
    for status in (301, 302, 303, 307, 308):
        assert asked(log, liar(saying(status, b"", Location=honest.door._url))).cosigned == {}


def test_an_answer_that_drips_is_not_waited_for(liar, over_http, log):
    def drip(handler, _request) -> None:
        handler.send_response(200)
        handler.end_headers()
        with suppress(ConnectionError):
            for _ in range(100):
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(0.1)

    began = time.monotonic()
    gained = asked(log, liar(drip), over_http())
    assert cosigners(gained.note) == ["witness.example/w1"]
    assert time.monotonic() - began < 5


def test_a_simulated_log_asks_nobody(through_folder):
    its, third = through_folder
    with pytest.raises(SimulatedLog):
        asked(GrowingLog(simulated=True).grow(5), third())
    assert list(its.drop.iterdir()) == []


def test_another_log_s_first_entry_does_not_hide_that_a_log_is_simulated(through_folder, log):
    _, third = through_folder
    other = GrowingLog(key=SigningKey.generate("lifecycle.example/other"))
    for entry in (other.entries[0], log.entries[1], b"", b"\x03{}", log.entries[0] + b" "):
        with pytest.raises(MalformedGenesis):
            ask_witnesses(log.note(), [third()], log.proof, genesis=entry)


def test_an_answer_that_comes_later_is_collected_the_next_time(through_folder, log):
    its, third = through_folder
    assert asked(log, third(), size=10).silent
    once(its.folder)
    gained = asked(log, third())
    [earlier] = gained.earlier
    assert open_checkpoint(earlier, [LOG_KEY.verifying]).size == 10
    assert cosigners(earlier) == ["witness.example/w3"]
    assert [each.answer.status for each in once(its.folder)] == [200], "it was asked from the size that it had cosigned"
    assert open_checkpoint(asked(log, third()).earlier[0], [LOG_KEY.verifying]).size == 20


def test_a_no_that_comes_later_is_heard_the_next_time(through_folder, log):
    its, third = through_folder
    Witness(its).add_checkpoint(log.request(0, 12))
    assert asked(log, third(3), size=16).silent
    assert [each.answer.body for each in once(its.folder)] == [b"12\n"]
    assert asked(log, third(3)).silent
    assert [each.answer.status for each in once(its.folder)] == [200]
    fork = log.forked(12)
    asked(fork, third(20))
    assert [each.answer.status for each in once(its.folder)] == [422]
    with pytest.raises(WitnessContradicts):
        asked(fork, third(20))


def test_a_damaged_answer_in_the_folder_is_asked_for_again(through_folder, log):
    its, third = through_folder
    asked(log, third())
    answer = its.drop / f"{origin_hash(ORIGIN)}.answer"
    for damaged in (b"", b"garbage", Answer(200, b"garbage").written(b"another request")):
        answer.write_bytes(damaged)
        assert asked(log, third()).silent
    once(its.folder)
    assert len(asked(log, third()).earlier) == 1


def test_a_request_that_somebody_else_put_into_the_folder_is_not_taken_for_ours(through_folder, log):
    its, third = through_folder
    request = its.drop / f"{origin_hash(ORIGIN)}.request"
    request.write_bytes(b"garbage")
    (its.drop / f"{origin_hash(ORIGIN)}.answer").write_bytes(Answer(200, b"").written(b"garbage"))
    gained = asked(log, third())
    assert (gained.earlier, list(gained.silent)) == ([], [third().key])
    assert AddCheckpoint.parse(request.read_bytes()).note == log.note()


def test_nothing_of_an_earlier_answer_is_taken_for_the_answer_to_the_same_question(through_folder, log):
    its, third = through_folder
    (its.folder / "logs").write_text("")
    asked(log, third())
    assert [each.answer.status for each in once(its.folder)] == [404]
    its.add_log(LOG_KEY.vkey)
    door = third().door
    with pytest.raises(Silent):
        door.ask(log.request(0), ORIGIN)
    assert [each.answer.status for each in once(its.folder)] == [200]
