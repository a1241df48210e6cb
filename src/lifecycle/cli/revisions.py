"""policy diff, versions, notify, explain: what a revision changes and for whom, telling people, the rules in words."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from lifecycle.cli.here import here, instant, opened, person, progress
from lifecycle.cli.telling import json_line, rows_of, say, visible
from lifecycle.errors import Invalid

if TYPE_CHECKING:
    from lifecycle.engine import Engine
    from lifecycle.policy.model import Policy

Version = Annotated[str, typer.Argument(help="A published version")]
FileOrVersion = Annotated[str, typer.Argument(help="A policy file, or a published version")]
After = Annotated[str | None, typer.Option(help="Go on behind this person's id")]
Limit = Annotated[int, typer.Option(help="At most so many people", min=1, max=100_000)]


class NotAnId(Invalid):
    remedy = "give the id of the last person that was shown"

    def __init__(self) -> None:
        super().__init__("--after is not an id.")


def add_to(app: typer.Typer) -> None:
    app.command()(diff)
    app.command()(versions)
    app.command()(notify)
    app.command()(explain)


def diff(
    context: typer.Context,
    old: FileOrVersion,
    new: FileOrVersion,
    people: Annotated[int | None, typer.Option(help="Name the people whom the change of this number concerns")] = None,
    limit: Limit = 1_000,
    after: After = None,
) -> None:
    """What changes from one version to another: who is concerned, who has to be asked anew, what loses its cover."""
    from lifecycle.engine.revisions import told_of  # noqa: PLC0415
    from lifecycle.policy.differences import differences  # noqa: PLC0415

    if people is None and all(Path(each).is_file() for each in (old, new)):
        _tell_differences(context, told_of(differences(_load(old), _load(new))))
        return
    with opened(context) as engine:
        one, other = _version(engine, old), _version(engine, new)
        if people is not None:
            _tell_people(context, engine.revisions.concerned(one, other, people, limit, _id(after)))
            return
        found = engine.revisions.differences(one, other)
    _tell_differences(context, found)


def _load(file: str) -> Policy:
    from lifecycle.policy.loading import load_policy  # noqa: PLC0415

    return load_policy(Path(file))


def _version(engine: Engine, named: str) -> Policy:
    return _load(named) if Path(named).is_file() else engine.revisions.policy(named)


def _id(after: str | None) -> UUID | None:
    try:
        return UUID(after) if after is not None else None
    except ValueError:
        raise NotAnId from None


def _tell_differences(context: typer.Context, found: list[dict[str, Any]]) -> None:
    if here(context).json:
        json_line([{"number": number, **each} for number, each in enumerate(found, start=1)])
        return
    rows = [{"number": number, **each} for number, each in enumerate(found, start=1)]
    columns = [
        ("no.", lambda row: row["number"]),
        ("what", lambda row: f"{row['what']} {row['change']}"),
        ("where", lambda row: row["where"]),
        ("was", lambda row: row["old"]),
        ("is", lambda row: row["new"]),
        ("ask anew", lambda row: row["ask"]),
        ("loses cover", lambda row: row["loses_cover"]),
        ("use accepts", lambda row: row["rides"]),
    ]
    if found and "concerned" in found[0]:
        columns.append(("people", lambda row: row["concerned"]))
        columns.append(("to be asked", lambda row: row["to_be_asked"]))
    rows_of("Changes", rows, columns)


def _tell_people(context: typer.Context, people: list[str]) -> None:
    if here(context).json:
        json_line(people)
        return
    for each in people:
        say(each)


def versions(
    context: typer.Context,
    version: Annotated[str | None, typer.Option("--told", help="Name who was told of this version")] = None,
    limit: Limit = 1_000,
    after: After = None,
) -> None:
    """The published versions: how many were told of each, accepted it, and have to be told yet."""
    with opened(context) as engine:
        rows = engine.revisions.versions() if version is None else engine.revisions.told(version, limit, _id(after))
    if here(context).json:
        json_line(rows)
        return
    names = ("version", "effective", "published_at", "told", "accepted", "to_be_told")
    told = ("subject", "told_at", "accepted")
    columns = [(name.replace("_", " "), _field(name)) for name in (names if version is None else told)]
    rows_of("Policy versions" if version is None else "Told", rows, columns)


def _field(name: str) -> Any:
    return lambda row: row[name]


def notify(
    context: typer.Context,
    version: Version,
    channel: Annotated[str | None, typer.Option(help="One of the policy's notice channels; else the first")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say who has to be told")] = False,
    limit: Limit = 1_000,
    after: After = None,
) -> None:
    """Record for everybody who has to be told of a version that they were. Stopped, it can be started again."""
    if dry_run:
        with opened(context) as engine:
            count, page = engine.revisions.to_be_told(version, limit, _id(after))
        told = {"version": version, "to_be_told": count, "people": [str(each) for each in page]}
        if here(context).json:
            json_line(told)
        else:
            say(f"{count} to be told of version {visible(version)}.")
        return
    with opened(context, publishing=True) as engine, progress("telling") as bar:
        notified = engine.revisions.notify(version, channel, bar)
    if here(context).json:
        json_line(asdict(notified))
    else:
        said = f"{notified.told} told of version {visible(version)} by {visible(notified.channel)}"
        say(f"{said}, {notified.refused} refused, {notified.to_be_told} to be told yet.")
    if notified.to_be_told:
        raise typer.Exit(1)


def explain(
    context: typer.Context,
    at: Annotated[str | None, typer.Option(help="The rules of this moment")] = None,
    subject: Annotated[str | None, typer.Option(help="For this person: email=…, phone=…, ref=… or id=…")] = None,
    language: Annotated[str, typer.Option(help="`en` or `zh`")] = "en",
) -> None:
    """The rules of processing in force at a moment, in plain words: in general, or for one person."""
    named = person(subject) if subject is not None else None
    with opened(context) as engine:
        explained = engine.read.explain(at=instant(at, "--at"), subject=named, language=language)
    if here(context).json:
        json_line(explained)
        return
    for line in explained["text"]:
        say(visible(line))
