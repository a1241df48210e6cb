"""Law as data: every number of a jurisdiction with its citation. The format is described in packs/README.md."""

import tomllib
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from lifecycle.policy.citations import Cited, named_in
from lifecycle.policy.incident_law import IncidentLaw
from lifecycle.policy.periods import Period

Words = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Topic(StrEnum):
    """What a number is about. A reader asks a pack by topic."""

    RESPONSE = "response"
    EXTENSION = "extension"
    BREACH = "breach"
    MINORS = "minors"
    COPIES = "copies"  # to be preserved after a refusal
    LOOK_BACK = "look-back"  # how far back recipients are told, or an answer reaches
    RETENTION_MINIMUM = "retention-minimum"
    RETENTION_MAXIMUM = "retention-maximum"
    CROSS_BORDER = "cross-border"
    ACCOUNTABILITY = "accountability"


class Unit(StrEnum):
    YEARS = "years"
    MONTHS = "months"
    DAYS = "days"
    WORKING_DAYS = "working-days"
    HOURS = "hours"
    PERSONS = "persons"


MONTHS = {Unit.YEARS: 12, Unit.MONTHS: 1}


class Force(StrEnum):
    """Whether a court would apply the number itself, or an authority recommends it."""

    LAW = "law"
    GUIDANCE = "guidance"


class Number(BaseModel):
    """One number of the law. `categories` narrows a retention number to kinds of data; empty means any."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    topic: Topic
    value: int = Field(gt=0, strict=True)
    unit: Unit
    citation: Words
    says: Words
    force: Force = Force.LAW
    since: date | None = None
    categories: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_kept_for_a_calendar_period(self) -> Self:
        kept = self.topic in {Topic.RETENTION_MINIMUM, Topic.RETENTION_MAXIMUM}
        if kept and self.unit not in {Unit.YEARS, Unit.MONTHS, Unit.DAYS}:
            raise ValueError("a retention number is in years, months or days")
        return self

    def period(self) -> Period:
        """The number as a period. Only what is counted in years, months or days has one."""
        if self.unit is Unit.DAYS:
            return Period(days=self.value)
        return Period(months=self.value * MONTHS[self.unit])


@dataclass(frozen=True, slots=True)
class Regulator:
    """Where the people of a jurisdiction may complain. Policy clause 10.2."""

    jurisdiction: str
    name: str
    url: str


class PublishedTo(BaseModel):
    """The last year whose working days a government has announced, and where. What lies later is only expected."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    year: int = Field(ge=2000, le=2200, strict=True)
    citation: Words


class Pack(BaseModel):
    """The law of one jurisdiction, as far as the engine needs it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    jurisdiction: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    name: Words
    cited_as_of: date
    calendars: tuple[str, ...] = ()  # whose working days the engine can count here
    published: dict[str, PublishedTo] = Field(default_factory=dict)  # by calendar
    authority: Words
    authority_address: Words
    laws: dict[str, Words] = Field(min_length=1)  # law id → title and where it was published
    cited: dict[str, Cited] = Field(min_length=1)  # by the name that citations give it
    numbers: dict[str, Number] = Field(min_length=1)
    incidents: IncidentLaw | None = None

    @property
    def regulator(self) -> Regulator:
        return Regulator(self.jurisdiction, self.authority, self.authority_address)

    @model_validator(mode="after")
    def _says_how_far_its_calendars_go(self) -> Self:
        if set(self.calendars) != set(self.published):
            raise ValueError("`published` says of each of `calendars`, and of no other, up to which year it is known")
        return self

    @model_validator(mode="after")
    def _cites_what_it_lists(self) -> Self:
        if unknown := {each.law for each in self.cited.values()} - self.laws.keys():
            raise ValueError(f"[cited] names laws that are not there: {', '.join(sorted(unknown))}")
        for citation in self.citations():
            list(named_in(citation, self.cited))
        return self

    @model_validator(mode="after")
    def _has_the_numbers_that_its_incidents_name(self) -> Self:
        named = set(self.incidents.numbers_named()) if self.incidents is not None else set()
        if missing := named - self.numbers.keys():
            raise ValueError(f"[incidents] names numbers that are not there: {', '.join(sorted(missing))}")
        return self

    def citations(self) -> list[str]:
        """Every citation of a law; that of a calendar names where it was published."""
        of_incidents = self.incidents.citations() if self.incidents is not None else []
        return [*(number.citation for number in self.numbers.values()), *of_incidents]

    def about(self, topic: Topic) -> dict[str, Number]:
        return {name: number for name, number in self.numbers.items() if number.topic is topic}


def parse_pack(text: str) -> Pack:
    return Pack.model_validate(tomllib.loads(text))


@cache
def known_packs() -> dict[str, Pack]:
    """The packs that come with the package, by jurisdiction."""
    shelf = files("lifecycle.policy").joinpath("packs")
    texts = [file.read_text(encoding="utf-8") for file in shelf.iterdir() if file.name.endswith(".toml")]
    packs = sorted((parse_pack(text) for text in texts), key=lambda pack: pack.jurisdiction)
    return {pack.jurisdiction: pack for pack in packs}
