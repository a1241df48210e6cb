"""audit …: can it be shown again?"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from lifecycle.cli.here import here, instant, opened, person
from lifecycle.cli.subjects import AsOf, Subject
from lifecycle.cli.telling import json_line, rows_of
from lifecycle.cli.words import LocalTime, plain, short

app = typer.Typer(no_args_is_help=True, help="Show again what was done, and how it came to be so.")


@app.command()
def replay(context: typer.Context, subject: Subject, as_of: AsOf = None) -> None:
    """Fold a person's record anew and show the state after every event."""
    until = instant(as_of, "--as-of")
    with opened(context) as engine:
        local = LocalTime.of(engine)
        rows = engine.read.replay(person(subject), until)
    if here(context).json:
        json_line(rows)
        return
    columns = (
        ("no.", lambda row: row["version"]),
        ("what happened", lambda row: plain(row["kind"])),
        ("recorded", lambda row: local.when(row["recorded_at"])),
        ("then kept", lambda row: len(_holdings(row)) - _erased(row)),
        ("then erased", _erased),
        ("consents in force", lambda row: sum(consent["ended"] is None for consent in row["state"]["consents"])),
    )
    rows_of(f"Replay (times of {local.zone})", rows, columns)


def _holdings(row: Mapping[str, Any]) -> list[Any]:
    return list(row["state"]["holdings"].values())


def _erased(row: Mapping[str, Any]) -> int:
    return sum(holding["erased_at"] is not None for holding in _holdings(row))


@app.command()
def trail(
    context: typer.Context,
    subject: Annotated[str | None, typer.Option("--subject", help="Of one person; of everybody without it")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many")] = 1_000,
    after: Annotated[int, typer.Option(help="Behind this place in the log; to go on where a list ended")] = -1,
) -> None:
    """Who asked what, when, with what outcome; refusals included, without values."""
    with opened(context) as engine:
        local = LocalTime.of(engine)
        whom = person(subject) if subject is not None else None
        rows = engine.read.audit_trail(whom, limit + 1, after)
    more = len(rows) > limit
    rows = rows[:limit]
    if here(context).json:
        json_line(rows)
    else:
        _tell_trail(rows, local)
    if more:
        sys.stderr.write(f"There is more. Try: --after {rows[-1]['position']}\n")


def _tell_trail(rows: list[dict[str, Any]], local: LocalTime) -> None:
    columns = (
        ("in the log", lambda row: row["position"]),
        ("when", lambda row: local.when(row["recorded_at"])),
        ("person", lambda row: short(row["subject"])),
        ("in the role", lambda row: row["role"]),
        ("what", lambda row: plain(row["command"] or row["kind"])),
        ("outcome", lambda row: row["outcome"]),
        ("why not", lambda row: plain(row["code"])),
        ("clause", lambda row: row["clause"]),
        ("purpose", lambda row: row["purpose"]),
    )
    rows_of(f"Audit trail (times of {local.zone})", rows, columns)
