"""Which worker runs which tests: a file's tests on one database stay together, and what takes longest begins first."""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

# Rooms, or files of theirs; the rest follows.
LONGEST_FIRST = (
    "attacks",
    "world",
    "whole/test_kills.py",
    "audit/test_full.py",
    "whole/test_answers.py",
    "audit/test_holdings.py",
    "audit/test_records.py",
    "audit/test_redeciding.py",
    "bench",
    "ledger/test_sequencer.py",
    "processes",
    "whole/test_upgrade.py",
    "ledger/test_publishing_under_fire.py",
    "cli",
    "engine",
    "audit",
    "whole",
    "erasure",
    "verify",
    "schedule",
    "witness/test_mirror.py",
    "projections",
)
ONE_STORE = ("attacks",)  # rooms whose tests all share what is made once


class ByFileAndDatabase(LoadScopeScheduling):
    """What tests of a file share is then made once, not once by each worker. xdist 3.8's own groups get lost in pytest 9.1."""

    def _split_scope(self, nodeid: str) -> str:
        room, file = place_of(nodeid)
        kinds = re.findall(r"(?<=[\[-])(?:sqlite|postgresql)(?=[\]-])", nodeid)
        return " ".join([room if room in ONE_STORE else file, *kinds])


def place_of(nodeid: str) -> tuple[str, str]:
    """The test's room; and its file with the room."""
    parts = nodeid.partition("::")[0].removeprefix("tests/").split("/")
    return parts[0], "/".join(parts[:2])


def rank_of(nodeid: str) -> int:
    ranks = [LONGEST_FIRST.index(name) for name in reversed(place_of(nodeid)) if name in LONGEST_FIRST]
    return ranks[0] if ranks else len(LONGEST_FIRST)
