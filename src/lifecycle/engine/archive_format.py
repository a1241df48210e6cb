"""The archive of a transfer: which files it has, and what the log's key signs. Each file has a sealing key of its own.

Version 2: each file of people names the checkpoint under which it was written, so that an archive can be begun today
and finished tomorrow. Version 1 had one checkpoint and one key for all; it is still read.
"""

from __future__ import annotations

import re
from typing import Any

FORMAT = "lifecycle/handover/v2"
FORMAT_1 = "lifecycle/handover/v1"
MANIFEST, SIGNED, TOKEN, POLICIES, TRUSTEES = (
    "manifest.json",
    "manifest.note",
    "token",
    "policies.jsonl",
    "trustees.jsonl",
)
PEOPLE = re.compile(r"people-[0-9]{6}\.jsonl")

_BOTH = {"format", "transfer", "cause", "purposes", "origin", "simulated", "recipient", "people", "files"}
FIELDS = {
    FORMAT_1: frozenset({*_BOTH, "checkpoint", "map", "enc"}),
    FORMAT: frozenset({*_BOTH, "checkpoints"}),
}


def people_file(number: int) -> str:
    return f"people-{number:06d}.jsonl"


def manifest_text(origin: str, digest: str, format: str = FORMAT) -> str:
    """What the log's key signs."""
    return f"{format}\n{origin}\n{digest}\n"


def is_sound(said: Any) -> bool:
    """Whether this is a manifest of a known version. Errors: those of looking into what has another shape."""
    files = said["files"]
    return (
        said["format"] in FIELDS
        and said.keys() == FIELDS[said["format"]]
        and {TOKEN, POLICIES, TRUSTEES} <= files.keys()
        and all(name in (TOKEN, POLICIES, TRUSTEES) or PEOPLE.fullmatch(name) for name in files)
        and all(each.keys() == _of_a_file(said["format"], name) for name, each in files.items())
        and all(type(each["size"]) is int for each in files.values())
    )


def _of_a_file(format: str, name: str) -> set[str]:
    every = {"sha256", "size"}
    if format == FORMAT_1 or name == POLICIES:
        return every
    return {*every, "enc", "checkpoint"} if PEOPLE.fullmatch(name) else {*every, "enc"}
