"""How consents, recipients, the audit trail and the calendar are shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lifecycle.audit.telling import instant, told
from lifecycle.policy.vocabulary import RecipientKind

if TYPE_CHECKING:
    from lifecycle.audit.trail import Asked
    from lifecycle.audit.why import Reason, Why
    from lifecycle.policy.outside import OutOfScope
    from lifecycle.projections.consents import Agreed
    from lifecycle.projections.duties import Told
    from lifecycle.projections.recipients import GivenTo
    from lifecycle.projections.retention_calendar import Falling


def consent(agreed: Agreed, at: datetime) -> dict[str, Any]:
    """As it was at `at`: an end that came later is not told."""
    is_over = agreed.until is not None and agreed.until <= at
    return {
        "purpose": agreed.purpose,
        "technology": agreed.technology,
        "status": agreed.status_at(at),
        "since": instant(agreed.since),
        "until": instant(agreed.until) if is_over else None,
        "lapses": instant(agreed.lapses),
        "because": agreed.because if is_over else None,
        "notice": agreed.notice,
        "separate": agreed.separate,
        "by_guardian": agreed.by_guardian,
    }


def recipient(given: GivenTo, name: str | None) -> dict[str, Any]:
    return {
        "recipient": given.recipient,
        "kind": given.kind,
        "name": name,
        "holding": given.holding,
        "category": given.category,
        "first": instant(given.first),
        "last": instant(given.last),
        "times": given.times,
        "gag_until": instant(given.gag_until),
    }


def product(one: OutOfScope, given: Sequence[GivenTo]) -> dict[str, Any]:
    to_it = [row.holding for row in given if (row.kind, row.recipient) == (RecipientKind.PRODUCT, one.id)]
    return {
        "product": one.id,
        "name": one.name,
        "provider": one.provider,
        "terms": one.terms,
        "clause": one.clause,
        "given": to_it,
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


def why_held(why: Why) -> dict[str, Any]:
    """Reasons say only what they have to say: a hold has no rule, a ground no law."""
    return {
        "holdings": [
            {"holding": one.holding, "category": one.category, "earliest": instant(one.earliest)}
            | {"reasons": [_reason(reason) for reason in one.reasons]}
            for one in why.holdings
        ],
        "person": {"earliest": instant(why.gone), "reasons": [_reason(reason) for reason in why.person]},
    }


def _reason(reason: Reason) -> dict[str, Any]:
    said = {name: value for name, value in told(reason).items() if value is not None}
    return {**said, "until": instant(reason.until)}
