"""`lifecycle …`: the options before the command, the commands, and the exit codes."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

import typer

from lifecycle.cli import failures
from lifecycle.cli.here import Here
from lifecycle.cli.parts import PARTS, parts_for, with_one

DONE, INTERRUPTED = 0, 130
AS_IT_LOADS = (
    500_000  # new objects until the collector looks; the 700 of Python have it go through all modules again and again
)
WITH_A_VALUE = ("--db", "--keys", "--now")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415

        sys.stdout.write(f"lifecycle {version('lifecycle')}\n")
        raise typer.Exit


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


def command_line(name: str | None = None, within: str | None = None) -> typer.Typer:
    """Every command; with the name of one, that and its neighbours; of a group with a command `within`, that alone."""
    root = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        help="Keep the promises of a privacy policy, and prove it person by person.",
    )
    root.callback()(options)
    for add_to in parts_for(name):
        add_to(root)
    if within is not None:
        for group in root.registered_groups:
            group.typer_instance = with_one(group.typer_instance, within)
    return root


def run() -> None:
    """The entry point of the installed command."""
    gc.set_threshold(AS_IT_LOADS)
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"  # a plugin would see every value; looking for them takes time
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that lacks a character shows its code
            stream.reconfigure(errors="backslashreplace")
    code = answer(sys.argv[1:])
    gc.freeze()  # the interpreter looks for circles among all that was loaded several times before it ends
    sys.exit(code)


def answer(arguments: list[str]) -> int:
    """Carry out one command line and return its exit code. Never a traceback, never a value in a message."""
    arguments = _options_first(arguments)
    in_json = "--json" in arguments[:1]
    try:
        # Outside of its standalone mode typer hands us its complaints instead of printing them.
        code = _commands(*_named(arguments))(args=arguments, prog_name="lifecycle", standalone_mode=False)
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
def _commands(name: str | None, within: str | None) -> Callable[..., Any]:
    return typer.main.get_command(command_line(name, within))


def _named(arguments: list[str]) -> tuple[str | None, str | None]:
    """The command or the group: the first word behind the options, which are in front; None if we have none of it.
    And the word behind it: of a group the command."""
    remaining = iter(arguments)
    for argument in remaining:
        if argument in WITH_A_VALUE:
            next(remaining, None)
        elif not argument.startswith("-"):
            return (argument, next(remaining, None)) if argument in PARTS else (None, None)
    return None, None


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
