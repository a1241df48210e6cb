"""A transfer of many people, step by step, each beside itself: the second half of the people beside the first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lifecycle.bench.lives import with_one_value
from lifecycle.bench.measuring import Measured, tell
from lifecycle.bench.stores import Place
from lifecycle.bench.workload import people
from lifecycle.engine.archive_reading import check_archive, opened_archive
from lifecycle.engine.engine import Engine
from lifecycle.engine.handing_over import write_archive
from lifecycle.engine.taking_over import take_over

TRANSFER = "newco"
AT_ONCE = 5_000  # people who are made together
ENOUGH = 3  # reports of which there can be two halves
RECIPIENT = {"name": "Newco Pte Ltd", "contact": "dpo@newco.example", "country": "SG"}
Step = Callable[[Callable[[int, int], None]], object]


def bench(place: Place, size: int, runs: int) -> Iterator[Measured]:
    """Milliseconds a person, each with a consent and a value, of every step but the announcement."""
    found: dict[str, list[tuple[float, float]]] = {}
    for number in range(runs):
        tell(f"{place.engine}: a transfer of {size:,} people, {number + 1} of {runs}")
        with place.store() as ours, place.store() as theirs:
            for start in range(0, size, AT_ONCE):
                with_one_value(ours, people(min(AT_ONCE, size - start)))
            for name, step in _steps(ours, theirs, place.folder):
                found.setdefault(name, []).append(_halves(step, size))
    for name, halves in found.items():
        first, second = zip(*halves, strict=True)
        yield Measured(f"transfer-{name}", place.engine, size, "ms/person", second, first)


def _steps(ours: Engine, theirs: Engine, folder: Path) -> Iterator[tuple[str, Step]]:
    transfers, key, archive = ours.transfers, X25519PrivateKey.generate(), folder / "transfer.zip"
    _ask(ours, "announce-transfer", cause="merger", recipient=RECIPIENT)
    yield "notify", lambda progress: transfers.notify(TRANSFER, "email", progress=progress)
    yield "run", lambda progress: transfers.run(TRANSFER, progress=progress)
    ours.publish()
    yield "export", lambda progress: write_archive(ours, TRANSFER, key.public_key(), archive, progress=progress)
    trusted = list(ours.log.known_keys())
    tokens: list[str] = []

    def check(progress: Callable[[int, int], None]) -> None:
        with opened_archive(archive, key, trusted) as opened:
            tokens.append(check_archive(opened, progress))

    yield "check", check
    yield "accept", lambda progress: take_over(theirs, archive, key, trusted, progress=progress)
    archive.unlink()
    _ask(ours, "confirm-transfer", token=tokens[0])
    yield "leave", lambda progress: transfers.leave(TRANSFER, progress=progress)


def _ask(engine: Engine, command: str, **said: Any) -> None:
    document = {"command": command, "id": command, "actor": {"id": "bench", "role": "officer"}, "transfer": TRANSFER}
    assert engine.execute({**document, **said}).outcome == "done", "a bench asks only what is permitted"


def _halves(step: Step, size: int) -> tuple[float, float]:
    """Milliseconds a person, of the first half of those who came after the first report, and of the second: what comes
    before anybody (of taking over, the checking) is not in it. Of few people both are the whole."""
    began = time.perf_counter()
    seen: list[tuple[int, float]] = []
    step(lambda done, total: seen.append((done, time.perf_counter())))
    if len(seen) < ENOUGH:
        whole = _each((0, began), (size, time.perf_counter()))
        return whole, whole
    middle = seen[len(seen) // 2]
    return _each(seen[0], middle), _each(middle, seen[-1])


def _each(start: tuple[int, float], end: tuple[int, float]) -> float:
    return 1000 * (end[1] - start[1]) / (end[0] - start[0])
