"""How a trustee stands: in one word, the gravest that is true."""

from __future__ import annotations

from datetime import datetime

from lifecycle.domain.trustee.trustee import Trustee
from lifecycle.policy.model import Policy


def standing_of(trustee: Trustee, at: datetime, policy: Policy, overdue_duties: int) -> str:
    """With whom no agreement is in force is called lapsed, whether one ever was or not."""
    if not trustee.engaged:
        return "dismissed"
    if not any(agreement.in_force(at, policy.day_of(at)) for agreement in trustee.agreements):
        return "lapsed"
    if overdue_duties:
        return "overdue-duties"
    return "findings-open" if any(finding.is_open for finding in trustee.findings) else "good"
