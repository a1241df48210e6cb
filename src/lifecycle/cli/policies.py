"""policy …: checking a policy file, publishing it, showing what is published."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from lifecycle.cli.here import here, opened
from lifecycle.cli.telling import json_line, rows_of, say

app = typer.Typer(no_args_is_help=True, help="The policy, as data.")
File = Annotated[Path, typer.Argument(help="The policy file")]


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
            say(f"fault: {fault}")
        for warning in found.warnings:
            say(f"warning: {warning}")
        if found.policy is not None:
            say(f"{found.policy.label} is well-formed; fingerprint {found.policy.fingerprint}")
    if found.faults:
        raise typer.Exit(1)


def _told(finding: object) -> dict[str, object]:
    return {name: getattr(finding, name) for name in ("file", "line", "place", "reason")}


@app.command()
def publish(context: typer.Context, file: File) -> None:
    """Publish a policy file as an event with its full text."""
    from lifecycle.policy.loading import load_policy  # noqa: PLC0415

    load_policy(file)
    document = {
        "command": "publish-policy",
        "id": f"cli-{secrets.token_hex(8)}",
        "actor": {"id": "cli", "role": "operator"},
        "text": file.read_text(encoding="utf-8-sig"),
    }
    with opened(context) as engine:
        outcome = engine.execute(document)
    if here(context).json:
        json_line(outcome.model_dump(mode="json"))
    else:
        say(f"{outcome.outcome}: {outcome.message or ', '.join(outcome.events) or 'it is published already'}")
    if outcome.outcome in ("invalid", "conflict", "refused"):
        raise typer.Exit(1)


@app.command()
def show(context: typer.Context) -> None:
    """The published versions."""
    with opened(context) as engine:
        rows = [
            {
                "policy": policy.id,
                "version": policy.version,
                "effective": policy.effective.isoformat(),
                "fingerprint": policy.fingerprint,
                "purposes": list(policy.purposes),
            }
            for policy in engine.policies.all()
        ]
    if here(context).json:
        json_line(rows)
    else:
        rows_of("Policy versions", rows, ("policy", "version", "effective", "fingerprint", "purposes"))
