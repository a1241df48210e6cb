"""init, migrate, apply, import, schema, demo: making a store and putting documents into it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from lifecycle.cli.here import here, instant, opened, progress
from lifecycle.cli.telling import json_line, say, visible
from lifecycle.cli.words import in_words
from lifecycle.errors import Invalid

if TYPE_CHECKING:
    from lifecycle.engine import Engine
    from lifecycle.settings import Settings
    from lifecycle.storage.database import Database

SHOWN = 20  # rejects of an import that are told where no file was named for them


class NoSuchFile(Invalid):
    remedy = "check the path"

    def __init__(self, what: str) -> None:
        super().__init__(f"The {what} cannot be read.")


def add_to(app: typer.Typer) -> None:
    app.command()(init)
    app.command()(migrate)
    app.command()(apply)
    app.command(name="import")(import_)
    app.command()(schema)
    app.command()(demo)


def init(
    context: typer.Context,
    policy: Annotated[Path, typer.Option(help="The policy file")],
    simulated: Annotated[bool, typer.Option(help="Give the store a clock of its own, for ever")] = False,
) -> None:
    """Create the stores and publish the policy."""
    from lifecycle.engine.creation import create  # noqa: PLC0415
    from lifecycle.policy.loading import load_policy  # noqa: PLC0415
    from lifecycle.storage.simulated import NotSimulated  # noqa: PLC0415

    said = here(context)
    now = instant(said.now, "--now")
    if now is not None and not simulated:
        raise NotSimulated
    load_policy(policy)  # names the file and every fault in it, before anything is made
    text = policy.read_text(encoding="utf-8-sig")
    engine, outcome = create(said.settings, text, simulated_clock=simulated, now=now)
    with engine:
        answer = {**_made(engine), "simulated": simulated, "outcome": outcome.outcome}
    if said.json:
        json_line(answer)
    else:
        kind = "simulated store" if simulated else "store"
        say(f"A {kind} was made, under policy {visible(answer['policy'])} ({answer['fingerprint'][:16]}…).")


def _made(engine: Engine) -> dict[str, Any]:
    published = engine.policies.newest()
    assert published is not None, "init publishes the policy"
    clock = engine.clock.now().isoformat()
    return {"policy": published.label, "fingerprint": published.fingerprint, "clock": clock}


def migrate(context: typer.Context) -> None:
    """Bring the tables of an existing store to this program's version."""
    from lifecycle.storage import schema as tables  # noqa: PLC0415
    from lifecycle.storage.database import Database  # noqa: PLC0415

    said = here(context)
    database = Database(said.settings.db)
    with database.read() as c:
        if tables.revision(c) is None:
            raise tables.NotInitialised("The database is empty.")
    tables.migrate(database)
    _complete(database, said.settings)
    database.close()
    if said.json:
        json_line({"revision": tables.HEAD})
    else:
        say(f"The tables have version {tables.HEAD}.")


def _complete(database: Database, settings: Settings) -> None:
    """A store of the first version has a log without a key."""
    from lifecycle.ledger.checkpoint_rows import newest_checkpoint  # noqa: PLC0415
    from lifecycle.ledger.log_keys import LogKeys  # noqa: PLC0415
    from lifecycle.storage import facts  # noqa: PLC0415

    with database.read() as c:
        origin, is_published = facts.origin(c), newest_checkpoint(c) is not None
    if origin and not is_published:
        LogKeys(settings.keys).create(origin)


def _lines(file: str) -> Iterator[bytes]:
    if file == "-":
        yield from sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as opened_file:
            yield from opened_file
    except OSError:
        raise NoSuchFile("file of documents") from None


def apply(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="Command documents, one a line; - for standard input")],
    clock: Annotated[str, typer.Option(help="`follow` moves a simulated clock to each document's `at`")] = "stand",
) -> None:
    """Apply command documents and print an outcome for each, as soon as it is durable."""
    from lifecycle.engine.documents import apply_lines  # noqa: PLC0415

    if clock not in ("follow", "stand"):
        raise typer.BadParameter("only `follow` is known", param_hint="--clock")
    failed = False
    folder = None if file == "-" else Path(file).parent
    with opened(context, publishing=True) as engine:
        for outcome in apply_lines(engine, _lines(file), follow_clock=clock == "follow", folder=folder):
            failed = failed or outcome.outcome in ("invalid", "conflict")
            if here(context).json or not sys.stdout.isatty():
                json_line(outcome.model_dump(mode="json"))
            else:
                say(f"{visible(outcome.id or '(no id)')}  {in_words(outcome)}")
    if failed:
        raise typer.Exit(1)


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Command documents, one a line")],
    rejects: Annotated[Path | None, typer.Option(help="Where to write what was not carried out, with reasons")] = None,
    workers: Annotated[int, typer.Option(min=1, help="How many processes decide, each about other people")] = 1,
) -> None:
    """Apply many documents, a thousand to a transaction. Stopped, it can be started again: nothing is doubled."""
    from lifecycle.engine.documents import Reject, import_file, reject_line  # noqa: PLC0415

    first: list[Reject] = []
    if not file.is_file():
        raise NoSuchFile("file of documents")
    with _rejects_to(rejects) as out, opened(context, publishing=True) as engine, progress("importing") as bar:

        def rejected(reject: Reject) -> None:
            out.write(reject_line(reject))
            if len(first) < SHOWN:
                first.append(reject)

        imported = import_file(engine, file, rejected=rejected, progress=bar, workers=workers)
    counts = {name: imported.counts.get(name, 0) for name in ("done", "nothing", "refused", "invalid", "conflict")}
    if here(context).json:
        json_line({**counts, "rejects": sum(counts[name] for name in ("refused", "invalid", "conflict"))})
    else:
        say(", ".join(f"{count} {name}" for name, count in counts.items()))
        for reject in first if rejects is None else ():
            say(f"line {reject.line}: {in_words(reject.outcome)}")
    if counts["invalid"] or counts["conflict"]:
        raise typer.Exit(1)


def _rejects_to(path: Path | None) -> BinaryIO:
    """Opened before anything is imported: a wrong path must not cost a long run its reasons."""
    return Path(os.devnull if path is None else path).open("wb")


def schema(
    what: Annotated[str, typer.Argument(help="`commands` or `events`")],
    name: Annotated[str | None, typer.Argument(help="One of them, such as `collect`; without it, all")] = None,
) -> None:
    """Print the JSON Schema of commands, or of kinds of events."""
    from lifecycle.cli.schemas import KEPT, kept  # noqa: PLC0415

    if what not in KEPT:
        raise typer.BadParameter("`commands` or `events`", param_hint="WHAT")
    schemas = kept(what)
    if name is not None and name not in schemas:
        raise typer.BadParameter(f"none that `lifecycle schema {what}` lists", param_hint="NAME")
    json_line(schemas if name is None else schemas[name])


def demo(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where to make the demo's store")] = None,
) -> None:
    """Live a few people's lives under the example policy, over two years."""
    from lifecycle.cli import demo_report  # noqa: PLC0415
    from lifecycle.cli.demo import play  # noqa: PLC0415

    tell = demo_report.as_json if here(context).json else demo_report.as_text
    tell(play(folder))
