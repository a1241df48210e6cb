"""By what a person is recognised, and who has seen their values: as a role, with purpose and time. GDPR Art. 15(1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lifecycle.audit import package_model as m
from lifecycle.audit.package_person import Known, purpose
from lifecycle.domain.subject.custody_events import CustodyOpened
from lifecycle.domain.subject.events import IdentifierLinked, PersonalDataRead


def identifiers_of(person: Known) -> Iterator[m.IdentifierTold]:
    """In the form in which they are compared; those that were unlinked are nowhere any more."""
    linked = {
        each.event.identifier: each.event.occurred_at
        for each in person.events
        if isinstance(each.event, IdentifierLinked)
    }
    for one in person.identifiers:
        yield m.IdentifierTold(type=one.type, value=one.normalised, since=linked.get(one.identifier))


def reads_of(person: Known) -> Iterator[m.ReadTold]:
    """Who opened values. What is stored only may have been opened for an authority: while something may not be told,
    no such opening is, as they have no numbers that could show a gap."""
    silent = any(not each.may_be_told(person.now) for each in person.subject.disclosures)
    for recorded in person.reads:
        event: Any = recorded.event
        is_read, is_opening = isinstance(event, PersonalDataRead), isinstance(event, CustodyOpened)
        if not is_read and (not is_opening or silent):
            continue
        known = (person.subject.holdings.get(id) for id in event.holdings)
        yield m.ReadTold(
            at=event.occurred_at,
            role=recorded.judged.role,
            purpose=purpose(person, event.purpose) if is_read else None,
            stored_only=is_opening,
            because=event.because if is_opening else None,
            categories=tuple(sorted({holding.category for holding in known if holding is not None})),
        )
