"""Which of the published versions of a policy is in force."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lifecycle.policy.model import Policy
from lifecycle.policy.periods import start_of


def in_force(published: Sequence[Policy], at: datetime) -> Policy | None:
    """The one that took effect last at `at`; of several that take effect on one day, the one published last.

    `published` is in the order of publication, oldest first.
    """
    begun = [policy for policy in reversed(published) if start_of(policy.effective, policy.time_zone) <= at]
    return max(begun, key=lambda policy: policy.effective, default=None)  # of equals, `max` takes the first
