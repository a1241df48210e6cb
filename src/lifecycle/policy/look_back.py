"""How far back recipients are told of a correction, by the law of the policy's jurisdictions."""

from __future__ import annotations

from datetime import datetime

from lifecycle.policy.model import Policy
from lifecycle.policy.packs import Number, known_packs

CORRECTION = "correction-look-back"


def corrections_since(policy: Policy, now: datetime) -> datetime | None:
    """Whoever was given the data from this instant on is told; everybody if it is None.

    Law sets what has to be done at least: so of several limits the longest counts, and where a jurisdiction sets none
    there is none. PDPA s 22(2)(b); GDPR Art. 19.
    """
    limits = [_limit(jurisdiction) for jurisdiction in policy.jurisdictions]
    known = [limit.period().over_if_begun_before(now, policy.time_zone) for limit in limits if limit is not None]
    return min(known) if known and len(known) == len(limits) else None


def _limit(jurisdiction: str) -> Number | None:
    pack = known_packs().get(jurisdiction)
    return None if pack is None else pack.numbers.get(CORRECTION)
