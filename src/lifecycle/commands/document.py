"""The shape of a command: the same models for library, CLI, import file and HTTP."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lifecycle.domain.open_records import NOUNS, Named
from lifecycle.policy.vocabulary import IdentifierType, Role

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _with_offset(value: Any) -> Any:
    """RFC 3339 section 5.6: date, time and offset; never a bare number, never a local time."""
    if isinstance(value, str) and not _RFC3339.fullmatch(value):
        raise ValueError("should be an RFC 3339 time with an offset, such as 2024-08-01T10:00:00+08:00")
    if not isinstance(value, str | datetime):
        raise ValueError("should be an RFC 3339 time in a string")  # noqa: TRY004 -- pydantic reports ValueError
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the calendar") from None


def _a_day(value: Any) -> Any:
    """A calendar day; never a bare number, never a time of day."""
    if isinstance(value, datetime) or not isinstance(value, str | date):
        raise ValueError("should be a calendar day in a string")  # noqa: TRY004 -- pydantic reports ValueError
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("should be a calendar day such as 2024-08-01")
    return value


Instant = Annotated[AwareDatetime, BeforeValidator(_with_offset), AfterValidator(_in_utc)]
Day = Annotated[date, BeforeValidator(_a_day)]
Name = Annotated[str, Field(min_length=1, max_length=64)]  # an id of the policy's vocabulary
TrusteeId = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]  # ours, in the policy's style
Base64Url = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=128)]
Said = Annotated[str, Field(min_length=1, max_length=4096)]  # the caller's own words


_IDENTIFIERS = tuple(IdentifierType)  # going over the class itself takes ten times as long


class Shape(BaseModel):
    """Base of everything a document is made of; a field that nobody knows is malformed."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, hide_input_in_errors=True)

    def __repr__(self) -> str:
        """Nothing of what the caller wrote: personal data never reaches a log by accident."""
        return f"<{type(self).__name__}>"

    __str__ = __repr__


class Actor(Shape):
    """Who asks. `id` is the caller's word and is sealed; `role` is one of ours."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    role: Role


class ErasureReceipt(Shape):
    """What was handed out at the erasure of a whole person, who alone can show it."""

    sid: Base64Url
    salt: Base64Url


class SubjectRef(Shape):
    """Names a person by exactly one identifier, or by our id."""

    email: str | None = Field(default=None, max_length=1024)
    phone: str | None = Field(default=None, max_length=1024)
    ref: str | None = Field(default=None, max_length=1024)
    id: str | None = Field(default=None, max_length=64)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if [self.email, self.phone, self.ref, self.id].count(None) != 3:
            raise ValueError("give exactly one of email, phone, ref, id")
        return self

    @property
    def identifier(self) -> tuple[IdentifierType, str] | None:
        """Type and value as written; None when the person is named by our id."""
        for type in _IDENTIFIERS:
            value = getattr(self, type)
            if value is not None:
                return type, value
        return None


class Command(Shape):
    """Common fields. The same `id` with the same content answers as the first time (settled rule 10)."""

    id: str = Field(min_length=1, max_length=200)
    at: Instant | None = None
    actor: Actor
    correlation: Annotated[str, Field(max_length=200)] | None = Field(default=None)
    expected_version: int | None = Field(default=None, ge=0, strict=True)

    def reads(self) -> Iterable[Named]:
        """The open records that the decision depends on; they are read in the same snapshot."""
        return [(noun, name) for noun in self._nouns() if isinstance(name := getattr(self, noun), str)]

    @classmethod
    @cache
    def _nouns(cls) -> tuple[str, ...]:
        return tuple(noun for noun in NOUNS if noun in cls.model_fields)


class SubjectCommand(Command):
    """Concerns one person."""

    brings_its_id: ClassVar[bool] = False
    """Whether a person of whom nothing is recorded yet is given the id that the command names."""

    subject: SubjectRef

    def also_named(self) -> Iterable[tuple[IdentifierType, str]]:
        """Identifiers besides the one of its subject, normalised. Errors: WrongIdentifier."""
        return ()


class OpenRecordCommand(Command):
    """Concerns a record about no person, named by the field that has the noun's name."""

    noun: ClassVar[str]

    @property
    def named(self) -> Named:
        return self.noun, getattr(self, self.noun)


class TrusteeCommand(OpenRecordCommand):
    """Concerns one trustee, named by an id of ours in the policy's style."""

    noun: ClassVar[str] = "trustee"
    trustee: TrusteeId
