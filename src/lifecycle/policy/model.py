"""The processing policy: who may hold what, why, until when and shared with whom, as data."""

from collections.abc import Mapping
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import Annotated, TypeVar

from pydantic import Field, StringConstraints, field_validator

from lifecycle.policy import periods
from lifecycle.policy.duties import (
    RECIPIENT_DUTIES,
    Basis,
    Controller,
    Identifiers,
    Incidents,
    MinimumRule,
    Minors,
    RecipientDuties,
    ResponseTimes,
    Revisions,
    Right,
)
from lifecycle.policy.parts import (
    AssumedPeriod,
    Category,
    Country,
    ExpectedTrustee,
    Id,
    Named,
    Part,
    Purpose,
    Retention,
    System,
    Technology,
    ThirdParty,
    ThirdPartyProduct,
    Translated,
    Words,
)
from lifecycle.policy.periods import Period, RetentionRule, StatutoryMinimum
from lifecycle.policy.scope import ConsentScope, digest, fewest_and_most_days
from lifecycle.policy.vocabulary import CountsFrom, Language, LegalBasis, RequestKind, Sensitivity

_Labelled = TypeVar("_Labelled", Category, Purpose)

__all__ = [
    "AssumedPeriod",
    "Basis",
    "Category",
    "ConsentScope",
    "Controller",
    "ExpectedTrustee",
    "Identifiers",
    "Incidents",
    "MinimumRule",
    "Minors",
    "Policy",
    "Purpose",
    "RecipientDuties",
    "ResponseTimes",
    "Retention",
    "Revisions",
    "Right",
    "System",
    "Technology",
    "ThirdParty",
    "ThirdPartyProduct",
]


class Policy(Part):
    """One version of the policy. Loaded by `loading.parse_policy`, which also makes the cross-checks.

    The fingerprint leaves out what stands at its default: a field that a later program adds must not change the
    fingerprint of a version that was published before. So the default of a field, once released, never changes.
    """

    id: Id
    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]*$", max_length=32)]
    effective: date
    time_zone: str
    jurisdictions: tuple[Country, ...] = Field(min_length=1)
    controller: Controller
    revisions: Revisions
    categories: Named[Category] = Field(min_length=1)
    purposes: Named[Purpose] = Field(min_length=1)
    technologies: Named[Technology] = Field(default_factory=dict)
    trustees: Named[ExpectedTrustee] = Field(default_factory=dict)
    third_parties: Named[ThirdParty] = Field(default_factory=dict)
    third_party_products: Named[ThirdPartyProduct] = Field(default_factory=dict)
    systems: Named[System] = Field(default_factory=dict)
    bases: dict[LegalBasis, Basis] = Field(min_length=1)
    minimums: tuple[MinimumRule, ...] = ()
    laws: dict[Id, Words] = Field(default_factory=dict)
    rights: dict[RequestKind, Right] = Field(default_factory=dict)
    response_times: ResponseTimes
    identifiers: Identifiers = Identifiers()
    minors: Minors | None = None
    incidents: Incidents | None = None
    recipient_duties: RecipientDuties = RECIPIENT_DUTIES
    headers_kept: AssumedPeriod | None = None  # after erasure; then the whole stream is expunged
    translations: dict[Language, Translated] = Field(default_factory=dict)
    channels: tuple[Id, ...] = Field(min_length=1)
    sources: tuple[Id, ...] = Field(min_length=1)
    methods: tuple[Id, ...] = Field(min_length=1)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if not periods.is_zone(name):
            raise ValueError(f"unknown time zone {name!r}; give one of the IANA database, such as 'Asia/Singapore'")
        return name

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 in hex over canonical JSON of what the file says."""
        return digest(self.model_dump(mode="json", exclude_defaults=True))

    @property
    def label(self) -> str:
        return f"{self.id}/{self.version}"

    @property
    def judged_by(self) -> str:
        """What every event carries: the label and the first sixteen digits of the fingerprint."""
        return f"{self.label}#{self.fingerprint[:16]}"

    def in_language(self, language: str) -> "Policy":
        """The same version with its labels in that language, as far as it has them. For people to read, and for
        nothing else: its fingerprint is not the version's."""
        said = next((each for name, each in self.translations.items() if name == language), None)
        if said is None:
            return self
        labelled = {
            "categories": _labelled(self.categories, said.categories),
            "purposes": _labelled(self.purposes, said.purposes),
        }
        return self.model_copy(update=labelled)

    def day_of(self, instant: datetime) -> date:
        return periods.day_of(instant, self.time_zone)

    def is_sensitive(self, category: str) -> bool:
        return self.categories[category].sensitivity is Sensitivity.SENSITIVE

    def retention_rule(self, purpose_id: str, technology_id: str | None = None) -> RetentionRule:
        """How long a ground for this purpose lasts; collected by a technology, that technology's rule holds."""
        if technology_id is None:
            return self._rule(purpose_id, self.purposes[purpose_id].retention)
        return self._rule(f"{purpose_id}.{technology_id}", self.technologies[technology_id].retention)

    def minimum_for(self, purpose_id: str, basis: LegalBasis) -> StatutoryMinimum | None:
        """The longest statutory minimum for grounds of this purpose on this basis. Settled rule 23."""
        if not self.minimums:
            return None
        rules = [rule for rule in self.minimums if rule.purpose == purpose_id and basis in rule.bases]
        if not rules:
            return None
        longest = max(rules, key=lambda rule: fewest_and_most_days(rule.period))
        return StatutoryMinimum(law=longest.law, period=longest.period, zone=self.time_zone)

    def consented_scope(self, purpose_id: str, technology_id: str | None = None) -> ConsentScope:
        """What a person agrees to who consents to this purpose, or to this technology for it."""
        if technology_id is not None:
            technology = self.technologies[technology_id]
            return _scope(set(technology.categories), {technology.provider}, set(), technology.retention)
        purpose = self.purposes[purpose_id]
        methods = {method for each in purpose.recipients for method in self._methods_of(each)}
        return _scope(purpose.all_categories, set(purpose.recipients), methods, purpose.retention)

    def _methods_of(self, recipient: str) -> tuple[str, ...]:
        declared: tuple[Mapping[str, ExpectedTrustee | ThirdParty | ThirdPartyProduct], ...]
        declared = (self.trustees, self.third_parties, self.third_party_products)
        return next((named[recipient].methods for named in declared if recipient in named), ())

    def purpose_fingerprint(self, purpose_id: str, technology_id: str | None = None) -> str:
        """SHA-256 in hex over the consented scope; it changes exactly when the scope does."""
        return self.consented_scope(purpose_id, technology_id).fingerprint()

    def request_records_rule(self) -> RetentionRule:
        """How long what was said about a request is kept after it was answered."""
        kept = self.response_times.records_kept
        return RetentionRule(
            name=f"requests@{self.version}",
            counts_from=CountsFrom.COLLECTION,
            period=Period(days=kept.days, months=kept.months),
            zone=self.time_zone,
        )

    def _rule(self, name: str, retention: Retention) -> RetentionRule:
        kept = None if retention.while_contract_lasts else (retention.days, retention.months)
        return _made(f"{name}@{self.version}", retention.counts_from, kept, self.time_zone)


@lru_cache(maxsize=1_024)
def _made(name: str, counts_from: CountsFrom, kept: tuple[int | None, int | None] | None, zone: str) -> RetentionRule:
    """Alike for all that is collected under one version for one purpose."""
    period = None if kept is None else Period(days=kept[0], months=kept[1])
    return RetentionRule(name=name, counts_from=counts_from, period=period, zone=zone)


def _labelled(named: Mapping[str, _Labelled], labels: Mapping[str, str]) -> dict[str, _Labelled]:
    return {id: each.model_copy(update={"label": labels.get(id, each.label)}) for id, each in named.items()}


def _scope(categories: set[str] | frozenset[str], who: set[str], how: set[str], kept: Retention) -> ConsentScope:
    return ConsentScope(
        categories=tuple(sorted(categories)),
        recipients=tuple(sorted(who)),
        methods=tuple(sorted(how)),
        counts_from=kept.counts_from,
        period=kept.period,
    )
