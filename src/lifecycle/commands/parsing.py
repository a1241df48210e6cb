"""From a document to a command, or to a clear word on what is malformed: the place and the reason, never the value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from lifecycle.commands.document import Command
from lifecycle.commands.registry import COMMANDS
from lifecycle.errors import Invalid, shown

_SHORT = 4_000  # bytes; the interpreter reads numbers of 4,300 digits


class Malformed(Invalid):
    """A document that is not a command. `verb`: the command that it wants to be, where there is one of that name."""

    def __init__(self, faults: list[str], id: str | None = None, verb: str | None = None) -> None:
        super().__init__("; ".join(faults) + ".")
        self.faults = faults
        self.id = id
        if verb is not None:
            self.remedy = f"compare it with `lifecycle schema commands {verb}`"  # type: ignore[misc]


def parse_line(line: bytes | str) -> dict[str, Any]:
    """One JSON object from one line."""
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        # The library's own message can quote what it read.
        raise Malformed([f"not JSON: it breaks off or goes wrong at character {error.pos + 1}"]) from None
    except UnicodeEncodeError:
        raise Malformed(["not UTF-8"]) from None
    if not isinstance(document, dict):
        raise Malformed(["not a JSON object"])
    _refuse_duplicates(line, document)
    return document


def _refuse_duplicates(line: bytes | str, document: dict[str, Any]) -> None:
    """RFC 8259 leaves open which of two equal names counts, and orjson silently takes the last: we take neither."""
    if _has_every_string(line, document):
        return
    found: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            found.extend(name for name in dict.fromkeys(names) if names.count(name) > 1)

    try:
        json.loads(line, object_pairs_hook=once)
    except (RecursionError, ValueError):
        raise Malformed(["not readable: it is nested too deeply or has a number that is too long"]) from None
    if found:
        raise Malformed([f"{shown(name).strip(chr(39))}: given twice" for name in dict.fromkeys(found)])


def _has_every_string(line: bytes | str, document: dict[str, Any]) -> bool:
    """Whether for certain no name was dropped, without reading the line once more in Python.

    Where nothing is escaped, quotation marks stand around strings alone, and a dropped name takes two with it. A short
    line has no number that is too long either.
    """
    if not isinstance(line, bytes) or len(line) > _SHORT or b"\\" in line:
        return False
    try:
        return line.count(b'"') == orjson.dumps(document).count(b'"')
    except TypeError:  # nested too deeply
        return False


def parse_command(document: Mapping[str, Any]) -> Command:
    """Raise Malformed with every fault of the document at once."""
    id = document.get("id")
    id = id if isinstance(id, str) else None
    verb = document.get("command")
    if not isinstance(verb, str):
        raise Malformed(["command: missing, or not a string"], id)
    if verb not in COMMANDS:
        raise Malformed([f"command: {shown(verb)} is none that `lifecycle schema commands` lists"], id)
    try:
        return COMMANDS[verb].model.model_validate(document)
    except ValidationError as error:
        raise Malformed(faults_of(error), id, verb) from None


def faults_of(error: ValidationError) -> list[str]:
    """Each fault as "place: reason". Keys that the caller invented are shown only if they look like a name."""
    return [
        f"{_place(fault['loc'])}: {_reason(fault)}" for fault in error.errors(include_input=False, include_url=False)
    ]


def _place(loc: tuple[int | str, ...]) -> str:
    steps = [step if isinstance(step, int) else shown(step).strip("'") for step in loc]
    return ".".join(str(step) for step in steps) or "document"


def _reason(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "no such field"
    if fault["type"] == "missing":
        return "missing"
    message = str(fault["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
