"""The facts of supervising a trustee: what was found and mended, what ended by date, whom it entrusts. Clause 3.1a."""

from datetime import date, datetime
from typing import ClassVar, Literal

from lifecycle.domain.event import DomainEvent, Personal, words

Fault = Literal["overdue", "declined", "sub-trustee"]


class TrusteeFoundWanting(DomainEvent):
    """It left an instruction without an answer, declined it, or entrusted somebody else without our consent."""

    kind: ClassVar[str] = "trustee-found-wanting/1"
    trustee: str
    finding: str
    because: Fault
    instruction: str | None = None
    sub_trustee: str | None = None


class FindingRemedied(DomainEvent):
    kind: ClassVar[str] = "finding-remedied/1"
    trustee: str
    finding: str
    evidence: Personal[str | None] = words()


class RemedyOverdue(DomainEvent):
    """The day by which a finding had to be mended has passed."""

    kind: ClassVar[str] = "remedy-overdue/1"
    trustee: str
    finding: str
    remedy_by: date
    due: datetime


class AgreementEnding(DomainEvent):
    """A warning: the last day of an agreement is near, and nobody has renewed or ended it."""

    kind: ClassVar[str] = "agreement-ending/1"
    trustee: str
    agreement: str
    ends: date


class AgreementLapsed(DomainEvent):
    """The last day of an agreement has passed. What was received under it has to go back."""

    kind: ClassVar[str] = "agreement-lapsed/1"
    trustee: str
    agreement: str
    ends: date


class SubTrusteeApproved(DomainEvent):
    """We consent to the trustee's entrusting somebody else. PIPL Art. 21; GDPR Art. 28(2)."""

    kind: ClassVar[str] = "sub-trustee-approved/1"
    trustee: str
    sub_trustee: str
    country: str
    name: Personal[str | None] = words()
    contact: Personal[str | None] = words()


class SubTrusteeReported(DomainEvent):
    """The trustee does entrust somebody else, to whom we consented."""

    kind: ClassVar[str] = "sub-trustee-reported/1"
    trustee: str
    sub_trustee: str
