"""Consent: given, refused, withdrawn; per purpose or technology, separate for sensitive data, by the guardian for the
young."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.fold import carried_since
from lifecycle.domain.subject.settling import Unfolding, effects_of, over, settle
from lifecycle.domain.subject.state import Consent, Subject
from lifecycle.domain.subject.technologies import (
    ConsentObject,
    TechnologyConsentMissing,
    known_technologies,
    objects_of,
)
from lifecycle.domain.subject.wording import (
    known_channel,
    known_purposes,
    open_record,
    told_by_showing,
    version_shown,
)
from lifecycle.errors import Refused
from lifecycle.policy.vocabulary import LegalBasis


def give_consent(
    subject: Subject,
    asked: Asked,
    *,
    purposes: Sequence[str],
    notice: str,
    channel: str,
    separate: bool,
    guardian: str | None,
    guardian_reference: str | None = None,
    technologies: Sequence[str] = (),
) -> Decision:
    """Record consent to what is not covered yet, as the version that was shown words it: to each purpose, or to the
    technologies for it; whoever consents to a revision was told of it. `guardian_reference` is the keyed form of
    `guardian`."""
    open_record(subject)
    shown = version_shown(asked, notice)
    told = told_by_showing(subject, asked, shown, channel)
    asked = asked._replace(policy=shown)
    known_purposes(asked.policy, purposes)
    known_channel(asked.policy, channel)
    for purpose in purposes:
        if LegalBasis.CONSENT not in asked.policy.purposes[purpose].bases:
            raise r.BasisNotAllowed(purpose, LegalBasis.CONSENT)
    objects = objects_of(asked.policy, purposes, technologies)
    if asked.is_minor and guardian is None:
        raise r.GuardianMissing
    if guardian is not None and subject.guardians and guardian_reference not in subject.guardians:
        raise r.GuardianMissing
    by_guardian = guardian is not None
    missing = [one for one in objects if not _covered(subject, asked, one, separate, by_guardian)]
    if not missing:
        return Decision(told)
    given = e.ConsentGiven(
        occurred_at=asked.at,
        purposes=tuple(dict.fromkeys(one.purpose for one in missing)),
        technologies=tuple(dict.fromkeys(one.technology for one in missing if one.technology is not None)) or None,
        scopes={one.key: asked.policy.consented_scope(*one) for one in missing},
        notice=notice,
        channel=channel,
        separate=separate,
        by_guardian=by_guardian,
        lapses=_lapses(asked, missing),
        guardian=guardian,
    )
    return Decision((*told, given))


def _covered(subject: Subject, asked: Asked, one: ConsentObject, separate: bool, by_guardian: bool) -> bool:
    """Whether a consent in force already says all that this one would say."""
    held = subject.consent_for(one.purpose, asked.now, one.technology)
    if held is None or held.since > asked.at or (separate and not held.separate) or held.by_guardian != by_guardian:
        return False
    lapses = _lapses(asked, [one]).get(one.key)
    if held.lapses is not None and (lapses is None or lapses > held.lapses):
        return False  # it would last longer
    return not asked.policy.consented_scope(*one).is_wider_than(held.scope)


def _lapses(asked: Asked, objects: Sequence[ConsentObject]) -> dict[str, datetime]:
    lasting = ((one.key, asked.policy.purposes[one.purpose].consent_lasts) for one in objects)
    return {key: period.due(asked.at, asked.policy.time_zone) for key, period in lasting if period is not None}


def refuse_consent(
    subject: Subject,
    asked: Asked,
    *,
    purposes: Sequence[str],
    notice: str,
    channel: str,
    technologies: Sequence[str] = (),
) -> Decision:
    """Record the no that is not on record yet; of technologies each for itself."""
    open_record(subject)
    shown = version_shown(asked, notice)
    told = told_by_showing(subject, asked, shown, channel)
    known_purposes(shown, purposes)
    known_channel(shown, channel)
    objects = objects_of(shown, purposes, technologies)
    in_force = [one.key for one in objects if subject.consent_for(one.purpose, asked.now, one.technology)]
    if in_force:
        raise r.ConsentInForce(in_force)
    fresh: dict[str | None, list[str]] = {}
    for one in objects:
        if one.key not in subject.refusals:
            fresh.setdefault(one.technology, []).append(one.purpose)
    refused = [
        e.ConsentRefused(
            occurred_at=asked.at,
            purposes=tuple(refused),
            technologies=None if technology is None else (technology,),
            notice=notice,
            channel=channel,
        )
        for technology, refused in fresh.items()
    ]
    return Decision((*told, *refused))


def withdraw_consent(
    subject: Subject, asked: Asked, *, purposes: Sequence[str], channel: str, technologies: Sequence[str] = ()
) -> Decision:
    """End consents and the grounds that stand on them; no purposes means all. Policy clause 7.5. Technologies narrow
    it to themselves; whoever withdraws a purpose switches off what serves it, too.

    What was agreed to can be taken back also where only another version names it.
    """
    open_record(subject)
    agreed = {consent.purpose for consent in subject.consents}
    used = {consent.technology for consent in subject.consents}
    known_purposes(asked.policy, [purpose for purpose in purposes if purpose not in agreed])
    known_technologies(asked.policy, [technology for technology in technologies if technology not in used])
    known_channel(asked.policy, channel)
    affected = {
        one
        for one in _withdrawable(subject, asked)
        if (not purposes or one.purpose in purposes) and (not technologies or one.technology in technologies)
    }
    if not affected:
        return NOTHING
    touched = [
        holding.id
        for holding in subject.kept()
        if any(
            g.ended is None and g.basis is LegalBasis.CONSENT and ConsentObject(g.purpose, g.technology) in affected
            for g in holding.grounds
        )
    ]
    withdrawn = e.ConsentWithdrawn(
        occurred_at=asked.at,
        purposes=tuple(sorted({one.purpose for one in affected})),
        technologies=tuple(sorted({one.technology or "" for one in affected})) if technologies else None,
        channel=channel,
    )
    return ended(subject, asked, withdrawn, touched, "withdrawal")


def _withdrawable(subject: Subject, asked: Asked) -> set[ConsentObject]:
    """What has a consent, or, where its term is over already, a ground that it began."""
    open_ones = [c for c in subject.consents if c.ended is None]
    given = {ConsentObject(c.purpose, c.technology) for c in open_ones}
    older = {ConsentObject(c.purpose, c.technology) for c in open_ones if c.since <= asked.at}
    grounds = [g for h in subject.kept() for g in subject.live_grounds(h, asked.now) if g.basis is LegalBasis.CONSENT]
    begun = {ConsentObject(g.purpose, g.technology) for g in grounds if not carried_since(subject, g, asked.at)}
    return older | (begun - given)


def ended(
    subject: Subject,
    asked: Asked,
    ending: e.ConsentWithdrawn | e.GroundEnded,
    touched: Sequence[str],
    because: str,
    *,
    before: Sequence[e.ConsentWithdrawn | e.ConsentExpired | e.ConsentInvalidated] = (),
    whole: bool = False,
) -> Decision:
    """An act that ends grounds, with what follows from it.

    What time has brought comes first: a ground whose period was over ended by that, not by this act.
    """
    unfolding = Unfolding(subject, asked.now)
    overdue = over(unfolding, asked.policy.time_zone)
    for event in before:
        unfolding.add(event)
    still = _still_to_end(unfolding.subject, ending)
    if still is not None:
        unfolding.add(still)
    settle(unfolding, because, whole, overdue)
    return unfolding.decided(effects_of(subject, unfolding.subject, touched, asked.now))


def _still_to_end(
    subject: Subject, ending: e.ConsentWithdrawn | e.GroundEnded
) -> e.ConsentWithdrawn | e.GroundEnded | None:
    """The ending of those grounds that nothing else has ended; None if there are none left."""
    if isinstance(ending, e.ConsentWithdrawn):
        return ending
    by_number = {(h.id, g.number): g for h in subject.kept() for g in h.grounds}
    left = tuple(ref for ref in ending.grounds if by_number[ref.holding, ref.ground].ended is None)
    return ending.model_copy(update={"grounds": left}) if left else None


def required_consent(
    subject: Subject, asked: Asked, purpose: str, sensitive: Sequence[str], technology: str | None = None
) -> None:
    """Refuse a collection for `purpose` unless a consent carries it at `at` and one carries it now: wide enough, given
    by the right person (settled rules 19, 30, 31). The refusal names what the newest consent lacks."""
    for instant in dict.fromkeys((asked.at, asked.now)):
        given = [c for c in subject.consents if (c.purpose, c.technology) == (purpose, technology)]
        given = [c for c in given if c.in_force(instant)]
        if not given:
            raise r.ConsentMissing(purpose) if technology is None else TechnologyConsentMissing(purpose, technology)
        newest_first = sorted(given, key=lambda consent: consent.since, reverse=True)
        lacks = [_lack(consent, asked, purpose, sensitive) for consent in newest_first]
        if lacks[0] is not None and None not in lacks:
            raise lacks[0]


def _lack(consent: Consent, asked: Asked, purpose: str, sensitive: Sequence[str]) -> Refused | None:
    if asked.policy.consented_scope(purpose, consent.technology).is_wider_than(consent.scope):
        return r.ConsentMissing(purpose, "covers what the policy now says; it is wider than what was agreed to")
    if asked.is_minor and not consent.by_guardian:
        return r.GuardianMissing()
    if asked.age is not None and not asked.is_minor and consent.by_guardian:
        return r.ConsentMissing(purpose, "was given by the person, who is now of age")
    if sensitive and not consent.separate:
        return r.SeparateConsentMissing(purpose, sensitive)
    return None
