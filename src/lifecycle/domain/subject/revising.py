"""What a new policy version means for what is held already. Policy clauses 9.1, 9.2 and 5; PIPL Art. 14.

Shorter periods apply to it, longer ones never: a ground lasts as its own rule says or as a later version says,
whichever ends first, until a new collection renews it. What the new version no longer covers loses its ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lifecycle.domain.decision import Asked
from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.fold import MINORS
from lifecycle.domain.subject.revision_events import PolicyAcceptedByUse, RevisionTookEffect, ShorterRule
from lifecycle.domain.subject.state import Consent, Ground, Holding, Subject
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import RetentionRule
from lifecycle.policy.scope import is_longer
from lifecycle.policy.succession import Revision
from lifecycle.policy.vocabulary import CountsFrom, LegalBasis

REVISED = "policy-revised"
Placed = tuple[Holding, Ground]


def version_for(subject: Subject, published: Sequence[Policy], at: datetime) -> Policy | None:
    """The version that is in force for this person."""
    return subject.acquaintance.in_force(published, at)


def revisions_until(subject: Subject, published: Sequence[Policy], at: datetime) -> list[Revision]:
    """What came into force for this person by `at`, after the version that they began with, oldest first."""
    return [each for each in subject.acquaintance.revisions(published) if each.since <= at]


def consequences(subject: Subject, revision: Revision, now: datetime) -> tuple[DomainEvent, ...]:
    """What this version changes for what is held; nothing, once that is recorded. Folded one after another."""
    uncovered = [placed for placed in _older(subject, revision) if not _is_covered(revision.policy, *placed)]
    shortened = _shortened(subject, revision)
    dropped = _expired(subject, revision, now)
    if not (uncovered or shortened or dropped):
        return ()
    events: list[DomainEvent] = [
        RevisionTookEffect(
            occurred_at=now, notice=revision.policy.version, since=revision.since, shortened=tuple(shortened)
        )
    ]
    events += dropped
    if uncovered:
        refs = tuple(e.GroundRef(holding=holding.id, ground=ground.number) for holding, ground in uncovered)
        events.append(e.GroundEnded(occurred_at=now, grounds=refs, because=REVISED))
    return tuple(events)


def touched(events: Sequence[DomainEvent]) -> list[str]:
    """The holdings that these events are about, each once."""
    refs = [ref for event in events if isinstance(event, e.GroundEnded) for ref in event.grounds]
    refs += [
        ref
        for event in events
        if isinstance(event, RevisionTookEffect)
        for shorter in event.shortened
        for ref in shorter.grounds
    ]
    return list(dict.fromkeys(ref.holding for ref in refs))


# -- which grounds -------------------------------------------------------------------------------------------------


def _older(subject: Subject, revision: Revision) -> list[Placed]:
    """Open grounds that an older version began. Of a birth date the law decides, of a legal duty too: a policy can
    neither create nor end one."""
    return [
        (holding, ground)
        for holding in subject.kept()
        for ground in holding.grounds
        if ground.ended is None
        and ground.basis is not LegalBasis.LEGAL_DUTY
        and ground.purpose != MINORS
        and _version(ground.rule) not in revision.not_older
    ]


def _version(rule: RetentionRule) -> str:
    return rule.name.partition("@")[2]


def _technology(rule: RetentionRule) -> str | None:
    """A technology's rule is named after purpose and technology."""
    return rule.name.partition("@")[0].partition(".")[2] or None


def _is_covered(policy: Policy, holding: Holding, ground: Ground) -> bool:
    """Whether this version still allows the category to be held for the purpose on that basis."""
    purpose = policy.purposes.get(ground.purpose)
    if purpose is None or ground.basis not in purpose.bases:
        return False
    technology = _technology(ground.rule)
    if technology is None:
        return holding.category in purpose.all_categories
    declared = policy.technologies.get(technology)
    return declared is not None and ground.purpose in declared.purposes and holding.category in declared.categories


def _shortened(subject: Subject, revision: Revision) -> list[ShorterRule]:
    by_rule: dict[tuple[str, str | None], list[e.GroundRef]] = {}
    for holding, ground in _older(subject, revision):
        if not _is_covered(revision.policy, holding, ground):
            continue
        named = (ground.purpose, _technology(ground.rule))
        rule = revision.policy.retention_rule(*named)
        known = (ground.rule, *(limit.rule for limit in ground.limits))
        if any(each.name == rule.name for each in known) or not any(is_shorter(rule, each) for each in known):
            continue
        by_rule.setdefault(named, []).append(e.GroundRef(holding=holding.id, ground=ground.number))
    return [
        ShorterRule(rule=revision.policy.retention_rule(*named), grounds=tuple(refs))
        for named, refs in sorted(by_rule.items(), key=lambda item: (item[0][0], item[0][1] or ""))
    ]


def is_shorter(rule: RetentionRule, other: RetentionRule) -> bool:
    """Whether `rule` could end a ground before `other` does. Where it depends on the calendar or on activity the
    answer is yes: the earlier of the two ends counts in any case."""
    if rule.period is None:
        return False
    sooner = rule.counts_from is CountsFrom.COLLECTION and other.counts_from is CountsFrom.LAST_ACTIVITY
    return sooner or is_longer(other.period, rule.period)


def _expired(subject: Subject, revision: Revision, now: datetime) -> list[e.ConsentExpired]:
    """Consents to an older version that can carry nothing any more: to a purpose, or to a technology for it. What was
    given to this version, or to one that is still to come, is left alone."""
    open_ones = [consent for consent in subject.consents if consent.ended is None]
    gone: dict[str | None, list[Consent]] = {}
    for consent in open_ones:
        if consent.notice in revision.not_older:
            continue
        if not _asks_consent(revision.policy, consent.purpose):
            gone.setdefault(None, []).append(consent)
        elif not _uses(revision.policy, consent):
            gone.setdefault(consent.technology, []).append(consent)
    return [
        e.ConsentExpired(
            occurred_at=now,
            purposes=tuple(sorted({consent.purpose for consent in ended})),
            technologies=None if technology is None else (technology,),
            notices=_spared_by(ended, open_ones, revision, technology),
            because=REVISED,
        )
        for technology, ended in sorted(gone.items(), key=lambda item: item[0] or "")
    ]


def _spared_by(
    ended: Sequence[Consent], open_ones: Sequence[Consent], revision: Revision, technology: str | None
) -> tuple[str, ...] | None:
    """To which versions they were given, where a newer consent to the same would end with them otherwise."""
    purposes = {consent.purpose for consent in ended}
    newer = (consent for consent in open_ones if consent.notice in revision.not_older)
    alike = (c for c in newer if c.purpose in purposes and technology in (None, c.technology))
    return tuple(sorted({consent.notice for consent in ended})) if any(True for _ in alike) else None


def _asks_consent(policy: Policy, purpose: str) -> bool:
    return purpose in policy.purposes and LegalBasis.CONSENT in policy.purposes[purpose].bases


def _uses(policy: Policy, consent: Consent) -> bool:
    """Whether the technology that was agreed to, if it was one, still serves the purpose."""
    if consent.technology is None:
        return True
    declared = policy.technologies.get(consent.technology)
    return declared is not None and consent.purpose in declared.purposes


# -- going on using the service ------------------------------------------------------------------------------------


def accepted_by_use(subject: Subject, asked: Asked, use: str, purpose: str) -> tuple[DomainEvent, ...]:
    """Deemed acceptance of the version that is in force for the person, if this use is the first since then and the
    policy says that using on accepts. Decision record 0007: it never stands for consent."""
    policy = asked.policy
    if not policy.revisions.continued_use_accepts or policy.version in subject.acceptances:
        return ()
    since = subject.acquaintance.since(policy)
    if subject.begun is None or since is None or not subject.begun < since <= asked.at:
        return ()
    return (PolicyAcceptedByUse(occurred_at=asked.at, notice=policy.version, use=use, purpose=purpose),)
