"""`lifecycle …`: the options before the command, the commands, and the exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

import typer

from lifecycle.cli import (
    auditors,
    audits,
    benches,
    custody,
    failures,
    incidents,
    logs,
    operations,
    packages,
    policies,
    questions,
    requests,
    restores,
    revisions,
    stores,
    subjects,
    times,
    transfers,
    trustees,
)
from lifecycle.cli.here import Here

DONE, INTERRUPTED = 0, 130
WITH_A_VALUE = ("--db", "--keys", "--now")

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
logs.add_to(app)
subjects.app.command()(custody.custody)
subjects.app.command()(packages.package)
subjects.app.command()(packages.receipt)
requests.app.command()(packages.token)
app.add_typer(subjects.app, name="subject")
app.add_typer(trustees.app, name="trustee")
app.add_typer(transfers.app, name="transfer")
revisions.add_to(policies.app)
app.add_typer(requests.app, name="request")
app.add_typer(incidents.app, name="incident")
app.add_typer(policies.app, name="policy")
app.add_typer(times.retention, name="retention")
app.add_typer(operations.projections, name="projections")
app.add_typer(operations.vault, name="vault")
app.add_typer(restores.restore, name="restore")
operations.vault.command(name="restore")(restores.vault_restore)
auditors.add_to(audits.app)
questions.add_to(audits.app)
app.add_typer(audits.app, name="audit")
app.add_typer(auditors.witness, name="witness")
app.add_typer(benches.app, name="bench")


def run() -> None:
    """The entry point of the installed command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that lacks a character shows its code
            stream.reconfigure(errors="backslashreplace")
    sys.exit(answer(sys.argv[1:]))


def answer(arguments: list[str]) -> int:
    """Carry out one command line and return its exit code. Never a traceback, never a value in a message."""
    arguments = _options_first(arguments)
    in_json = "--json" in arguments[:1]
    try:
        # Outside of its standalone mode typer hands us its complaints instead of printing them.
        code = _commands()(args=arguments, prog_name="lifecycle", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return _unheard()
    except SystemExit as end:  # typer's answer to a broken pipe
        return end.code if isinstance(end.code, int) else failures.FAILED
    except Exception as error:  # noqa: BLE001 -- the last door: a bug must not print what it holds in its hands
        return failures.tell(error, arguments, in_json)
    return code if isinstance(code, int) else DONE


@cache
def _commands() -> Callable[..., Any]:
    return typer.main.get_command(app)


def _unheard() -> int:
    """Whoever read our output has gone; what the interpreter still wants to flush goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return failures.FAILED


def _options_first(arguments: list[str]) -> list[str]:
    """People write `--json`, `--now`, `--db` and `--keys` after the command as well: bring them to the front."""
    first: list[str] = []
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            rest += [argument, *remaining]
        elif argument == "--json":
            first.insert(0, argument)
        elif argument in WITH_A_VALUE and (value := next(remaining, None)) is not None:
            first += [argument, value]
        elif argument.startswith(tuple(f"{option}=" for option in WITH_A_VALUE)):
            first.append(argument)
        else:
            rest.append(argument)
    return first + rest
