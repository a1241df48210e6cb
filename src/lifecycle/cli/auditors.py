"""audit full, audit key, audit mirror and witness …: what somebody does who takes nobody's word."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lifecycle.cli.here import here, opened, progress
from lifecycle.cli.telling import json_line, rows_of, say, visible

if TYPE_CHECKING:
    from lifecycle.ledger.note import VerifyingKey
    from lifecycle.witness.file_drop import Answered

FOUND, CONTRADICTED = 3, 4
UNPROCESSABLE = 422  # how a witness answers a log that contradicts what it cosigned

witness = typer.Typer(no_args_is_help=True, help="A witness of other people's logs; it opens no store.")
Folder = Annotated[Path, typer.Argument(help="The witness's folder")]
Drop = Annotated[Path | None, typer.Option("--drop", help="Where requests come in; `drop` in the witness's folder")]


def add_to(audit: typer.Typer) -> None:
    audit.command()(full)
    audit.command()(key)
    audit.command()(mirror)


# -- the full audit ---------------------------------------------------------------------------------------------------


def full(
    context: typer.Context,
    cosign: Annotated[Path | None, typer.Option(help="The auditor's key: cosign if nothing is found")] = None,
    key: Annotated[Path | None, typer.Option(help="The log's vkeys as the auditor knows them")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Of each check tell at most so many findings")] = 100,
) -> None:
    """Open every leaf of the newest checkpoint and check every header, count and the subject map (level L2)."""
    from lifecycle.audit.auditor_key import auditor_key  # noqa: PLC0415
    from lifecycle.clock import SystemClock  # noqa: PLC0415
    from lifecycle.engine import vouching  # noqa: PLC0415

    own = None if cosign is None else auditor_key(cosign)
    known = None if key is None else _vkeys(key)
    with opened(context) as engine:
        with progress("auditing") as bar:
            audited = engine.log.audit(SystemClock().now(), engine.vault, keys=known, limit=limit, progress=bar)
        if own is not None and not audited.counts:
            vouching.cosign(engine.log, audited, own, SystemClock().now())
    answer = audited.as_json() | {"cosigned": own is not None and not audited.counts}
    if here(context).json:
        json_line(answer)
    else:
        _tell_audit(answer)
    if audited.counts:
        raise typer.Exit(FOUND)


def _tell_audit(answer: dict[str, Any]) -> None:
    opened = f"{answer['leaves']} leaves, {answer['events']} events, {answer['streams']} streams"
    if not answer["findings"]:
        cosigned = " The checkpoint is cosigned." if answer["cosigned"] else ""
        say(f"Nothing was found: {opened}.{cosigned}")
        return
    columns = (
        ("check", lambda row: row["check"]),
        ("what is wrong", lambda row: row["what"]),
        ("where", lambda row: ", ".join(f"{name} {value}" for name, value in row["where"].items())),
    )
    rows_of(f"Found ({opened})", answer["findings"], columns)
    hidden = sum(answer["counts"].values()) - len(answer["findings"])
    if hidden:
        say(f"{hidden} more are not listed. Try: --limit")


def key(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The auditor's name, such as auditor.example/2026")],
    out: Annotated[Path, typer.Option("--out", help="The file to write; must not exist")],
) -> None:
    """Make an auditor's key; what is printed is its public part, for verifiers (verify --auditor)."""
    from lifecycle.audit.auditor_key import create_auditor_key  # noqa: PLC0415

    _tell_key(context, create_auditor_key(name, out))


def mirror(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="The log's folder, or its address")],
    target: Annotated[Path, typer.Argument(help="The folder of the copy")],
    key: Annotated[Path, typer.Option("--key", help="The log's vkeys, a line each")],
) -> None:
    """Copy what is new of a log, and see that it only grew: for verify --mirror (level L3)."""
    from lifecycle.ledger.log_sources import source_at  # noqa: PLC0415
    from lifecycle.ledger.mirror import mirror as copy  # noqa: PLC0415

    keys = _vkeys(key)
    with progress("copying") as bar:
        done = copy(source_at(source), target, keys, bar)
    size = done.checkpoint.size
    if here(context).json:
        json_line({"origin": done.checkpoint.origin, "before": done.before, "size": size, "files": done.files})
    else:
        say(f"The copy has {size} leaves; before, it had {done.before}.")


def _vkeys(file: Path) -> list[VerifyingKey]:
    from lifecycle.ledger.note import ED25519, MalformedKey, VerifyingKey  # noqa: PLC0415

    try:
        lines = file.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        lines = [""]
    keys = [VerifyingKey.parse(line) for line in lines if line and not line.startswith("#")]
    if not keys or any(key.kind != ED25519 for key in keys):
        raise MalformedKey("The file does not name the keys of a log (type 1), a line each.")
    return keys


def _tell_key(context: typer.Context, key: VerifyingKey) -> None:
    if here(context).json:
        json_line({"name": key.name, "vkey": key.vkey})
    else:
        say(key.vkey)


# -- the witness ------------------------------------------------------------------------------------------------------


@witness.command()
def init(
    context: typer.Context,
    folder: Folder,
    name: Annotated[str, typer.Option("--name", help="The witness's name, such as witness.example/w1")],
) -> None:
    """Make a witness with a key of its own; what is printed is its public part, for the log's operator."""
    from lifecycle.witness.folder import WitnessFolder  # noqa: PLC0415

    _tell_key(context, WitnessFolder(folder).create(name))


@witness.command()
def trust(
    context: typer.Context,
    folder: Folder,
    log: Annotated[Path, typer.Argument(help="The log's vkeys, a line each (`log.vkey` of its folder)")],
    genesis: Annotated[
        Path | None, typer.Option(help="A tlog-proof of leaf 0, so that a simulated log is refused")
    ] = None,
) -> None:
    """Cosign this log from now on."""
    from lifecycle.witness.folder import WitnessFolder  # noqa: PLC0415

    proof = None if genesis is None else genesis.read_bytes()
    keys = [WitnessFolder(folder).add_log(key.vkey, proof) for key in _vkeys(log)]
    if here(context).json:
        json_line([key.vkey for key in keys])
    else:
        say(f"The log {visible(keys[0].name)} is cosigned from now on.")


@witness.command()
def once(context: typer.Context, folder: Folder, drop: Drop = None) -> None:
    """Answer the requests that lie in a folder. The exit code is 4 when a log contradicted itself."""
    from lifecycle.witness.file_drop import once as answer  # noqa: PLC0415

    answered = answer(folder, drop)
    for each in answered:
        _tell_answer(context, each)
    if not answered and not here(context).json:
        say("There were no new requests.")
    if any(each.answer.status == UNPROCESSABLE for each in answered):
        raise typer.Exit(CONTRADICTED)


@witness.command()
def watch(
    context: typer.Context,
    folder: Folder,
    drop: Drop = None,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks")] = 1.0,
) -> None:
    """Answer requests in a folder as they come, until it is interrupted."""
    from lifecycle.witness.file_drop import watch as answer  # noqa: PLC0415

    def pause() -> bool:
        time.sleep(every)
        return True

    answer(folder, pause, lambda each: _tell_answer(context, each), drop)


@witness.command()
def serve(
    context: typer.Context,
    folder: Folder,
    host: Annotated[str, typer.Option(help="The address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free")] = 8090,
) -> None:
    """Answer requests over HTTP (c2sp.org/tlog-witness), until it is interrupted."""
    from lifecycle.witness.serving import serve as listen  # noqa: PLC0415

    def ready(at: int) -> None:
        json_line({"host": host, "port": at}) if here(context).json else say(f"Listening on {visible(host)}:{at}.")

    listen(folder, host, port, ready)


def _tell_answer(context: typer.Context, answered: Answered) -> None:
    status = answered.answer.status
    if here(context).json:
        json_line({"request": answered.request, "status": status})
    else:
        told = "cosigned" if status == 200 else f"not cosigned (status {status})"
        say(f"{visible(answered.request)}: {told}")
