"""What operators ask of trustees: how each stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lifecycle.domain.trustee.findings import Finding
from lifecycle.domain.trustee.standing import standing_of
from lifecycle.domain.trustee.trustee import Agreement, Trustee
from lifecycle.policy.model import Policy
from lifecycle.projections.duties import Waiting, waiting_for
from lifecycle.projections.trustees import ever_engaged

if TYPE_CHECKING:
    from lifecycle.engine.engine import Engine


def of_trustees(engine: Engine, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Trustees as they stand; without names all that were ever engaged."""
    engine.drain()
    now = engine.clock.now()
    policy = engine.policies.in_force(now)
    with engine.database.read() as c:
        named = ever_engaged(c) if names is None else names
        waiting = waiting_for(c, now)
    found = {name: engine.open_record(("trustee", name)) for name in named}
    return [_told(one, now, policy, waiting.get(name, Waiting())) for name, one in found.items()]


def _told(trustee: Trustee, now: datetime, policy: Policy | None, waiting: Waiting) -> dict[str, Any]:
    """A trustee as it stands; without a policy in force nobody can say on which day."""
    return {
        "trustee": trustee.name_id,
        "engaged": trustee.engaged,
        "version": trustee.version,
        "standing": None if policy is None else standing_of(trustee, now, policy, waiting.overdue),
        "duties_open": waiting.open,
        "duties_overdue": waiting.overdue,
        "agreements": [_agreement(each) for each in trustee.agreements],
        "findings": [_finding(each) for each in trustee.findings],
        "sub_trustees": [
            {"sub_trustee": each, "entrusted": each in trustee.entrusting} for each in sorted(trustee.approved)
        ],
    }


def _agreement(agreement: Agreement) -> dict[str, Any]:
    return {
        "id": agreement.id,
        "purpose": agreement.purpose,
        "starts": agreement.starts.isoformat(),
        "ends": agreement.ends.isoformat(),
        "method": agreement.method,
        "categories": sorted(agreement.categories),
        "signed_at": agreement.signed_at.isoformat(),
        "ended_at": agreement.ended_at.isoformat() if agreement.ended_at is not None else None,
        "warned": agreement.warned,
        "lapsed": agreement.lapsed,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "because": finding.because,
        "since": finding.since.isoformat(),
        "remedy_by": finding.remedy_by.isoformat() if finding.remedy_by is not None else None,
        "instruction": finding.instruction,
        "sub_trustee": finding.sub_trustee,
        "remedied_at": finding.remedied_at.isoformat() if finding.remedied_at is not None else None,
        "overdue": finding.overdue,
    }
