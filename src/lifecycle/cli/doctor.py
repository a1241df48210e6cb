"""doctor: is the store well? For people, and by its exit code for monitoring."""

from __future__ import annotations

import typer

from lifecycle.cli.here import here
from lifecycle.cli.telling import json_line, say, visible


def add_to(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(context: typer.Context) -> None:
    """Look at the store, its keys, its log and its worker; say what is wrong and what to do. Exit code 1: it failed."""
    from lifecycle.engine.doctor import Level, examine  # noqa: PLC0415 -- the line must start quickly

    said = here(context)
    found = examine(said.settings)
    worst = max(found, key=lambda each: each.level).level
    if said.json:
        json_line({"level": worst.name.lower(), "findings": [each.as_json() for each in found]})
    else:
        for each in sorted(found, key=lambda each: -each.level):
            since = f" Since {each.since:%Y-%m-%d %H:%M:%S} UTC." if each.since is not None else ""
            remedy = f" Try: {each.remedy}." if each.remedy else ""
            say(f"{each.level.name.lower():8} {each.check:16} {visible(each.what)}{since}{remedy}".rstrip(" –"))
    if worst is Level.FAILED:
        raise typer.Exit(1)
