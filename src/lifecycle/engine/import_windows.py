"""Lines of a file that several processes share out at once, read while the ones before are decided."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lifecycle.commands.outcome import Outcome
from lifecycle.engine.documents import Told, document_of, told_of
from lifecycle.engine.lanes import Name, names_in


class Line(NamedTuple):
    at: int
    line: bytes
    document: dict[str, Any]
    names: tuple[Name, ...] | None

    def __repr__(self) -> str:
        return f"Line(at={self.at})"


class Window(NamedTuple):
    """Lines that are shared out at once: those that are documents, and what is told of the others."""

    lines: list[Line]
    told: dict[int, Told]

    def __repr__(self) -> str:
        return f"Window({len(self.lines)} documents)"


class Ahead:
    """Reads the next window while the other processes decide the last one: they would wait for it otherwise."""

    def __init__(self, windows: Iterable[Sequence[bytes]], folder: Path) -> None:
        self._windows = iter(windows)
        self._folder = folder
        self._lines = next(self._windows, None)
        self._next: Window | None = None
        self.seconds_a_line: float | None = None  # that reading took the last time

    def taken(self) -> Window | None:
        """None at the end."""
        self.read()
        window, self._next = self._next, None
        return window

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to read."""
        return self._lines is None

    def read(self) -> None:
        if self._next is not None or self._lines is None:
            return
        begun = time.perf_counter()
        self._next = self._window(self._lines)
        self.seconds_a_line = (time.perf_counter() - begun) / max(1, len(self._lines))
        self._lines = next(self._windows, None)

    def _window(self, lines: Sequence[bytes]) -> Window:
        window = Window([], {})
        for at, line in enumerate(lines):
            document = document_of(line, self._folder)
            if isinstance(document, Outcome):
                window.told[at] = told_of(document)
            else:
                window.lines.append(Line(at, line, document, names_in(document)))
        return window
