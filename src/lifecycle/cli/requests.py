"""request …: what people ask of us, and until when it is answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from lifecycle.cli.carrying_out import answer, document
from lifecycle.cli.here import here, opened, person
from lifecycle.cli.telling import json_line, rows_of, say
from lifecycle.cli.words import LocalTime
from lifecycle.errors import Invalid

app = typer.Typer(no_args_is_help=True, help="What people ask of us, and until when it is answered.")

# One id of ours in 64 begins with a dash, as an option does.
OF_AN_ID = {"ignore_unknown_options": True}
Request = Annotated[str, typer.Argument(help="Our id of the request, or with --subject its own name")]
Subject = Annotated[str | None, typer.Option(help="email=…, phone=…, ref=… or id=…; not needed with our id")]
Reason = Annotated[str, typer.Option(help="Why")]
OptionalReason = Annotated[str | None, typer.Option(help="Why")]


class WhoAsks(Invalid):
    remedy = "give one of --subject and --receipt"

    def __init__(self) -> None:
        super().__init__("It is not said whose request it is.")


class Erased(NamedTuple):
    """Somebody who can be found by the receipt of their erasure alone."""

    receipt: dict[str, str]


def erasure_receipt(path: Path) -> dict[str, str]:
    try:
        said = json.loads(path.read_bytes())
        return {"sid": said["sid"], "salt": said["salt"]}
    except (ValueError, KeyError, TypeError):
        from lifecycle.engine.erasure_receipts import NotAReceipt  # noqa: PLC0415 -- the line must start quickly

        raise NotAReceipt from None


@app.command(name="list")
def list_(
    context: typer.Context,
    open_: Annotated[bool, typer.Option("--open", help="Only what waits for an answer")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what should have been answered")] = False,
    subject: Annotated[str | None, typer.Option(help="Of one person only")] = None,
) -> None:
    """Requests with the working days that are left; what is due next comes first."""
    with opened(context) as engine:
        local = LocalTime.of(engine)
        whose = None if subject is None else person(subject)
        rows = engine.read.requests(whose, only_open=open_ or overdue)
    rows = [row for row in rows if row["overdue"] or not overdue]
    if here(context).json:
        json_line(rows)
        return
    columns = (
        ("id", lambda row: row["id"]),
        ("kind", lambda row: row["kind"]),
        ("state", lambda row: row["state"]),
        ("received", lambda row: local.when(row["received"])),
        ("last day", _last_day),
        ("working days left", lambda row: row["days_left"]),
        ("overdue", lambda row: row["overdue"]),
    )
    rows_of("Requests", rows, columns)


def _last_day(row: Any) -> str:
    if row["due"] is None:
        return "–"
    return f"{row['due_on']} (provisional)" if row["provisional"] else str(row["due_on"])


@app.command(context_settings=OF_AN_ID)
def show(context: typer.Context, request: Request) -> None:
    """One request, without a word of what was asked."""
    with opened(context) as engine:
        local = LocalTime.of(engine)
        rows = engine.read.requests(engine.read.requester(request))
    found = next(row for row in rows if row["id"] == request)
    if here(context).json:
        json_line(found)
        return
    say(f"{found['kind']}: {found['state']}, received {local.when(found['received'])} by {found['channel']}")
    if found["due"] is not None:
        say(f"Last day {_last_day(found)} by {found['rule']}, calendar {found['calendar']} {found['calendar_version']}")
        say(f"Working days left: {found['days_left']}{'; overdue' if found['overdue'] else ''}")
    if found["rests_until"] is not None:
        say(f"The clock rests until {local.when(found['rests_until'])} at most")


@app.command()
def receive(
    context: typer.Context,
    kind: Annotated[str, typer.Option(help="access, copy, correction, deletion, explanation, withdrawal, …")],
    channel: Annotated[str, typer.Option(help="How it came in: one of the policy's channels")],
    subject: Annotated[str | None, typer.Option(help="email=…, phone=…, ref=… or id=…")] = None,
    receipt: Annotated[Path | None, typer.Option(help="Of somebody erased: the receipt of the erasure")] = None,
    name: Annotated[str | None, typer.Option(help="Your own name for it")] = None,
    text: Annotated[str | None, typer.Option(help="What is asked")] = None,
    identity: Annotated[str | None, typer.Option(help="How the requester was recognised")] = None,
    agent: Annotated[str | None, typer.Option(help="Who asks on the person's behalf")] = None,
    guardian: Annotated[str | None, typer.Option(help="Which guardian asks: email=…, phone=… or ref=…")] = None,
    authority: Annotated[str | None, typer.Option(help="By what authority they ask for the person")] = None,
    about: Annotated[str | None, typer.Option(help="The earlier request that it is about")] = None,
    region: Annotated[str | None, typer.Option(help="Where the person is: two letters, such as SG")] = None,
    at: Annotated[str | None, typer.Option(help="When it came in, if not now")] = None,
) -> None:
    """Receive a request, an enquiry or a complaint."""
    other: dict[str, Any] | None = None
    if guardian is not None:
        other = {"relation": "guardian", "reference": person(guardian), "name": agent, "evidence": authority}
    elif agent is not None:
        other = {"relation": "agent", "name": agent, "evidence": authority}
    fields = {"kind": kind, "channel": channel, "request": name, "text": text, "identity": identity}
    more = {"on_behalf": other, "about": about, "region": region, "at": at}
    if (subject is None) == (receipt is None):
        raise WhoAsks
    whom = Erased(erasure_receipt(receipt)) if receipt is not None else person(subject or "")
    _execute(context, "receive-request", whom, **fields, **more)


@app.command(context_settings=OF_AN_ID)
def verify(
    context: typer.Context,
    request: Request,
    evidence: Annotated[str | None, typer.Option(help="How the requester was recognised")] = None,
    authority: Annotated[str | None, typer.Option(help="By what authority they ask for the person")] = None,
    receipt: Annotated[Path | None, typer.Option(help="Of somebody erased: the receipt of the erasure")] = None,
    subject: Subject = None,
) -> None:
    """Record that the requester has proven who they are."""
    shown = None if receipt is None else erasure_receipt(receipt)
    _about(context, "verify-requester", request, subject, evidence=evidence, authority=authority, receipt=shown)


@app.command(context_settings=OF_AN_ID)
def pause(
    context: typer.Context,
    request: Request,
    reason: Reason,
    because: Annotated[str, typer.Option(help="identity or clarification")] = "identity",
    subject: Subject = None,
) -> None:
    """Let the clock rest while the person has something to do."""
    _about(context, "pause-request", request, subject, because=because, reason=reason)


@app.command(context_settings=OF_AN_ID)
def resume(context: typer.Context, request: Request, reason: OptionalReason = None, subject: Subject = None) -> None:
    """Let the clock go on."""
    _about(context, "resume-request", request, subject, reason=reason)


@app.command(context_settings=OF_AN_ID)
def extend(
    context: typer.Context,
    request: Request,
    until: Annotated[str, typer.Option(help="The new last day, such as 2026-03-31")],
    reason: Reason,
    channel: Annotated[str | None, typer.Option(help="How the person was told")] = None,
    subject: Subject = None,
) -> None:
    """Tell the person of a later day: once, and before the first is over."""
    _about(context, "extend-request", request, subject, until=until, reason=reason, channel=channel)


@app.command(context_settings=OF_AN_ID)
def fulfil(
    context: typer.Context,
    request: Request,
    note: Annotated[str | None, typer.Option(help="What is to be remembered of the answer")] = None,
    otherwise: Annotated[
        str | None, typer.Option(help="How access or a copy was given, if not by an access package")
    ] = None,
    subject: Subject = None,
) -> None:
    """Record that it was answered as asked; access and copies by an access package, or otherwise."""
    _about(context, "fulfil-request", request, subject, note=note, otherwise=otherwise)


@app.command(context_settings=OF_AN_ID)
def refuse(context: typer.Context, request: Request, reason: Reason, subject: Subject = None) -> None:
    """Refuse it, with the reason; where to complain is added."""
    _about(context, "refuse-request", request, subject, reason=reason)


@app.command(context_settings=OF_AN_ID)
def withdraw(context: typer.Context, request: Request, reason: OptionalReason = None, subject: Subject = None) -> None:
    """Record that whoever asked does so no longer."""
    _about(context, "withdraw-request", request, subject, reason=reason)


@app.command(context_settings=OF_AN_ID)
def escalate(
    context: typer.Context,
    request: Request,
    region: Annotated[str | None, typer.Option(help="Where the person is: two letters, such as SG")] = None,
    reason: OptionalReason = None,
    subject: Subject = None,
) -> None:
    """Pass a complaint on to the authority of the person's region."""
    _about(context, "escalate-complaint", request, subject, region=region, reason=reason)


def _about(context: typer.Context, command: str, request: str, subject: str | None, **fields: Any) -> None:
    whom = None if subject is None else person(subject)
    _execute(context, command, whom, request=request, **fields)


def _execute(context: typer.Context, command: str, subject: dict[str, str] | Erased | None, **fields: Any) -> None:
    with opened(context) as engine:
        if isinstance(subject, Erased):
            whom = {"id": str(engine.read.erased(subject.receipt))}
        else:
            whom = subject or {"id": str(engine.read.requester(fields["request"]))}
        outcome = engine.execute(document(command, subject=whom, **fields))
    answer(context, outcome)
