"""One change from a version of the policy to the next, and how two values, sets or tables of it are compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from lifecycle.policy.parts import Part
from lifecycle.policy.vocabulary import LegalBasis

Change = Literal["new", "dropped", "wider", "narrower", "longer", "shorter", "changed"]
CONSENT = LegalBasis.CONSENT.value


@dataclass(frozen=True, slots=True)
class Difference:
    """One change. `purpose`, `category` and `basis` say whose data it is about; without them it is about everybody.

    `ask`: people on whose consent the purpose rests have to agree anew. `loses_cover`: grounds of that purpose,
    category and basis end. `rides`: going on using the service after the notice counts as accepting it; where `ask`
    is set only for those whose data is used on another basis.
    """

    what: str
    change: Change
    where: str  # the key of the policy file
    purpose: str | None = None
    category: str | None = None
    basis: str | None = None
    old: Any = None
    new: Any = None
    ask: bool = False
    loses_cover: bool = False
    rides: bool = True


def changed_sets(
    what: str, place: str, purpose: str | None, before: Any, after: Any, asking: dict[str, Any]
) -> Iterator[Difference]:
    for each in sorted(set(before) ^ set(after)):
        if each in after:
            yield Difference(what, "wider", place, purpose, new=str(each), **asking)
        else:
            yield Difference(what, "narrower", place, purpose, old=str(each))


def changed_fields(what: str, place: str, before: Any, after: Any) -> Iterator[Difference]:
    if not isinstance(after, Part):
        yield Difference(what, "changed", place, old=_told(before), new=_told(after))
        return
    for field in type(after).model_fields:
        yield from changed_value(what, f"{place}.{field}", getattr(before, field), getattr(after, field))


def changed_value(what: str, place: str, before: Any, after: Any, purpose: str | None = None) -> Iterator[Difference]:
    if before != after:
        yield Difference(what, "changed", place, purpose, old=_told(before), new=_told(after))


def _told(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_defaults=True) if hasattr(value, "model_dump") else _simple(value)


def _simple(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_told(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _told(each) for key, each in value.items()}
    return value if isinstance(value, int | bool | None.__class__) else str(value)


def all_names(before: Any, after: Any) -> list[str]:
    """The keys of both, in the order of the newer file; what is gone comes last."""
    return [*after, *(name for name in before if name not in after)]
