"""Supplementing a category that is missing: it joins a ground that lives, and no new reason to process arises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.collecting import necessary, sensitive_among
from lifecycle.domain.subject.consent import required_consent
from lifecycle.domain.subject.state import Ground, Holding, Subject
from lifecycle.domain.subject.wording import known_categories, known_purposes, open_record
from lifecycle.policy.vocabulary import LegalBasis

Joined = tuple[Holding, Ground]


@dataclass(frozen=True, slots=True)
class Missing:
    """A value of a category of which nothing is held, and the id that its holding would get."""

    category: str
    value: str = field(repr=False)
    new_id: str


def add(
    subject: Subject,
    asked: Asked,
    *,
    missing: Sequence[Missing],
    purpose: str | None,
    reason: str,
    evidence: str | None,
) -> Decision:
    """Policy clause 7.2. What the purpose needs may be added as long as it has a live ground, on terms of collection:
    no more than necessary, and on consent only what the consent covers."""
    open_record(subject)
    known_purposes(asked.policy, [purpose] if purpose is not None else [])
    known_categories(asked.policy, [one.category for one in missing])
    return Decision(tuple(_added(subject, asked, one, purpose, reason, evidence) for one in missing))


def _added(
    subject: Subject, asked: Asked, one: Missing, purpose: str | None, reason: str, evidence: str | None
) -> e.MissingDataAdded:
    holding, ground = _joined(subject, asked, one.category, purpose)
    if ground.basis is LegalBasis.CONSENT:
        sensitive = sensitive_among(asked, [one.category])
        required_consent(subject, asked, ground.purpose, sensitive, ground.technology)
    return e.MissingDataAdded(
        occurred_at=asked.at,
        holding=one.new_id,
        category=one.category,
        joins=e.GroundRef(holding=holding.id, ground=ground.number),
        reason=reason,
        evidence=evidence,
        values={one.new_id: one.value},
    )


def _joined(subject: Subject, asked: Asked, category: str, purpose: str | None) -> Joined:
    """The ground to join, of several of one purpose the newest; live at `at` and now (settled rule 19)."""
    fitting = [
        (holding, ground)
        for holding in subject.kept()
        for ground in subject.live_grounds(holding, asked.now)
        if subject.is_live(ground, asked.at) and _needs(asked, ground, category, purpose)
    ]
    if not fitting:
        if purpose is not None:
            necessary(asked, purpose, [category])
        raise r.GroundMissing(purpose, [category]) if purpose is not None else r.HoldingErased([category])
    free = [(holding, ground) for holding, ground in fitting if not subject.is_restricted(holding, asked.now)]
    if not free:
        raise r.HoldingRestricted({holding.category for holding, _ in fitting})
    purposes = {ground.purpose for _, ground in free}
    if len(purposes) > 1:
        raise r.AmbiguousPurpose(category, purposes)
    return max(free, key=lambda each: each[1].counted_from)


def _needs(asked: Asked, ground: Ground, category: str, wanted: str | None) -> bool:
    declared = asked.policy.purposes.get(ground.purpose)
    if declared is None or wanted not in (None, ground.purpose):
        return False
    if ground.technology is None:
        return category in declared.all_categories
    technology = asked.policy.technologies.get(ground.technology)
    return technology is not None and category in technology.categories
