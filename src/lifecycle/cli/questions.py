"""audit lawful, why, register: what an auditor asks and no list of rows answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from lifecycle.cli.here import here, instant, opened, person
from lifecycle.cli.subjects import AsKnownAt, Subject
from lifecycle.cli.telling import json_line, rows_of, say, visible
from lifecycle.cli.words import LocalTime, counted, plain, short

Json = Mapping[str, Any]

VERDICTS = {
    "lawful": "Lawful",
    "storage-only": "Only storing it was lawful",
    "unlawful": "Unlawful",
    "not-held": "Not held then",
    "cannot-tell": "Cannot be told",
}


def add_to(app: typer.Typer) -> None:
    app.command()(lawful)
    app.command()(why)
    app.command()(register)


def lawful(
    context: typer.Context,
    subject: Subject,
    holding: Annotated[str | None, typer.Option(help="Id of the holding")] = None,
    at: Annotated[str | None, typer.Option("--at", help="Was processing lawful at this time? Now without it")] = None,
    as_known_at: AsKnownAt = None,
    purpose: Annotated[str | None, typer.Option(help="For this purpose; for any without it")] = None,
    version: Annotated[
        int | None, typer.Option("--version", help="Instead: was the act of this version lawful?")
    ] = None,
    read: Annotated[
        int | None, typer.Option("--read", help="Instead: was this reading of values, of the audit trail, lawful?")
    ] = None,
) -> None:
    """Was processing of a holding lawful at an instant, or one act when it happened? By what is known now, and, where
    that differs, by what was known then."""
    if sum(said is not None for said in (holding, version, read)) != 1:
        raise typer.BadParameter("give one of --holding, --version and --read", param_hint="--holding")
    if holding is None and (at is not None or purpose is not None):
        raise typer.BadParameter("an act has its own time and purpose", param_hint="--version")
    when, known_at = instant(at, "--at"), instant(as_known_at, "--as-known-at")
    with opened(context) as engine:
        local = LocalTime.of(engine)
        if version is not None:
            answer = engine.read.lawful_act(person(subject), version, known_at)
        elif read is not None:
            answer = engine.read.lawful_read(person(subject), read, known_at)
        else:
            assert holding is not None
            answer = engine.read.lawful(person(subject), holding, when or engine.clock.now(), known_at, purpose)
    if here(context).json:
        json_line(answer)
    else:
        _tell_lawful(answer, local)


def _tell_lawful(answer: Json, local: LocalTime) -> None:
    say(f"{local.when(answer['at'])} ({local.zone}), {_of(answer)}.")
    _tell_verdict("As known now", answer, local)
    if answer["as_known_then"] is not None:
        _tell_verdict("As known then", answer["as_known_then"], local)


def _of(answer: Json) -> str:
    if "kind" in answer:
        return f"{plain(answer['kind'])} (version {answer['version']})"
    return f"{visible(answer['category'] or 'holding')} {short(answer['holding'])}"


def _tell_verdict(heading: str, answer: Json, local: LocalTime) -> None:
    known = local.when(answer["as_known_at"])
    say(f"{heading} ({known}): {VERDICTS[answer['verdict']]}{_because(answer)}.")
    for line in _lines(answer, local):
        say(f"  {visible(line)}")


def _because(answer: Json) -> str:
    return "" if answer["verdict"] == "lawful" else f" ({plain(answer['because'])})"


def _lines(answer: Json, local: LocalTime) -> Iterator[str]:
    grounds = answer.get("grounds") or [each for one in answer.get("holdings", ()) for each in one["grounds"]]
    for ground in grounds:
        yield f"Ground {ground['ground']}: {ground['purpose']} ({plain(ground['basis'])}), {_span(ground, local)}"
        if ground["begun_by"]:
            yield f"  begun by {_place(ground['begun_by'])}"
        if ground["consent"]:
            yield f"  on the consent of {local.when(ground['consent']['since'])}, {_place(ground['consent'])}"
    for keeper in answer.get("keepers", ()):
        yield f"Kept: {plain(keeper['because'])}, {_until(keeper['until'], local)}"
    shares = [answer["agreement"]] if answer.get("agreement") else answer.get("shares", ())
    for share in shares:
        state = "in force" if share["agreement_in_force"] else "not in force"
        yield (
            f"Shared with {share['recipient']} on {local.when(share['at'])} for {share['purpose']}: agreement "
            f"{share['agreement']}, version {share['agreement_version']}, {state}"
        )


def _span(ground: Json, local: LocalTime) -> str:
    return f"from {local.when(ground['since'])} {_until(ground['until'], local)}"


def _until(until: str | None, local: LocalTime) -> str:
    return "until somebody ends it" if until is None else f"until {local.when(until)}"


def _place(place: Json) -> str:
    log = "not yet in the log" if place["position"] is None else f"leaf {place['position']}"
    return f"version {place['version']} ({log}), policy {place['policy'].partition('#')[0]}"


def why(context: typer.Context, subject: Subject) -> None:
    """Why each item of a person is still held, and the earliest lawful instant of its deletion."""
    with opened(context) as engine:
        local = LocalTime.of(engine)
        answer = engine.read.why(person(subject))
    if here(context).json:
        json_line(answer)
        return
    columns = (
        ("what", lambda row: row["category"]),
        ("id", lambda row: short(row["holding"])),
        ("held because", lambda row: [reason(each, local) for each in row["reasons"]]),
        ("deleted", lambda row: local.when(row["earliest"]) or _not_before(row["reasons"])),
    )
    rows_of(f"Why it is held (times of {local.zone})", answer["holdings"], columns)
    person_ = answer["person"]
    if person_["reasons"] or person_["earliest"]:
        say(f"The person goes: {local.when(person_['earliest']) or _not_before(person_['reasons'])}.")
        holdings = sum(each["because"] == "holding" for each in person_["reasons"])
        others = [reason(each, local) for each in person_["reasons"] if each["because"] != "holding"]
        told = [counted(holdings, "holding", "holdings")] if holdings else []
        say(f"Can still be found because of: {visible([*told, *others])}.")


def reason(said: Json, local: LocalTime) -> str:
    """One reason in words: "free-trial (consent) until …", "statutory minimum (ecommerce-law-31) until …"."""
    if said["because"] == "ground":
        what = f"{said['purpose']} ({plain(said['basis'])})"
    else:
        detail = said.get("law") or short(said.get("hold")) or said.get("purpose")
        what = f"{plain(said['because'])}{f' ({detail})' if detail else ''}"
    return f"{what} {_until(said['until'], local)}"


def _not_before(reasons: list[Json]) -> str:
    """What has to be ended by somebody before anything can go."""
    open_ended = [each for each in reasons if each["until"] is None]
    what = [(each.get("hold") and f"hold {short(each['hold'])}") or plain(each["because"]) for each in open_ended]
    return f"until somebody ends it: {visible(list(dict.fromkeys(what)))}"


def register(context: typer.Context) -> None:
    """The register of processing activities: per purpose what, on which bases, for whom, how long, how many people."""
    with opened(context) as engine:
        local = LocalTime.of(engine)
        answer = engine.read.register()
    if here(context).json:
        json_line(answer)
        return
    columns = (
        ("purpose", lambda row: row["purpose"]),
        ("people", lambda row: row["people"]),
        ("categories", lambda row: [each["category"] for each in row["categories"]]),
        ("bases", lambda row: [f"{plain(each['basis'])}: {each['people']}" for each in row["bases"]]),
        ("kept", lambda row: _kept(row["retention"])),
        ("recipients", lambda row: [*(each["name"] for each in row["recipients"]), *_providers(row)]),
        ("abroad", lambda row: [f"{each['recipient']} ({each['country']})" for each in row["transfers_abroad"]]),
        ("measures", lambda row: [one["measures"] for each in row["recipients"] for one in each["agreements"]]),
    )
    rows_of(f"Register of {answer['controller']['name']}, {local.when(answer['at'])}", answer["purposes"], columns)


def _kept(retention: Json | None) -> str | None:
    if retention is None or retention["period"] is None:
        return "while the contract lasts" if retention else None
    return f"{retention['period']} from {plain(retention['counts_from'])}"


def _providers(row: Json) -> list[str]:
    return [each["provider"] for each in row["technologies"]]
