"""How failures are told: what was wrong, by which rule, what to try; as a line, or as JSON. Never a value."""

from __future__ import annotations

import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any

import typer

from lifecycle.cli.telling import json_line, visible
from lifecycle.errors import LifecycleError, shown

FAILED, USAGE = 1, 2
_AN_ARGUMENT_TOO_MANY = "Got unexpected extra argument"


def tell(error: Exception, arguments: list[str], in_json: bool) -> int:
    """Say what went wrong and return the exit code."""
    if isinstance(error, LifecycleError):
        _tell(in_json, str(error), error.code, error.message, error.remedy or None, error.clause)
    elif isinstance(error, OSError):
        _refused_file(error, in_json)
    elif isinstance(error, typer.BadParameter.__mro__[1]):  # typer keeps the class of its complaints to itself
        _usage(error, arguments, in_json)
        return USAGE
    else:
        _bug(error, in_json)
    return FAILED


def _refused_file(error: OSError, in_json: bool) -> None:
    """Without the path: people name files after people."""
    message = f"A file or folder cannot be used ({error.strerror or type(error).__name__})."
    remedy = "check the path and the permissions"
    _tell(in_json, f"{message} Try: {remedy}.", "file-unusable", message, remedy)


def _usage(error: Any, arguments: list[str], in_json: bool) -> None:
    context = error.ctx
    if type(error).__name__ == "NoArgsIsHelpError":
        _tell(in_json, error.format_message(), "usage", "No command was given.", prefix="")
        return
    command = context.command_path if context is not None else "lifecycle"
    message = _without_values(error.format_message(), arguments).removesuffix(".") + "."
    remedy = f"{command} --help"
    _tell(in_json, f"{message} Try: {remedy}", "usage", message, remedy)


def _without_values(message: str, arguments: list[str]) -> str:
    """What somebody typed in the wrong place may be a name or an address."""
    if message.startswith(_AN_ARGUMENT_TOO_MANY):
        return "There is an argument too many."
    if message.startswith("No such command"):
        return re.sub(r"'(.*?)'", lambda found: shown(found[1]), message, count=1)
    typed = [argument.partition("=")[2] if argument.startswith("-") else argument for argument in arguments]
    for value in filter(None, typed):
        message = message.replace(repr(value), "what was given")
    return visible(message)


def _bug(error: Exception, in_json: bool) -> None:
    """Where it happened, without the message: that could quote a value."""
    if os.environ.get("LIFECYCLE_DEBUG"):
        traceback.print_exception(error)
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "lifecycle" in Path(frame.filename).parts] or frames
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "an unknown place"
    message = f"This is a bug in lifecycle: {type(error).__name__} at {place}."
    remedy = "report it; LIFECYCLE_DEBUG=1 shows more, values included"
    _tell(in_json, f"{message} Try: {remedy}.", "bug", message, remedy)


def _tell(
    in_json: bool,
    line: str,
    code: str,
    message: str,
    remedy: str | None = None,
    clause: str | None = None,
    prefix: str = "lifecycle: ",
) -> None:
    if in_json:
        json_line({"error": {"code": code, "clause": clause, "message": message, "remedy": remedy}})
    else:
        sys.stderr.write(f"{prefix}{line}\n")
