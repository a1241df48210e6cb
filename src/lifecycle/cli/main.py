"""`lifecycle …`: the options before the command, the commands, and how failures are told."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from lifecycle.cli import audits, operations, policies, stores, subjects, times, trustees
from lifecycle.cli.here import Here
from lifecycle.cli.telling import json_line
from lifecycle.errors import LifecycleError

FAILED, USAGE, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Keep the promises of a privacy policy, and prove it person by person.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415

        sys.stdout.write(f"lifecycle {version('lifecycle')}\n")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    db: Annotated[str | None, typer.Option(help="URL of the database (LIFECYCLE_DB; sqlite:///lifecycle.db)")] = None,
    keys: Annotated[str | None, typer.Option(help="Folder of the keys (LIFECYCLE_KEYS; beside a SQLite file)")] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON")] = False,
    now: Annotated[str | None, typer.Option(help="Move the clock of a simulated store to this time")] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version")
    ] = False,
) -> None:
    context.obj = Here(db, keys, json, now)


stores.add_to(app)
times.add_to(app)
app.add_typer(subjects.app, name="subject")
app.add_typer(trustees.app, name="trustee")
app.add_typer(policies.app, name="policy")
app.add_typer(times.retention, name="retention")
app.add_typer(operations.projections, name="projections")
app.add_typer(operations.vault, name="vault")
app.add_typer(audits.app, name="audit")


def run(arguments: list[str] | None = None) -> None:
    """The entry point: never a traceback, never a value in a message."""
    arguments = sys.argv[1:] if arguments is None else arguments
    wants_json = "--json" in arguments
    if wants_json:  # people write it after the command as well
        arguments = ["--json", *(argument for argument in arguments if argument != "--json")]
    sys.exit(_run(arguments, wants_json))


def _run(arguments: list[str], wants_json: bool) -> int:
    try:
        app(args=arguments, prog_name="lifecycle")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    except LifecycleError as error:
        return _told(error, wants_json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the interpreter's flush succeeds
        return FAILED
    except Exception as error:  # noqa: BLE001 -- the last door: a bug must not print what it holds in its hands
        return _bug(error)
    return 0


def _told(error: LifecycleError, wants_json: bool) -> int:
    if wants_json:
        problem = {"code": error.code, "clause": error.clause, "message": error.message, "remedy": error.remedy or None}
        json_line({"error": problem})
    else:
        sys.stderr.write(f"lifecycle: {error}\n")
    return FAILED


def _bug(error: Exception) -> int:
    """Where it happened, without the message: that could quote a value."""
    if os.environ.get("LIFECYCLE_DEBUG"):
        traceback.print_exc()
        return FAILED
    frames: list[Any] = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"
    sys.stderr.write(
        f"lifecycle: a bug in lifecycle ({type(error).__name__} at {place}). "
        "Try: report it; LIFECYCLE_DEBUG=1 shows more, values included.\n"
    )
    return FAILED
