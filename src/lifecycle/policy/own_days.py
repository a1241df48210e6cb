"""What an operator knows better than a library about single days: a file, and its faults."""

import tomllib
from collections.abc import Iterable
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from lifecycle.policy.calendars import CalendarFaulty
from lifecycle.policy.scope import digest


def _named(days: Any) -> Any:
    """A day may stand alone, or in a table with the reason."""
    if not isinstance(days, list):
        return days
    return [{"day": each} if isinstance(each, date) else each for each in days]


class OwnDay(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, strict=True)

    day: date
    reason: str | None = None


Days = Annotated[tuple[OwnDay, ...], BeforeValidator(_named, json_schema_input_type=list[date]), Field(strict=False)]


class OwnDays(BaseModel):
    """Of one calendar: days that are not worked after all, days that are, and a later year that has been announced."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    closed: Days = ()
    worked: Days = ()
    published_to: Annotated[int, Field(ge=2000, le=2200, strict=True)] | None = None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        both = sorted(self.closed_days & self.worked_days)
        if both:
            raise ValueError(f"{both[0]} is said to be closed and to be worked")
        return self

    @cached_property
    def closed_days(self) -> frozenset[date]:
        return frozenset(each.day for each in self.closed)

    @cached_property
    def worked_days(self) -> frozenset[date]:
        return frozenset(each.day for each in self.worked)


class OwnFile(BaseModel):
    """`edition` counts up with every change, so that it can be told which of two files is the newer one."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    edition: Annotated[int, Field(gt=0, strict=True)]
    days: dict[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")], OwnDays]

    @property
    def digest(self) -> str:
        return digest(self.model_dump(mode="json"))[:8]


def parse_own_file(text: str) -> OwnFile:
    """Errors: CalendarFaulty, which says what is wrong with the file."""
    try:
        raw = tomllib.loads(text)
        edition = raw.pop("edition", None)
        return OwnFile.model_validate({"edition": edition, "days": raw})
    except tomllib.TOMLDecodeError as wrong:
        raise CalendarFaulty(f"Not well-formed TOML, or a date that does not exist: {wrong}.") from None
    except ValidationError as wrong:
        raise CalendarFaulty("; ".join(_faults(wrong)) + ".") from None


def read_own_file(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as wrong:
        raise CalendarFaulty(f"The file cannot be read: {getattr(wrong, 'strerror', None) or 'not UTF-8'}.") from None


def _faults(wrong: ValidationError) -> Iterable[str]:
    for error in wrong.errors(include_url=False, include_input=False):
        place = ".".join(str(step) for step in error["loc"] if step != "days")
        yield f"{place or 'file'}: {error['msg'].removeprefix('Value error, ')}"
