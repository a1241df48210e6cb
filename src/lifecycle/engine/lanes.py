"""Which lines of a file may be decided beside each other: those about different people.

Two names are taken for one person's where a document gives both, or the store has both for the same person. It may be
too many that are kept together, never too few: only so each person's documents keep their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID
from zlib import crc32

from lifecycle.commands.document import SubjectCommand
from lifecycle.commands.registry import COMMANDS
from lifecycle.commands.subject.link_identifier import IdentifierCommand
from lifecycle.commands.transfer.receive_subject import ReceiveSubject
from lifecycle.errors import Invalid
from lifecycle.policy.values import normalise_identifier
from lifecycle.policy.vocabulary import IdentifierType

Name = tuple[str, str]  # type and normalised text, or "id" and a person's id
_TYPES = {type.value: type for type in IdentifierType}


def names_in(document: Mapping[str, Any]) -> tuple[Name, ...] | None:
    """By which names the document means its person. None: it is about a record of ours or the policy, so whatever comes
    before it has to be decided before, and whatever comes after it after. Without names: it is malformed, and asks the
    store nothing."""
    verb = document.get("command")
    entry = COMMANDS.get(verb) if isinstance(verb, str) else None
    if entry is None:
        return ()
    if not issubclass(entry.model, SubjectCommand) or issubclass(entry.model, ReceiveSubject):
        return None
    told = ["subject", "identifier"] if issubclass(entry.model, IdentifierCommand) else ["subject"]
    names = [_name(document.get(field)) for field in told]
    return tuple(name for name in names if name is not None) if all(names) else ()


def _name(reference: Any) -> Name | None:
    """None where no person is named as `SubjectRef` says."""
    given = [each for each in reference.items() if each[1] is not None] if isinstance(reference, Mapping) else []
    if len(given) != 1 or not isinstance(given[0][1], str):
        return None
    kind, value = given[0]
    if kind == "id":
        return "id", _id(value)
    try:
        return (kind, normalise_identifier(_TYPES[kind], value)) if kind in _TYPES else None
    except (Invalid, ValueError):  # ValueError: half of a pair of surrogates
        return None


def _id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return ""  # nobody has it


def identifiers_in(names: Iterable[tuple[Name, ...]]) -> list[tuple[IdentifierType, str]]:
    """What the blind index can be asked for."""
    distinct = dict.fromkeys(name for some in names for name in some if name[0] in _TYPES)
    return [(_TYPES[kind], text) for kind, text in distinct]


def lanes_of(
    names: Sequence[tuple[Name, ...]], owners: Mapping[tuple[Any, str], UUID], number: int, first: float = 1.0
) -> list[list[int]]:
    """For each of `number` lanes the documents that it is given, in order; `names` are those of each document, `owners`
    whose identifiers the store says they are; `first` is how much the first lane gets of what each other one does.

    People stand in an order that their names alone say, and lanes are sections of it with as many documents as they are
    to have. So who goes by one name is nearly always given the same lane again, in whose process they are at hand.
    """
    people = _People()
    for (kind, text), owner in owners.items():
        people.join((str(kind), text), ("id", str(owner)))
    for some in names:
        for other in some[1:]:
            people.join(some[0], other)
    asked = [people.of(some[0]) if some else None for some in names]
    lane_of = _sections(Counter(asked), number, first)
    lanes: list[list[int]] = [[] for _ in range(number)]
    for at, person in enumerate(asked):
        lanes[lane_of[person]].append(at)
    return lanes


def _sections(documents: Counter[Name | None], number: int, first: float) -> dict[Name | None, int]:
    """Whose documents name nobody is in the first lane."""
    found: dict[Name | None, int] = {None: 0}
    each = documents.total() / (number - 1 + first)
    before = documents.pop(None, 0) - each * first  # what the first lane still lacks, below zero
    for person, many in sorted(documents.items(), key=_place):
        middle = before + many / 2
        found[person] = 0 if middle < 0 else min(1 + int(middle / each), number - 1)
        before += many
    return found


def _place(counted: tuple[Name | None, int]) -> tuple[int, Name]:
    name, _ = counted
    assert name is not None
    return crc32("|".join(name).encode(errors="surrogatepass")), name


class _People:
    """Names, joined where they are the same person's: a forest of disjoint sets."""

    def __init__(self) -> None:
        self._above: dict[Name, Name] = {}

    def of(self, name: Name) -> Name:
        """The one name that stands for all of the person's."""
        while (above := self._above.get(name, name)) != name:
            self._above[name] = self._above.get(above, above)
            name = above
        return name

    def join(self, one: Name, other: Name) -> None:
        first, second = sorted((self.of(one), self.of(other)))
        if first != second:
            self._above[second] = first
