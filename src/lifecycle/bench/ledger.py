"""`lifecycle bench ledger`: what the provable log costs, on each engine, one figure after the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import ClassVar

from lifecycle.bench.appending import appending
from lifecycle.bench.integrating import integration
from lifecycle.bench.measuring import RUNS, Measured
from lifecycle.bench.proofs import proofs, verification
from lifecycle.bench.rotation import rotation
from lifecycle.bench.stores import Place
from lifecycle.errors import Invalid

SIZE = 100_000
LEAST = 400  # below this, fixed costs would be all that is measured
Bench = Callable[[Place, int, int], Iterator[Measured]]
BENCHES: dict[str, Bench] = {
    "integration": integration,
    "append": appending,
    "proofs": proofs,
    "verify": verification,
    "rotation": rotation,
}


class NoSuchBench(Invalid):
    remedy: ClassVar[str] = f"choose among {', '.join(BENCHES)}"

    def __init__(self) -> None:
        super().__init__("There is no such bench.")


class TooSmall(Invalid):
    remedy: ClassVar[str] = f"give a --size of at least {LEAST}, and at least one round"

    def __init__(self) -> None:
        super().__init__("So few events or rounds measure nothing.")


def ledger(
    places: Collection[Place], size: int = SIZE, runs: int = RUNS, only: Collection[str] = ()
) -> Iterator[Measured]:
    """`size` is the number of leaves and of keys; benches whose figures do not depend on it stop at less."""
    if not set(only) <= BENCHES.keys():
        raise NoSuchBench
    if size < LEAST or runs < 1:
        raise TooSmall
    for place in places:
        for name, bench in BENCHES.items():
            if not only or name in only:
                yield from bench(place, size, runs)
