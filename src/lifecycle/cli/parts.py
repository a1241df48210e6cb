"""Which file of this room has which command. A run loads the file whose command was named; only `--help` loads all."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import cache

import typer
from typer.models import CommandInfo

Part = Callable[[typer.Typer], None]


def parts_for(name: str | None) -> list[Part]:
    """What has the command or group of this name; everything, if there is none."""
    return [PARTS[name]] if name in PARTS else list(dict.fromkeys(PARTS.values()))


def with_one(group: typer.Typer | None, name: str) -> typer.Typer | None:
    """The group with this command alone, because making them all takes as long as reading a person's record; with all
    of them, if it has none of this name."""
    found = [] if group is None else [each for each in group.registered_commands if _name(each) == name]
    if group is None or not found:
        return group
    alone = copy(group)
    alone.registered_commands = found
    return alone


def _name(command: CommandInfo) -> str | None:
    return command.name or getattr(command.callback, "__name__", None)


def _stores(root: typer.Typer) -> None:
    from lifecycle.cli import stores  # noqa: PLC0415

    stores.add_to(root)


def _times(root: typer.Typer) -> None:
    from lifecycle.cli import times  # noqa: PLC0415

    times.add_to(root)
    root.add_typer(times.retention, name="retention")


def _logs(root: typer.Typer) -> None:
    from lifecycle.cli import logs  # noqa: PLC0415

    logs.add_to(root)


def _doctor(root: typer.Typer) -> None:
    from lifecycle.cli import doctor  # noqa: PLC0415

    doctor.add_to(root)


def _subject(root: typer.Typer) -> None:
    root.add_typer(_about_people(), name="subject")


@cache
def _about_people() -> typer.Typer:
    from lifecycle.cli import custody, packages, subjects  # noqa: PLC0415

    subjects.app.command()(custody.custody)
    subjects.app.command()(packages.package)
    subjects.app.command()(packages.receipt)
    return subjects.app


def _trustee(root: typer.Typer) -> None:
    from lifecycle.cli import trustees  # noqa: PLC0415

    root.add_typer(trustees.app, name="trustee")


def _transfer(root: typer.Typer) -> None:
    from lifecycle.cli import transfers  # noqa: PLC0415

    root.add_typer(transfers.app, name="transfer")


def _request(root: typer.Typer) -> None:
    root.add_typer(_requests(), name="request")


@cache
def _requests() -> typer.Typer:
    from lifecycle.cli import packages, requests  # noqa: PLC0415

    requests.app.command(context_settings=requests.OF_AN_ID)(packages.token)
    return requests.app


def _incident(root: typer.Typer) -> None:
    from lifecycle.cli import incidents  # noqa: PLC0415

    root.add_typer(incidents.app, name="incident")


def _policy(root: typer.Typer) -> None:
    root.add_typer(_policies(), name="policy")


@cache
def _policies() -> typer.Typer:
    from lifecycle.cli import policies, revisions  # noqa: PLC0415

    revisions.add_to(policies.app)
    return policies.app


def _operations(root: typer.Typer) -> None:
    from lifecycle.cli import operations, restores  # noqa: PLC0415

    root.add_typer(operations.projections, name="projections")
    root.add_typer(_vault(), name="vault")
    root.add_typer(restores.restore, name="restore")


@cache
def _vault() -> typer.Typer:
    from lifecycle.cli import operations, restores  # noqa: PLC0415

    operations.vault.command(name="restore")(restores.vault_restore)
    return operations.vault


def _audit(root: typer.Typer) -> None:
    root.add_typer(_audits(), name="audit")


@cache
def _audits() -> typer.Typer:
    from lifecycle.cli import auditors, audits, questions  # noqa: PLC0415

    auditors.add_to(audits.app)
    questions.add_to(audits.app)
    return audits.app


def _witness(root: typer.Typer) -> None:
    from lifecycle.cli import auditors  # noqa: PLC0415

    root.add_typer(auditors.witness, name="witness")


def _bench(root: typer.Typer) -> None:
    from lifecycle.cli import benches  # noqa: PLC0415

    root.add_typer(benches.app, name="bench")


PARTS: dict[str, Part] = {
    "init": _stores,
    "migrate": _stores,
    "apply": _stores,
    "import": _stores,
    "schema": _stores,
    "demo": _stores,
    "worker": _times,
    "ledger": _logs,
    "verify": _logs,
    "doctor": _doctor,
    "subject": _subject,
    "trustee": _trustee,
    "transfer": _transfer,
    "request": _request,
    "incident": _incident,
    "policy": _policy,
    "retention": _times,
    "projections": _operations,
    "vault": _operations,
    "restore": _operations,
    "audit": _audit,
    "witness": _witness,
    "bench": _bench,
}
