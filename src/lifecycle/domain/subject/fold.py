"""How each fact changes the state, one small function a kind. Folded in version order (settled rule 19)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from lifecycle.domain.event import DomainEvent, Recorded
from lifecycle.domain.subject import (
    access_tokens,
    custody_changes,
    duty_fold,
    request_fold,
    revised,
    told_of_incidents,
    transfer_fold,
)
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.outgoing_fold import CHANGES as OUTGOING
from lifecycle.domain.subject.state import Consent, Generation, Ground, Hold, Holding, Restriction, Share, Subject
from lifecycle.domain.subject.technologies import ConsentObject
from lifecycle.policy.vocabulary import CountsFrom, LegalBasis, RecipientKind

MINORS = "protection-of-minors"
"""The purpose of the ground on a birth date (settled rule 31)."""

TERM_OVER = "term-over"
"""Why a consent expired that had a term of its own."""


def replay(subject: Subject | None, events: Iterable[Recorded]) -> Subject | None:
    """Fold stored events onto a state; this is the projector function of the eventsourcing library."""
    for recorded in events:
        subject = fold(subject or Subject(recorded.originator_id), recorded.event, recorded.recorded_at)
    return subject


def fold(subject: Subject, event: DomainEvent, recorded_at: datetime) -> Subject:
    """Return the state after one more fact; facts that change nothing here still count as versions."""
    subject = subject.grown(recorded_at)
    change = _CHANGES.get(type(event))
    return change(subject, event, recorded_at) if change else subject


def born(subject_id: UUID) -> Subject:
    return Subject(subject_id)


# -- identity, notices ------------------------------------------------------------------------------------------


def _registered(subject: Subject, event: e.SubjectRegistered, _: datetime) -> Subject:
    return subject.changed(access_sid=event.access_sid)


def _linked(subject: Subject, event: e.IdentifierLinked, _: datetime) -> Subject:
    return subject.changed(identifiers={**subject.identifiers, event.identifier: event.type})


def _unlinked(subject: Subject, event: e.IdentifierUnlinked, _: datetime) -> Subject:
    left = {id: type for id, type in subject.identifiers.items() if id != event.identifier}
    return subject.changed(identifiers=left)


def _guardian(subject: Subject, event: e.GuardianRecorded, _: datetime) -> Subject:
    return subject.changed(guardians=subject.guardians | {event.guardian})


def _birth_date(subject: Subject, event: e.BirthDateRecorded, _: datetime) -> Subject:
    at = event.occurred_at
    ground = Ground(1, MINORS, LegalBasis.LEGAL_DUTY, at, at, event.rule)
    holding = Holding(event.holding, event.category, "", at, (ground,), (Generation(subject.version, at),))
    return subject.with_holdings([holding]).changed(birth_date=event.holding)


def _notice(subject: Subject, event: e.NoticeGiven, recorded_at: datetime) -> Subject:
    told = {event.notice: recorded_at, **subject.told}
    return subject.changed(notices=subject.notices | {(event.notice, event.channel)}, told=told)


def _accepted(subject: Subject, event: e.PolicyAccepted, _: datetime) -> Subject:
    return subject.changed(acceptances=subject.acceptances | {event.notice})


def _language(subject: Subject, event: e.LanguageStated, _: datetime) -> Subject:
    return subject.changed(language=event.language)


# -- consent ----------------------------------------------------------------------------------------------------


def _consented(subject: Subject, event: e.ConsentGiven, _: datetime) -> Subject:
    objects = [ConsentObject(purpose, t) for t in event.technologies or (None,) for purpose in event.purposes]
    agreed = [one for one in objects if one.key in event.scopes]
    if {one.purpose for one in agreed} != set(event.purposes):
        raise KeyError("scopes")  # a consent to nothing: no program of ours wrote this
    given = tuple(
        Consent(
            purpose=one.purpose,
            since=event.occurred_at,
            scope=event.scopes[one.key],
            notice=event.notice,
            separate=event.separate,
            by_guardian=event.by_guardian,
            lapses=event.lapses.get(one.key),
            technology=one.technology,
        )
        for one in agreed
    )
    answered = {one.key for one in agreed}
    refusals = {key: at for key, at in subject.refusals.items() if key not in answered}
    return subject.changed(consents=(*subject.consents, *given), refusals=refusals)


def _refused(subject: Subject, event: e.ConsentRefused, _: datetime) -> Subject:
    refused = [ConsentObject(purpose, t).key for t in event.technologies or (None,) for purpose in event.purposes]
    return subject.changed(refusals={**subject.refusals, **dict.fromkeys(refused, event.occurred_at)})


def _withdrawn(subject: Subject, event: e.ConsentWithdrawn, _: datetime) -> Subject:
    """Consents, and the grounds that stand on them, end at the moment of withdrawal; other bases stay, and so does what
    a consent carries that was given after it."""
    at = event.occurred_at
    named = event.technologies

    def meant(consent: Consent) -> bool:
        return consent.since <= at and (named is None or consent.technology in named)

    subject = _end_consents(subject, event.purposes, "withdrawn", at, meant)

    def fallen(ground: Ground) -> bool:
        of_these = ground.purpose in event.purposes and (named is None or ground.technology in named)
        return of_these and ground.basis is LegalBasis.CONSENT and not carried_since(subject, ground, at)

    return subject.with_holdings(
        _end_grounds(subject, holding, "consent-withdrawn", at, fallen) for holding in subject.kept()
    )


def carried_since(subject: Subject, ground: Ground, at: datetime) -> bool:
    """Whether a consent carries the ground that was given after `at`, and not taken back: a withdrawal of that day does
    not touch it, not even when the term of the consent is over by the time that it is told."""
    return any(
        (consent.purpose, consent.technology) == (ground.purpose, ground.technology)
        and consent.ended in (None, TERM_OVER)
        and at < consent.since <= ground.counted_from
        for consent in subject.consents
    )


def _consent_expired(subject: Subject, event: e.ConsentExpired | e.ConsentInvalidated, _: datetime) -> Subject:
    at = event.occurred_at
    expired = event if isinstance(event, e.ConsentExpired) else None
    technologies = None if expired is None else expired.technologies
    notices = None if expired is None else expired.notices

    def over(consent: Consent) -> bool:
        meant = technologies is None or consent.technology in technologies
        meant = meant and (notices is None or consent.notice in notices)
        return meant and (event.because != TERM_OVER or (consent.lapses is not None and consent.lapses <= at))

    return _end_consents(subject, event.purposes, event.because, at, over)


def _end_consents(
    subject: Subject, purposes: tuple[str, ...], because: str, at: datetime, which: Callable[[Consent], bool]
) -> Subject:
    consents = tuple(
        replace(consent, until=max(at, consent.since), ended=because)
        if consent.ended is None and consent.purpose in purposes and which(consent)
        else consent
        for consent in subject.consents
    )
    return subject.changed(consents=consents)


# -- collection, activity, ends of grounds ------------------------------------------------------------------------


def _collected(subject: Subject, event: e.PersonalDataCollected, recorded_at: datetime) -> Subject:
    subject = _freeze_due(subject, event.purpose, recorded_at)
    at, copies = event.occurred_at, _copies(event)
    holdings = dict(subject.holdings)
    if event.new:
        grounds, generations = (_ground(event, 1),), (Generation(subject.version, at),)
        for new in event.new:
            holdings[new.holding] = Holding(
                new.holding,
                new.category,
                event.source,
                at,
                grounds,
                generations,
                shares=copies,
                held_by=event.held_by,
            )
    for id in event.further:
        held = holdings[id]
        given = held._replace(shares=(*held.shares, *copies)) if copies else held
        holdings[id] = _with_ground(subject, given, event, recorded_at)
    return subject.changed(holdings=holdings, activity=_activity_with(subject, event.purpose, at))


def _copies(event: e.PersonalDataCollected) -> tuple[Share, ...]:
    """Who collects for us, and who keeps for us, has a copy. Policy clause 2."""
    copies: tuple[Share, ...] = ()
    if event.technology is not None:
        copies = (Share(event.technology, event.occurred_at, RecipientKind.TECHNOLOGY, purpose=event.purpose),)
    if event.held_by is not None:
        copies = (*copies, Share(event.held_by, event.occurred_at, RecipientKind.SYSTEM))
    return copies


def _ground(event: e.PersonalDataCollected, number: int) -> Ground:
    at = event.occurred_at
    return Ground(number, event.purpose, event.basis, at, at, event.rule, event.minimum, technology=event.technology)


def _with_ground(subject: Subject, holding: Holding, event: e.PersonalDataCollected, recorded_at: datetime) -> Holding:
    """Renew the live ground of the same purpose, basis and technology, or begin another (settled rule 20)."""
    for place, ground in enumerate(holding.grounds):
        same = ground.purpose == event.purpose and ground.basis is event.basis
        if (
            same
            and ground.technology == event.technology
            and ground.ended is None
            and subject.is_live(ground, recorded_at)
        ):
            counted = max(ground.counted_from, event.occurred_at)
            renewed = ground._replace(counted_from=counted, rule=event.rule, minimum=event.minimum, limits=())
            return holding._replace(grounds=(*holding.grounds[:place], renewed, *holding.grounds[place + 1 :]))
    # An equal value was collected earlier than was known: it is held since then.
    since = min(holding.since, event.occurred_at)
    grounds = (*holding.grounds, _ground(event, len(holding.grounds) + 1))
    return holding._replace(since=since, grounds=grounds, kept_by=frozenset())


def _activity(subject: Subject, event: e.ActivityRecorded, recorded_at: datetime) -> Subject:
    purpose = event.purpose
    subject = _freeze_due(subject, purpose, recorded_at)
    return subject.changed(activity=_activity_with(subject, purpose, event.occurred_at))


def _activity_with(subject: Subject, purpose: str, at: datetime) -> dict[str, datetime]:
    latest = subject.activity.get(purpose)
    return {**subject.activity, purpose: at if latest is None or latest < at else latest}


def _freeze_due(subject: Subject, purpose: str, recorded_at: datetime) -> Subject:
    """Fix the end of grounds that are due already, so that activity after the due instant never revives them."""
    if subject.is_quiet(purpose, recorded_at):
        return subject
    changed = []
    for holding in subject.kept():
        grounds = tuple([_frozen(subject, ground, purpose, recorded_at) for ground in holding.grounds])
        if grounds != holding.grounds:
            changed.append(holding._replace(grounds=grounds))
    return subject.with_holdings(changed) if changed else subject


def _frozen(subject: Subject, ground: Ground, purpose: str, recorded_at: datetime) -> Ground:
    if ground.purpose != purpose:
        return ground
    rules = (ground.rule, *(limit.rule for limit in ground.limits))
    if not any(rule.counts_from is CountsFrom.LAST_ACTIVITY for rule in rules):
        return ground
    end = subject.end_of(ground)
    return ground if end is None or end > recorded_at else ground._replace(until=end)


def _ended(subject: Subject, event: e.GroundEnded, _: datetime) -> Subject:
    named: dict[str, set[int]] = {}
    for ref in event.grounds:
        named.setdefault(ref.holding, set()).add(ref.ground)
    return subject.with_holdings(
        _end_grounds(subject, subject.holdings[id], event.because, event.occurred_at, _numbered(numbers))
        for id, numbers in named.items()
    )


def _numbered(numbers: set[int]) -> Callable[[Ground], bool]:
    return lambda ground: ground.number in numbers


def _end_grounds(
    subject: Subject, holding: Holding, because: str, at: datetime, which: Callable[[Ground], bool]
) -> Holding:
    """End the chosen open grounds at `at`; one that time had ended before keeps its earlier end."""

    def ended(ground: Ground) -> Ground:
        if ground.ended is not None or not which(ground):
            return ground
        end = subject.end_of(ground)
        until = at if end is None else min(at, end)
        return ground._replace(until=max(until, ground.since), ended=because)

    return holding._replace(grounds=tuple(ended(ground) for ground in holding.grounds))


def _expired(subject: Subject, event: e.RetentionExpired, _: datetime) -> Subject:
    holding = subject.holdings[event.holding]
    grounds = tuple(
        ground._replace(until=event.due, ended="retention-expired") if ground.number == event.ground else ground
        for ground in holding.grounds
    )
    return subject.with_holdings([holding._replace(grounds=grounds)])


# -- correction, sharing ------------------------------------------------------------------------------------------


def _corrected(subject: Subject, event: e.PersonalDataCorrected | e.PersonalDataSupplemented, _: datetime) -> Subject:
    generation = Generation(subject.version, event.occurred_at)
    return subject.with_holdings(
        subject.holdings[id]._replace(generations=(*subject.holdings[id].generations, generation))
        for id in event.holdings
    )


def _added(subject: Subject, event: e.MissingDataAdded, _: datetime) -> Subject:
    """The period counts on as it began: completing what is there prolongs nothing."""
    at, beside = event.occurred_at, subject.holdings[event.joins.holding]
    (joined,) = (ground for ground in beside.grounds if ground.number == event.joins.ground)
    ground = joined._replace(number=1, since=max(at, joined.since))
    generation = Generation(subject.version, at)
    return subject.with_holdings([Holding(event.holding, event.category, beside.source, at, (ground,), (generation,))])


def _annotated(subject: Subject, event: e.CorrectionAnnotated, _: datetime) -> Subject:
    note = Generation(subject.version, event.occurred_at)
    return subject.with_holdings(
        subject.holdings[id]._replace(annotations=(*subject.holdings[id].annotations, note)) for id in event.holdings
    )


def _shared(subject: Subject, event: e.PersonalDataShared, _: datetime) -> Subject:
    share = Share(event.trustee, event.occurred_at, purpose=event.purpose, agreement=event.agreement)
    return subject.with_holdings(
        subject.holdings[id]._replace(shares=(*subject.holdings[id].shares, share)) for id in event.holdings
    )


# -- holds, restriction, erasure ----------------------------------------------------------------------------------


def _held(subject: Subject, event: e.LegalHoldPlaced, _: datetime) -> Subject:
    """A hold that is placed again, or on more, is a second interval; what the first covered is not forgotten."""
    hold = Hold(event.hold, frozenset(event.categories), event.occurred_at)
    key = event.hold if event.hold not in subject.holds else f"{event.hold}/{subject.version}"
    return subject.changed(holds={**subject.holds, key: hold})


def _released(subject: Subject, event: e.LegalHoldReleased, _: datetime) -> Subject:
    def released(hold: Hold) -> Hold:
        over = hold.reference != event.hold or hold.until is not None
        return hold if over else replace(hold, until=max(event.occurred_at, hold.since))

    return subject.changed(holds={key: released(hold) for key, hold in subject.holds.items()})


def _restricted(subject: Subject, event: e.ProcessingRestricted, _: datetime) -> Subject:
    def restricted(holding: Holding) -> Holding:
        if event.because != "asked":
            return holding._replace(kept_by=holding.kept_by | {event.because})
        restriction = Restriction(event.occurred_at, event.until, event.by_law, event.law_reference)
        return holding._replace(restrictions=(*holding.restrictions, restriction))

    return subject.with_holdings(restricted(subject.holdings[id]) for id in event.holdings)


def _lifted(subject: Subject, event: e.RestrictionLifted, _: datetime) -> Subject:
    at = event.occurred_at

    def lifted(restriction: Restriction) -> Restriction:
        over = restriction.until is not None and restriction.until <= at
        return restriction if over else replace(restriction, until=max(at, restriction.since), over=True)

    return subject.with_holdings(
        subject.holdings[id]._replace(restrictions=tuple(map(lifted, subject.holdings[id].restrictions)))
        for id in event.holdings
    )


def _ordered(subject: Subject, event: e.ErasureOrdered, recorded_at: datetime) -> Subject:
    forgotten = {id: replace(subject.requests[id], words_gone=True) for id in event.holdings if id in subject.requests}
    subject = subject.changed(requests={**subject.requests, **forgotten})
    ids = [id for id in event.holdings if id not in forgotten]
    gone = [subject.holdings[id]._replace(erased_at=recorded_at, erased_by=subject.version) for id in ids]
    return subject.with_holdings(gone).changed(erasure="ordered" if event.whole else subject.erasure)


def _completed(subject: Subject, event: e.ErasureCompleted, _: datetime) -> Subject:
    done = [each for each in subject.holdings.values() if each.erased_by == event.order and each.obstructed_at]
    subject = subject.with_holdings(each._replace(obstructed_at=None) for each in done)
    return subject.changed(erasure="completed", identifiers={}) if event.whole else subject


def _finalised(subject: Subject, event: e.ErasureFinalised, _: datetime) -> Subject:
    return subject.changed(erasure="finalised") if subject.erasure == "completed" else subject


_CHANGES: dict[type[DomainEvent], Callable[[Subject, Any, datetime], Subject]] = {
    e.SubjectRegistered: _registered,
    e.IdentifierLinked: _linked,
    e.IdentifierUnlinked: _unlinked,
    e.GuardianRecorded: _guardian,
    e.BirthDateRecorded: _birth_date,
    e.NoticeGiven: _notice,
    e.PolicyAccepted: _accepted,
    e.LanguageStated: _language,
    e.ConsentGiven: _consented,
    e.ConsentRefused: _refused,
    e.ConsentWithdrawn: _withdrawn,
    e.ConsentExpired: _consent_expired,
    e.ConsentInvalidated: _consent_expired,
    e.PersonalDataCollected: _collected,
    e.ActivityRecorded: _activity,
    e.GroundEnded: _ended,
    e.RetentionExpired: _expired,
    e.PersonalDataCorrected: _corrected,
    e.PersonalDataSupplemented: _corrected,
    e.MissingDataAdded: _added,
    e.CorrectionAnnotated: _annotated,
    e.PersonalDataShared: _shared,
    e.LegalHoldPlaced: _held,
    e.LegalHoldReleased: _released,
    e.ProcessingRestricted: _restricted,
    e.RestrictionLifted: _lifted,
    e.ErasureOrdered: _ordered,
    e.ErasureCompleted: _completed,
    e.ErasureFinalised: _finalised,
    **OUTGOING,
    **custody_changes.CHANGES,
    **request_fold.CHANGES,
    **access_tokens.CHANGES,
    **duty_fold.CHANGES,
    **transfer_fold.CHANGES,
    **told_of_incidents.CHANGES,
    **revised.CHANGES,
}
