"""What every command of the line knows: which store, in which form to answer, and how to open it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from lifecycle.errors import Invalid
from lifecycle.settings import Settings

if TYPE_CHECKING:
    from lifecycle.engine import Engine


COLLECTED_EVERY = 100_000  # new objects, once the store is open


@dataclass(slots=True)
class Here:
    """The options before the command."""

    db: str | None = None
    keys: str | None = None
    json: bool = False
    now: str | None = None

    @property
    def settings(self) -> Settings:
        return Settings.read(self.db, self.keys)


def here(context: typer.Context) -> Here:
    found = context.find_object(Here)
    return found if found is not None else Here()


class NotATime(Invalid):
    remedy = "write an RFC 3339 time with an offset, such as 2024-08-01T10:00:00+08:00"

    def __init__(self, option: str) -> None:
        super().__init__(f"{option} is not a time.")


def instant(text: str | None, option: str) -> datetime | None:
    """An option's time; None when it was not given."""
    if text is None:
        return None
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 -- the line must start quickly

    from lifecycle.commands.document import Instant  # noqa: PLC0415

    try:
        return TypeAdapter(Instant).validate_python(text)
    except ValidationError:
        raise NotATime(option) from None


class NotAPerson(Invalid):
    remedy = "write --subject email=…, phone=…, ref=… or id=…"

    def __init__(self) -> None:
        super().__init__("--subject does not say whom.")


def person(text: str) -> dict[str, str]:
    """`email=ann@example.com` as a reference."""
    kind, separator, value = text.partition("=")
    if not separator or kind not in ("email", "phone", "ref", "id") or not value:
        raise NotAPerson
    return {kind: value}


@contextmanager
def opened(context: typer.Context, *, publishing: bool = False) -> Iterator[Engine]:
    """The store, with its simulated clock moved to `--now` if that was given.

    `publishing` is for commands after which no worker may come: what they wrote is signed before they end, so that a
    database which is put back to before them is noticed.
    """
    from lifecycle.engine import open_engine  # noqa: PLC0415

    said = here(context)
    settings = said.settings
    with open_engine(settings.db, keys=settings.keys, ledger=settings.ledger) as engine:
        gc.freeze()  # what is loaded by now stays: the collector need not go through it again and again
        gc.set_threshold(COLLECTED_EVERY)
        now = instant(said.now, "--now")
        if now is not None:
            engine.move_clock(now)
        yield engine
        if publishing and engine.log.may_sign:
            engine.publish()


def on_terminal() -> bool:
    return sys.stderr.isatty()


@contextmanager
def progress(label: str) -> Iterator[Any]:
    """A bar on the terminal's error stream; nothing where nobody watches. Yields a callable (done, total)."""
    if not on_terminal():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=max(total, 1))
