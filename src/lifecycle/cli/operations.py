"""projections … and vault …: what keeps a store going."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lifecycle.cli.here import here, opened, progress
from lifecycle.cli.telling import json_line, rows_of, say, visible
from lifecycle.cli.words import LocalTime, counted
from lifecycle.errors import Invalid


class FileThere(Invalid):
    remedy = "name a file that does not exist yet"

    def __init__(self) -> None:
        super().__init__("The file exists already.")


projections = typer.Typer(no_args_is_help=True, help="What is read; disposable, rebuilt from events.")
vault = typer.Typer(no_args_is_help=True, help="The keys.")


@projections.command(name="status")
def projections_status(context: typer.Context) -> None:
    """How far each projection has followed the log."""
    with opened(context) as engine:
        rows = [dict(row) for row in engine.follower.status()]
    if here(context).json:
        json_line(rows)
    else:
        columns = (
            ("projection", lambda row: row["name"]),
            ("has followed", lambda row: row["position"]),
            ("of", lambda row: row["log_size"]),
            ("behind by", lambda row: row["lag"]),
            ("not in the log yet", lambda row: row["waiting"]),
        )
        rows_of("Projections", rows, columns)


@projections.command()
def rebuild(
    context: typer.Context, name: Annotated[str | None, typer.Argument(help="Which; all if none is named")] = None
) -> None:
    """Drop what is projected and fill it again from the events."""
    with opened(context) as engine, progress("rebuilding") as bar:
        engine.follower.rebuild(name, bar)
        rows = [dict(row) for row in engine.follower.status()]
    if here(context).json:
        json_line(rows)
    else:
        say(f"Rebuilt {name or 'all projections'}.")


@vault.command(name="status")
def vault_status(context: typer.Context) -> None:
    """Which epoch it is, and what waits for its end."""
    with opened(context) as engine:
        local = LocalTime.of(engine)
        standing = engine.vault_status()
    if here(context).json:
        json_line(standing)
    else:
        for name, value in standing.items():
            say(f"{name.replace('_', ' ')}: {local.when(value) if name == 'began_at' else visible(value)}")


@vault.command()
def rotate(context: typer.Context) -> None:
    """End the present epoch: wrap the living again, destroy the old key; erasures completed in it are final."""
    with opened(context, publishing=True) as engine, progress("wrapping keys") as bar:
        ended = engine.rotate(bar)
    if here(context).json:
        json_line({"ended": ended.epoch, "finalised": ended.finalised, "people": ended.people})
    else:
        people = counted(ended.people, "person", "people")
        streams = counted(ended.finalised, "stream", "streams")
        say(f"Epoch {ended.epoch} ended; erasures are final for {people}, on {streams}.")


@vault.command()
def backup(
    context: typer.Context, file: Annotated[Path, typer.Argument(help="Where to write; must not exist")]
) -> None:
    """Dump the vault's tables on their own: a backup of the events that is older needs them (JSON, one row a line)."""
    with opened(context) as engine:
        descriptor = _new_file(file)
        try:
            with os.fdopen(descriptor, "wb") as out:
                rows = engine.back_up_vault(out)
                out.flush()
                os.fsync(out.fileno())
        except BaseException:
            file.unlink()  # half a backup is worse than none
            raise
    if here(context).json:
        json_line({"rows": rows})
    else:
        say(f"{rows} rows written. They open only with the key of the present epoch, and die with it.")


def _new_file(file: Path) -> int:
    """For the owner alone, and never over a file that is there."""
    try:
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise FileThere from None
