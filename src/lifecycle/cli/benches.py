"""bench …: how fast, beside the floor of the same database."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lifecycle.cli.here import Here, here
from lifecycle.cli.telling import json_line, rows_of

if TYPE_CHECKING:
    from lifecycle.bench.stores import Place

app = typer.Typer(no_args_is_help=True, help="How fast it is here, beside the floor of the same database.")


class OnEngine(StrEnum):
    SQLITE = "sqlite"
    POSTGRES = "postgres"


Engine = Annotated[OnEngine | None, typer.Option(help="By default SQLite, and PostgreSQL where --db names a server")]
Size = Annotated[int | None, typer.Option(help="How many leaves and keys")]
Runs = Annotated[int | None, typer.Option(help="How many rounds; figures are medians")]
Only = Annotated[list[str] | None, typer.Option(help="integration, append, proofs, verify or rotation; repeatable")]


@app.command()
def ledger(
    context: typer.Context, engine: Engine = None, size: Size = None, runs: Runs = None, only: Only = None
) -> None:
    """What the provable log costs. It makes stores of its own, beside the given one, and removes them again."""
    from lifecycle.bench import ledger as benches  # noqa: PLC0415 -- the line must start quickly
    from lifecycle.bench.measuring import RUNS  # noqa: PLC0415

    said = here(context)
    with tempfile.TemporaryDirectory(prefix="lifecycle-bench-") as folder:
        found = [
            measured.as_json()
            for measured in benches.ledger(
                _places(said, engine, Path(folder)), size or benches.SIZE, runs or RUNS, only or ()
            )
        ]
    if said.json:
        json_line(found)
        return
    names = ("bench", "engine", "size", "ours", "floor", "ratio_to_floor", "unit", "spread", "runs")
    rows_of("Ledger", found, [(name.replace("_", " "), lambda row, name=name: row[name]) for name in names])  # type: ignore[misc]


def _places(said: Here, engine: OnEngine | None, folder: Path) -> list[Place]:
    from lifecycle.bench.stores import NoServer, Place  # noqa: PLC0415

    server = said.settings.db if said.settings.db.startswith("postgresql") else None
    if engine is OnEngine.POSTGRES and server is None:
        raise NoServer
    places = [Place(folder)] if engine is not OnEngine.POSTGRES else []
    if server is not None and engine is not OnEngine.SQLITE:
        places.append(Place(folder, server))
    return places
