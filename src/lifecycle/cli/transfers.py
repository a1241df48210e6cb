"""transfer …: another controller takes over, from the announcement to its confirmation; and taking over ourselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lifecycle.cli.carrying_out import answer, document
from lifecycle.cli.here import here, opened, progress
from lifecycle.cli.telling import json_line, rows_of, say, visible
from lifecycle.cli.words import LocalTime
from lifecycle.errors import Invalid

app = typer.Typer(
    no_args_is_help=True, help="Another controller takes over: merger, division, dissolution, bankruptcy."
)

Transfer = Annotated[str, typer.Argument(help="The id of the transfer")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count whom it would concern")]


class NoSuchKey(Invalid):
    remedy = "check the path; `lifecycle transfer key FILE` makes a new key"

    def __init__(self, what: str) -> None:
        super().__init__(f"The {what} cannot be read, or exists already.")


@app.command(name="list")
def list_(context: typer.Context) -> None:
    """Every transfer that was announced."""
    with opened(context) as engine:
        local = LocalTime.of(engine)
        rows = engine.transfers.all()
    if here(context).json:
        json_line(rows)
        return
    columns = (
        ("transfer", lambda row: row["transfer"]),
        ("cause", lambda row: row["cause"]),
        ("status", lambda row: row["status"]),
        ("announced", lambda row: local.when(row["announced_at"])),
        ("skipped", lambda row: row["skipped"]),
        ("handed over", lambda row: row["handed_over"]),
    )
    rows_of("Transfers", rows, columns)


@app.command()
def status(context: typer.Context, transfer: Transfer) -> None:
    """How far a transfer is, in people."""
    with opened(context) as engine:
        found = engine.transfers.status(transfer)
    if here(context).json:
        json_line(found)
        return
    say(f"Transfer {visible(transfer)} ({found['cause']}) is {found['status']}.")
    say(f"To be told: {found['to_notify']}; told: {found['notified']}; transferred: {found['transferred']}")
    say(f"Skipped: {found['skipped']}; in the newest archive: {found['handed_over']}")


@app.command()
def show(context: typer.Context, transfer: Transfer) -> None:
    """Who takes over, and how to reach them."""
    with opened(context) as engine:
        found = engine.transfers.announced(transfer)
    if here(context).json:
        json_line(found)
    else:
        say(f"{visible(found['name'])}, {found['country']}: {visible(found['contact'])}")
        say(f"Takes over {', '.join(found['purposes'] or ['everything'])} ({found['cause']})")


@app.command()
def announce(
    context: typer.Context,
    transfer: Transfer,
    cause: Annotated[str, typer.Option(help="merger, division, dissolution or bankruptcy")],
    country: Annotated[str, typer.Option(help="The recipient's country: two letters, such as SG")],
    name: Annotated[str | None, typer.Option(help="The recipient's name")] = None,
    contact: Annotated[str | None, typer.Option(help="How people reach the recipient")] = None,
    purpose: Annotated[list[str] | None, typer.Option(help="Only what is held for it; may be given again")] = None,
) -> None:
    """Announce that another controller takes over everything, or what is held for some purposes."""
    recipient = {"country": country} | {k: v for k, v in (("name", name), ("contact", contact)) if v is not None}
    scope = {"purposes": purpose} if purpose else {}
    _execute(context, "announce-transfer", transfer, cause=cause, recipient=recipient, **scope)


@app.command()
def notify(
    context: typer.Context,
    transfer: Transfer,
    channel: Annotated[str, typer.Option(help="How people are told: one of the policy's channels")],
    dry_run: DryRun = False,
) -> None:
    """Record for everybody in scope that they were told. Stopped, it can be started again."""
    with opened(context, publishing=not dry_run) as engine, progress("telling") as bar:
        done = engine.transfers.notify(transfer, channel, dry_run=dry_run, progress=bar)
    _tell(context, done.as_json(), "told", dry_run)


@app.command()
def run(context: typer.Context, transfer: Transfer, dry_run: DryRun = False) -> None:
    """Transfer everybody who was told. From here on it cannot be called off. Stopped, it can be started again."""
    with opened(context, publishing=not dry_run) as engine, progress("transferring") as bar:
        done = engine.transfers.run(transfer, dry_run=dry_run, progress=bar)
        waiting = 0 if here(context).json else engine.transfers.status(transfer)["to_notify"]
    _tell(context, done.as_json(), "transferred", dry_run)
    if waiting:
        say(f"To be told before: {waiting}. Try: lifecycle transfer notify {visible(transfer)}")


def _tell(context: typer.Context, done: dict[str, int], what: str, dry_run: bool) -> None:
    if here(context).json:
        json_line({**done, "dry_run": dry_run})
    else:
        would = "would be " if dry_run else ""
        say(f"{done['done']} {would}{what}, {done['skipped']} {would}skipped, {done['refused']} refused")


@app.command()
def cancel(context: typer.Context, transfer: Transfer, reason: Annotated[str, typer.Option(help="Why")]) -> None:
    """Call a transfer off before it has begun."""
    _execute(context, "cancel-transfer", transfer, reason=reason)


@app.command()
def key(file: Annotated[Path, typer.Argument(help="Where to write the private key")]) -> None:
    """Make a recipient's key; the public one, which the former controller needs, is printed."""
    from lifecycle.vault.handing_over import create_key  # noqa: PLC0415

    try:
        say(create_key(file).rstrip("\n"))
    except OSError:
        raise NoSuchKey("file of the private key") from None


@app.command()
def export(
    context: typer.Context,
    transfer: Transfer,
    recipient: Annotated[Path, typer.Option(help="The recipient's public key, in PEM")],
    out: Annotated[Path, typer.Option(help="The archive to write")],
) -> None:
    """Write the archive of everybody who was transferred, sealed to the recipient."""
    from lifecycle.engine.handing_over import write_archive  # noqa: PLC0415
    from lifecycle.vault.handing_over import read_public  # noqa: PLC0415

    public = read_public(_read(recipient, "file of the public key"))
    with opened(context, publishing=True) as engine, progress("writing") as bar:
        written = write_archive(engine, transfer, public, out, progress=bar)
    if here(context).json:
        json_line(written.as_json())
    else:
        say(f"{written.people} people are in {visible(str(written.path))}, as of checkpoint {written.size}")


@app.command()
def accept(
    context: typer.Context,
    archive: Annotated[Path, typer.Argument(help="The archive of the former controller")],
    key: Annotated[Path, typer.Option(help="Our private key, in PEM")],
    log_key: Annotated[Path, typer.Option(help="The former controller's vkeys, which did not come with the archive")],
) -> None:
    """Take over from another controller. The archive is checked whole first; stopped, it can be started again."""
    from lifecycle.engine.taking_over import take_over  # noqa: PLC0415
    from lifecycle.ledger.note import VerifyingKey  # noqa: PLC0415
    from lifecycle.vault.handing_over import read_private  # noqa: PLC0415

    private = read_private(_read(key, "file of the private key"))
    lines = _read(log_key, "file of the log's keys").decode("utf-8", "replace").split()
    trusted = [VerifyingKey.parse(line) for line in lines]
    with opened(context, publishing=True) as engine, progress("receiving") as bar:
        taken = take_over(engine, archive, private, trusted, progress=bar)
    if here(context).json:
        json_line(taken.as_json())
    else:
        _tell_taken(taken)
    if taken.refused:
        raise typer.Exit(1)


def _tell_taken(taken: Any) -> None:
    say(f"{taken.received} people were received, {taken.known} were here already.")
    if taken.came_back:
        say(f"{taken.came_back} of them had been erased here; each is a new person, under a new id.")
    for code, count in sorted(taken.refused.items()):
        say(f"Not received: {count} ({code})")
    for purpose, count in sorted(taken.asked_anew.items()):
        say(f"A new consent is needed for {purpose}: {count} people")
    if taken.left:
        say(f"{taken.left} holdings were not taken over: no purpose is left for them here")
    for trustee, outcome in sorted(taken.trustees.items()):
        say(f"Trustee {visible(trustee)}: {outcome}")
    say(f"Tell the former controller this token: {taken.token}")


@app.command()
def confirm(
    context: typer.Context,
    transfer: Transfer,
    token: Annotated[str, typer.Option(help="What `transfer accept` told the recipient")],
    evidence: Annotated[str | None, typer.Option(help="What came with the confirmation")] = None,
) -> None:
    """Record the recipient's confirmation, and destroy what it has."""
    with opened(context, publishing=True) as engine, progress("erasing") as bar:
        outcome = engine.execute(document("confirm-transfer", transfer=transfer, token=token, evidence=evidence))
        if outcome.outcome in ("done", "nothing"):
            engine.transfers.leave(transfer, progress=bar)
    answer(context, outcome)


def _execute(context: typer.Context, command: str, transfer: str, **fields: Any) -> None:
    with opened(context) as engine:
        outcome = engine.execute(document(command, transfer=transfer, **fields))
    answer(context, outcome)


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise NoSuchKey(what) from None
