"""request token and subject package: a token for whoever has proven who they are, and the file that it opens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lifecycle.cli.here import here, opened, person
from lifecycle.cli.requests import Request
from lifecycle.cli.subjects import Subject
from lifecycle.cli.telling import json_line, say
from lifecycle.cli.words import LocalTime, counted


def token(
    context: typer.Context,
    request: Request,
    subject: Annotated[str | None, typer.Option(help="email=…, phone=…, ref=… or id=…; not needed with our id")] = None,
    actor: Annotated[str, typer.Option(help="Who issues it")] = "cli",
    role: Annotated[str, typer.Option(help="In which role: officer or service")] = "officer",
) -> None:
    """Issue a token for an access package: shown once, kept nowhere. It replaces the tokens before it."""
    with opened(context) as engine:
        local = LocalTime.of(engine)
        who = person(subject) if subject is not None else {"id": str(engine.read.requester(request))}
        issued = engine.issue_package_token(who, request, {"id": actor, "role": role})
    if here(context).json:
        json_line({"token": issued.text, "request": issued.request, "expires": issued.expires.isoformat()})
        return
    say(issued.text)
    say(f"Give it to the requester alone. It opens one package until {local.when(issued.expires.isoformat())}.")


def package(
    context: typer.Context,
    subject: Subject,
    request: Annotated[str, typer.Option(help="The request for access or a copy: our id, or its own name")],
    token: Annotated[str, typer.Option(envvar="LIFECYCLE_PACKAGE_TOKEN", help="As it was issued")],
    out: Annotated[Path, typer.Option(help="Where to write the ZIP file")],
    language: Annotated[str, typer.Option(help="en or zh")] = "en",
) -> None:
    """Everything on record about one person, for that person: JSON for machines, a page for people."""
    with opened(context) as engine:
        made = engine.access_package(person(subject), request, token, out, language=language)
    if here(context).json:
        told = {"path": str(made.path), "sha256": made.digest, "holdings": made.holdings, "withheld": made.withheld}
        json_line(told)
        return
    say(f"Wrote {made.path} with {counted(made.holdings, 'value', 'values')} in clear.")
    if made.withheld:
        say(f"{counted(made.withheld, 'item is', 'items are')} listed without a value, each with the reason.")
    say(f"SHA-256 {made.digest}")


def receipt(
    context: typer.Context,
    subject: Subject,
    out: Annotated[Path, typer.Option(help="Where to write the receipt")],
    purpose: Annotated[
        str | None, typer.Option(help="About consent to this purpose; the newest of any without")
    ] = None,
    opened_up: Annotated[
        bool, typer.Option("--opened", help="With the event's header: evidence for a dispute, not for the person")
    ] = False,
) -> None:
    """Write a consent receipt for the person: signed, proven by the log, checked by `lifecycle verify --consent`."""
    from lifecycle.engine.archives import beside, write_whole  # noqa: PLC0415 -- the line must start quickly
    from lifecycle.engine.receipts import newest_about  # noqa: PLC0415

    with opened(context) as engine:
        version = newest_about(engine, person(subject), purpose)
        content = engine.consent_receipt(person(subject), version, opened=opened_up)
    with beside(out) as unfinished:
        write_whole(unfinished, content)
    if here(context).json:
        json_line({"path": str(out), "version": version})
    else:
        say(f"Wrote {out}. Keys to check it are log.vkey and receipt.vkey of the log.")
