"""policy …: checking a policy file, publishing it, showing what is published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lifecycle.cli.carrying_out import answer, document
from lifecycle.cli.here import here, opened
from lifecycle.cli.telling import json_line, rows_of, say, table, visible
from lifecycle.cli.words import plain
from lifecycle.errors import Invalid

if TYPE_CHECKING:
    from lifecycle.policy.model import Policy
    from lifecycle.policy.parts import Retention

app = typer.Typer(no_args_is_help=True, help="The policy, as data.")
File = Annotated[Path, typer.Argument(help="The policy file")]


class NoSuchVersion(Invalid):
    remedy = "see which there are: `lifecycle policy show`"

    def __init__(self) -> None:
        super().__init__("No such version was published.")


@app.command()
def check(context: typer.Context, file: File) -> None:
    """Name every fault of a policy file, and what is lawful but odd."""
    from lifecycle.policy.loading import check_file  # noqa: PLC0415

    found = check_file(file)
    if here(context).json:
        told = {
            "faults": [_told(each) for each in found.faults],
            "warnings": [_told(each) for each in found.warnings],
            "fingerprint": found.policy.fingerprint if found.policy is not None else None,
        }
        json_line(told)
    else:
        for fault in found.faults:
            say(f"fault: {visible(fault)}")
        for warning in found.warnings:
            say(f"warning: {visible(warning)}")
        if found.policy is not None:
            say(f"{visible(found.policy.label)} is well-formed; fingerprint {found.policy.fingerprint}")
    if found.faults:
        raise typer.Exit(1)


def _told(finding: object) -> dict[str, object]:
    return {name: getattr(finding, name) for name in ("file", "line", "place", "reason")}


@app.command()
def publish(context: typer.Context, file: File) -> None:
    """Publish a policy file as an event with its full text."""
    from lifecycle.policy.loading import load_policy  # noqa: PLC0415

    load_policy(file)  # names the file and every fault in it
    with opened(context) as engine:
        outcome = engine.execute(document("publish-policy", text=file.read_text(encoding="utf-8-sig")))
    answer(context, outcome)


@app.command()
def show(
    context: typer.Context, version: Annotated[str | None, typer.Option(help="One version, with its purposes")] = None
) -> None:
    """The published versions, or one of them with what it allows."""
    with opened(context) as engine:
        published = engine.policies.all()
    if version is not None:
        _show_one(context, next((policy for policy in published if policy.version == version), None))
        return
    rows = [_version(policy) for policy in published]
    if here(context).json:
        json_line(rows)
        return
    columns = (
        ("policy", lambda row: row["policy"]),
        ("version", lambda row: row["version"]),
        ("in force from", lambda row: row["effective"]),
        ("fingerprint", lambda row: row["fingerprint"][:16] + "…"),
        ("purposes", lambda row: row["purposes"]),
    )
    rows_of("Policy versions", rows, columns)


def _version(policy: Policy) -> dict[str, Any]:
    return {
        "policy": policy.id,
        "version": policy.version,
        "effective": policy.effective.isoformat(),
        "fingerprint": policy.fingerprint,
        "purposes": list(policy.purposes),
    }


def _show_one(context: typer.Context, policy: Policy | None) -> None:
    if policy is None:
        raise NoSuchVersion
    if here(context).json:
        json_line({"fingerprint": policy.fingerprint, **policy.model_dump(mode="json", exclude_defaults=True)})
        return
    say(f"Policy {visible(policy.label)}, in force from {policy.effective}, times of {policy.time_zone}.")
    rows = [
        [purpose.id, purpose.clause, purpose.categories, [basis.value for basis in purpose.bases],
         _kept(purpose.retention), purpose.recipients]
        for purpose in policy.purposes.values()
    ]  # fmt: skip
    table("Purposes", ("purpose", "clause", "may collect", "on the basis of", "kept", "may be given to"), rows)


def _kept(retention: Retention) -> str:
    if retention.period is None:
        return "while the contract lasts"
    length = f"{retention.months} months" if retention.months is not None else f"{retention.days} days"
    return f"{length} from {plain(retention.counts_from.value)}"
