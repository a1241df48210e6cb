"""Documents, one a line: applied as they come, or imported in bulk from where an earlier run stopped."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeAlias

import orjson
from pydantic import TypeAdapter, ValidationError

from lifecycle.commands.document import Instant
from lifecycle.commands.outcome import Outcome
from lifecycle.commands.parsing import Malformed, faults_of, parse_line
from lifecycle.engine import answers
from lifecycle.engine.engine import BATCH, Engine
from lifecycle.engine.named_files import with_text
from lifecycle.errors import Invalid, Refused
from lifecycle.storage.uncollected import uncollected

ADVANCE = "advance-clock"
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
Told: TypeAlias = str | Outcome  # "done", "nothing", or in full why not


def apply_lines(
    engine: Engine, lines: Iterable[bytes], *, follow_clock: bool = False, folder: Path | None = None
) -> Iterator[Outcome]:
    """Apply each line and give its outcome once it is durable. Empty lines are passed over. A file that a document
    names lies in `folder`, or where its path says from there."""
    for line in lines:
        if line.strip():
            yield _apply(engine, line, follow_clock, folder or Path())
    engine.react()  # PostgreSQL's single commands leave it to the worker (settled rule 13)


def _apply(engine: Engine, line: bytes, follow_clock: bool, folder: Path) -> Outcome:
    try:
        document = with_text(parse_line(line), folder)
    except Malformed as error:
        return answers.failed(error.id, "invalid", error)
    try:
        if document.get("command") == ADVANCE:
            return _advance(engine, document)
        if follow_clock and document.get("at") is not None:
            _follow(engine, document["at"])
    except Refused as refusal:
        return answers.refused(_id(document), refusal, None, None)
    except Invalid as error:
        return answers.failed(_id(document), "invalid", error)
    return engine.execute(document)


def _id(document: dict[str, Any]) -> str | None:
    id = document.get("id")
    return id if isinstance(id, str) else None


def _advance(engine: Engine, document: dict[str, Any]) -> Outcome:
    unknown = set(document) - {"command", "to", "id", "actor"}
    if unknown:
        raise Malformed([f"{ADVANCE} has no field but `to`"], _id(document))
    engine.advance_clock(_instant(document.get("to"), "to"))
    return Outcome(id=_id(document), outcome="done")


def _follow(engine: Engine, at: Any) -> None:
    """The clock goes along with the documents; one that lies behind it is simply late."""
    instant = _instant(at, "at")
    if instant > engine.clock.now() or not engine.is_simulated:
        engine.move_clock(instant)


def _instant(value: Any, place: str) -> datetime:
    try:
        return _INSTANT.validate_python(value)
    except ValidationError as error:
        raise Malformed([fault.replace("document", place, 1) for fault in faults_of(error)]) from None


# -- bulk -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Imported:
    """How many lines had which outcome."""

    counts: dict[str, int] = field(default_factory=dict)

    def count(self, outcome: str) -> None:
        self.counts[outcome] = self.counts.get(outcome, 0) + 1


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that was not carried out, with its number in the file and what to do about it."""

    line: int
    outcome: Outcome


def import_file(
    engine: Engine,
    path: Path,
    *,
    rejected: Callable[[Reject], None],
    progress: Callable[[int, int], None] | None = None,
    batch: int = BATCH,
    workers: int = 1,
) -> Imported:
    """Import a file of documents, `batch` to a transaction; `progress` is told bytes read and bytes in all.

    It may be stopped at any moment and started again: what was committed answers by its id as the first time, so
    nothing is doubled and the rejects are the same. `workers` is how many processes decide, this one included; the
    others are started as `multiprocessing` starts them ("spawn"), which runs the caller's main module once more.
    """
    imported = Imported()
    number = read = 0
    with _carrying(engine, workers, path.parent, batch) as (at_once, carried_out), path.open("rb") as file:
        total, sizes = path.stat().st_size, deque[int]()
        for answered in carried_out(_windows(file, at_once, sizes)):
            for number, told in enumerate(answered, start=number + 1):  # noqa: B020
                imported.count(told if isinstance(told, str) else told.outcome)
                if not isinstance(told, str):
                    rejected(Reject(number, told))
            read += sizes.popleft()
            if progress is not None:
                progress(read, total)
    engine.react()
    return imported


def _windows(file: IO[bytes], at_once: int, sizes: deque[int]) -> Iterator[list[bytes]]:
    """So many lines at a time; how many bytes they are is added to `sizes`."""
    while lines := list(islice(file, at_once)):
        sizes.append(sum(map(len, lines)))
        yield lines


@contextmanager
def _carrying(
    engine: Engine, workers: int, folder: Path, batch: int
) -> Iterator[tuple[int, Callable[[Iterable[Sequence[bytes]]], Iterator[list[Told]]]]]:
    """How many lines to take at once, and what carries them out, window by window."""
    if workers == 1:
        yield batch, lambda windows: ([told_of(one) for one in carry_out(engine, some, folder)] for some in windows)
        return
    from lifecycle.engine.import_workers import ImportWorkers  # noqa: PLC0415

    with ImportWorkers(engine, workers) as several:
        yield several.at_once(batch), lambda windows: several.carry_out(windows, folder, batch)


def carry_out(engine: Engine, lines: Sequence[bytes], folder: Path) -> list[Outcome]:
    """Outcomes of the lines, empty ones as `nothing`, in one transaction. Positions and projections come later."""
    with uncollected():
        documents = [document_of(line, folder) for line in lines]
        return engine.executing.answer_all(engine.executing.questions(documents))


def told_of(outcome: Outcome) -> Told:
    """Of what was carried out an import tells how much it was, and nothing else."""
    return outcome.outcome if outcome.outcome in ("done", "nothing") else outcome


def document_of(line: bytes, folder: Path) -> dict[str, Any] | Outcome:
    """A document, or why the line is none."""
    if not line.strip():
        return Outcome(id=None, outcome="nothing")
    try:
        return with_text(parse_line(line), folder)
    except Malformed as error:
        return answers.failed(error.id, "invalid", error)


def reject_line(reject: Reject) -> bytes:
    """One line of the rejects file: number, code and reason; never the document, which holds personal data."""
    outcome = reject.outcome
    said = {
        "line": reject.line,
        "id": outcome.id,
        "outcome": outcome.outcome,
        "code": outcome.code,
        "clause": outcome.clause,
        "message": outcome.message,
        "remedy": outcome.remedy,
    }
    return orjson.dumps(said) + b"\n"
