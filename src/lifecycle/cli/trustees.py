"""trustee …: who processes on our behalf, under which agreements."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lifecycle.cli import duties
from lifecycle.cli.carrying_out import answer, document
from lifecycle.cli.here import here, opened
from lifecycle.cli.telling import Column, json_line, rows_of, say, visible
from lifecycle.cli.words import LocalTime, plain
from lifecycle.errors import Invalid

app = typer.Typer(no_args_is_help=True, help="Who processes on our behalf, under which agreements.")
duties.add_to(app)

Trustee = Annotated[str, typer.Argument(help="The trustee's id")]
SubTrustee = Annotated[str, typer.Argument(help="Whom it entrusts: an id of ours")]
Said = Annotated[str | None, typer.Option(help="Why")]


class NoSuchTrustee(Invalid):
    remedy = "see which there are: `lifecycle trustee list`"

    def __init__(self) -> None:
        super().__init__("No trustee of this id was ever engaged.")


@app.command(name="list")
def list_(context: typer.Context) -> None:
    """Every trustee that was ever engaged."""
    with opened(context) as engine:
        rows = engine.trustees()
    if here(context).json:
        json_line(rows)
        return
    columns = (
        ("trustee", lambda row: row["trustee"]),
        ("standing", lambda row: plain(row["standing"])),
        ("answers owed", lambda row: row["duties_open"]),
        ("overdue", lambda row: row["duties_overdue"]),
        ("open findings", lambda row: sum(each["remedied_at"] is None for each in row["findings"])),
        ("agreements", lambda row: [each["purpose"] for each in row["agreements"] if each["ended_at"] is None]),
    )
    rows_of("Trustees", rows, columns)


@app.command()
def show(context: typer.Context, trustee: Trustee) -> None:
    """A trustee: its agreements, what was found about it, whom it entrusts."""
    with opened(context) as engine:
        local = LocalTime.of(engine)
        found = engine.trustee(trustee)
    if found["version"] == 0:
        raise NoSuchTrustee
    if here(context).json:
        json_line(found)
        return
    say(f"Trustee {visible(trustee)}: {plain(found['standing'])}.")
    say(f"Answers owed: {found['duties_open']}, of which overdue: {found['duties_overdue']}")
    columns = (
        ("id", lambda row: row["id"]),
        ("purpose", lambda row: row["purpose"]),
        ("first day", lambda row: row["starts"]),
        ("last day", lambda row: row["ends"]),
        ("method", lambda row: row["method"]),
        ("may be given", lambda row: row["categories"]),
        ("signed", lambda row: local.when(row["signed_at"])),
        ("ended", lambda row: local.when(row["ended_at"])),
    )
    rows_of("Agreements", found["agreements"], columns)
    rows_of("Findings", found["findings"], _findings(local))
    if found["sub_trustees"]:
        say(f"May entrust: {visible([each['sub_trustee'] for each in found['sub_trustees']])}")


def _findings(local: LocalTime) -> tuple[Column, ...]:
    return (
        ("id", lambda row: row["id"]),
        ("because", lambda row: plain(row["because"])),
        ("since", lambda row: local.when(row["since"])),
        ("to be mended by", lambda row: row["remedy_by"]),
        ("overdue", lambda row: row["overdue"]),
        ("mended", lambda row: local.when(row["remedied_at"])),
    )


@app.command()
def engage(
    context: typer.Context,
    trustee: Trustee,
    name: Annotated[str, typer.Option(help="The trustee's name")],
    contact: Annotated[str, typer.Option(help="How to reach it")],
    country: Annotated[str, typer.Option(help="Two letters, such as SG")],
) -> None:
    """Engage a trustee."""
    _execute(context, "engage-trustee", trustee, name=name, contact=contact, country=country)


@app.command()
def sign(
    context: typer.Context,
    trustee: Trustee,
    purpose: Annotated[str | None, typer.Option()] = None,
    from_: Annotated[str | None, typer.Option("--from", help="First day")] = None,
    to: Annotated[str | None, typer.Option(help="Last day")] = None,
    method: Annotated[str | None, typer.Option()] = None,
    category: Annotated[list[str] | None, typer.Option(help="May be given several times")] = None,
    measures: Annotated[str | None, typer.Option(help="Protective measures")] = None,
    rights_and_obligations: Annotated[str | None, typer.Option(help="Of both parties")] = None,
) -> None:
    """Sign an agreement with all seven terms of clause 3.1a."""
    terms = {
        "purpose": purpose,
        "from": from_,
        "to": to,
        "method": method,
        "categories": category or [],
        "measures": measures,
        "rights_and_obligations": rights_and_obligations,
    }
    _execute(context, "sign-agreement", trustee, agreement=terms)


@app.command()
def end(
    context: typer.Context,
    trustee: Trustee,
    agreement: Annotated[str | None, typer.Option(help="Which; all open ones if none is named")] = None,
    reason: Said = None,
) -> None:
    """End an agreement."""
    _execute(context, "end-agreement", trustee, agreement=agreement, reason=reason)


@app.command()
def review(
    context: typer.Context,
    trustee: Trustee,
    finding: Annotated[str, typer.Option(help="What was found")],
    remedy_by: Annotated[str | None, typer.Option(help="By which day it has to be mended")] = None,
) -> None:
    """Record a review."""
    _execute(context, "review-trustee", trustee, finding=finding, remedy_by=remedy_by)


@app.command()
def remedy(
    context: typer.Context,
    trustee: Trustee,
    finding: Annotated[str, typer.Argument(help="Which, as `trustee show` says")],
    evidence: Annotated[str, typer.Option(help="How it was mended")],
) -> None:
    """Record that a finding was mended."""
    _execute(context, "remedy-finding", trustee, finding=finding, evidence=evidence)


@app.command(name="approve-sub")
def approve_sub(
    context: typer.Context,
    trustee: Trustee,
    sub_trustee: SubTrustee,
    name: Annotated[str, typer.Option(help="Its name")],
    contact: Annotated[str, typer.Option(help="How to reach it")],
    country: Annotated[str, typer.Option(help="Two letters, such as SG")],
) -> None:
    """Consent to its entrusting somebody else."""
    said = {"name": name, "contact": contact, "country": country}
    _execute(context, "approve-sub-trustee", trustee, sub_trustee=sub_trustee, **said)


@app.command(name="report-sub")
def report_sub(context: typer.Context, trustee: Trustee, sub_trustee: SubTrustee) -> None:
    """Record that it entrusts somebody else; without our consent that is a finding."""
    _execute(context, "report-sub-trustee", trustee, sub_trustee=sub_trustee)


@app.command()
def dismiss(context: typer.Context, trustee: Trustee, reason: Said = None) -> None:
    """Dismiss a trustee and end its agreements."""
    _execute(context, "dismiss-trustee", trustee, reason=reason)


def _execute(context: typer.Context, command: str, trustee: str, **fields: Any) -> None:
    with opened(context) as engine:
        outcome = engine.execute(document(command, trustee=trustee, **fields))
    answer(context, outcome)
