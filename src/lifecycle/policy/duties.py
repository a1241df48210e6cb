"""What a policy binds the controller to: contacts, legal bases, statutory minimums, rights and clocks."""

from typing import Annotated, Self

from pydantic import Field, StrictBool, StringConstraints, model_validator

from lifecycle.policy.parts import Assumable, AssumedPeriod, Country, Days, Id, Months, Part, Words
from lifecycle.policy.periods import Period
from lifecycle.policy.vocabulary import LegalBasis, PauseReason, RequestKind


class Controller(Part):
    """Who answers for the processing. Policy clauses 7.6 and 10.1."""

    name: Words
    country: Country
    contacts: dict[Id, Words] = Field(min_length=1)


class Basis(Part):
    """A legal basis as this policy words it. `evidence` says what must be cited with it. Policy clauses 1.3 and 1.4."""

    clause: Words
    label: Words
    articles: tuple[Words, ...] = Field(min_length=1)
    iri: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
    evidence: Words | None = None


class MinimumRule(Assumable):
    """Law requires storage for this long after a ground on one of `bases` has ended. Policy clauses 5 and 7.3."""

    purpose: Id
    bases: tuple[LegalBasis, ...] = Field(min_length=1)
    days: Days | None = None
    months: Months | None = None
    law: Id

    @model_validator(mode="after")
    def _has_a_period(self) -> Self:
        if (self.days is None) == (self.months is None):
            raise ValueError("give either `days` or `months`")
        return self

    @property
    def period(self) -> Period:
        return Period(days=self.days, months=self.months)


class Right(Part):
    """A right that the policy grants. Policy clause 7."""

    clause: Words
    label: Words
    articles: tuple[Words, ...] = ()


IDENTITY_FOR = (RequestKind.ACCESS, RequestKind.COPY, RequestKind.CORRECTION, RequestKind.DELETION)
RECORDS_KEPT = AssumedPeriod(months=36, assumed=True, reason="for three years somebody may dispute how we answered")


class ResponseTimes(Assumable):
    """Within how many working days of `calendar` requests are answered. Policy clauses 7.6, 10.1 and 10.2.

    `warn_days` working days before the end somebody is warned. Kinds of `identity_for` are answered only to who has
    proven who they are. The clock may rest for the reasons of `pauses`, at most `pause_days` calendar days at a
    time. An extension is for `extension_days` further working days at most, if that is said. What was said in words is
    destroyed when `records_kept` after the answer is over. The token for an access package lasts `package_hours`.
    """

    clause: Words
    calendar: Country
    days: int = Field(gt=0, le=366, strict=True)
    kinds: dict[RequestKind, Annotated[int, Field(gt=0, le=366, strict=True)]] = Field(default_factory=dict)

    warn_days: Annotated[int, Field(gt=0, le=366, strict=True)] = 3
    identity_for: tuple[RequestKind, ...] = IDENTITY_FOR
    pauses: tuple[PauseReason, ...] = (PauseReason.IDENTITY,)
    pause_days: Days = 30
    extension_days: Annotated[int, Field(gt=0, le=366, strict=True)] | None = None
    records_kept: AssumedPeriod = RECORDS_KEPT
    package_hours: Annotated[int, Field(gt=0, le=8_760, strict=True)] = 72

    def days_for(self, kind: RequestKind) -> int:
        return self.kinds.get(kind, self.days)


class Revisions(Part):
    """How a new version reaches people, and whether using on counts as accepting. Policy clauses 9.1 and 9.2."""

    clause: Words
    notice_channels: tuple[Id, ...] = Field(min_length=1)
    continued_use_accepts: StrictBool = False  # never consent: see the decision record


class Identifiers(Assumable):
    """How long a person without any ground can still be found. Settled rule 28."""

    kept_days_after_last_event: int = Field(default=30, gt=0, le=3_660, strict=True)


class Minors(Assumable):
    """Below which age a guardian decides. Policy clause 1.1."""

    age: int = Field(gt=0, le=21, strict=True)
    birth_date_category: Id
    law: Id


class RecipientDuties(Assumable):
    """Within how many days a recipient answers an instruction. `warn_days` days before the last day of an agreement
    somebody is warned. Policy clause 3.1a."""

    days: int = Field(default=14, gt=0, le=366, strict=True)
    warn_days: int = Field(default=30, gt=0, le=366, strict=True)


RECIPIENT_DUTIES = RecipientDuties(assumed=True, reason="no law and no published text names a period")


class Incidents(Assumable):
    """Within how many hours of detection the authority is told, and people; if nothing is said of people, within as
    many. Policy clause 6."""

    clause: Words
    authority_hours: int = Field(gt=0, le=8_760, strict=True)
    subject_hours: Annotated[int, Field(gt=0, le=8_760, strict=True)] | None = None

    @property
    def hours_for_subjects(self) -> int:
        return self.subject_hours or self.authority_hours
