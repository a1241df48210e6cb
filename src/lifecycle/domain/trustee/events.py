"""The facts of a trustee's record. Policy clause 3.1a."""

from datetime import date
from typing import ClassVar

from lifecycle.domain.event import DomainEvent, Personal, words


class TrusteeEngaged(DomainEvent):
    kind: ClassVar[str] = "trustee-engaged/1"
    trustee: str
    name: Personal[str | None] = words()
    contact: Personal[str | None] = words()
    country: Personal[str | None] = words()


class AgreementSigned(DomainEvent):
    """All seven terms of clause 3.1a: purpose, duration, method, types, measures, rights and obligations."""

    kind: ClassVar[str] = "agreement-signed/1"
    trustee: str
    agreement: str
    purpose: str
    starts: date
    ends: date
    method: str
    categories: tuple[str, ...]
    measures: Personal[str | None] = words()
    rights_and_obligations: Personal[str | None] = words()


class AgreementEnded(DomainEvent):
    kind: ClassVar[str] = "agreement-ended/1"
    trustee: str
    agreement: str
    reason: Personal[str | None] = words()


class TrusteeReviewed(DomainEvent):
    """Supervision: what was found, and by when it has to be mended."""

    kind: ClassVar[str] = "trustee-reviewed/1"
    trustee: str
    remedy_by: date | None = None
    finding: Personal[str | None] = words()


class TrusteeDismissed(DomainEvent):
    kind: ClassVar[str] = "trustee-dismissed/1"
    trustee: str
    reason: Personal[str | None] = words()
