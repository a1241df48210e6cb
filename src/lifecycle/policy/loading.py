"""From a TOML file to a Policy, with every fault found at once: its line, its key and the reason."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lifecycle.errors import PolicyFaulty
from lifecycle.policy.coherence import Complaint, faults_of
from lifecycle.policy.lines import Lines, Place, dotted
from lifecycle.policy.model import Policy
from lifecycle.policy.oddities import oddities_of

TEXT = "policy"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend: in which file, at which line, under which key, and why."""

    file: str
    line: int | None
    place: str
    reason: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.place}: {self.reason}" if self.place else f"{where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check found. `policy` is there exactly when there are no faults."""

    faults: list[Finding]
    warnings: list[Finding]
    policy: Policy | None


class FaultyPolicy(PolicyFaulty):
    """Lists every fault."""

    def __init__(self, faults: list[Finding]) -> None:
        listed = "".join(f"\n  {fault}" for fault in faults)
        super().__init__(f"The policy has {len(faults)} fault{'s' if len(faults) != 1 else ''}:{listed}\n")
        self.faults = faults


def load_policy(path: str | Path) -> Policy:
    """Read a policy file. Raises PolicyFaulty, naming every fault."""
    return _or_raise(check_file(path))


def parse_policy(text: str, *, file: str = TEXT) -> Policy:
    """Read a policy's text. Raises PolicyFaulty, naming every fault."""
    return _or_raise(check_policy(text, file=file))


def check_file(path: str | Path) -> Findings:
    """All faults and warnings of a file."""
    file = str(path)
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = wrong.object[: wrong.start].count(b"\n") + 1
        return Findings([Finding(file, line, "", "is not UTF-8 text")], [], None)
    except (OSError, ValueError) as wrong:
        reason = getattr(wrong, "strerror", None) or "cannot be read"
        return Findings([Finding(file, None, "", reason)], [], None)
    return check_policy(text, file=file)


def check_policy(text: str, *, file: str = TEXT) -> Findings:
    """All faults and warnings of a policy's text."""
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as wrong:
        return Findings([_syntax_fault(str(wrong), text, file)], [], None)
    lines = Lines(text)
    policy, complaints = _validated(raw)
    complaints.extend(faults_of(raw))
    oddities = oddities_of(policy) if policy and not complaints else []
    return Findings(
        faults=_placed(complaints, lines, file),
        warnings=_placed(oddities, lines, file),
        policy=policy if not complaints else None,
    )


def _or_raise(findings: Findings) -> Policy:
    if findings.policy is None:
        raise FaultyPolicy(findings.faults)
    return findings.policy


def _syntax_fault(said: str, text: str, file: str) -> Finding:
    place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)\Z", said)
    if not place:
        return Finding(file, None, "", "not well-formed TOML: it is nested too deeply or has a number that is too long")
    line = int(place[1]) if place[1] else text.rstrip().count("\n") + 1
    return Finding(file, line, "", f"not well-formed TOML: {said[: place.start()]}")


def _validated(raw: dict[str, Any]) -> tuple[Policy | None, list[Complaint]]:
    try:
        return Policy.model_validate(raw), []
    except ValidationError as wrong:
        found = wrong.errors(include_url=False, include_input=False)
    places = [tuple(step for step in error["loc"] if step != "[key]") for error in found]
    return None, [
        Complaint(place, _reason(error["type"], error["msg"]))
        for place, error in zip(places, found, strict=True)
        if not _follows(error["type"], place, places)
    ]


def _follows(kind: str, place: Place, places: list[Place]) -> bool:
    """Whether a fault only follows from another: a list whose one member is wrong counts as empty, a key is its id."""
    if kind == "too_short":
        return any(other[: len(place)] == place and len(other) > len(place) for other in places)
    return place[-1] == "id" and place[:-1] in places


def _reason(kind: str, said: str) -> str:
    plain = {
        "missing": "is missing",
        "extra_forbidden": "is not a key that a policy knows",
        "int_type": "should be a whole number",
        "int_from_float": "should be a whole number",
        "bool_type": "should be true or false",
        "string_type": "should be a text in quotes",
        "dict_type": "should be a table",
        "model_type": "should be a table",
        "tuple_type": "should be a list",
        "too_short": "should not be empty",
        "string_too_short": "should not be empty",
        "string_pattern_mismatch": "is not written as this key needs it",
    }
    return plain.get(kind) or said.removeprefix("Value error, ").removeprefix("Input ")


def _placed(complaints: list[Complaint], lines: Lines, file: str) -> list[Finding]:
    """In the order of the file, each once."""
    found = {
        Finding(file, lines.of(complaint.place), dotted(complaint.place), complaint.reason): None
        for complaint in complaints
    }
    return sorted(found, key=lambda each: (each.line or 0, each.place))
