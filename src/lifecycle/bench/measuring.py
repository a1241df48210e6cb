"""What a bench says: our figure beside a floor of the same run, each a median, with the spread."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

RUNS = 5
Work = Callable[[], float]  # does it once and returns the figure
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Measured:
    """One bench at one size. A ratio is the median of the rounds' own ratios: a busy moment hits both sides of one."""

    bench: str
    engine: str
    size: int
    unit: str
    ours: Sequence[float]
    floor: Sequence[float] = ()
    peer: Sequence[float] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "bench": self.bench,
            "engine": self.engine,
            "size": self.size,
            "ours": _rounded(median(self.ours)),
            "floor": _rounded(median(self.floor)) if self.floor else None,
            "peer": _rounded(median(self.peer)) if self.peer else None,
            "ratio_to_floor": _ratio(self.ours, self.floor) if self.floor else None,
            "ratio_to_peer": _ratio(self.ours, self.peer) if self.peer else None,
            "unit": self.unit,
            "spread": [_rounded(min(self.ours)), _rounded(max(self.ours))],
            "runs": len(self.ours),
        }


def interleaved(runs: int, *works: Work) -> list[list[float]]:
    """Run all once a round, every other round backwards, so that a busy moment is nobody's own bad luck."""
    found: list[list[float]] = [[] for _ in works]
    for number in range(runs):
        order = list(zip(works, found, strict=True))
        for work, figures in order if number % 2 == 0 else reversed(order):
            figures.append(work())
    return found


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def tell(what: str) -> None:
    """Progress, for whoever watches; standard output is for the figures alone."""
    sys.stderr.write(f"{what}\n")
    sys.stderr.flush()


def _ratio(ours: Sequence[float], other: Sequence[float]) -> float:
    return _rounded(median(a / b for a, b in zip(ours, other, strict=True)))


def _rounded(figure: float) -> float:
    return float(f"{figure:.4g}")
