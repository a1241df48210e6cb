"""incident …: what was leaked, changed or lost, who was hit, and who has been told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lifecycle.cli.carrying_out import answer, document, is_failed
from lifecycle.cli.here import here, opened, progress
from lifecycle.cli.telling import json_line, rows_of, say, visible
from lifecycle.cli.words import LocalTime
from lifecycle.errors import Invalid

if TYPE_CHECKING:
    from lifecycle.commands.outcome import Outcome

app = typer.Typer(no_args_is_help=True, help="What was leaked, changed or lost, who was hit, who has been told.")

Incident = Annotated[str, typer.Argument(help="The incident's id")]
Contents = Annotated[list[str] | None, typer.Option("--say", help="key=text, as law wants it; several times")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say whom it would reach")]


class NotContents(Invalid):
    remedy = "write --say key=text, such as --say cause='a lost laptop'"

    def __init__(self) -> None:
        super().__init__("--say does not say what.")


@app.command(name="list")
def list_(context: typer.Context) -> None:
    """Every incident, the newest first."""
    with opened(context) as engine:
        local = LocalTime.of(engine)
        rows = engine.incidents.all()
    if here(context).json:
        json_line(rows)
        return
    columns = (
        ("incident", lambda row: row["name"]),
        ("nature", lambda row: row["nature"]),
        ("state", lambda row: row["status"]),
        ("detected", lambda row: local.when(row["detected_at"])),
        ("people hit", lambda row: row["people"]),
        ("told", lambda row: row["told"]),
        ("left", lambda row: row["untold"]),
        ("next limit", lambda row: local.when(row["next_due"])),
        ("missed", lambda row: row["missed"]),
    )
    rows_of("Incidents", rows, columns)


@app.command()
def show(context: typer.Context, incident: Incident) -> None:
    """How far an incident has come, who was hit, and which limits run."""
    with opened(context) as engine:
        local = LocalTime.of(engine)
        found = engine.incidents.show(incident)
    if here(context).json:
        json_line(found)
        return
    risk = found["risk"] or "not assessed"
    say(f"Incident {visible(incident)} ({found['nature']}) is {found['status']}, risk {risk}.")
    if found["affected"] is not None:
        _say_affected(found["affected"])
    columns = (
        ("who", lambda row: row["whom"]),
        ("by rule", lambda row: row["rule"]),
        ("until", lambda row: local.when(row["due"])),
        ("told", lambda row: row["told"]),
        ("missed", lambda row: row["missed"]),
    )
    rows_of("Limits", found["clocks"], columns)


@app.command()
def affected(
    context: typer.Context,
    incident: Incident,
    record: Annotated[bool, typer.Option("--record", help="Put it on the incident's record")] = False,
) -> None:
    """Compute who was hit, from the records as of the window."""
    with opened(context, publishing=record) as engine, progress("Looking through the records") as bar:
        outcome = engine.incidents.count(incident, bar) if record else None
        found = engine.incidents.affected(incident) if outcome is None else engine.incidents.show(incident)["affected"]
    if here(context).json:
        json_line(found)
        return
    _say_affected(found)


def _say_affected(found: dict[str, Any]) -> None:
    say(f"Hit: {found['people']} people, {found['holdings']} items; {found['minors']} minors, ages unknown of "
        f"{found['age_unknown']}; {found['sensitive']} people with sensitive data")  # fmt: skip
    say(f"Left to be told: {found['untold']}; erased, who cannot be told: {found['erased']}")
    for reason, number in found.get("excluded", {}).items():
        say(f"Not hit: {number} items, {reason}")


@app.command()
def notify(
    context: typer.Context,
    incident: Incident,
    channel: Annotated[str | None, typer.Option(help="How people are told: a channel of the policy")] = None,
    said: Contents = None,
    dry_run: DryRun = False,
) -> None:
    """Tell everybody who was hit and does not know yet; broken off, it goes on where it stopped."""
    if dry_run:
        with opened(context) as engine:
            would = engine.incidents.to_tell(incident)
        if here(context).json:
            json_line(would)
        else:
            skipped = sum(would["skipped"].values())
            say(f"Would be told: {would['to_tell']} people; told already: {would['told']}; skipped: {skipped}")
        return
    outcome: Outcome | None
    with opened(context, publishing=True) as engine, progress("Telling people") as bar:
        if channel is not None:
            outcome = engine.execute(
                document("notify-subjects", incident=incident, channel=channel, contents=_contents(said))
            )
            if outcome.outcome == "done":
                engine.incidents.tell(incident, bar)
        else:
            outcome = engine.incidents.tell(incident, bar)
        found = engine.incidents.show(incident)
    if outcome is not None and is_failed(outcome):
        answer(context, outcome)
    elif here(context).json:
        json_line(found)
    else:
        say(f"Told: {found['told']} people; left: {found['untold']}; skipped: {sum(found['skipped'].values())}")


@app.command()
def detect(
    context: typer.Context,
    incident: Incident,
    nature: Annotated[str, typer.Option(help="leak, alteration or loss")],
    from_: Annotated[str, typer.Option("--from", help="Since when")],
    to: Annotated[str | None, typer.Option(help="Until when; left out while it lasts")] = None,
    store: Annotated[str | None, typer.Option(help="engine, database, or a system of the policy")] = None,
    trustee: Annotated[str | None, typer.Option(help="At which trustee")] = None,
    key: Annotated[list[str] | None, typer.Option(help="Keys that were exposed: epoch, custody")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Only these; several times")] = None,
    description: Annotated[str | None, typer.Option(help="What happened")] = None,
) -> None:
    """Record an incident: the clocks begin."""
    scope = {"store": store, "trustee": trustee, "keys": key or [], "categories": category or []}
    window = {"from": from_} | ({} if to is None else {"to": to})
    _execute(context, "detect-incident", incident, nature=nature, window=window, scope=scope, description=description)


@app.command()
def assess(
    context: typer.Context,
    incident: Incident,
    severity: Annotated[str, typer.Option(help="low, medium, high or critical")],
    risk: Annotated[str, typer.Option(help="Of harm to people: none, possible or significant")],
    cause: Annotated[str, typer.Option(help="What it came from")],
) -> None:
    """Assess an incident; who was hit is computed with it."""
    _execute(context, "assess-incident", incident, severity=severity, risk=risk, cause=cause)


@app.command()
def remedy(context: typer.Context, incident: Incident, measure: Annotated[str, typer.Option()]) -> None:
    """Record a measure that was taken."""
    _execute(context, "take-remedy", incident, measure=measure)


@app.command()
def authority(
    context: typer.Context,
    incident: Incident,
    name: Annotated[str, typer.Option(help="Which authority was told")],
    said: Contents = None,
    jurisdiction: Annotated[list[str] | None, typer.Option(help="Of which law; all of the policy's if none")] = None,
    reference: Annotated[str | None, typer.Option(help="Under which reference")] = None,
) -> None:
    """Record the notice to an authority."""
    fields = {"authority": name, "jurisdictions": jurisdiction or [], "reference": reference}
    _execute(context, "notify-authority", incident, contents=_contents(said), **fields)


@app.command()
def waive(
    context: typer.Context,
    incident: Incident,
    measures: Annotated[str | None, typer.Option(help="What prevented the harm")] = None,
    evidence: Annotated[str | None, typer.Option(help="What shows it")] = None,
) -> None:
    """Record that people need not be told."""
    _execute(context, "waive-subject-notice", incident, measures=measures, evidence=evidence)


@app.command()
def reopen(
    context: typer.Context,
    incident: Incident,
    reason: Annotated[str, typer.Option()],
    ordered: Annotated[bool, typer.Option("--ordered", help="An authority wants people to be told")] = False,
    name: Annotated[str | None, typer.Option("--authority")] = None,
    reference: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Open an incident again."""
    _execute(context, "reopen-incident", incident, reason=reason, ordered=ordered, authority=name, reference=reference)


@app.command()
def close(context: typer.Context, incident: Incident, conclusion: Annotated[str, typer.Option()]) -> None:
    """Close an incident."""
    _execute(context, "close-incident", incident, conclusion=conclusion)


def _contents(said: list[str] | None) -> dict[str, str]:
    pairs = [each.partition("=") for each in said or []]
    if any(not separator for _, separator, _ in pairs):
        raise NotContents
    return {key: text for key, _, text in pairs}


def _execute(context: typer.Context, command: str, incident: str, **fields: Any) -> None:
    with opened(context, publishing=True) as engine:
        outcome = engine.execute(document(command, incident=incident, **fields))
        engine.react()
    answer(context, outcome)
