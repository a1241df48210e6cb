"""audit …: can it be shown again?"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lifecycle.cli.failures import FAILED
from lifecycle.cli.here import here, instant, opened, person
from lifecycle.cli.subjects import AsOf, Subject
from lifecycle.cli.telling import json_line, rows_of, say, visible
from lifecycle.cli.words import LocalTime, plain, short
from lifecycle.errors import Invalid

if TYPE_CHECKING:
    from uuid import UUID

    from lifecycle.engine import Engine

app = typer.Typer(no_args_is_help=True, help="Show again what was done, and how it came to be so.")


ReDecide = Annotated[bool, typer.Option("--re-decide", help="Make each past decision again, and compare")]


@app.command()
def replay(context: typer.Context, subject: Subject, as_of: AsOf = None, re_decide: ReDecide = False) -> None:
    """Fold a person's record anew and show the state after every event; or make every past decision again by the policy
    version that it names, and say whether it comes out the same."""
    until = instant(as_of, "--as-of")
    if re_decide:
        _again(context, subject, until)
    else:
        _states(context, subject, until)


def _again(context: typer.Context, subject: str, until: datetime | None) -> None:
    """Exit code 1 and a line of its own where a decision comes out different."""
    with opened(context) as engine:
        local = LocalTime.of(engine)
        rows = engine.read.re_decide(person(subject), until)
    if here(context).json:
        json_line(rows)
    else:
        _tell_decisions(rows, local)
    different = [row for row in rows if row["verdict"] == "different"]
    for row in different:
        sys.stderr.write(f"Alarm: {_numbers(row)} cannot have been decided as recorded: {visible(row['because'])}.\n")
    if different:
        raise typer.Exit(FAILED)


def _tell_decisions(rows: list[dict[str, Any]], local: LocalTime) -> None:
    columns = (
        ("no.", _numbers),
        ("what was decided", lambda row: plain(row["command"])),
        ("recorded", lambda row: local.when(row["recorded_at"])),
        ("by policy", lambda row: row["policy"].partition("#")[0]),
        ("decided again", lambda row: plain(row["verdict"])),
        ("because", lambda row: row["because"]),
    )
    rows_of(f"Decided again (times of {local.zone})", rows, columns)


def _numbers(row: Mapping[str, Any]) -> str:
    first, last = row["versions"]
    return str(first) if first == last else f"{first} to {last}"


def _states(context: typer.Context, subject: str, until: datetime | None) -> None:
    with opened(context) as engine:
        local = LocalTime.of(engine)
        rows = engine.read.replay(person(subject), until)
    if here(context).json:
        json_line(rows)
        return
    columns = (
        ("no.", lambda row: row["version"]),
        ("what happened", lambda row: plain(row["kind"])),
        ("recorded", lambda row: local.when(row["recorded_at"])),
        ("then kept", lambda row: len(_holdings(row)) - _erased(row)),
        ("then erased", _erased),
        ("consents in force", lambda row: sum(consent["ended"] is None for consent in row["state"]["consents"])),
    )
    rows_of(f"Replay (times of {local.zone})", rows, columns)


def _holdings(row: Mapping[str, Any]) -> list[Any]:
    return list(row["state"]["holdings"].values())


def _erased(row: Mapping[str, Any]) -> int:
    return sum(holding["erased_at"] is not None for holding in _holdings(row))


@app.command()
def trail(
    context: typer.Context,
    subject: Annotated[str | None, typer.Option("--subject", help="Of one person; of everybody without it")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many")] = 1_000,
    after: Annotated[int, typer.Option(help="Behind this place in the log; to go on where a list ended")] = -1,
) -> None:
    """Who asked what, when, with what outcome; refusals included, without values."""
    with opened(context) as engine:
        local = LocalTime.of(engine)
        whom = person(subject) if subject is not None else None
        rows = engine.read.audit_trail(whom, limit + 1, after)
    more = len(rows) > limit
    rows = rows[:limit]
    if here(context).json:
        json_line(rows)
    else:
        _tell_trail(rows, local)
    if more:
        sys.stderr.write(f"There is more. Try: --after {rows[-1]['position']}\n")


def _tell_trail(rows: list[dict[str, Any]], local: LocalTime) -> None:
    columns = (
        ("in the log", lambda row: row["position"]),
        ("when", lambda row: local.when(row["recorded_at"])),
        ("person", lambda row: short(row["subject"])),
        ("in the role", lambda row: row["role"]),
        ("what", lambda row: plain(row["command"] or row["kind"])),
        ("outcome", lambda row: row["outcome"]),
        ("why not", lambda row: plain(row["code"])),
        ("clause", lambda row: row["clause"]),
        ("purpose", lambda row: row["purpose"]),
    )
    rows_of(f"Audit trail (times of {local.zone})", rows, columns)


class WhomAbout(Invalid):
    remedy = "give one of --subject, --receipt and --sid"

    def __init__(self) -> None:
        super().__init__("It is not said whom the bundle is about.")


@app.command()
def bundle(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="The ZIP file to write")],
    subject: Annotated[str | None, typer.Option("--subject", help="email=…, phone=…, ref=… or id=…")] = None,
    receipt: Annotated[Path | None, typer.Option(help="The receipt that was handed out at an erasure")] = None,
    sid: Annotated[str | None, typer.Option(help="A pseudonym of the log; to prove absence, too")] = None,
    values: Annotated[bool, typer.Option("--values", help="Disclose the values; the read is recorded")] = False,
    previous: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint that the verifier holds: prove that this log continues it")
    ] = None,
    explode: Annotated[bool, typer.Option("--explode", help="Also write a tlog-proof for each event")] = False,
) -> None:
    """Write the evidence about one person: for a stranger, to be checked offline with `lifecycle verify`."""
    from lifecycle.engine.bundling import write_bundle  # noqa: PLC0415

    with opened(context) as engine:
        who, pseudonym = _whom(engine, subject, receipt, sid)
        written = write_bundle(
            engine, out, subject_id=who, sid=pseudonym, disclosed=values,
            previous=tuple(map(_size_of, previous or ())), explode=explode,
        )  # fmt: skip
    if here(context).json:
        json_line(written.as_json())
        return
    about = "that nothing is held under this pseudonym" if written.is_absent else f"{written.events} events"
    about = "that the evidence was expunged" if written.is_expunged else about
    say(f"Written: {about}, under a checkpoint of {written.size} leaves.")


def _whom(
    engine: Engine, subject: str | None, receipt: Path | None, sid: str | None
) -> tuple[UUID | None, bytes | None]:
    from lifecycle.engine.bundling import sid_of_receipt  # noqa: PLC0415
    from lifecycle.engine.erasure_receipts import NotAReceipt  # noqa: PLC0415

    if sum(said is not None for said in (subject, receipt, sid)) != 1:
        raise WhomAbout
    if subject is not None:
        return engine.read.subject_id(person(subject)), None
    try:
        said = {"sid": sid} if receipt is None else json.loads(receipt.read_bytes())
    except ValueError:
        raise NotAReceipt from None
    return None, sid_of_receipt(said)


def _size_of(checkpoint: Path) -> int:
    """Of a checkpoint that somebody brings only the size matters here: they check the proof themselves."""
    from lifecycle.ledger.checkpoint import Checkpoint  # noqa: PLC0415
    from lifecycle.ledger.note import read_note  # noqa: PLC0415

    return Checkpoint.parse(read_note(checkpoint.read_bytes()).text).size
