"""restore … and vault restore: after a backup was put back, and before anybody may read or write."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lifecycle.cli.here import here, progress
from lifecycle.cli.telling import json_line, say
from lifecycle.errors import Invalid

restore = typer.Typer(no_args_is_help=True, help="A database that was restored from a backup stays sealed until then.")
SEALED = 1


class NoDump(Invalid):
    remedy = "check the path"

    def __init__(self) -> None:
        super().__init__("The dump cannot be read.")


@restore.command()
def check(context: typer.Context) -> None:
    """Compare the database with what lies outside of it: anchor, erasure journal. Exit code 1: it is sealed off."""
    from lifecycle.engine import open_engine  # noqa: PLC0415

    settings = here(context).settings
    with open_engine(settings.db, keys=settings.keys, ledger=settings.ledger, even_sealed_off=True) as engine:
        found = engine.restoring.check()
        would = engine.restoring.would()
    if here(context).json:
        json_line({"sealed": found.is_restored, **would.as_json()})
    elif found.is_restored:
        say(f"Sealed off: the database is older than its keys. {_told(would.as_json())}")
        say("Nobody reads or writes until `lifecycle restore reapply` has caught up.")
    else:
        say("The database is the one that its anchor and its erasure journal last saw.")
    raise typer.Exit(SEALED if found.is_restored else 0)


@restore.command()
def reapply(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done")] = False,
) -> None:
    """Declare what the log has lost, erase again whatever was erased since the backup, and open the store."""
    from lifecycle.engine import open_engine  # noqa: PLC0415

    settings = here(context).settings
    with open_engine(settings.db, keys=settings.keys, ledger=settings.ledger, even_sealed_off=True) as engine:
        done = engine.restoring.would() if dry_run else engine.restoring.reapply()
    if here(context).json:
        json_line({"dry_run": dry_run, **done.as_json()})
    else:
        say(f"{'Would be done' if dry_run else 'Done'}. {_told(done.as_json())}")


def _told(counts: dict[str, int]) -> str:
    return (
        f"Leaves of the log lost: {counts['leaves_lost']}. To erase again: {counts['people']} people, "
        f"{counts['holdings']} holdings, {counts['identifiers']} identifiers. Expired meanwhile: {counts['expired']}."
    )


def vault_restore(
    context: typer.Context, file: Annotated[Path, typer.Argument(help="What `lifecycle vault backup` wrote")]
) -> None:
    """Put a dump of the vault in the place of its tables: for a backup of the events that is older than its epoch."""
    from lifecycle.engine import vault_dumps  # noqa: PLC0415
    from lifecycle.storage import schema  # noqa: PLC0415
    from lifecycle.storage.database import Database  # noqa: PLC0415
    from lifecycle.vault.epochs import EpochKeys  # noqa: PLC0415
    from lifecycle.vault.journal import ErasureJournal  # noqa: PLC0415

    settings = here(context).settings
    database = Database(settings.db)
    try:
        schema.check(database)
        with file.open("rb") as lines, progress("loading keys"):
            rows = vault_dumps.load(database, EpochKeys(settings.keys), ErasureJournal(settings.keys), lines)
    except FileNotFoundError:
        raise NoDump from None
    finally:
        database.close()
    if here(context).json:
        json_line({"rows": rows})
    else:
        say(f"{rows} rows loaded. Go on with `lifecycle restore check`.")
