"""`lifecycle demo`: lives the story on a real store, and prints it for somebody who never heard of event sourcing."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifecycle.cli.story import ANN, DORA, LOOKS, PEOPLE, STORY, VALUES, Step
from lifecycle.cli.telling import json_line, say, table
from lifecycle.errors import StoreUnavailable
from lifecycle.settings import Settings

if TYPE_CHECKING:
    from lifecycle.commands.outcome import Outcome
    from lifecycle.engine import Engine

BROUGHT_BY_TIME = {
    "retention-expired/1": "the storage period is over ({purpose})",
    "erasure-ordered/1": "nothing justifies keeping it: erased",
    "processing-restricted/1": "may not be deleted yet: kept locked away, used for nothing",
}
ENDS = {"statutory-minimum": "the law wants it kept", "legal-hold": "a court wants it kept"}


class FolderInUse(StoreUnavailable):
    remedy = "name a folder that does not exist yet"

    def __init__(self) -> None:
        super().__init__("The demo's folder holds a store already.")


@dataclass(slots=True)
class Told:
    """What the demo did, for printing and for `--json`."""

    timeline: list[list[str]] = field(default_factory=list)
    refused: list[list[str]] = field(default_factory=list)
    receipt: Mapping[str, str] | None = None


def play(folder: Path | None, *, in_json: bool = False) -> None:
    """Play the story in `folder` (a new one without it), and say where the files are."""
    started = time.monotonic()
    folder = _prepare(folder)
    settings = Settings(f"sqlite:///{folder / 'lifecycle.db'}", folder / "keys")
    told = Told()
    engine = _live(settings, told)
    with engine:
        looks = {look: engine.read.holdings(PEOPLE[ANN], datetime.fromisoformat(look)) for look in LOOKS}
        replayed = engine.read.replay(PEOPLE[ANN])
    found = _search(folder, _sought())
    if in_json:
        json_line({"timeline": told.timeline, "refused": told.refused, "holdings": looks, "found": found,
                   "folder": str(folder)})  # fmt: skip
        return
    _print(told, looks, replayed, found, folder, settings)
    say(f"\nAll this took {time.monotonic() - started:.1f} s.")


def _prepare(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="lifecycle-demo-"))
    if (folder / "lifecycle.db").exists():
        raise FolderInUse
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _live(settings: Settings, told: Told) -> Engine:
    from lifecycle.engine.creation import create  # noqa: PLC0415 -- only now is the engine needed
    from lifecycle.policy.examples import example_policy_text  # noqa: PLC0415

    engine, _ = create(settings, example_policy_text(), simulated_clock=True)
    names: dict[str, str] = {}
    for number, step in enumerate(STORY, start=1):
        _let_time_pass(engine, step, names, told)
        if step.act == "restart":
            engine = _restart(engine, settings)
        elif step.act == "end-epoch":
            engine.rotate()
        outcome = _do(engine, step, number)
        _note(step, outcome, names, told)
    return engine


def _restart(engine: Engine, settings: Settings) -> Engine:
    from lifecycle.engine import open_engine  # noqa: PLC0415

    engine.close()
    return open_engine(settings.db, keys=settings.keys)


def _let_time_pass(engine: Engine, step: Step, names: dict[str, str], told: Told) -> None:
    """Move the clock to the step; what falls due on the way happens by itself, and is told."""
    before = engine.follower.status()[0]["log_size"]
    engine.advance_clock(datetime.fromisoformat(step.at))
    for row in engine.read.audit_trail():
        if row["position"] < before or row["role"] != "system" or row["kind"] not in BROUGHT_BY_TIME:
            continue
        said = BROUGHT_BY_TIME[row["kind"]].format(purpose=row["purpose"])
        line = [_day(row["recorded_at"]), names.get(row["subject"], ""), "time passes", said]
        if line not in told.timeline[-4:]:  # one line for all holdings of a purpose
            told.timeline.append(line)


def _do(engine: Engine, step: Step, number: int) -> Outcome | None:
    if not step.document:
        return None
    actor = {"id": "demo", "role": "service"}
    return engine.execute({"id": f"demo-{number}", "at": step.at, "actor": actor, **step.document})


def _note(step: Step, outcome: Outcome | None, names: dict[str, str], told: Told) -> None:
    result = "" if outcome is None else _in_words(outcome)
    told.timeline.append([step.at[:10], step.who, step.told, result])
    if outcome is None:
        return
    if outcome.subject is not None:
        names[str(outcome.subject)] = step.who
    if outcome.outcome == "refused":
        told.refused.append([step.at[:10], step.who, step.told, outcome.message or "", f"clause {outcome.clause}"])
    if outcome.receipt is not None:
        told.receipt = outcome.receipt


def _in_words(outcome: Outcome) -> str:
    if outcome.outcome == "refused":
        return f"REFUSED: {outcome.message}"
    lines = [f"{effect.category}: {_effect(effect.result, effect.because)}" for effect in outcome.effects]
    return "; ".join(lines) or "recorded"


def _effect(result: str, because: str) -> str:
    if result == "erased":
        return "erased"
    if result == "kept":
        return f"kept for {because}"
    return f"locked away, {ENDS.get(because, because)}"


def _sought() -> dict[str, str]:
    return {f"{who}'s {what}": value for who in (ANN, DORA) for what, value in VALUES[who].items()}


def _search(folder: Path, values: Mapping[str, str]) -> dict[str, list[str]]:
    """In which files, searched byte for byte, a value can be found."""
    contents = {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        what: [name for name, content in contents.items() if value.encode() in content]
        for what, value in values.items()
    }


def _day(instant: str) -> str:
    from lifecycle.policy.periods import day_of  # noqa: PLC0415

    return day_of(datetime.fromisoformat(instant), "Asia/Singapore").isoformat()


def _print(
    told: Told,
    looks: Mapping[str, list[dict[str, Any]]],
    replayed: list[dict[str, Any]],
    found: Mapping[str, list[str]],
    folder: Path,
    settings: Settings,
) -> None:
    say("Four people meet a company that publishes a privacy policy. The engine holds the company to it.\n")
    table("What happened", ("date", "who", "what", "what the engine did"), told.timeline)
    for look in LOOKS:
        rows = [[row["category"], _state(row), row["value"], list(_why(row)), row["recipients"]] for row in looks[look]]
        title = f"\nWhat the company held about Ann on {look[:10]} (values are masked)"
        table(title, ("what", "state", "value", "why", "given to"), rows)
    table("\nWhat was refused, and why", ("date", "who", "what was tried", "why not", "by the policy's"), told.refused)
    say(f"\nAnn's record has {len(replayed)} entries; replaying them from the first gives the same state again.")
    _print_proof(told, found)
    _print_files(folder, settings)


def _state(row: Mapping[str, Any]) -> str:
    restriction = row["restriction"]
    return f"{row['state']} ({restriction['because']})" if restriction else str(row["state"])


def _why(row: Mapping[str, Any]) -> Iterator[str]:
    for ground in row["grounds"]:
        if ground["ended"] is not None:
            yield f"{ground['purpose']}: over ({ground['ended']})"
        else:
            until = f" until {_day(ground['until'])}" if ground["until"] else ""
            yield f"{ground['purpose']} ({ground['basis']}){until}"


def _print_proof(told: Told, found: Mapping[str, list[str]]) -> None:
    say("\nIs it really gone? Values rest only encrypted, each under a key of its own; erasing destroys the key.")
    say("Every file of the store was searched, byte for byte, for what stood in the clear:")
    for what, names in found.items():
        say(f"  {what}: {'found in ' + ', '.join(names) if names else 'not found in any file'}")
    if told.receipt is not None:
        say(f"  Dora was handed a receipt for her deletion, beginning {told.receipt['sid'][:12]}…")


def _print_files(folder: Path, settings: Settings) -> None:
    say(f"\nThe files are in {folder}:")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            say(f"  {path.relative_to(folder)}  {path.stat().st_size} bytes")
    lifecycle = shutil.which("lifecycle") or "lifecycle"
    command = f"{lifecycle} --db {settings.db} --keys {settings.keys}"
    say(f"Look further:  {command} subject history --subject email={PEOPLE[ANN]['email']}")
