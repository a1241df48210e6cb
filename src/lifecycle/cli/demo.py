"""`lifecycle demo`: lives the story on a real store of its own, by the same commands that anybody would send."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lifecycle import verify as verifier
from lifecycle.cli.evidence import Witness, contents_of, kept_about
from lifecycle.cli.story import ANN, LOOKS, PEOPLE, REVISION, STORY, VALUES, WITNESSED, Step
from lifecycle.cli.words import LocalTime
from lifecycle.errors import StoreUnavailable
from lifecycle.settings import Settings

if TYPE_CHECKING:
    from lifecycle.commands.outcome import Outcome
    from lifecycle.domain.subject.events import Effect
    from lifecycle.engine import Engine

ACTOR = {"id": "demo", "role": "service"}
TIME_PASSES = "time passes"
BROUGHT_BY_TIME = {
    "retention-expired/1": "the storage period is over ({purpose})",
    "erasure-ordered/1": "nothing justifies keeping it: erased",
    "processing-restricted/1": "may not be deleted yet: kept locked away, used for nothing",
    "recipient-overdue/1": "the support company has not answered what it was told to do: that is overdue",
    "trustee-found-wanting/1": "it goes on record as a finding against it",
    "subject-told-of-incident/1": "is told that data of theirs was on the laptop",
    "revision-took-effect/1": "version 1.1 is in force: what is held already is kept for the shorter time, too",
}
FORGOTTEN = "nothing is left: the record is closed, and nobody can be found by it any more"
KEPT_BY = {"statutory-minimum": "the law wants it kept", "legal-hold": "a court wants it kept"}


class FolderInUse(StoreUnavailable):
    remedy = "name a folder that does not exist yet"

    def __init__(self) -> None:
        super().__init__("The demo's folder holds a store already.")


@dataclass(slots=True)
class Told:
    """What happened, for printing and for --json."""

    folder: Path
    settings: Settings
    timeline: list[tuple[str, str, str, str]] = field(default_factory=list)
    refused: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    holdings: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    entries: int = 0
    replayed_alike: bool = False
    found: list[dict[str, Any]] = field(default_factory=list)
    receipt: Mapping[str, str] | None = None
    certificate: dict[str, Any] | None = None
    seconds: float = 0.0


def play(folder: Path | None) -> Told:
    """Play the story in `folder`, or in a new one; the files stay there."""
    started = time.monotonic()
    folder = _prepare(folder)
    told = Told(folder, Settings(f"sqlite:///{folder / 'lifecycle.db'}", folder / "keys"))
    playing = _Playing(told)
    with playing.live() as engine:
        for look in LOOKS:
            then = datetime.fromisoformat(look)
            told.holdings[look] = engine.read.holdings(PEOPLE[ANN], then, then)
        playing.replay()
        playing.certify()
    contents = contents_of(folder)
    told.found = [witness.search(contents) for witness in playing.witnesses]
    told.seconds = time.monotonic() - started
    return told


def _prepare(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="lifecycle-demo-"))
    if (folder / "lifecycle.db").exists():
        raise FolderInUse
    folder.mkdir(parents=True, exist_ok=True)
    return folder.absolute()


class _Playing:
    def __init__(self, told: Told) -> None:
        from lifecycle.engine.creation import create  # noqa: PLC0415 -- only now is the engine needed
        from lifecycle.policy.examples import example_policy_text  # noqa: PLC0415

        self.told = told
        self.engine, _ = create(told.settings, example_policy_text(), simulated_clock=True)
        self.local = LocalTime.of(self.engine)
        self.witnesses = [Witness(who, category, VALUES[who][category].encode()) for who, category in WITNESSED]
        self._names: dict[str, str] = {}
        self._answered: set[str | None] = set()
        self._seen = -1

    def live(self) -> Engine:
        for number, step in enumerate(STORY, start=1):
            self._let_time_pass(step)
            if step.act == "restart":
                self._restart()
            elif step.act == "end-epoch":
                self.engine.rotate()
            outcome = None
            if step.document:
                text = {"text": _revised()} if step.act == "revise" else {}
                about = {"id": f"demo-{number}", "at": step.at, "actor": ACTOR}
                outcome = self.engine.execute({**about, **step.document, **text})
                self.engine.react()  # as `apply` does at its end: who was hit is computed, who is to be told is told
            self._note(step, outcome)
        return self.engine

    def replay(self) -> None:
        """Throw away what is computed from the entries, compute it again, and compare."""
        before = self._everything()
        self.told.entries = self.engine.follower.status()[0]["log_size"]
        self.engine.follower.rebuild()
        self.told.replayed_alike = self._everything() == before

    def certify(self) -> None:
        """Ask for the certificate by the receipt, and check it as a stranger would: in a process of its own."""
        from lifecycle.engine.bundling import sid_of_receipt, write_bundle  # noqa: PLC0415

        if self.told.receipt is None:
            return
        certificate, receipt = self.told.folder / "certificate.zip", self.told.folder / "receipt.json"
        receipt.write_text(json.dumps(dict(self.told.receipt)))
        write_bundle(self.engine, certificate, sid=sid_of_receipt(self.told.receipt))
        key = self.engine.log.folder.folder / "log.vkey"
        checked = subprocess.run(  # noqa: S603 -- our own verifier, by its path
            [sys.executable, "-I", verifier.__file__, certificate, "--key", key, "--receipt", receipt, "--json"],
            capture_output=True,
            check=False,
        )
        self.told.certificate = json.loads(checked.stdout)

    def _everything(self) -> list[Any]:
        read = self.engine.read
        return [(read.holdings(UUID(id)), read.consents(UUID(id)), read.recipients(UUID(id))) for id in self._names]

    def _restart(self) -> None:
        from lifecycle.engine import open_engine  # noqa: PLC0415

        self.engine.close()
        self.engine = open_engine(self.told.settings.db, keys=self.told.settings.keys)

    def _let_time_pass(self, step: Step) -> None:
        """Move the clock to the step; what falls due on the way happens by itself, and is told."""
        self.engine.advance_clock(datetime.fromisoformat(step.at))
        for row in self.engine.read.audit_trail(after=self._seen):
            self._seen = row["position"]
            if row["role"] == "system" and row["kind"] in BROUGHT_BY_TIME:
                said = FORGOTTEN if self._is_whole(row) else BROUGHT_BY_TIME[row["kind"]].format(purpose=row["purpose"])
                who = self._names.get(row["subject"], "") if row["subject"] else "Udesk"
                line = (self.local.day(row["recorded_at"]), who, TIME_PASSES, said)
                if line not in self.told.timeline[-4:]:  # one line for all holdings of a purpose
                    self.told.timeline.append(line)

    def _is_whole(self, row: Mapping[str, Any]) -> bool:
        if row["kind"] != "erasure-ordered/1":
            return False
        event = self.engine.read.history(UUID(row["subject"]))[row["version"] - 1]
        return bool(event["data"].get("whole"))

    def _note(self, step: Step, outcome: Outcome | None) -> None:
        day = step.at[:10]
        self.told.timeline.append((day, step.who, step.told, self._result(outcome)))
        if outcome is None:
            return
        self._answered.add(outcome.id)
        if outcome.subject is not None:
            self._names[str(outcome.subject)] = step.who
        if outcome.outcome == "refused":
            why = outcome.message or ""
            self.told.refused.append((day, step.who, step.told, why, f"clause {outcome.clause}"))
        if outcome.receipt is not None:
            self.told.receipt = outcome.receipt
        if step.document.get("command") in ("collect", "withdraw-consent"):  # the latter wraps the surviving keys anew
            self._witness(step.who)

    def _witness(self, who: str) -> None:
        mine = [witness for witness in self.witnesses if witness.who == who]
        if mine:
            kept = kept_about(self.engine, PEOPLE[who])
            for witness in mine:
                witness.note(kept)

    def _result(self, outcome: Outcome | None) -> str:
        if outcome is None:
            return ""
        if outcome.id in self._answered:
            return "recognised: the same answer as the first time, nothing is doubled"
        if outcome.outcome == "refused":
            return f"REFUSED: {outcome.message}"
        if outcome.request is not None and outcome.request.due_on is not None:
            return f"to be answered by {outcome.request.due_on}: fifteen working days, and the holidays are none"
        groups: dict[str, list[str]] = {}
        for effect in outcome.effects:
            groups.setdefault(_effect(effect), []).append(effect.category)
        lines = [f"{', '.join(sorted(categories))}: {result}" for result, categories in groups.items()]
        return "; ".join(lines) or "recorded"


def _revised() -> str:
    from lifecycle.policy.examples import example_policy_text  # noqa: PLC0415

    text = example_policy_text()
    for old, new in REVISION.items():
        text = text.replace(old, new, 1)
    return text


def _effect(effect: Effect) -> str:
    if effect.result == "kept":
        return f"kept for {effect.because}"
    return "erased" if effect.result == "erased" else f"locked away, {KEPT_BY.get(effect.because, effect.because)}"
