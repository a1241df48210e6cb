"""subject …: what is on record about one person."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lifecycle.cli.here import here, instant, opened, person
from lifecycle.cli.telling import json_line, rows_of, say, table

app = typer.Typer(no_args_is_help=True, help="What is on record about one person.")

Subject = Annotated[str, typer.Option("--subject", help="email=…, phone=…, ref=… or id=…")]
AsOf = Annotated[str | None, typer.Option("--as-of", help="As it was at this time")]
AsKnownAt = Annotated[str | None, typer.Option("--as-known-at", help="By what was recorded until this time")]


@app.command()
def show(context: typer.Context, subject: Subject) -> None:
    """One person at a glance."""
    with opened(context) as engine:
        id = engine.read.subject_id(person(subject))
        answer: dict[str, Any] = {
            "subject": str(id),
            "holdings": engine.read.holdings(id),
            "consents": engine.read.consents(id),
            "recipients": engine.read.recipients(id),
            "events": len(engine.read.history(id)),
        }
    if here(context).json:
        json_line(answer)
        return
    say(f"Person {answer['subject']}, {answer['events']} events on record.")
    _tell_holdings(answer["holdings"])
    _tell_consents(answer["consents"])
    _tell_recipients(answer["recipients"])


@app.command()
def holdings(
    context: typer.Context,
    subject: Subject,
    as_of: AsOf = None,
    as_known_at: AsKnownAt = None,
    clear: Annotated[bool, typer.Option("--clear", help="Show clear values; the read is recorded")] = False,
    purpose: Annotated[str | None, typer.Option(help="For which purpose clear values are read")] = None,
    actor: Annotated[str, typer.Option(help="Who reads")] = "cli",
    role: Annotated[str, typer.Option(help="In which role")] = "officer",
) -> None:
    """What is held, in which state and on which grounds; values are masked."""
    if clear and (as_of or as_known_at):
        raise typer.BadParameter("clear values are read as of now only", param_hint="--clear")
    if clear != (purpose is not None):
        raise typer.BadParameter("--clear needs --purpose, and --purpose is for --clear", param_hint="--clear")
    with opened(context) as engine:
        if purpose is not None:
            rows = engine.read_clear(person(subject), purpose, {"id": actor, "role": role})
        else:
            times = instant(as_of, "--as-of"), instant(as_known_at, "--as-known-at")
            rows = engine.read.holdings(person(subject), *times)
    if here(context).json:
        json_line(rows)
    else:
        _tell_holdings(rows)


@app.command()
def history(context: typer.Context, subject: Subject) -> None:
    """Every event of the person's record, in order, without values."""
    with opened(context) as engine:
        rows = engine.read.history(person(subject))
    if here(context).json:
        json_line(rows)
    else:
        columns = ("version", "position", "kind", "occurred_at", "recorded_at")
        rows_of("History", rows, columns)


@app.command()
def consents(context: typer.Context, subject: Subject, as_of: AsOf = None, as_known_at: AsKnownAt = None) -> None:
    """Every answer about every purpose."""
    with opened(context) as engine:
        times = instant(as_of, "--as-of"), instant(as_known_at, "--as-known-at")
        rows = engine.read.consents(person(subject), *times)
    if here(context).json:
        json_line(rows)
    else:
        _tell_consents(rows)


@app.command()
def recipients(context: typer.Context, subject: Subject, as_of: AsOf = None, as_known_at: AsKnownAt = None) -> None:
    """Who was given which holding."""
    with opened(context) as engine:
        times = instant(as_of, "--as-of"), instant(as_known_at, "--as-known-at")
        rows = engine.read.recipients(person(subject), *times)
    if here(context).json:
        json_line(rows)
    else:
        _tell_recipients(rows)


def _tell_holdings(rows: list[dict[str, Any]]) -> None:
    if not rows:
        say("Holdings: none")
        return
    shown = [
        [
            row["category"],
            row["state"],
            row["value"],
            [f"{ground['purpose']} ({ground['basis']})" + _end(ground) for ground in row["grounds"]],
            row["recipients"],
        ]
        for row in rows
    ]
    table("Holdings", ("what", "state", "value", "why, until", "given to"), shown)


def _end(ground: dict[str, Any]) -> str:
    if ground["ended"]:
        return f", ended: {ground['ended']}"
    return f", until {ground['until'][:10]}" if ground["until"] else ", until it is ended"


def _tell_consents(rows: list[dict[str, Any]]) -> None:
    rows_of("Consents", rows, ("purpose", "status", "since", "until", "notice", "because"))


def _tell_recipients(rows: list[dict[str, Any]]) -> None:
    rows_of("Recipients", rows, ("recipient", "category", "first", "last", "times"))
