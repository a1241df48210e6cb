"""How consents, recipients, the audit trail and the retention calendar are shown as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from typing import Any

from lifecycle.audit.telling import told
from lifecycle.projections.audit_trail import Asked
from lifecycle.projections.consents import Agreed
from lifecycle.projections.recipients import GivenTo
from lifecycle.projections.retention_calendar import Falling


def consents(agreed: Iterable[Agreed], at: datetime) -> list[dict[str, Any]]:
    """Every answer given by then, with the status that it has at `at`."""
    return [_row(one, "number") | {"status": one.status_at(at)} for one in agreed if one.since <= at]


def recipients(given: Iterable[GivenTo]) -> list[dict[str, Any]]:
    return [_row(one) for one in given]


def trail(asked: Iterable[Asked]) -> list[dict[str, Any]]:
    return [_row(one, "stream_id") for one in asked]


def calendar(falling: Iterable[Falling]) -> list[dict[str, Any]]:
    return [_row(one, "number") for one in falling]


def _row(one: Any, *without: str) -> dict[str, Any]:
    return {field.name: told(getattr(one, field.name)) for field in fields(one) if field.name not in without}
