"""How consents, recipients, the audit trail and the calendar are shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lifecycle.audit.telling import instant
from lifecycle.projections.audit_trail import Asked
from lifecycle.projections.consents import Agreed
from lifecycle.projections.duties import Told
from lifecycle.projections.recipients import GivenTo
from lifecycle.projections.retention_calendar import Falling


def consent(agreed: Agreed, at: datetime) -> dict[str, Any]:
    """As it was at `at`: an end that came later is not told."""
    is_over = agreed.until is not None and agreed.until <= at
    return {
        "purpose": agreed.purpose,
        "status": agreed.status_at(at),
        "since": instant(agreed.since),
        "until": instant(agreed.until) if is_over else None,
        "lapses": instant(agreed.lapses),
        "because": agreed.because if is_over else None,
        "notice": agreed.notice,
        "separate": agreed.separate,
        "by_guardian": agreed.by_guardian,
    }


def recipient(given: GivenTo) -> dict[str, Any]:
    return {
        "recipient": given.recipient,
        "holding": given.holding,
        "category": given.category,
        "first": instant(given.first),
        "last": instant(given.last),
        "times": given.times,
    }


def duty(told: Told, at: datetime) -> dict[str, Any]:
    """Without its token: whoever reads this is not the recipient."""
    return {
        "instruction": told.instruction,
        "subject": str(told.subject_id),
        "recipient": told.recipient,
        "duty": told.duty,
        "state": told.state(at).value,
        "holdings": list(told.holdings),
        "purposes": list(told.purposes),
        "agreement": told.agreement,
        "because": told.because,
        "since": instant(told.since),
        "due": instant(told.due),
        "answered_at": instant(told.answered_at),
        "missed": told.overdue,
    }


def asked(one: Asked) -> dict[str, Any]:
    return {
        "position": one.position,
        "subject": None if one.subject_id is None else str(one.subject_id),
        "version": one.version,
        "kind": one.kind,
        "command": one.command,
        "role": one.role,
        "outcome": one.outcome,
        "code": one.code,
        "clause": one.clause,
        "purpose": one.purpose,
        "policy": one.policy,
        "occurred_at": instant(one.occurred_at),
        "recorded_at": instant(one.recorded_at),
    }


def falling(one: Falling) -> dict[str, Any]:
    return {
        "subject": str(one.subject_id),
        "due": instant(one.due),
        "what": one.what,
        "holding": one.holding,
        "ground": one.ground,
        "purpose": one.purpose,
        "rule": one.rule,
    }
