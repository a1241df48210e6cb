"""What has a person agreed to, refused or taken back, by purpose and technology? Statuses are those of DPV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Literal
from uuid import UUID

from sqlalchemy import Boolean, Column, Connection, Integer, Table, Text, Uuid, select

from lifecycle.columns import Instant
from lifecycle.domain.subject.state import Consent, Subject
from lifecycle.domain.subject.technologies import ConsentObject
from lifecycle.policy.model import Policy
from lifecycle.policy.vocabulary import ErasureGround
from lifecycle.projections.projection import Change, Portrait, rewrite, tables_of_a_projection
from lifecycle.projections.rows import Row

Status = Literal["given", "refused", "withdrawn", "expired", "invalidated"]

# A deletion on these grounds says that processing was unlawful: then the consent never carried it.
_INVALIDATING = (ErasureGround.UNLAWFUL_PROCESSING, ErasureGround.OTHER_LAW)

consent_status = Table(
    "consent_status",
    tables_of_a_projection(),
    Column("subject_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("purpose", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
    Column("lapses", Instant),
    Column("because", Text),
    Column("notice", Text),
    Column("separate", Boolean, nullable=False),
    Column("by_guardian", Boolean, nullable=False),
    Column("technology", Text),
)


@dataclass(frozen=True, slots=True)
class Agreed:
    """One answer of a person about one purpose, or a technology for it. `until` is when it stopped counting, `lapses`
    when it will."""

    number: int
    purpose: str
    status: Status
    since: datetime
    until: datetime | None = None
    lapses: datetime | None = None
    because: str | None = None
    notice: str | None = None
    separate: bool = False
    by_guardian: bool = False
    technology: str | None = None

    def status_at(self, at: datetime) -> Status:
        """Time passes at reading: an end that is still to come has not come, a term that is over is over."""
        if self.status == "refused" or (self.until is not None and self.until <= at):
            return self.status
        return "expired" if self.lapses is not None and self.lapses <= at else "given"


def now_of_consents(agreed: Sequence[Agreed], clock: datetime) -> datetime:
    """As that of what is held: answers on record have been given, and ends on record have come."""
    instants = [clock, *(each.since for each in agreed)]
    instants += [each.until for each in agreed if each.until is not None and each.because is not None]
    return max(instants)


def agreed_by(subject: Subject) -> list[Agreed]:
    """Every consent of a folded state, then the refusals that stand."""
    given = [_agreed(number, consent) for number, consent in enumerate(subject.consents, start=1)]
    refused = enumerate(sorted(subject.refusals.items()), start=len(given) + 1)
    return given + [_refused(number, ConsentObject.of(key), at) for number, (key, at) in refused]


def _refused(number: int, what: ConsentObject, at: datetime) -> Agreed:
    return Agreed(number, what.purpose, "refused", at, technology=what.technology)


def _agreed(number: int, consent: Consent) -> Agreed:
    return Agreed(
        number,
        consent.purpose,
        _status(consent.ended),
        consent.since,
        consent.until,
        consent.lapses,
        consent.ended,
        consent.notice,
        consent.separate,
        consent.by_guardian,
        consent.technology,
    )


def _status(ended: str | None) -> Status:
    if ended is None:
        return "given"
    if ended == "withdrawn":
        return "withdrawn"
    return "invalidated" if ended in _INVALIDATING else "expired"


_AGREED = tuple(Agreed.__slots__)


class Consents:
    """Rewrites all consents of each person who changed."""

    name = "consents"
    version = 2
    tables = (consent_status,)

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        rewrite(c, changes, PORTRAIT)


_values = attrgetter(*_AGREED)


def _describe(subject: Subject) -> list[list[Row]]:
    return [[(subject.id, *_values(agreed)) for agreed in agreed_by(subject)]]


PORTRAIT = Portrait((consent_status,), ("consents", "refusals"), _describe)


def current_consents(c: Connection, subject_id: UUID) -> list[Agreed]:
    """Everything that one person ever answered, as it is projected now."""
    chosen = select(*(consent_status.c[name] for name in _AGREED)).where(consent_status.c.subject_id == subject_id)
    return [Agreed(*row) for row in c.execute(chosen.order_by(consent_status.c.number))]
