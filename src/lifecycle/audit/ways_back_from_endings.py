"""From what ended back to what was asked to end: neither an end of purpose nor a request for deletion is recorded in
the words of its command, only by the grounds, consents and holdings that it touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lifecycle.audit.past import Past
from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.state import Ground, Holding
from lifecycle.policy.vocabulary import EndReason, ErasureGround, LegalBasis

Fields = dict[str, Any]


def end_purpose(past: Past) -> Iterator[Fields]:
    acts = past.acts
    if not all(isinstance(act, e.ConsentExpired | e.GroundEnded) for act in acts):
        return
    said = [because for act in acts if isinstance(because := getattr(act, "because", None), str)]
    reasons = [reason for reason in EndReason if not said or said[0] == reason]
    for purpose in dict.fromkeys(_purposes_ended(past)):
        for reason in reasons:
            yield {"at": acts[0].occurred_at if acts else past.now, "purpose": purpose, "reason": reason}


def _purposes_ended(past: Past) -> Iterator[str]:
    for event in past.events:
        if isinstance(event, e.ConsentExpired):
            yield from event.purposes
        if isinstance(event, e.GroundEnded):
            yield from (ground.purpose for _, ground in _grounds(past, event))
        if isinstance(event, e.RetentionExpired):
            yield event.purpose


def _grounds(past: Past, ended: e.GroundEnded) -> Iterator[tuple[Holding, Ground]]:
    named = {(ref.holding, ref.ground) for ref in ended.grounds}
    for holding in past.subject.kept():
        yield from ((holding, ground) for ground in holding.grounds if (holding.id, ground.number) in named)


_ENDINGS = e.ConsentWithdrawn | e.ConsentExpired | e.ConsentInvalidated | e.GroundEnded


def erase(past: Past) -> Iterator[Fields]:
    acts = past.acts
    if not all(isinstance(act, _ENDINGS) and getattr(act, "channel", None) is None for act in acts):
        return
    at = acts[0].occurred_at if acts else past.now
    for ground in _erasure_grounds(past):
        for categories, purposes in dict.fromkeys(_scopes(past, ground)):
            if purposes or ground is not ErasureGround.PURPOSE_OVER:
                yield {"at": at, "ground": ground, "categories": categories, "purposes": purposes}


def _erasure_grounds(past: Past) -> list[ErasureGround]:
    """Those that the events say; if time had ended everything before, any."""
    said = {getattr(event, "because", getattr(event, "ground", None)) for event in past.events}
    if any(isinstance(act, e.ConsentWithdrawn) for act in past.acts):
        said.add(ErasureGround.CONSENT_WITHDRAWN)
    return [ground for ground in ErasureGround if ground in said] or ([] if past.acts else list(ErasureGround))


Scope = tuple[tuple[str, ...], tuple[str, ...]]  # categories, purposes; none means all


def _scopes(past: Past, ground: ErasureGround) -> Iterator[Scope]:
    """What may have been named. Of purposes the most that fit: any that were named are among them, and those besides
    change nothing."""
    told = {effect.holding for event in past.events for effect in getattr(event, "effects", ())}
    everything = past.subject.holdings
    categories = tuple(sorted({everything[id].category for id in told if id in everything}))
    yield (), ()
    for named in dict.fromkeys((categories, ())):
        yield named, ()
        yield named, _most(past, ground, named, told, past.subject.kept(), ended=True)
        yield named, _most(past, ground, named, told, everything.values(), ended=False)
    if not told:
        yield from _untouched(past)


def _most(
    past: Past,
    ground: ErasureGround,
    categories: tuple[str, ...],
    told: set[str],
    holdings: Iterable[Holding],
    *,
    ended: bool,
) -> tuple[str, ...]:
    """Every purpose whose holdings were all touched, whose open grounds ended (or that had none), and whose consents
    did."""
    over = {(ref.holding, ref.ground) for event in past.events for ref in _refs(event)} if ended else set()
    consents = {purpose for act in past.acts for purpose in getattr(act, "purposes", ())}
    fallen = any(isinstance(act, e.ConsentWithdrawn) for act in past.acts)  # and the grounds that stood on it, by it

    def fits(purpose: str) -> bool:
        meant = [
            (holding, held)
            for holding in holdings
            for held in holding.grounds
            if held.purpose == purpose and (not categories or holding.category in categories)
        ]
        left = [
            held
            for holding, held in meant
            if _asked_for(ground, held) and holding.erased_at is None and (holding.id, held.number) not in over
            if not (fallen and purpose in consents and held.basis is LegalBasis.CONSENT)
        ]
        consented = any(c.purpose == purpose and c.ended is None for c in past.subject.consents)
        return (
            not left
            and all(holding.id in told for holding, _ in meant)
            and (bool(categories) or not consented or purpose in consents)
        )

    return tuple(purpose for purpose in past.policy.purposes if fits(purpose))


def _asked_for(ground: ErasureGround, held: Ground) -> bool:
    if ground is ErasureGround.CONSENT_WITHDRAWN:
        return held.ended is None and held.basis is LegalBasis.CONSENT
    return held.ended is None and held.basis is not LegalBasis.LEGAL_DUTY


def _refs(event: DomainEvent) -> Iterator[e.GroundRef]:
    if isinstance(event, e.GroundEnded):
        yield from event.grounds
    if isinstance(event, e.RetentionExpired):
        yield e.GroundRef(holding=event.holding, ground=event.ground)


def _untouched(past: Past) -> Iterator[Scope]:
    """Nothing is told of any holding: what was named was not there, or time had ended it before."""
    held = {holding.category for holding in past.subject.holdings.values()}
    absent = [category for category in past.policy.categories if category not in held]
    if absent:
        yield (absent[0],), ()
    for category in past.policy.categories:
        serving = {
            ground.purpose
            for holding in past.subject.holdings.values()
            if holding.category == category
            for ground in holding.grounds
        }
        idle = [purpose for purpose in past.policy.purposes if purpose not in serving]
        if idle:
            yield (category,), (idle[0],)
            break
    for event in past.events:
        if isinstance(event, e.RetentionExpired) and event.holding in past.subject.holdings:
            yield (past.subject.holdings[event.holding].category,), (event.purpose,)
