"""ledger … and verify: publishing the log, and checking what it proves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lifecycle.cli.failures import FAILED
from lifecycle.cli.here import here, opened
from lifecycle.cli.telling import json_line, say, visible

ledger = typer.Typer(no_args_is_help=True, help="The public log: positions, tree, checkpoints.")
AS_IT_IS = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def add_to(app: typer.Typer) -> None:
    app.add_typer(ledger, name="ledger")
    app.command(context_settings=AS_IT_IS)(verify)


@ledger.command()
def publish(context: typer.Context) -> None:
    """Give every event its place, sign a checkpoint, and write the files that auditors and mirrors read."""
    with opened(context) as engine:
        published = engine.publish()
        answer = {"origin": engine.log.origin, "size": published.size, "folder": str(engine.log.folder.folder)}
    if here(context).json:
        json_line(answer | {"checkpoint": published.note.decode()})
    else:
        say(f"Published {published.size} leaves. The log's folder has `checkpoint`, and `log.vkey` for verifiers.")


@ledger.command(name="add-key")
def add_key(context: typer.Context) -> None:
    """Let a new key sign beside the present one. Give the line that is printed to auditors, then retire the older."""
    with opened(context) as engine:
        vkey = engine.log.add_key(engine.clock.now())
        engine.publish()
    json_line({"added": vkey}) if here(context).json else say(vkey)


@ledger.command(name="retire-key")
def retire_key(context: typer.Context) -> None:
    """End the overlap: the older key signs one last checkpoint, and goes."""
    with opened(context) as engine:
        vkey = engine.log.retire_key(engine.clock.now())
        engine.publish()
    json_line({"retired": vkey}) if here(context).json else say(vkey)


@ledger.command()
def check(
    context: typer.Context, deep: Annotated[bool, typer.Option("--deep", help="Read every row of the log")] = False
) -> None:
    """Look for what waits too long, gaps, and rows that do not fit. Exit code 1: something was found."""
    with opened(context) as engine:
        found = engine.log.faults(engine.clock.now(), deep=deep)
    if here(context).json:
        json_line({"faults": found})
    else:
        say("\n".join(found) or "Nothing is wrong with the log.")
    raise typer.Exit(1 if found else 0)


@ledger.command()
def genesis(
    context: typer.Context, out: Annotated[Path, typer.Option("--out", help="The file to write")] = Path("genesis")
) -> None:
    """Write a proof of the log's first entry: a witness that is given it refuses a simulated log."""
    with opened(context) as engine:
        proof = engine.log.genesis_proof()
        origin = engine.log.origin
    out.write_bytes(proof)
    if here(context).json:
        json_line({"origin": origin, "bytes": len(proof)})
    else:
        say("Written. Try: lifecycle witness trust FOLDER log.vkey --genesis FILE")


@ledger.command()
def witness(
    context: typer.Context,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for witnesses that answer in a folder")] = 0.0,
) -> None:
    """Have the witnesses that the file `witnesses` beside the keys names cosign the newest checkpoint."""
    from lifecycle.engine import vouching  # noqa: PLC0415

    with opened(context) as engine:
        asked = vouching.ask(engine.log, wait=wait).as_json()
    if here(context).json:
        json_line(asked)
    else:
        for each in asked["cosigned"]:
            say(f"{visible(each['witness'])} has cosigned {asked['size']} leaves, at {each['at']}.")
        for each in asked["silent"]:
            say(f"{visible(each['witness'])}: {each['why']}")
    if not asked["cosigned"]:
        raise typer.Exit(FAILED)


@ledger.command()
def timestamp(
    context: typer.Context,
    tsa: Annotated[str, typer.Option("--tsa", help="The address of an RFC 3161 authority")],
    trust: Annotated[Path, typer.Option("--trust", help="Certificates of the authority (PEM)")],
) -> None:
    """Have an authority say by when the newest checkpoint was there; the token goes beside the checkpoint."""
    from lifecycle.engine import vouching  # noqa: PLC0415

    with opened(context) as engine:
        size = engine.log.newest().size
        stamped = vouching.stamp(engine.log, tsa, trust)
    if here(context).json:
        json_line({"size": size, "at": stamped.at.isoformat()})
    else:
        say(f"The checkpoint of {size} leaves was there at {stamped.at.isoformat()}.")


def verify(context: typer.Context) -> None:
    """Check a bundle of evidence: lifecycle verify BUNDLE --key FILE. It opens no store; --help says the rest.
    A consent receipt: lifecycle verify --consent RECEIPT --key FILE --receipt-key FILE."""
    from lifecycle import verify as verifier  # noqa: PLC0415 -- the same file runs alone
    from lifecycle import verify_receipt  # noqa: PLC0415

    said = here(context)
    moved = [*(["--json"] if said.json else []), *(["--now", said.now] if said.now else [])]
    if "--consent" in context.args:
        asked = [each for each in context.args if each != "--consent"]
        raise typer.Exit(verify_receipt.main([*asked, *moved[: int(said.json)]], "lifecycle verify --consent"))
    raise typer.Exit(verifier.main([*context.args, *moved], "lifecycle verify"))
