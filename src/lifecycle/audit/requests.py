"""Requests as they are shown: with the days that are left, and, for the person's own package, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import JsonValue
from sqlalchemy import Connection

from lifecycle.audit.opening import Place, parts_of
from lifecycle.audit.telling import instant
from lifecycle.domain.event import Personal, Withheld
from lifecycle.domain.subject.requests import Request
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.calendars import Calendars, worked_between
from lifecycle.policy.model import Policy
from lifecycle.projections.requests import Asked
from lifecycle.vault.vault import Vault

Json = dict[str, Any]


def shown(asked: Asked, now: datetime, policy: Policy, calendars: Calendars) -> Json:
    """One request without a word of what was said. `days_left` are working days after today, the last one included."""
    today = policy.day_of(now)
    left = worked_between(calendars.of(asked.calendar), today, asked.due_on) if asked.is_open else None
    return {
        "id": asked.request,
        "subject": str(asked.subject_id),
        "kind": asked.asks,
        "state": asked.status,
        "channel": asked.channel,
        "received": instant(asked.received),
        "received_on": asked.received_on.isoformat(),
        "due": instant(asked.due),
        "due_on": asked.due_on.isoformat(),
        "days_left": left if asked.due is not None else None,
        "provisional": asked.provisional,
        "overdue": asked.due is not None and asked.due <= now,
        "missed": asked.missed_at is not None,
        "extended": asked.extended,
        "rests_until": instant(asked.rests_until),
        "rule": asked.rule,
        "calendar": asked.calendar,
        "calendar_version": asked.counted_by,
        "on_behalf": asked.on_behalf,
        "region": asked.region,
        "duplicate_of": asked.duplicate_of,
        "about": asked.about,
        "escalated_to": asked.escalated_to,
        "closed_at": instant(asked.closed_at),
    }


# -- in words, for the person's own package --------------------------------------------------------------------------


def places_of(subject: Subject) -> list[Place]:
    """Where the words about this person's requests may be sealed."""
    return [Place(version, request.id) for request in subject.requests.values() for version in request.told_in]


def requests_of(subject: Subject, opened: Mapping[Place, Personal[JsonValue]]) -> list[Json]:
    """Every request of the person with what was asked and answered, in the order in which they came in.

    `opened` are the words by where they were sealed; `words` is null where they are gone or this reader has no key.
    """
    return [_in_words(request, opened) for request in subject.requests.values()]


def _in_words(request: Request, opened: Mapping[Place, Personal[JsonValue]]) -> Json:
    found = [opened.get(Place(version, request.id)) for version in request.told_in]
    return {
        "id": request.id,
        "kind": request.asks.value,
        "state": request.status.value,
        "channel": request.channel,
        "received": instant(request.at),
        "due_on": request.deadline.due_on.isoformat(),
        "extended_from": request.first_due_on.isoformat() if request.extended else None,
        "missed": request.missed_at is not None,
        "on_behalf": request.on_behalf,
        "duplicate_of": request.duplicate_of,
        "about": request.about,
        "escalated_to": request.escalated_to,
        "answered": instant(request.closed_at),
        "words": None if any(isinstance(each, Withheld) for each in found) else _said(found),
    }


def _said(found: list[Personal[JsonValue] | None]) -> list[dict[str, str]]:
    """What was said on each occasion, in order: text, reason, evidence, route and the like."""
    return [json.loads(each) for each in found if isinstance(each, str)]


def in_words(c: Connection, vault: Vault | None, subject: Subject) -> list[Json]:
    """The same, opened from the store."""
    return requests_of(subject, parts_of(c, vault, subject.id, places_of(subject)))
