"""Counting those who were hit: as large as the numbers of categories, however many people there are."""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from lifecycle.domain.incident.exposure import Exposure


class Counted(BaseModel):
    """What came out, in numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    people: int = 0
    holdings: int = 0
    sensitive: int = 0
    minors: int = 0
    age_unknown: int = 0
    erased: int = 0
    untold: int = 0
    categories: dict[str, int] = Field(default_factory=dict)
    excluded: dict[str, int] = Field(default_factory=dict)
    digest: str


@dataclass(slots=True)
class Tally:
    """People are added in the order of their ids, each once; so two counts of the same people have one digest: a chain
    of SHA-256, person by person. It can be put down in between, and gone on with."""

    people: int = 0
    holdings: int = 0
    sensitive: int = 0
    minors: int = 0
    age_unknown: int = 0
    erased: int = 0
    untold: int = 0
    categories: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)
    _digest: bytes = field(default=sha256().digest(), repr=False)

    def add(
        self,
        person: UUID,
        exposure: Exposure,
        *,
        sensitive: bool,
        is_minor: bool | None,
        is_erased: bool,
        was_told: bool,
    ) -> None:
        """`is_minor` is None where nobody knows the age."""
        self.excluded.update(exposure.excluded.values())
        if not exposure.hit:
            return
        self.people += 1
        self.holdings += len(exposure.hit)
        self.sensitive += sensitive
        self.minors += is_minor is True
        self.age_unknown += is_minor is None
        self.erased += is_erased
        self.untold += not is_erased and not was_told
        self.categories.update(exposure.categories)
        said = person.bytes + ",".join(sorted(exposure.categories)).encode()
        self._digest = sha256(self._digest + said).digest()

    def counted(self) -> Counted:
        return Counted(
            people=self.people,
            holdings=self.holdings,
            sensitive=self.sensitive,
            minors=self.minors,
            age_unknown=self.age_unknown,
            erased=self.erased,
            untold=self.untold,
            categories=dict(sorted(self.categories.items())),
            excluded=dict(sorted(self.excluded.items())),
            digest=self._digest.hex(),
        )

    @classmethod
    def of(cls, counted: dict[str, Any]) -> Self:
        """As it was put down, in the form of `Counted`."""
        said = Counted.model_validate(counted)
        numbers = {name: getattr(said, name) for name in _NUMBERS}
        return cls(
            **numbers,
            categories=Counter(said.categories),
            excluded=Counter(said.excluded),
            _digest=bytes.fromhex(said.digest),
        )


_NUMBERS = ("people", "holdings", "sensitive", "minors", "age_unknown", "erased", "untold")
