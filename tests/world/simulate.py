"""`python -m world.simulate --days 100000`: that many days in seeds of 1,000, each lived in two interleavings."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from compiled import compile_once
from world.plans import SELDOM, Plan
from world.world import Lived, copied, found, live

from lifecycle.settings import Settings

DAYS = 1_000  # of one seed, and then most of a year in which nobody says anything
INTERLEAVINGS = 2


def home_of(folder: Path) -> Path:
    """A founded store, to be copied."""
    home = folder / "founded"
    home.mkdir()
    found(Settings(f"sqlite:///{home / 'store.db'}", home / "keys"))
    return home


def lived(plan: Plan, home: Path, folder: Path, interleavings: int = INTERLEAVINGS) -> list[Lived]:
    """Every interleaving of a seed; AssertionError when two end differently."""
    seed = plan.seed
    ends: list[Lived] = []
    for number in range(interleavings):
        with tempfile.TemporaryDirectory(dir=folder) as own:
            ends.append(live(plan, number, copied(home, Path(own) / "store")))
        assert ends[-1].outcomes == ends[0].outcomes, (seed, number, _apart(ends[0].outcomes, ends[-1].outcomes))
        assert ends[-1].state == ends[0].state, (seed, number, _apart(ends[0].state, ends[-1].state))
    return ends


def _apart(one: dict[str, object], other: dict[str, object]) -> list[tuple[str, object, object]]:
    return [(key, one.get(key), other.get(key)) for key in sorted({*one, *other}) if one.get(key) != other.get(key)]


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--days", type=int, default=100_000)
    asked.add_argument("--first", type=int, default=1, help="the first seed")
    options = asked.parse_args()
    compile_once()
    begun, days, seed, failed = time.monotonic(), 0, options.first, list[int]()
    total = [0] * 5
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # noqa: S108
        home = home_of(Path(folder))
        while days < options.days:
            try:
                ends = lived(Plan.of(seed, DAYS, SELDOM), home, Path(folder))
            except Exception as error:  # noqa: BLE001 -- the other seeds are lived, too
                failed.append(seed)
                print(f"seed {seed}: {type(error).__name__} {str(error)[:2000]}", flush=True)  # noqa: T201
            else:
                for each in ends:
                    counted = each.deaths, each.overtaken, each.repeats, each.old_ids, each.erased
                    total = [a + b for a, b in zip(total, counted, strict=True)]
            days, seed = days + DAYS, seed + 1
            if seed % 5 == 0:
                print(f"{days} days, {time.monotonic() - begun:.0f} s, {len(failed)} failed", flush=True)  # noqa: T201
    deaths, overtaken, repeats, old_ids, erased = total
    print(  # noqa: T201
        f"{days} days in {seed - options.first} seeds, {INTERLEAVINGS} interleavings each, {time.monotonic() - begun:.0f} s: "
        f"{deaths} deaths, {overtaken} overtaken, {repeats} repeats, {old_ids} old ids, {erased} items erased; failed: {failed or 'none'}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
