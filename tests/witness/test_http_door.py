"""The door on a network, beside what both doors do alike."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time

import pytest
from growing_log import ORIGIN

from lifecycle.ledger.add_checkpoint import SIZE_TYPE, origin_hash
from lifecycle.witness import http_door
from lifecycle.witness.folder import WitnessFolder, WitnessUnavailable

SERVING = "import sys; from pathlib import Path; from lifecycle.witness.serving import serve; serve(Path(sys.argv[1]), '127.0.0.1', 0, lambda port: print(port, flush=True))"


def test_statuses_have_the_types_that_the_specification_gives_them(http, log):
    assert http.add(log.request(5)).media_type == SIZE_TYPE
    assert http.add(log.request(0)).media_type.startswith("text/plain")


def test_anybody_may_fetch_the_newest_cosigned_checkpoint(http, witness, log):
    path = f"/{origin_hash(ORIGIN)}/checkpoint"
    assert http.ask("GET", path).answer.status == 404
    http.add(log.request(0))
    assert http.ask("GET", path).answer == (200, witness.published(origin_hash(ORIGIN)))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/witness.key",
        "/../witness.key",
        "/%2e%2e/checkpoint",
        f"/{'0' * 64}/checkpoint",
        f"/{'A' * 64}/checkpoint",
        "/cosigned/lock",
    ],
)
def test_nothing_else_can_be_fetched(http, log, path):
    http.add(log.request(0))
    assert http.ask("GET", path).answer.status == 404


def test_checkpoints_are_posted(http):
    assert http.ask("GET", "/add-checkpoint").answer.status == 405
    assert http.ask("PUT", "/add-checkpoint", b"").answer.status == 405


def test_a_body_without_a_length_is_limited_all_the_same(http):
    with socket.create_connection(("127.0.0.1", http.port), 10) as connection:
        connection.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5):
            connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_a_request_that_dawdles_is_not_waited_for(http, hosted, witness):
    hosted[0].app = http_door.application(witness.folder, patience=0.2)
    with socket.create_connection(("127.0.0.1", http.port), 10) as connection:
        connection.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 100\r\n\r\nold")
        assert connection.recv(12) == b"HTTP/1.1 408"


def test_who_hangs_up_halfway_changes_nothing(http, witness, log):
    with socket.create_connection(("127.0.0.1", http.port), 10) as connection:
        connection.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 100\r\n\r\nold")
    assert http.add(log.request(0)).answer.status == 200


def test_the_witness_serves_in_a_process_of_its_own_and_stops_when_told(witness, log):
    with subprocess.Popen(
        [sys.executable, "-c", SERVING, witness.folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        port = int(process.stdout.readline())
        try:
            for _ in range(100):
                with socket.create_connection(("127.0.0.1", port), 10) as connection:
                    body = log.request(0)
                    connection.sendall(
                        b"POST /add-checkpoint HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body
                    )
                    said = connection.recv(12)
                if said:
                    break
                time.sleep(0.05)
            assert said == b"HTTP/1.1 200"
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=20)[1] == ""
    assert witness.published(origin_hash(ORIGIN))


def test_without_a_web_server_it_says_what_to_install_and_the_file_drop_works(witness):
    missing = "import sys; sys.modules['uvicorn'] = sys.modules['starlette'] = None; " + SERVING
    done = subprocess.run([sys.executable, "-c", missing, witness.folder], capture_output=True, text=True, check=False)
    assert "lifecycle[witness]" in done.stderr.splitlines()[-1]
    drop = "import sys; sys.modules['uvicorn'] = sys.modules['starlette'] = None; from pathlib import Path; from lifecycle.witness.file_drop import once; print(once(Path(sys.argv[1])))"
    done = subprocess.run([sys.executable, "-c", drop, witness.folder], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_door_that_is_taken_or_has_no_witness_behind_it_is_told(witness, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(WitnessUnavailable, match="port"):
        http_door.run(witness.folder, "127.0.0.1", taken.getsockname()[1], print)
    with pytest.raises(WitnessUnavailable, match="no witness"):
        http_door.run(WitnessFolder(tmp_path / "nobody").folder, "127.0.0.1", 0, print)
