"""On which line of a TOML text each key stands. The text is known to be well-formed."""

from __future__ import annotations

import re
from collections.abc import Sequence

Place = tuple[str | int, ...]

KEY = r"(?:[A-Za-z0-9_-]+|\"(?:\\.|[^\"\\])*\"|'[^']*')"
KEYS = rf"{KEY}(?:\s*\.\s*{KEY})*"
HEADER = re.compile(rf"\s*(\[\[?)\s*({KEYS})\s*\]")
ASSIGNMENT = re.compile(rf"\s*({KEYS})\s*=(.*)\Z", re.DOTALL)
ONE_KEY = re.compile(KEY)
SHORT_STRING = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'|#[^\n]*")
LONG_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|' + r"'''.*?'{3,5}|" + SHORT_STRING.pattern, re.DOTALL)


def dotted(place: Sequence[str | int]) -> str:
    """A place as a reader writes it: `minimums[0].law`."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


class Lines:
    """Looks up the line of a key; of a key that is not there, the line of the table in which it is missing."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Place, int] = {}
        self._tables: dict[Place, int] = {}  # how many of an array of tables were met
        self._scan(_without_strings(text.replace("\r\n", "\n")))

    def of(self, place: Sequence[str | int]) -> int | None:
        steps = tuple(place)
        while steps:
            if steps in self._lines:
                return self._lines[steps]
            steps = steps[:-1]
        return None

    def _scan(self, text: str) -> None:
        table: Place = ()
        depth = 0  # of brackets that a value has opened
        for number, line in enumerate(text.split("\n"), start=1):
            header = HEADER.match(line) if depth == 0 else None
            if header:
                table = self._open(_keys(header[2]), many=header[1] == "[[", number=number)
                continue
            assignment = ASSIGNMENT.match(line) if depth == 0 else None
            if assignment:
                self._note((*table, *_keys(assignment[1])), number)
            value = assignment[2] if assignment else line
            depth += len(re.findall(r"[\[{]", value)) - len(re.findall(r"[\]}]", value))

    def _open(self, keys: Place, *, many: bool, number: int) -> Place:
        place: Place = ()
        for key in keys[:-1]:
            place = self._latest((*place, key))
        place = (*place, keys[-1])
        if many:
            index = self._tables.get(place, -1) + 1
            self._tables[place] = index
            self._lines.setdefault(place, number)
            place = (*place, index)
        self._note(place, number)
        return place

    def _latest(self, place: Place) -> Place:
        return (*place, self._tables[place]) if place in self._tables else place

    def _note(self, place: Place, number: int) -> None:
        for length in range(1, len(place) + 1):
            self._lines.setdefault(place[:length], number)


def _keys(text: str) -> Place:
    return tuple(key.strip("\"'") for key in ONE_KEY.findall(text))


def _without_strings(text: str) -> str:
    """Empty strings and comments, so that brackets in them do not count. No line moves, and quoted keys stay."""
    return LONG_STRING.sub(lambda found: _emptied(found[0]), text)


def _emptied(found: str) -> str:
    if found.startswith(("#", '"""', "'''")):
        return "\n" * found.count("\n")
    return '""' if set("[]{}") & set(found) else found
