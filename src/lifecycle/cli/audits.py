"""audit …: can it be shown again?"""

from __future__ import annotations

from typing import Annotated

import typer

from lifecycle.cli.here import here, instant, opened, person
from lifecycle.cli.subjects import AsOf, Subject
from lifecycle.cli.telling import json_line, rows_of

app = typer.Typer(no_args_is_help=True, help="Show again what was done, and how it came to be so.")


@app.command()
def replay(context: typer.Context, subject: Subject, as_of: AsOf = None) -> None:
    """Fold a person's record anew and show the state after every event."""
    with opened(context) as engine:
        rows = engine.read.replay(person(subject), instant(as_of, "--as-of"))
    if here(context).json:
        json_line(rows)
        return
    told = [
        {
            "version": row["version"],
            "kind": row["kind"],
            "recorded at": row["recorded_at"],
            "kept": sum(holding["erased_at"] is None for holding in row["state"]["holdings"].values()),
            "erased": sum(holding["erased_at"] is not None for holding in row["state"]["holdings"].values()),
            "consents in force": sum(consent["ended"] is None for consent in row["state"]["consents"]),
        }
        for row in rows
    ]
    rows_of("Replay", told, ("version", "kind", "recorded at", "kept", "erased", "consents in force"))


@app.command()
def trail(
    context: typer.Context,
    subject: Annotated[str | None, typer.Option("--subject", help="Of one person; of everybody without it")] = None,
) -> None:
    """Who asked what, when, with what outcome; refusals included, without values."""
    with opened(context) as engine:
        rows = engine.read.audit_trail(person(subject) if subject is not None else None)
    if here(context).json:
        json_line(rows)
    else:
        rows_of(
            "Audit trail", rows, ("position", "recorded_at", "role", "kind", "outcome", "code", "clause", "purpose")
        )
