"""A witness on its own folder, and both of its doors, opened for real."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import pytest
from growing_log import LOG_KEY, GrowingLog
from starlette.types import ASGIApp, Receive, Scope, Send

from lifecycle.ledger.add_checkpoint import MAX_REQUEST, Answer
from lifecycle.witness import file_drop, http_door
from lifecycle.witness.folder import WitnessFolder

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Ticking:
    """A clock that is a second later each time it is asked."""

    def __init__(self) -> None:
        self._at = MONDAY

    def now(self) -> datetime:
        self._at += timedelta(seconds=1)
        return self._at


class Said(NamedTuple):
    answer: Answer
    media_type: str | None


class Drop:
    """Requests as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Ticking()

    def add(self, body: bytes) -> Said:
        request = self.folder / "drop" / "one.request"
        request.with_suffix(".answer").unlink(missing_ok=True)
        request.write_bytes(body)
        [answered] = file_drop.once(self.folder, clock=self.clock)
        told = Answer.parse(request.with_suffix(".answer").read_bytes(), body[: MAX_REQUEST + 1])
        assert told == answered.answer
        return Said(told, None)


class Http:
    """Requests to the real server on a local port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def add(self, body: bytes) -> Said:
        return self.ask("POST", "/add-checkpoint", body)

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Said:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        said = Said(Answer(reply.status, reply.read()), reply.headers["Content-Type"])
        connection.close()
        return said


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def log() -> GrowingLog:
    return GrowingLog().grow(20)


@pytest.fixture
def witness(tmp_path: Path) -> WitnessFolder:
    """A witness that knows the log."""
    its = WitnessFolder(tmp_path / "witness")
    its.create("witness.example/w1")
    its.add_log(LOG_KEY.vkey)
    return its


class Hosted:
    """The application that the one server of this process serves now."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def hosted() -> Iterator[tuple[Hosted, int]]:
    app = Hosted()
    server = http_door.server(app)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield app, listening.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture
def http(witness: WitnessFolder, hosted: tuple[Hosted, int]) -> Http:
    app, port = hosted
    app.app = http_door.application(witness.folder, Ticking())
    return Http(port)


@pytest.fixture(params=["drop", "http"])
def door(request: pytest.FixtureRequest, witness: WitnessFolder) -> Drop | Http:
    return Drop(witness.folder) if request.param == "drop" else request.getfixturevalue("http")
