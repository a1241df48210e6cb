"""trustee duties, letter, instruct, confirm, decline: what recipients have to do with their copies, what they say."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lifecycle.cli.carrying_out import answer, document
from lifecycle.cli.here import here, opened, person
from lifecycle.cli.telling import json_line, rows_of, say, visible
from lifecycle.cli.words import LocalTime, plain, short

Instruction = Annotated[str, typer.Argument(help="The instruction's id")]
Token = Annotated[str, typer.Option(help="The token of this instruction, as it was delivered")]


def add_to(app: typer.Typer) -> None:
    for command in (duties, letter, instruct, confirm, decline):
        app.command()(command)


def duties(
    context: typer.Context,
    recipient: Annotated[str | None, typer.Argument(help="Of one recipient only")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Only what waits for an answer")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what should have been answered")] = False,
    subject: Annotated[str | None, typer.Option(help="About one person: email=…, phone=…, ref=… or id=…")] = None,
) -> None:
    """What recipients were told to do with their copies, and what they answered; what waits longest comes first."""
    with opened(context) as engine:
        local = LocalTime.of(engine)
        whose = None if subject is None else person(subject)
        rows = engine.read.duties(whose, recipient=recipient, only_open=open_ or overdue)
    rows = [row for row in rows if row["state"] == "overdue" or not overdue]
    if here(context).json:
        json_line(rows)
        return
    columns = (
        ("instruction", lambda row: row["instruction"]),
        ("recipient", lambda row: row["recipient"]),
        ("duty", lambda row: row["duty"]),
        ("because", lambda row: plain(row["because"])),
        ("about", lambda row: short(row["subject"])),
        ("holdings", lambda row: len(row["holdings"])),
        ("last day", lambda row: local.last_day(row["due"])),
        ("state", lambda row: row["state"]),
    )
    rows_of("Duties", rows, columns)


def letter(context: typer.Context, instruction: Instruction) -> None:
    """An instruction as it goes out, its token included: for whoever takes it to the recipient by hand."""
    with opened(context) as engine:
        found = engine.letter(instruction)
    if here(context).json:
        json_line(found)
        return
    for name, said in found.items():
        say(f"{name}: {visible(said)}")


def instruct(
    context: typer.Context,
    recipient: Annotated[str, typer.Argument(help="Who was given something")],
    duty: Annotated[str, typer.Argument(help="erase, correct, stop or return")],
    subject: Annotated[str, typer.Option(help="About whom: email=…, phone=…, ref=… or id=…")],
    holding: Annotated[list[str] | None, typer.Option(help="May be given several times; without it, all")] = None,
) -> None:
    """Tell a recipient what to do with its copies."""
    fields = {"recipient": recipient, "duty": duty, "holdings": holding or []}
    _execute(context, "instruct", person(subject), **fields)


def confirm(
    context: typer.Context,
    instruction: Instruction,
    token: Token,
    evidence: Annotated[str | None, typer.Option(help="What the recipient shows for it")] = None,
) -> None:
    """Record that a recipient has done what it was told."""
    _execute(context, "confirm", None, instruction=instruction, token=token, evidence=evidence)


def decline(
    context: typer.Context,
    instruction: Instruction,
    token: Token,
    because: Annotated[str, typer.Option(help="law-requires-it, not-held, not-feasible, not-ours or other")],
    reason: Annotated[str | None, typer.Option(help="In the recipient's own words")] = None,
) -> None:
    """Record that a recipient will not do what it was told."""
    _execute(context, "decline", None, instruction=instruction, token=token, reason=reason, because=because)


def _execute(context: typer.Context, command: str, subject: dict[str, str] | None, **fields: Any) -> None:
    with opened(context) as engine:
        whom = subject or {"id": str(engine.read.instructed(fields["instruction"]).subject_id)}
        outcome = engine.execute(document(command, subject=whom, **fields))
    answer(context, outcome)
