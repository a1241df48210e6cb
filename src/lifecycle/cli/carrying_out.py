"""A command given on the command line: its document, and its outcome told."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import typer

from lifecycle.cli.here import here
from lifecycle.cli.telling import json_line, say
from lifecycle.cli.words import in_words

if TYPE_CHECKING:
    from lifecycle.commands.outcome import Outcome


def document(command: str, **fields: Any) -> dict[str, Any]:
    """The document of a command by an operator at this machine; a field without a value is absent."""
    given = {name: value for name, value in fields.items() if value is not None}
    return {
        "command": command,
        "id": f"cli-{secrets.token_hex(8)}",
        "actor": {"id": "cli", "role": "operator"},
        **given,
    }


def is_failed(outcome: Outcome) -> bool:
    return outcome.outcome in ("invalid", "conflict", "refused")


def answer(context: typer.Context, outcome: Outcome) -> None:
    """Tell the outcome, as JSON if that was asked for. Raises Exit with code 1 if the command was not carried out."""
    if here(context).json:
        json_line(outcome.model_dump(mode="json"))
    else:
        say(in_words(outcome))
        if outcome.request is not None and outcome.outcome == "done":
            _tell_request(outcome.request)
    if is_failed(outcome):
        raise typer.Exit(1)


def _tell_request(told: Any) -> None:
    say(f"Request {told.id}")
    if told.due_on is not None:
        say(f"Last day: {told.due_on}{' (provisional)' if told.provisional else ''}")
    if told.duplicate_of is not None:
        say(f"It repeats {told.duplicate_of}, and is answered together with it")
