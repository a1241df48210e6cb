"""How states and instants are told as JSON: always in the same words, whatever process tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel

MANY = 1_000  # rows of a list that has no natural end


def instant(at: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return None if at is None else at.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def told(value: Any) -> Any:  # noqa: PLR0911 -- one answer for each shape
    """A state as JSON values. Sets are sorted: their order differs from process to process."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: told(getattr(value, field.name)) for field in fields(value)}
    match value:
        case BaseModel():
            return value.model_dump(mode="json", exclude_none=True)
        case datetime():
            return instant(value)
        case date():
            return value.isoformat()
        case Enum():
            return value.value
        case UUID():
            return str(value)
        case Mapping():
            return {str(told(key)): told(inner) for key, inner in value.items()}
        case tuple() if hasattr(value, "_asdict"):
            return {name: told(inner) for name, inner in value._asdict().items()}
        case frozenset():
            return sorted((told(inner) for inner in value), key=repr)
        case tuple() | list():
            return [told(inner) for inner in value]
    return value
