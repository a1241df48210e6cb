"""How long an event takes: a bundle of 10,000 events in a log of a million leaves.

PYTHONPATH=src:tests python -m verify.measure [EVENTS] [LEAVES]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from verify.book import Book, Closed, Person, policy

from lifecycle import verify


@dataclass(frozen=True)
class Measured:
    """Seconds from opening the bundle to the verdict, and what it was about."""

    events: int
    leaves: int
    bytes_of_bundle: int
    seconds: dict[str, float]
    megabytes: int

    def microseconds(self, kind: str) -> float:
        return self.seconds[kind] / self.events * 1e6


def large(events: int, leaves: int) -> tuple[Book, Closed, Person]:
    """A person with many events, each with a value, and synthetic entries of others between them."""
    book = Book()
    person = book.register()
    between = max(0, leaves // events - 1)
    for n in range(events - 1):
        noise = os.urandom(48 * between)
        book.entries += [b"\x01" + noise[48 * at : 48 * at + 48] for at in range(between)]
        if n % 2:
            book.collect(person, f"h{n}", "Ada Example, 12 Long Street, Nowhere")
        else:
            book.look(person) if n % 10 == 0 else book.record(
                person.record, "activity-recorded", {"purpose": "newsletter"}
            )
    return book, book.close(), person


ALONE = """
import runpy, sys, time
program = runpy.run_path(sys.argv[1])
began = time.process_time()
code = program["main"](sys.argv[2:])
taken = time.process_time() - began
peak = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(code, taken, int(peak[0]) // 1024, file=sys.stderr)
"""


def alone(bundle: Path, key: Path) -> tuple[float, int]:
    """Seconds of processor time from the command line to the report, and megabytes, in a process of its own (Linux)."""
    command = [sys.executable, "-I", "-c", ALONE, verify.__file__, str(bundle), "--key", str(key)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    code, seconds, megabytes = done.stderr.split()
    assert code == "0", done.stdout
    return float(seconds), int(megabytes)


def measured(events: int, leaves: int, folder: Path, times: int = 5) -> Measured:
    """The best of several runs: what else the machine does is no cost of ours."""
    book, closed, person = large(events, leaves)
    draft = closed.of(person)
    (folder / "policy").write_text(policy(book.log, book.witnesses))
    paths = {"zip": draft.zip(folder / "b.zip"), "folder": draft.folder(folder / "b")}
    runs = {kind: [alone(path, folder / "policy") for _ in range(times)] for kind, path in paths.items()}
    return Measured(
        events,
        closed.size,
        paths["zip"].stat().st_size,
        {kind: min(seconds for seconds, _ in each) for kind, each in runs.items()},
        max(megabytes for each in runs.values() for _, megabytes in each),
    )


if __name__ == "__main__":
    events, leaves = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (10_000, 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        it = measured(events, leaves, Path(folder))
    sys.stdout.write(
        f"{it.events} events of {it.leaves} leaves, {it.bytes_of_bundle / it.events:.0f} bytes an event packed: "
        + ", ".join(f"{it.microseconds(kind):.1f} µs an event from a {kind}" for kind in it.seconds)
        + f"; {it.megabytes} MB at most\n"
    )
