"""subject custody: what is stored only about one person, and opening it for the hold or the law that keeps it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lifecycle.cli.here import here, opened, person
from lifecycle.cli.subjects import Subject
from lifecycle.cli.telling import json_line, rows_of
from lifecycle.cli.words import LocalTime, plain, short

Several = Annotated[list[str] | None, typer.Option("--category", help="Only this category; may be repeated")]


def custody(
    context: typer.Context,
    subject: Subject,
    hold: Annotated[str | None, typer.Option(help="The legal hold that keeps it, by the name it was placed by")] = None,
    law: Annotated[str | None, typer.Option(help="The law that keeps it")] = None,
    request: Annotated[str | None, typer.Option(help="Of what is disputed: the person's open request")] = None,
    category: Several = None,
    clear: Annotated[bool, typer.Option("--clear", help="Open it; that is recorded")] = False,
    reason: Annotated[str | None, typer.Option(help="Why it is opened")] = None,
    actor: Annotated[str, typer.Option(help="Who opens")] = "cli",
    role: Annotated[str, typer.Option(help="In which role: custodian or officer")] = "custodian",
) -> None:
    """What is stored only. Values are shown with --clear, to a custodian who names the hold, the law or the request."""
    if clear and (sum(said is not None for said in (hold, law, request)) != 1 or reason is None):
        raise typer.BadParameter("--clear needs --reason, and one of --hold, --law, --request", param_hint="--clear")
    with opened(context) as engine:
        local = LocalTime.of(engine)
        who = person(subject)
        if clear:
            said = {"reason": reason or "", "hold": hold, "law": law, "request": request, "categories": category or ()}
            rows = engine.open_custody(who, {"id": actor, "role": role}, **said)  # type: ignore[arg-type]
        else:
            rows = [row for row in engine.read.holdings(who) if row["state"] == "restricted"]
            rows = [row for row in rows if not category or row["category"] in category]
    if here(context).json:
        json_line(rows)
    else:
        _tell(rows, local)


def _tell(rows: list[dict[str, Any]], local: LocalTime) -> None:
    columns = (
        ("what", lambda row: row["category"]),
        ("value", lambda row: row["value"]),
        ("kept by", lambda row: plain(row["restriction"]["because"])),
        ("until", lambda row: local.when(row["restriction"]["until"])),
        ("id", lambda row: short(row["holding"])),
    )
    rows_of("Stored only", sorted(rows, key=lambda row: row["category"]), columns)
