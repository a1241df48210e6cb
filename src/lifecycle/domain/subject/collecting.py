"""Collection: known purpose, no more than necessary, an allowed basis with what it needs, then the fact."""

from collections.abc import Sequence
from typing import NamedTuple

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.consent import required_consent
from lifecycle.domain.subject.fold import MINORS
from lifecycle.domain.subject.revising import accepted_by_use
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.systems import keeps
from lifecycle.domain.subject.technologies import collects
from lifecycle.domain.subject.wording import known_categories, known_purposes, known_source, open_record
from lifecycle.errors import Refused
from lifecycle.policy.periods import RetentionRule
from lifecycle.policy.vocabulary import CountsFrom, LegalBasis, Sensitivity

_OF_ONE_S_OWN_ACCORD = (LegalBasis.CONSENT, LegalBasis.CONTRACT)
"""On these bases data comes from a person who uses the service; on the others it may come without any doing of theirs.
"""


class Item(NamedTuple):
    """One value to collect: its category, the kept holding that has an equal value, or the id a new one would get."""

    category: str
    value: str
    new_id: str
    equal: str | None = None

    def __repr__(self) -> str:
        return f"Item(category={self.category!r}, new_id={self.new_id!r}, equal={self.equal!r})"


def collect(
    subject: Subject,
    asked: Asked,
    *,
    purpose: str,
    basis: LegalBasis,
    items: Sequence[Item],
    source: str,
    evidence: str | None,
    technology: str | None = None,
    held_by: str | None = None,
) -> Decision:
    """Policy clauses 1.2 to 1.4, 2 and 4. A ground may begin if it was allowed at `at` and is allowed now. What a
    system keeps for us (`held_by`) has its locator as the item's value."""
    categories = [item.category for item in items]
    _allowed(subject, asked, purpose, basis, categories, source, evidence, technology)
    if held_by is not None:
        keeps(asked.policy, held_by, categories)
    rule = asked.policy.retention_rule(purpose, technology)
    due = rule.due(asked.at)
    if due is not None and due <= asked.now:
        raise r.PastRetention(purpose)
    further = tuple(item.equal for item in items if item.equal is not None and _is_held(subject, asked, item.equal))
    new = [item for item in items if item.equal not in further]
    collected = e.PersonalDataCollected(
        occurred_at=asked.at,
        purpose=purpose,
        basis=basis,
        source=source,
        technology=technology,
        held_by=held_by,
        rule=rule,
        minimum=asked.policy.minimum_for(purpose, basis),
        new=tuple(e.NewHolding(holding=item.new_id, category=item.category) for item in new),
        further=further,
        evidence=evidence,
        values={item.new_id: item.value for item in new},
    )
    by_use = accepted_by_use(subject, asked, "collect", purpose) if basis in _OF_ONE_S_OWN_ACCORD else ()
    return Decision((collected, *by_use))


def _is_held(subject: Subject, asked: Asked, holding: str) -> bool:
    """A holding whose grounds are all over is not brought back, even if nobody has erased it yet (settled rule 20)."""
    return bool(subject.live_grounds(subject.holdings[holding], asked.now))


def _allowed(
    subject: Subject,
    asked: Asked,
    purpose: str,
    basis: LegalBasis,
    categories: Sequence[str],
    source: str,
    evidence: str | None,
    technology: str | None,
) -> None:
    open_record(subject)
    try:
        _declared(asked, purpose, basis, categories, source, technology)
    except Refused:
        _needs_no_newer(asked, purpose, basis, categories, source, technology)
        raise
    if basis is not LegalBasis.CONSENT and not (evidence or "").strip():
        raise r.EvidenceMissing(basis)
    if basis is LegalBasis.CONSENT:
        required_consent(subject, asked, purpose, sensitive_among(asked, categories), technology)


def _declared(
    asked: Asked, purpose: str, basis: LegalBasis, categories: Sequence[str], source: str, technology: str | None
) -> None:
    """What the policy says without looking at the person."""
    known_purposes(asked.policy, [purpose])
    known_categories(asked.policy, categories)
    known_source(asked.policy, source)
    if technology is not None:
        collects(asked.policy, technology, purpose, basis, categories)
    else:
        necessary(asked, purpose, categories)
    if basis not in asked.policy.purposes[purpose].bases:
        raise r.BasisNotAllowed(purpose, basis)


def _needs_no_newer(
    asked: Asked, purpose: str, basis: LegalBasis, categories: Sequence[str], source: str, technology: str | None
) -> None:
    """Refuse by what is really lacking if only a version that the person was not told of allows it. Clause 9.1."""
    newest = asked.newest
    if newest.version == asked.policy.version:
        return
    try:
        _declared(asked._replace(policy=newest), purpose, basis, categories, source, technology)
    except Refused:
        return
    raise r.NoticeMissing(newest.version, needed=True)


def necessary(asked: Asked, purpose: str, categories: Sequence[str]) -> None:
    """Policy clause 4: what a declared purpose does not name is not collected for it."""
    excess = set(categories) - asked.policy.purposes[purpose].all_categories
    if excess:
        raise r.MoreThanNecessary(purpose, excess)


def sensitive_among(asked: Asked, categories: Sequence[str]) -> list[str]:
    """Sensitive by the policy, or because everything of a young person is. Policy clause 1.1; PIPL Art. 28."""
    declared = asked.policy.categories
    return [c for c in categories if asked.is_minor or declared[c].sensitivity is Sensitivity.SENSITIVE]


def record_activity(subject: Subject, asked: Asked, *, purpose: str) -> Decision:
    """Move the last activity; an older date changes nothing (settled rule 21)."""
    open_record(subject)
    known_purposes(asked.policy, [purpose])
    known = subject.activity.get(purpose)
    if known is None and not any(g.purpose == purpose for h in subject.kept() for g in h.grounds):
        return NOTHING
    if known is not None and asked.at <= known:
        return NOTHING
    by_use = accepted_by_use(subject, asked, "record-activity", purpose)
    return Decision((e.ActivityRecorded(occurred_at=asked.at, purpose=purpose), *by_use))


def record_birth_date(
    subject: Subject, asked: Asked, *, birth_date: str, new_id: str, known: str | None, evidence: str | None
) -> Decision:
    """Seal the birth date; `known` is the one on record. Settled rule 31."""
    open_record(subject)
    if known is not None or subject.birth_date is not None:
        if known == birth_date:
            return NOTHING
        raise r.BirthDateKnown
    minors = asked.policy.minors
    if minors is None:
        raise r.MoreThanNecessary(MINORS, ["birth-date"])
    rule = RetentionRule(
        name=f"{MINORS}@{asked.policy.version}",
        counts_from=CountsFrom.COLLECTION,
        period=None,
        zone=asked.policy.time_zone,
    )
    recorded = e.BirthDateRecorded(
        occurred_at=asked.at,
        holding=new_id,
        category=minors.birth_date_category,
        law=minors.law,
        rule=rule,
        evidence=evidence,
        values={new_id: birth_date},
    )
    return Decision((recorded,))
