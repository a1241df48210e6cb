"""Printing: JSON for programs, tables for people. Values are text, never markup."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

_NOT_PRINTED = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control characters, direction marks, halves of pairs, line separators

Column = tuple[str, Callable[[Mapping[str, Any]], Any]]
"""A heading, and what stands under it for one JSON object."""


def json_line(value: Any) -> None:
    """One JSON value on a line of its own, at once."""
    sys.stdout.write(orjson.dumps(value, default=str).decode() + "\n")
    sys.stdout.flush()


def visible(value: Any) -> str:
    """A value as text whose control characters and direction marks are written out."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(visible(each) for each in value) or "–"
    return "".join(
        character if unicodedata.category(character) not in _NOT_PRINTED else _escaped(character)
        for character in str(value)
    )


def _escaped(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode() if not character.isascii() else repr(character)[1:-1]


def say(text: str) -> None:
    """Text of ours; what others wrote goes through `visible` first."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    from rich.console import Console  # noqa: PLC0415 -- programs that read JSON never need it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    say(title)
    shown = Table(header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(visible(cell)) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(width=140, highlight=False)
    console.print(shown)


def rows_of(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    """A table of JSON objects; an empty one says so."""
    if not rows:
        say(f"{title}: none")
        return
    table(title, [heading for heading, _ in columns], [[cell(row) for _, cell in columns] for row in rows])
