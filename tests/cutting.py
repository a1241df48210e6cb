"""A wire to a server that is cut: a proxy on loopback, in front of the server's socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Self

Cut = Literal["before", "after"]  # the server has been sent the word


class Wire:
    """Passes everything on. Once `cut_at` is called, the next connection that commits what it wrote as the role `writer`
    is cut there."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._cut: Cut | None = None
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.cuts = 0
        self._threads: list[threading.Thread] = []
        self._ends: list[socket.socket] = []

    def cut_at(self, cut: Cut) -> None:
        self._cut = cut

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self._listening, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in (self._listening, *self._ends):
            end.close()

    def _start(self, act: Callable[..., None], *ends: socket.socket) -> None:
        self._threads.append(threading.Thread(target=act, args=ends))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, server = self._listening.accept()[0], socket.socket(socket.AF_UNIX)
                self._ends += client, server
                server.connect(self._server)
                self._start(self._pass_on, client, server)
                self._start(self._pass_back, server, client)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        writes = False
        with suppress(OSError):
            while said := client.recv(65_536):
                begins, ends = said.rfind(b"lifecycle_writer"), said.rfind(b"COMMIT\0")
                writes = writes or (self._cut is not None and begins >= 0)
                if not writes or ends <= begins:  # an end of reading goes along with what begins to write
                    server.sendall(said)
                    continue
                cut, self._cut = self._cut, None
                self.cuts += 1
                client.shutdown(socket.SHUT_RDWR)  # nothing that the server says from now on comes back
                if cut == "after":
                    server.sendall(said)
                break
        self._close(server)

    def _pass_back(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while said := server.recv(65_536):
                client.sendall(said)
        self._close(client)
        self._close(server)

    @staticmethod
    def _close(end: socket.socket) -> None:
        with suppress(OSError):
            end.shutdown(socket.SHUT_WR)
