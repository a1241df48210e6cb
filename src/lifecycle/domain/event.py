"""What every event has: a stored kind, header data that anybody may see, and parts that are sealed."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeAlias, TypeVar, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Withheld(Enum):
    """Why a sealed value is not here. The type checker makes every reader handle it."""

    ERASED = "erased"  # its key was destroyed: nobody can read it again
    CUSTODY = "custody"  # it is stored only: a custodian alone can open it
    SEALED = "sealed"  # this reader has no key, or did not ask for the value


T = TypeVar("T")
Personal: TypeAlias = T | Withheld

WORDS = {"sealed": "record"}


def words(default: Any = None) -> Any:
    """Declare a field as the caller's own words: sealed under the person's record key, never in a header."""
    return Field(default=default, exclude=True, repr=False, json_schema_extra=dict(WORDS))


class DomainEvent(BaseModel):
    """One fact, in the past tense.

    Plain fields are header data: ids from declared vocabularies, holding ids, dates, numbers (settled rule 9).
    Fields made with `words()` are sealed together under the record key. `values` holds personal data, each item under
    the key of its own holding, by holding id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, hide_input_in_errors=True)

    kind: ClassVar[str]
    record_fields: ClassVar[tuple[str, ...]] = ()
    field_names: ClassVar[frozenset[str]] = frozenset()
    after_erasure: ClassVar[bool] = False
    """Whether it may follow the whole erasure of the person, then without words and values (settled rule 6)."""

    says_alike: ClassVar[bool] = False
    """Whether what it says beside its time is said of many people, and no field is one person's: no id of theirs."""

    occurred_at: datetime
    values: Mapping[str, Personal[JsonValue]] = Field(default_factory=dict, exclude=True, repr=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.record_fields = tuple(name for name, field in cls.model_fields.items() if field.json_schema_extra == WORDS)
        cls.field_names = frozenset(cls.model_fields)

    def header_data(self) -> dict[str, Any]:
        """What goes into the header, as JSON values; absent fields are left out, but nothing inside of one: a rule
        without a period says so."""
        data: dict[str, Any] = self.__pydantic_serializer__.to_python(self, mode="json")
        return {name: value for name, value in data.items() if value is not None}

    @classmethod
    @cache
    def is_plain(cls) -> bool:
        """Whether header data of this kind can be nothing but texts, whole numbers and truth values under names of
        ours: what RFC 8785 writes as every fast encoder does."""
        return _is_plain_model(cls)

    def again(self, at: datetime) -> Self:
        """The same at another time: as `model_copy`, in a fraction of the time that it takes."""
        event = object.__new__(type(self))
        _set(event, "__dict__", {**self.__dict__, "occurred_at": at})
        _set(event, "__pydantic_fields_set__", self.__pydantic_fields_set__)
        _set(event, "__pydantic_extra__", None)
        _set(event, "__pydantic_private__", None)
        return event

    def without_words(self) -> Self:
        """The same fact where no key is left to seal words under."""
        return self.model_copy(update=dict.fromkeys(self.record_fields))

    def record_words(self) -> dict[str, Any]:
        """What the caller wrote in words, to be sealed under the record key."""
        return {name: value for name in self.record_fields if (value := getattr(self, name)) is not None}


_set = object.__setattr__  # an event is frozen for everybody else


def _is_plain_model(model: type[BaseModel]) -> bool:
    return all(_is_plain(field.annotation) for field in model.model_fields.values() if not field.exclude)


def _is_plain(type_: Any) -> bool:
    origin = get_origin(type_)
    if origin in (Union, UnionType) or origin is tuple:
        return all(_is_plain(each) for each in get_args(type_) if each is not Ellipsis)
    if origin is Literal:
        return all(isinstance(each, str) for each in get_args(type_))
    if not isinstance(type_, type):
        return False
    if issubclass(type_, BaseModel):
        return _is_plain_model(type_)
    return type_ in (int, bool, NoneType, date, datetime) or issubclass(type_, str)


class Judged(NamedTuple):
    """By what and for whom an event was decided. `cmd` is a keyed hash of the command's id, in hex."""

    cmd: str
    role: str
    policy: str  # label and fingerprint of the policy version, e.g. "recruiting-site/1.0#9f2c…"
    actor: Personal[str | None] = None
    correlation: Personal[str | None] = None

    def __repr__(self) -> str:
        return f"Judged(cmd={self.cmd!r}, role={self.role!r}, policy={self.policy!r})"


class Recorded(NamedTuple):
    """An event in its place: stream, version, time of recording, and by what it was judged.

    It is what the eventsourcing library calls a domain event (it has `originator_id` and `originator_version`).
    """

    originator_id: UUID
    originator_version: int
    recorded_at: datetime
    event: DomainEvent
    judged: Judged
    header: bytes = (
        b""  # the exact bytes that were hashed; empty before sealing, and where it was read only to be folded
    )
