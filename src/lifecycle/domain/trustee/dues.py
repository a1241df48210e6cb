"""What time brings to a trustee: a warning before an agreement ends, its end, the last day of a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from lifecycle.domain.event import DomainEvent
from lifecycle.domain.trustee import supervision_events as e
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import start_of

if TYPE_CHECKING:
    from lifecycle.domain.trustee.trustee import Agreement, Trustee

ENDING, LAPSE, REMEDY = "agreement-ending", "agreement-lapse", "remedy"


class TrusteeDue(NamedTuple):
    due: datetime
    what: str
    of: str  # id of the agreement or finding


def dues(trustee: Trustee, policy: Policy) -> Iterator[TrusteeDue]:
    """Everything that will fall due for this trustee if nothing else happens; it is gone once it is on record."""
    zone, day = policy.time_zone, timedelta(days=1)
    for agreement in trustee.agreements:
        if agreement.ended_at is not None or agreement.lapsed:
            continue
        yield TrusteeDue(start_of(agreement.ends + day, zone), LAPSE, agreement.id)
        if not agreement.warned and not _is_renewed(trustee, agreement):
            warned_on = agreement.ends - timedelta(days=policy.recipient_duties.warn_days)
            yield TrusteeDue(start_of(max(warned_on, agreement.starts), zone), ENDING, agreement.id)
    for finding in trustee.findings:
        if finding.is_open and finding.remedy_by is not None and not finding.overdue:
            yield TrusteeDue(start_of(finding.remedy_by + day, zone), REMEDY, finding.id)


def _is_renewed(trustee: Trustee, agreement: Agreement) -> bool:
    """Whether a later agreement for the same purpose and method goes on where this one ends."""
    return any(
        other.ends > agreement.ends and other.starts <= agreement.ends + timedelta(days=1)
        for other in trustee.agreements
        if (other.purpose, other.method) == (agreement.purpose, agreement.method) and other.ended_at is None
    )


def fallen(trustee: Trustee, policy: Policy, now: datetime) -> list[DomainEvent]:
    """The facts of what is due by now, in the order in which it fell due."""
    due = sorted(each for each in dues(trustee, policy) if each.due <= now)
    over = {each.of for each in due if each.what == LAPSE}
    return [_fact(trustee, each, now) for each in due if not (each.what == ENDING and each.of in over)]


def _fact(trustee: Trustee, due: TrusteeDue, now: datetime) -> DomainEvent:
    if due.what == REMEDY:
        finding = next(one for one in trustee.findings if one.id == due.of)
        assert finding.remedy_by is not None, "otherwise nothing falls due"
        return e.RemedyOverdue(
            occurred_at=now, trustee=trustee.name_id, finding=finding.id, remedy_by=finding.remedy_by, due=due.due
        )
    agreement = next(one for one in trustee.agreements if one.id == due.of)
    kind = e.AgreementLapsed if due.what == LAPSE else e.AgreementEnding
    return kind(occurred_at=now, trustee=trustee.name_id, agreement=agreement.id, ends=agreement.ends)
