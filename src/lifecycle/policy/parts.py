"""What a policy declares: categories, purposes, technologies, trustees, products and systems."""

from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    field_validator,
    model_validator,
)

from lifecycle.policy.periods import Period
from lifecycle.policy.values import FORMATS, MASKS, check_value, mask_value, normalise_value
from lifecycle.policy.vocabulary import CountsFrom, LegalBasis, Role, Sensitivity

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Words = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Days = Annotated[int, Field(gt=0, le=36_600, strict=True)]
Months = Annotated[int, Field(gt=0, le=1_200, strict=True)]
Item = TypeVar("Item")


def _named(tables: Any) -> Any:
    """Give each table of a table its key as `id`, so that a piece knows its own name."""
    if not isinstance(tables, Mapping):
        return tables
    return {key: {**table, "id": key} if isinstance(table, Mapping) else table for key, table in tables.items()}


Named = Annotated[dict[Id, Item], BeforeValidator(_named)]


class Part(BaseModel):
    """Base of all pieces: frozen, and a key that nobody knows is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Identified(Part):
    """A piece that stands under its id."""

    id: Id

    @model_validator(mode="before")
    @classmethod
    def _is_a_table(cls, value: Any) -> Any:
        if not isinstance(value, Mapping | Identified):
            raise ValueError("should be a table")  # noqa: TRY004  (pydantic reports only a ValueError)
        return value


class Assumable(Part):
    """A number that may be ours: `assumed` says that the promise's text does not give it, `reason` why we took it."""

    assumed: StrictBool = False
    reason: Words | None = None


class AssumedPeriod(Period):
    """A period that may be ours."""

    assumed: StrictBool = False
    reason: Words | None = None


class Category(Identified):
    """One kind of personal data. Policy clause 1.1 says which are sensitive.

    `reserved`: nothing needs it yet; it is declared so that its safeguards are there when something does.
    """

    label: Words
    sensitivity: Sensitivity = Sensitivity.ORDINARY
    format: str = "text"
    mask: str = "hidden"
    reserved: StrictBool = False

    @field_validator("format")
    @classmethod
    def _known_format(cls, name: str) -> str:
        if name not in FORMATS:
            raise ValueError(f"unknown format {name!r}; known are {', '.join(sorted(FORMATS))}")
        return name

    @field_validator("mask")
    @classmethod
    def _known_mask(cls, name: str) -> str:
        if name not in MASKS:
            raise ValueError(f"unknown mask {name!r}; known are {', '.join(sorted(MASKS))}")
        return name

    def check(self, value: object) -> None:
        """Raise WrongFormat, naming this category, unless the value has its format."""
        check_value(self.format, value, category=self.id)

    def normal(self, value: str) -> str:
        """The form by which two values of this category are compared. Settled rule 26."""
        return normalise_value(self.format, value)

    def masked(self, value: object) -> str:
        """What may be shown without the right to see the clear value. Policy clause 4."""
        return mask_value(self.mask, value)


class Retention(Assumable):
    """How long a ground lasts: a period, or while the contract lasts. Policy clause 5.

    Errors: neither or both do not load. There is no "for ever".
    """

    counts_from: CountsFrom = CountsFrom.COLLECTION
    days: Days | None = None
    months: Months | None = None
    while_contract_lasts: StrictBool = False

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if [self.days is not None, self.months is not None, self.while_contract_lasts].count(True) != 1:
            raise ValueError("give one of `days`, `months` or `while_contract_lasts = true`")
        return self

    @property
    def period(self) -> Period | None:
        return None if self.while_contract_lasts else Period(days=self.days, months=self.months)


class Purpose(Identified):
    """What data is used for, and everything that is allowed for it. Policy clauses 1.2 and 1.3."""

    clause: Words
    label: Words
    categories: tuple[Id, ...] = Field(min_length=1)
    optional: tuple[Id, ...] = ()
    bases: tuple[LegalBasis, ...] = Field(min_length=1)
    retention: Retention
    recipients: tuple[Id, ...] = ()  # trustees, third parties and products that may be given the data
    readers: tuple[Role, ...] = ()  # roles that may see clear values
    consent_lasts: AssumedPeriod | None = None

    @property
    def all_categories(self) -> frozenset[str]:
        """Required and optional: more may not be collected. Policy clause 4."""
        return frozenset((*self.categories, *self.optional))

    @property
    def assumed(self) -> bool:
        return self.retention.assumed

    @property
    def reason(self) -> str | None:
        return self.retention.reason


class Technology(Identified):
    """A cookie or similar technology: a declared source with a provider. Policy clause 2."""

    clause: Words
    name: Words
    provider: Words
    contact: Words
    purpose: Words  # in words, as the person reads it
    purposes: tuple[Id, ...] = Field(min_length=1)  # of this policy: what its collection counts under
    categories: tuple[Id, ...] = Field(min_length=1)
    retention: Retention


class ExpectedTrustee(Identified):
    """Who may be engaged to process on our behalf, and for what at most. Policy clause 3.1a."""

    clause: Words
    name: Words
    contact: Words
    country: Country
    purposes: tuple[Id, ...] = Field(min_length=1)
    methods: tuple[Id, ...] = Field(min_length=1)


class ThirdPartyProduct(Identified):
    """A product that follows its own terms. Policy clause 8."""

    clause: Words
    name: Words
    provider: Words
    terms: Words  # where its own policy is
    methods: tuple[Id, ...] = ()  # by which it may be given data, where a purpose names it as a recipient


class ThirdParty(Identified):
    """Somebody who may be given data and decides for itself what to do with it. Policy clause 3.1c."""

    clause: Words
    name: Words
    contact: Words
    country: Country
    purposes: tuple[Id, ...] = Field(min_length=1)
    methods: tuple[Id, ...] = Field(min_length=1)


class Translated(Part):
    """Labels in another language than the policy's own. What is not here is read in the policy's words."""

    categories: dict[Id, Words] = Field(default_factory=dict)
    purposes: dict[Id, Words] = Field(default_factory=dict)


class System(Assumable, Identified):
    """A system of ours outside the engine that keeps copies."""

    label: Words
    categories: tuple[Id, ...] = Field(min_length=1)
