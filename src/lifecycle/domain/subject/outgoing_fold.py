"""How what went to others, and what was anonymised, changes the state of a person."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject import outgoing_events as o
from lifecycle.domain.subject.disclosures import Disclosure
from lifecycle.domain.subject.state import Holding, Share, Subject
from lifecycle.policy.vocabulary import RecipientKind

ANONYMISED = "anonymised"


def _provided(subject: Subject, event: o.PersonalDataProvided, _: datetime) -> Subject:
    return _given(subject, event.holdings, Share(event.recipient, event.occurred_at, event.to, purpose=event.purpose))


def _given(subject: Subject, holdings: Iterable[str], share: Share) -> Subject:
    given = [subject.holdings[id] for id in holdings]
    return subject.with_holdings(holding._replace(shares=(*holding.shares, share)) for holding in given)


def _disclosed(subject: Subject, event: o.PersonalDataDisclosed, _: datetime) -> Subject:
    at = event.occurred_at
    disclosure = Disclosure(subject.version, event.authority, at, event.holdings, event.withheld, event.gag_until)
    share = Share(event.authority, at, RecipientKind.AUTHORITY, event.gag_until)
    subject = _given(subject, event.holdings, share)
    return subject.changed(disclosures=(*subject.disclosures, disclosure))


def _notice_due(subject: Subject, event: o.DisclosureNoticeDue, _: datetime) -> Subject:
    return replace(
        subject,
        disclosures=tuple(
            replace(one, notice_due=True) if one.number == event.disclosure else one for one in subject.disclosures
        ),
    )


def _anonymised(subject: Subject, event: o.PersonalDataAnonymised, _: datetime) -> Subject:
    """All grounds end: what identifies nobody needs no reason."""
    at = event.occurred_at

    def ended(holding: Holding) -> Holding:
        grounds = []
        for ground in holding.grounds:
            end = subject.end_of(ground)
            over = max(at if end is None else min(at, end), ground.since)
            grounds.append(ground if ground.ended else ground._replace(until=over, ended=ANONYMISED))
        return holding._replace(grounds=tuple(grounds), anonymised=True)

    return subject.with_holdings(ended(subject.holdings[id]) for id in event.holdings)


CHANGES: Mapping[type[DomainEvent], Callable[[Subject, Any, datetime], Subject]] = {
    o.PersonalDataProvided: _provided,
    o.PersonalDataDisclosed: _disclosed,
    o.DisclosureNoticeDue: _notice_due,
    o.PersonalDataAnonymised: _anonymised,
}
