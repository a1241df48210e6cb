"""subject …: what is on record about one person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from lifecycle.cli.here import here, instant, opened, person
from lifecycle.cli.telling import json_line, rows_of, say, visible
from lifecycle.cli.words import LocalTime, plain, reasons, short

app = typer.Typer(no_args_is_help=True, help="What is on record about one person.")

Subject = Annotated[str, typer.Option("--subject", help="email=…, phone=…, ref=… or id=…")]
AsOf = Annotated[str | None, typer.Option("--as-of", help="As it was at this time")]
AsKnownAt = Annotated[str | None, typer.Option("--as-known-at", help="By what was recorded until this time")]
Rows = list[dict[str, Any]]


@app.command()
def show(context: typer.Context, subject: Subject, as_of: AsOf = None, as_known_at: AsKnownAt = None) -> None:
    """One person at a glance."""
    times = instant(as_of, "--as-of"), instant(as_known_at, "--as-known-at")
    with opened(context) as engine:
        local = LocalTime.of(engine)
        id = engine.read.subject_id(person(subject))
        answer: dict[str, Any] = {
            "subject": str(id),
            "holdings": engine.read.holdings(id, *times),
            "consents": engine.read.consents(id, *times),
            "recipients": engine.read.recipients(id, *times),
            "out_of_scope": engine.read.out_of_scope(id),
            "events": len(engine.read.history(id)),
        }
    if here(context).json:
        json_line(answer)
        return
    say(f"Person {answer['subject']}, {answer['events']} events on record.")
    _tell_holdings(answer["holdings"], local)
    _tell_consents(answer["consents"], local)
    _tell_recipients(answer["recipients"], local)
    _tell_out_of_scope(answer["out_of_scope"])


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
    times = instant(as_of, "--as-of"), instant(as_known_at, "--as-known-at")
    with opened(context) as engine:
        local = LocalTime.of(engine)
        if purpose is not None:
            rows = engine.read_clear(person(subject), purpose, {"id": actor, "role": role})
        else:
            rows = engine.read.holdings(person(subject), *times)
    if here(context).json:
        json_line(rows)
    else:
        _tell_holdings(rows, local)


@app.command()
def history(context: typer.Context, subject: Subject) -> None:
    """Every event of the person's record, in order, without values."""
    with opened(context) as engine:
        local = LocalTime.of(engine)
        rows = engine.read.history(person(subject))
    if here(context).json:
        json_line(rows)
        return
    columns = (
        ("no.", lambda row: row["version"]),
        ("what happened", lambda row: plain(row["kind"])),
        ("about", lambda row: _about(row["data"])),
        ("when", lambda row: local.when(row["occurred_at"])),
        ("recorded", lambda row: local.when(row["recorded_at"])),
        ("by", lambda row: row["actor"]["id"] or row["actor"]["role"]),
        ("in the log", lambda row: row["position"]),
    )
    rows_of(f"History (times of {local.zone})", rows, columns)


@app.command()
def consents(context: typer.Context, subject: Subject, as_of: AsOf = None, as_known_at: AsKnownAt = None) -> None:
    """Every answer about every purpose."""
    times = instant(as_of, "--as-of"), instant(as_known_at, "--as-known-at")
    with opened(context) as engine:
        local = LocalTime.of(engine)
        rows = engine.read.consents(person(subject), *times)
    if here(context).json:
        json_line(rows)
    else:
        _tell_consents(rows, local)


@app.command()
def recipients(context: typer.Context, subject: Subject, as_of: AsOf = None, as_known_at: AsKnownAt = None) -> None:
    """Who was given which holding: trustees, authorities, third parties, providers of technologies, systems."""
    times = instant(as_of, "--as-of"), instant(as_known_at, "--as-known-at")
    with opened(context) as engine:
        local = LocalTime.of(engine)
        rows = engine.read.recipients(person(subject), *times)
    if here(context).json:
        json_line(rows)
    else:
        _tell_recipients(rows, local)


def _about(data: Mapping[str, Any]) -> list[str]:
    """Of an event's data what a reader looks for first: purposes, bases, recipients, reasons; no ids."""
    told = [data.get("purposes"), data.get("purpose"), data.get("basis"), data.get("trustee"), data.get("reason")]
    return [visible(each) for each in told if each]


def _tell_holdings(rows: Rows, local: LocalTime) -> None:
    columns = (
        ("what", lambda row: row["category"]),
        ("state", lambda row: row["state"]),
        ("value", lambda row: row["value"]),
        ("why", lambda row: reasons(row, local)),
        ("given to", lambda row: row["recipients"]),
        ("id", lambda row: short(row["holding"])),
    )
    rows_of("Holdings", sorted(rows, key=lambda row: row["category"]), columns)


def _tell_consents(rows: Rows, local: LocalTime) -> None:
    columns = (
        ("purpose", lambda row: row["purpose"]),
        ("technology", lambda row: row["technology"]),
        ("answer", lambda row: plain(row["status"])),
        ("since", lambda row: local.when(row["since"])),
        ("until", lambda row: local.when(row["until"])),
        ("notice shown", lambda row: row["notice"]),
    )
    rows_of(f"Consents (times of {local.zone})", rows, columns)


def _tell_recipients(rows: Rows, local: LocalTime) -> None:
    columns = (
        ("recipient", lambda row: row["name"] or short(row["recipient"])),
        ("as", lambda row: plain(row["kind"])),
        ("what", lambda row: row["category"]),
        ("first given", lambda row: local.when(row["first"])),
        ("last given", lambda row: local.when(row["last"])),
        ("times", lambda row: row["times"]),
        ("not to be told until", lambda row: local.when(row["gag_until"])),
    )
    rows_of(f"Recipients (times of {local.zone})", rows, columns)


def _tell_out_of_scope(rows: Rows) -> None:
    columns = (
        ("product", lambda row: row["name"]),
        ("provider", lambda row: row["provider"]),
        ("its own terms", lambda row: row["terms"]),
        ("holdings given", lambda row: len(row["given"])),
    )
    rows_of("Out of our scope", rows, columns)
