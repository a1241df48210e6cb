"""The witness's door on a network: add-checkpoint, and the newest cosigned checkpoint of each log."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from lifecycle.clock import Clock
from lifecycle.ledger.add_checkpoint import MAX_REQUEST, NOT_FOUND, TOO_LARGE, Answer
from lifecycle.witness.cosigning import Witness
from lifecycle.witness.folder import WitnessFolder, WitnessUnavailable

# Section names in comments are those of c2sp.org/tlog-witness.
_PATIENCE = 10  # seconds for a request to arrive whole
_AT_ONCE = 64  # connections; a witness has few logs
_HASH = re.compile("[0-9a-f]{64}")
_TIMEOUT, _UNAVAILABLE = 408, 503


def application(folder: Path, clock: Clock | None = None, patience: float = _PATIENCE) -> Starlette:
    """The two calls, as any ASGI server can run them."""
    its = WitnessFolder(folder)
    witness = Witness(its, clock)

    async def add_checkpoint(request: Request) -> Response:
        try:
            async with asyncio.timeout(patience):
                body = await _body(request)
        except TimeoutError:
            return _plain(Answer(_TIMEOUT, b"The request did not arrive in time.\n"))
        if body is None:
            return _plain(Answer(TOO_LARGE, b"A request of more than 256 kB is not read.\n"))
        try:
            return _plain(await run_in_threadpool(witness.add_checkpoint, body))
        except WitnessUnavailable:
            return _plain(Answer(_UNAVAILABLE, b"The witness cannot serve; its operator has to look.\n"))

    async def checkpoint(request: Request) -> Response:
        """ "Monitor Retrieval Mechanism"."""
        its_hash = request.path_params["origin_hash"]
        held = await run_in_threadpool(its.published, its_hash) if _HASH.fullmatch(its_hash) else None
        return _plain(Answer(200, held) if held else Answer(NOT_FOUND, b"Nothing of this log was cosigned here.\n"))

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/{origin_hash}/checkpoint", checkpoint, methods=["GET"]),
        ]
    )


def server(app: ASGIApp) -> uvicorn.Server:
    """A server that writes no log of who asked."""
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        server_header=False,
        limit_concurrency=_AT_ONCE,
        timeout_keep_alive=_PATIENCE,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
    )
    return uvicorn.Server(config)


def run(folder: Path, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve until interrupted; `ready` is told the port, which matters when 0 asked for any."""
    WitnessFolder(folder).key()  # a witness that cannot sign does not open its door
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise WitnessUnavailable(
            f"This address cannot be listened on: {error.strerror}.", "choose another port, or stop who has it"
        ) from error
    with listening:
        ready(listening.getsockname()[1])
        server(application(folder)).run(sockets=[listening])


async def _body(request: Request) -> bytes | None:
    """None if it is too large; nothing beyond the limit is kept, whatever its length is said to be."""
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_REQUEST:
                return None
    except ClientDisconnect:
        return b""
    return bytes(body)


def _plain(answer: Answer) -> Response:
    return Response(answer.body, answer.status, headers={"Content-Type": answer.media_type})
