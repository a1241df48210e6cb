"""The benches of the whole path: each is one file of this room and one line of this table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from lifecycle.bench.measuring import RUNS, Measured
from lifecycle.errors import Invalid

if TYPE_CHECKING:
    from lifecycle.bench.stores import Place

    Bench = Callable[..., Iterator[Measured]]
    """`bench(place, size, runs)` makes stores of its own in `place` and gives its figures one after the other. One
    that can be run by several processes takes `workers` too."""


class Entry(NamedTuple):
    """A file of this room that has a function `bench`; the size that it is run with unless told, and of what."""

    module: str
    size: int
    of: str
    told: str
    has_workers: bool = False


BENCHES: dict[str, Entry] = {
    "append": Entry("single_appends", 1_000, "commands", "Single durable commands from 1, 8 and 32 threads."),
    "import": Entry(
        "importing", 10_000, "commands", "Commands in bulk, from lines of a file to the commit.", has_workers=True
    ),
    "replay": Entry("replaying", 1_000, "events", "One person's state, from the first event on."),
    "project": Entry("projecting", 8_000, "events", "All projections: following the log, and rebuilding."),
    "erase": Entry("erasing", 30_000, "people stored", "One person's whole erasure, among few people and many."),
    "size": Entry("sizing", 10_000, "events", "Bytes stored for an event with one value, everything included."),
    "sweep": Entry("sweeping", 2_000, "holdings", "What falls due, through to destroyed keys."),
    "sequence": Entry("sequencing", 20_000, "events", "Places in the log, and how far they lag behind an import."),
    "transfer": Entry("transferring", 10_000, "people", "A transfer to another controller, step by step."),
    "read": Entry("reading", 300_000, "people stored", "Current holdings and history of one person."),
}


class TooSmall(Invalid):
    remedy: ClassVar[str] = "give a --size and --runs of at least one"

    def __init__(self) -> None:
        super().__init__("Nothing would be measured.")


def run(
    name: str, places: Collection[Place], size: int | None = None, runs: int = RUNS, workers: int = 1
) -> Iterator[Measured]:
    entry = BENCHES[name]
    if runs < 1 or (size is not None and size < 1):
        raise TooSmall
    bench: Bench = import_module(f"lifecycle.bench.{entry.module}").bench
    for place in places:
        yield from bench(place, size or entry.size, runs, *((workers,) if entry.has_workers else ()))
