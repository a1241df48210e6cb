"""Consent: given, refused, withdrawn; per purpose, separate for sensitive data, by the guardian for the young."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.settling import Unfolding, effects_of, over, settle
from lifecycle.domain.subject.state import Consent, Subject
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
) -> Decision:
    """Record consent to each purpose that is not covered yet, as the version that was shown words it; whoever consents
    to a revision was told of it. `guardian_reference` is the keyed form of `guardian`."""
    open_record(subject)
    shown = version_shown(asked, notice)
    told = told_by_showing(subject, asked, shown, channel)
    asked = replace(asked, policy=shown)
    known_purposes(asked.policy, purposes)
    known_channel(asked.policy, channel)
    for purpose in purposes:
        if LegalBasis.CONSENT not in asked.policy.purposes[purpose].bases:
            raise r.BasisNotAllowed(purpose, LegalBasis.CONSENT)
    if asked.is_minor and guardian is None:
        raise r.GuardianMissing
    if guardian is not None and subject.guardians and guardian_reference not in subject.guardians:
        raise r.GuardianMissing
    by_guardian = guardian is not None
    missing = [p for p in dict.fromkeys(purposes) if not _covered(subject, asked, p, separate, by_guardian)]
    if not missing:
        return Decision(told)
    given = e.ConsentGiven(
        occurred_at=asked.at,
        purposes=tuple(missing),
        scopes={purpose: asked.policy.consented_scope(purpose) for purpose in missing},
        notice=notice,
        channel=channel,
        separate=separate,
        by_guardian=by_guardian,
        lapses=_lapses(asked, missing),
        guardian=guardian,
    )
    return Decision((*told, given))


def _covered(subject: Subject, asked: Asked, purpose: str, separate: bool, by_guardian: bool) -> bool:
    """Whether a consent in force already says all that this one would say."""
    held = subject.consent_for(purpose, asked.now)
    if held is None or held.since > asked.at or (separate and not held.separate) or held.by_guardian != by_guardian:
        return False
    lapses = _lapses(asked, [purpose]).get(purpose)
    if held.lapses is not None and (lapses is None or lapses > held.lapses):
        return False  # it would last longer
    return not asked.policy.consented_scope(purpose).is_wider_than(held.scope)


def _lapses(asked: Asked, purposes: Sequence[str]) -> dict[str, datetime]:
    lasting = ((purpose, asked.policy.purposes[purpose].consent_lasts) for purpose in purposes)
    return {purpose: period.due(asked.at, asked.policy.time_zone) for purpose, period in lasting if period is not None}


def refuse_consent(subject: Subject, asked: Asked, *, purposes: Sequence[str], notice: str, channel: str) -> Decision:
    open_record(subject)
    shown = version_shown(asked, notice)
    told = told_by_showing(subject, asked, shown, channel)
    known_purposes(shown, purposes)
    known_channel(shown, channel)
    in_force = [purpose for purpose in purposes if subject.consent_for(purpose, asked.now)]
    if in_force:
        raise r.ConsentInForce(in_force)
    fresh = tuple(purpose for purpose in dict.fromkeys(purposes) if purpose not in subject.refusals)
    if not fresh:
        return Decision(told)
    refused = e.ConsentRefused(occurred_at=asked.at, purposes=fresh, notice=notice, channel=channel)
    return Decision((*told, refused))


def withdraw_consent(subject: Subject, asked: Asked, *, purposes: Sequence[str], channel: str) -> Decision:
    """End consents and the grounds that stand on them; no purposes means all. Policy clause 7.5.

    What was agreed to can be taken back also where only another version names it.
    """
    open_record(subject)
    agreed = {consent.purpose for consent in subject.consents}
    known_purposes(asked.policy, [purpose for purpose in purposes if purpose not in agreed])
    known_channel(asked.policy, channel)
    affected = {purpose for purpose in _withdrawable(subject, asked) if not purposes or purpose in purposes}
    if not affected:
        return NOTHING
    touched = [
        holding.id
        for holding in subject.kept()
        if any(g.ended is None and g.basis is LegalBasis.CONSENT and g.purpose in affected for g in holding.grounds)
    ]
    withdrawn = e.ConsentWithdrawn(occurred_at=asked.at, purposes=tuple(sorted(affected)), channel=channel)
    return ended(subject, asked, withdrawn, touched, "withdrawal")


def _withdrawable(subject: Subject, asked: Asked) -> set[str]:
    """Purposes with a consent, or, where its term is over already, with a ground that it began."""
    given = {c.purpose for c in subject.consents if c.ended is None}
    older = {c.purpose for c in subject.consents if c.ended is None and c.since <= asked.at}
    grounds = [g for h in subject.kept() for g in subject.live_grounds(h, asked.now)]
    return older | {g.purpose for g in grounds if g.basis is LegalBasis.CONSENT and g.purpose not in given}


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


def required_consent(subject: Subject, asked: Asked, purpose: str, sensitive: Sequence[str]) -> None:
    """Refuse a collection for `purpose` unless a consent carries it at `at` and one carries it now: wide enough, given
    by the right person (settled rules 19, 30, 31). The refusal names what the newest consent lacks."""
    for instant in dict.fromkeys((asked.at, asked.now)):
        given = [c for c in subject.consents if c.purpose == purpose and c.in_force(instant)]
        if not given:
            raise r.ConsentMissing(purpose)
        newest_first = sorted(given, key=lambda consent: consent.since, reverse=True)
        lacks = [_lack(consent, asked, purpose, sensitive) for consent in newest_first]
        if lacks[0] is not None and None not in lacks:
            raise lacks[0]


def _lack(consent: Consent, asked: Asked, purpose: str, sensitive: Sequence[str]) -> Refused | None:
    if asked.policy.consented_scope(purpose).is_wider_than(consent.scope):
        return r.ConsentMissing(purpose, "covers what the policy now says; it is wider than what was agreed to")
    if asked.is_minor and not consent.by_guardian:
        return r.GuardianMissing()
    if asked.age is not None and not asked.is_minor and consent.by_guardian:
        return r.ConsentMissing(purpose, "was given by the person, who is now of age")
    if sensitive and not consent.separate:
        return r.SeparateConsentMissing(purpose, sensitive)
    return None
