"""bench …: how fast, beside the floor of the same database."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lifecycle.bench import registry
from lifecycle.cli.here import Here, here
from lifecycle.cli.telling import json_line, rows_of

if TYPE_CHECKING:
    from lifecycle.bench.measuring import Measured
    from lifecycle.bench.stores import Place

BESIDE = "It makes stores of its own, beside the given one, and removes them again."

app = typer.Typer(no_args_is_help=True, help="How fast it is here, beside the floor of the same database.")


class OnEngine(StrEnum):
    SQLITE = "sqlite"
    POSTGRES = "postgres"


Engine = Annotated[OnEngine | None, typer.Option(help="By default SQLite, and PostgreSQL where --db names a server")]
Size = Annotated[int | None, typer.Option(help="How many leaves and keys")]
Many = Annotated[int | None, typer.Option("--size", help="How many")]
Runs = Annotated[int | None, typer.Option(help="How many rounds; figures are medians")]
Workers = Annotated[int, typer.Option(min=1, help="Measured by so many processes too")]
Only = Annotated[list[str] | None, typer.Option(help="integration, append, proofs, verify or rotation; repeatable")]


@app.command()
def ledger(
    context: typer.Context, engine: Engine = None, size: Size = None, runs: Runs = None, only: Only = None
) -> None:
    """What the provable log costs. It makes stores of its own, beside the given one, and removes them again."""
    from lifecycle.bench import ledger as benches  # noqa: PLC0415 -- the line must start quickly
    from lifecycle.bench.measuring import RUNS  # noqa: PLC0415

    def measured(places: list[Place]) -> Iterator[Measured]:
        return benches.ledger(places, size or benches.SIZE, runs or RUNS, only or ())

    _print(context, "Ledger", engine, measured)


def _add(name: str, entry: registry.Entry) -> None:
    """A command for a line of the registry."""

    def run(context: typer.Context, engine: OnEngine | None, **told: int | None) -> None:
        def measured(places: list[Place]) -> Iterator[Measured]:
            return registry.run(name, places, **{option: each for option, each in told.items() if each is not None})

        _print(context, name.capitalize(), engine, measured)

    def bench(context: typer.Context, engine: Engine = None, size: Many = None, runs: Runs = None) -> None:
        run(context, engine, size=size, runs=runs)

    def with_workers(
        context: typer.Context, engine: Engine = None, size: Many = None, runs: Runs = None, workers: Workers = 1
    ) -> None:
        run(context, engine, size=size, runs=runs, workers=workers)

    told = f"{entry.told} Without --size it is {entry.size:,} {entry.of}. {BESIDE}"
    app.command(name, help=told)(with_workers if entry.has_workers else bench)


for name, entry in registry.BENCHES.items():
    _add(name, entry)


def _print(
    context: typer.Context, title: str, engine: OnEngine | None, measured: Callable[[list[Place]], Iterator[Measured]]
) -> None:
    said = here(context)
    with tempfile.TemporaryDirectory(prefix="lifecycle-bench-") as folder:
        found = [each.as_json() for each in measured(_places(said, engine, Path(folder)))]
    if said.json:
        json_line(found)
        return
    names = (
        "bench",
        "engine",
        "size",
        "ours",
        "floor",
        "ratio_to_floor",
        "peer",
        "ratio_to_peer",
        "unit",
        "spread",
        "runs",
    )
    rows_of(title, found, [(name.replace("_", " "), lambda row, name=name: row[name]) for name in names])  # type: ignore[misc]


def _places(said: Here, engine: OnEngine | None, folder: Path) -> list[Place]:
    from lifecycle.bench.stores import NoServer, Place  # noqa: PLC0415

    server = said.settings.db if said.settings.db.startswith("postgresql") else None
    if engine is OnEngine.POSTGRES and server is None:
        raise NoServer
    places = [Place(folder)] if engine is not OnEngine.POSTGRES else []
    if server is not None and engine is not OnEngine.SQLITE:
        places.append(Place(folder, server))
    return places
