"""RFC 3161 over a checkpoint, with a local authority that we did not write: `openssl ts`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from growing_log import LOG_KEY, ORIGIN, GrowingLog
from witness.authority import Authority

from lifecycle.ledger import cosignature
from lifecycle.ledger.checkpoint import Checkpoint, sign_checkpoint
from lifecycle.ledger.genesis import SimulatedLog
from lifecycle.ledger.note import COSIGNATURE, BadSignature, SigningKey, read_note, with_signatures
from lifecycle.ledger.timestamps import (
    BadTimestamp,
    HttpAuthority,
    NoTimestamp,
    Timestamp,
    stamped_bytes,
    timestamp,
    verify_timestamp,
)

KEYS = [LOG_KEY.verifying]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "Ours")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "Another")


def stamped(log, authority, trusted=None) -> Timestamp:
    return timestamp(log.note(), KEYS, authority, trusted or authority.root, genesis=log.entries[0])


def test_a_token_says_that_the_checkpoint_was_there_and_openssl_agrees(authority, log):
    before = datetime.now(UTC).replace(microsecond=0)
    token, at = stamped(log, authority)
    assert before <= at <= datetime.now(UTC) + timedelta(seconds=1)
    assert verify_timestamp(log.note(), KEYS, token, authority.root) == at
    assert authority.judges(log.note(), token)


def test_later_cosignatures_and_strangers_signatures_do_not_matter(authority, log):
    token, at = stamped(log, authority)
    note = read_note(log.note())
    witness, other = SigningKey.generate("w", COSIGNATURE), SigningKey.generate("stranger.example")
    lines = [other.signature(note.text.encode()), cosignature.sign(note.text, witness, 1_800_000_000)]
    more = with_signatures(note, lines).written()
    assert stamped_bytes(more, KEYS) == log.note()
    assert verify_timestamp(more, KEYS, token, authority.root) == at


def test_both_signatures_of_a_log_that_replaces_its_key_are_stamped(log):
    new = SigningKey.generate(ORIGIN)
    note = log.note(keys=[LOG_KEY, new])
    assert stamped_bytes(note, [*KEYS, new.verifying]) == note
    assert stamped_bytes(note, KEYS) == log.note()


def test_a_token_is_over_one_checkpoint(authority, log):
    token, _ = stamped(log, authority)
    for other in (log.note(19), log.forked(3).note()):
        with pytest.raises(BadTimestamp):
            verify_timestamp(other, KEYS, token, authority.root)
    resigned = SigningKey.generate(ORIGIN)
    with pytest.raises(BadTimestamp):
        verify_timestamp(sign_checkpoint(log.checkpoint(), [resigned]), [resigned.verifying], token, authority.root)


def test_an_authority_that_is_not_trusted_is_not_believed(authority, stranger, log):
    with pytest.raises(BadTimestamp, match="trusted"):
        stamped(log, stranger, trusted=authority.root)
    token, _ = stamped(log, stranger)
    with pytest.raises(BadTimestamp):
        verify_timestamp(log.note(), KEYS, token, authority.root)


def test_the_answer_to_an_earlier_request_is_refused(authority, log):
    """The nonce: whoever sits between could otherwise hold an old token up as a new one."""
    old = stamped(log, authority).token
    with pytest.raises(BadTimestamp):
        stamped(log, lambda _: old, trusted=authority.root)


@pytest.mark.parametrize("reply", [b"", b"garbage", b"0\x82\xff\xff", b"\x30\x03\x02\x01\x00"])
def test_what_is_no_reply_is_refused(authority, log, reply):
    with pytest.raises(BadTimestamp):
        stamped(log, lambda _: reply, trusted=authority.root)


def test_any_damage_to_a_token_is_noticed(authority, log):
    token, _ = stamped(log, authority)
    for place in range(30, len(token), len(token) // 12):
        damaged = token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :]
        try:
            verify_timestamp(log.note(), KEYS, damaged, authority.root)
        except BadTimestamp:
            continue
        assert authority.judges(log.note(), damaged), "only what openssl itself holds for good"


def test_an_authority_that_refuses_gives_no_token(tmp_path, log):
    picky = Authority(tmp_path, "Picky")
    picky.configure(digests="sha512")
    with pytest.raises(BadTimestamp, match="no token"):
        stamped(log, picky)


@pytest.fixture
def over_http(authority) -> Iterator:
    servers = []

    def serving(status=200, body=None) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/timestamp-query"
                reply = authority(request) if body is None else body
                self.send_response(status)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return f"http://127.0.0.1:{server.server_port}/tsr"

    yield serving
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_authority_is_asked_over_http(authority, over_http, log):
    token, at = stamped(log, HttpAuthority(over_http()), trusted=authority.root)
    assert verify_timestamp(log.note(), KEYS, token, authority.root) == at


def test_an_authority_that_is_down_or_odd_costs_the_token_and_nothing_else(authority, over_http, log):
    for url in (
        "http://127.0.0.1:1/",
        "ftp://tsa.example/",
        over_http(status=503, body=b"busy"),
        over_http(body=b"x" * 100_000),
    ):
        with pytest.raises(NoTimestamp):
            stamped(log, HttpAuthority(url, seconds=2), trusted=authority.root)


def test_a_simulated_log_asks_nobody_for_the_time(authority):
    def never(_: bytes) -> bytes:
        raise AssertionError("asked")

    simulated = GrowingLog(simulated=True).grow(3)
    with pytest.raises(SimulatedLog):
        stamped(simulated, never, trusted=authority.root)


def test_what_the_log_did_not_sign_is_not_stamped(authority, log):
    unsigned = sign_checkpoint(Checkpoint(ORIGIN, 1, bytes(32)), [SigningKey.generate(ORIGIN)])
    for keys in (KEYS, [], [SigningKey.generate("lifecycle.example/other").verifying]):
        with pytest.raises(BadSignature):
            timestamp(unsigned, keys, authority, authority.root, genesis=log.entries[0])


def test_without_the_program_it_is_said_what_to_install(authority, log, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoTimestamp, match="openssl"):
        timestamp(log.note(), KEYS, lambda _: b"", authority.root, genesis=log.entries[0])
