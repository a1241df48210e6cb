"""The worker has witnesses and an authority vouch for the log by itself, and waits for nobody who does not answer."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cli.doors import Door, collect, consent, jsonl
from witness.authority import Authority

from lifecycle import verify
from lifecycle.engine import open_engine
from lifecycle.engine.publishing import Publishing
from lifecycle.engine.vouched import FIRST_PAUSE, LONGEST_PAUSE, MalformedTimestamps, Pauses, Vouched, read_timestamps
from lifecycle.engine.vouching import MalformedWitnesses
from lifecycle.ledger import cosignature
from lifecycle.ledger.checkpoint import Checkpoint, sign_checkpoint
from lifecycle.ledger.note import read_note, with_signatures
from lifecycle.ledger.timestamps import NoTimestamp
from lifecycle.ledger.witnessing import WitnessContradicts
from lifecycle.witness.folder import WitnessFolder

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
SERVING = (
    "import sys; from pathlib import Path; from lifecycle.witness.serving import serve; "
    "serve(Path(sys.argv[1]), '127.0.0.1', 0, lambda port: print(port, flush=True))"
)


@pytest.fixture
def home(empty: Door) -> Door:
    empty("init", "--policy", "policy.toml")
    empty("apply", "-", stdin=jsonl(consent(at=None), collect(at=None)))
    empty("ledger", "publish")
    return empty


def keys_of(home: Door) -> Path:
    return next(path.parent for path in home.folder.rglob("erasure.journal"))


def witness_of(home: Door, name: str) -> WitnessFolder:
    its = WitnessFolder(home.folder / name)
    its.create(f"witness.example/{name}")
    its.add_log(next(home.folder.rglob("log.vkey")).read_text().split()[0])
    return its


@contextmanager
def serving(witness: WitnessFolder) -> Iterator[str]:
    """`witness serve`, in a process of its own."""
    command = [sys.executable, "-c", SERVING, str(witness.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.send_signal(signal.SIGTERM)


@contextmanager
def stamping(authority: Authority) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            reply = authority(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsr"
    finally:
        server.shutdown()
        server.server_close()


def remembers_another_history(witness: WitnessFolder, log: Publishing) -> None:
    ours = Checkpoint.parse(read_note(log.newest().note).text)
    other = read_note(sign_checkpoint(replace(ours, root=bytes(32)), log.keys.signing(log.origin)))
    cosigned = cosignature.sign(other.text, witness.key(), int(NOON.timestamp()))
    with witness.alone_with(log.origin) as its:
        its.keep(with_signatures(other, [cosigned]).written())


def signers(home: Door) -> list[str]:
    return [each.name for each in read_note(next(home.folder.rglob("checkpoint")).read_bytes()).signatures]


def test_a_worker_has_its_log_witnessed_and_stamped_and_a_stranger_s_policy_is_met(home: Door, tmp_path: Path):
    dpo, down = witness_of(home, "dpo"), witness_of(home, "down")
    authority = Authority(tmp_path, "Ours")
    with serving(dpo) as url, stamping(authority) as tsa:
        lines = [f"{dpo.key().verifying.vkey} {url}", f"{down.key().verifying.vkey} http://127.0.0.1:1/"]
        (keys_of(home) / "witnesses").write_text("\n".join(lines))
        (keys_of(home) / "timestamps").write_text(f"# ours\n{tsa} {authority.root}\n")
        said = home("worker", "--once").err
    assert "duty=witness" in said
    assert "cosigned=1 silent=1" in said
    assert "duty=timestamp at=" in said
    assert "witness.example/dpo" in signers(home)
    home("audit", "bundle", "--subject", "email=canary5519@example.com", "--out", "b.zip")
    vkey = next(home.folder.rglob("log.vkey")).read_text().split()[0]
    (home.folder / "trusted").write_text(f"log {vkey}\nwitness dpo {dpo.key().verifying.vkey}\nquorum dpo\n")
    arguments = ["--key", str(home.folder / "trusted"), "--tsa", str(authority.root), "--max-age", "1h"]
    assert verify.main([str(home.folder / "b.zip"), *arguments]) == 0


def test_nobody_is_asked_where_nobody_is_named_or_all_have_answered(home: Door):
    with open_engine(f"sqlite:///{next(home.folder.rglob('*.db'))}", keys=keys_of(home)) as engine:
        vouched = Vouched(engine.log)
        assert (vouched.by_witnesses(NOON), vouched.by_an_authority(NOON)) == (None, None)
        dpo = witness_of(home, "dpo")
        with serving(dpo) as url:
            (keys_of(home) / "witnesses").write_text(f"{dpo.key().verifying.vkey} {url}")
            first = vouched.by_witnesses(NOON)
            assert first is not None
            assert len(first.cosigned) == 1
        assert vouched.by_witnesses(NOON) is None  # it would be silent now


def test_who_is_silent_is_asked_again_later_and_later_and_an_answer_ends_that(home: Door):
    with (
        open_engine(f"sqlite:///{next(home.folder.rglob('*.db'))}", keys=keys_of(home)) as engine,
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        port = listening.getsockname()[1]
        listening.close()  # nobody listens there any more
        dpo = witness_of(home, "dpo")
        (keys_of(home) / "witnesses").write_text(f"{dpo.key().verifying.vkey} http://127.0.0.1:{port}/")
        (keys_of(home) / "timestamps").write_text(f"http://127.0.0.1:{port}/ {home.folder / 'root.pem'}")
        vouched, asked = Vouched(engine.log), []
        for minute in range(16):
            now = NOON + timedelta(minutes=minute)
            if vouched.by_witnesses(now) is not None:
                asked.append(minute)
                with pytest.raises(NoTimestamp):
                    vouched.by_an_authority(now)
            else:
                assert vouched.by_an_authority(now) is None
        assert asked == [0, 1, 3, 7, 15]
        with serving(dpo) as url:
            (keys_of(home) / "witnesses").write_text(f"{dpo.key().verifying.vkey} {url}")
            answer = vouched.by_witnesses(NOON + timedelta(hours=2))
        assert answer is not None
        assert len(answer.cosigned) == 1


def test_a_witness_that_contradicts_is_a_failure_each_time_it_is_asked(home: Door):
    """It knows another history of this log: here one that somebody else signed with the same key."""
    dpo = witness_of(home, "dpo")
    with open_engine(f"sqlite:///{next(home.folder.rglob('*.db'))}", keys=keys_of(home)) as engine, serving(dpo) as url:
        (keys_of(home) / "witnesses").write_text(f"{dpo.key().verifying.vkey} {url}")
        vouched = Vouched(engine.log)
        assert vouched.by_witnesses(NOON) is not None
        remembers_another_history(dpo, engine.log)
        home("apply", "-", stdin=jsonl(consent("c-9", at=None, subject={"email": "ben@example.com"})))
        engine.publish()
        for hour in (0, 2):
            with pytest.raises(WitnessContradicts):
                vouched.by_witnesses(NOON + timedelta(hours=hour))
        assert vouched.by_witnesses(NOON + timedelta(hours=2)) is None


def test_pauses_double_up_to_an_hour():
    pauses, now = Pauses(), NOON
    waited = []
    for _ in range(10):
        pauses.failed("w", now)
        next_time = now
        while not pauses.may_ask("w", next_time):
            next_time += timedelta(minutes=1)
        waited.append(next_time - now)
        now = next_time
    assert waited[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert waited[-1] == LONGEST_PAUSE
    assert pauses.may_ask("another", NOON)
    pauses.failed("w", now)
    pauses.answered("w")
    assert pauses.may_ask("w", now)


@pytest.mark.parametrize("text", ["http://a", "ftp://a /b", "http://a b.pem", "http://a /b\nhttp://c /d", "\xff"])
def test_a_list_that_cannot_be_read_is_told_each_time(tmp_path: Path, text: str):
    path = tmp_path / "timestamps"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(MalformedTimestamps):
        read_timestamps(path)


def test_without_a_file_nobody_is_asked_for_the_time(tmp_path: Path):
    assert read_timestamps(tmp_path / "timestamps") is None


def test_a_malformed_list_of_witnesses_fails_the_duty_alone(home: Door):
    (keys_of(home) / "witnesses").write_text("nonsense")
    assert home("worker", "--once", "--json", code=1).json == {"failed": ["witness"]}
    url = f"sqlite:///{next(home.folder.rglob('*.db'))}"
    with open_engine(url, keys=keys_of(home)) as engine, pytest.raises(MalformedWitnesses):
        Vouched(engine.log).by_witnesses(NOON)
