"""Ends of purposes and requests for deletion: which grounds end, and what follows for each holding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.consent import ended
from lifecycle.domain.subject.settling import Unfolding, effects_of, over, settle
from lifecycle.domain.subject.state import Ground, Holding, Subject
from lifecycle.domain.subject.wording import known_categories, known_purposes, open_record
from lifecycle.policy.vocabulary import EndReason, ErasureGround, LegalBasis

Ending = e.ConsentWithdrawn | e.ConsentExpired | e.ConsentInvalidated


def end_purpose(subject: Subject, asked: Asked, *, purpose: str, reason: EndReason) -> Decision:
    """`contract-ended` ends what stood on the contract; any other end of a purpose ends all but legal duties
    (settled rule 22), and the consent to it with them."""
    open_record(subject)
    known_purposes(asked.policy, [purpose])
    by_contract = reason is EndReason.CONTRACT_ENDED

    def is_over(_: Holding, ground: Ground) -> bool:
        if ground.purpose != purpose:
            return False
        return ground.basis is LegalBasis.CONTRACT if by_contract else ground.basis is not LegalBasis.LEGAL_DUTY

    refs = _open_refs(subject, is_over)
    consents = () if by_contract else _open_consents(subject, [purpose])
    expired = [e.ConsentExpired(occurred_at=asked.at, purposes=consents, because=reason)] if consents else []
    if not refs:
        return Decision(tuple(expired))
    ending = e.GroundEnded(occurred_at=asked.at, grounds=refs, because=reason)
    return ended(subject, asked, ending, _holdings(refs), reason, before=expired)


def erase(
    subject: Subject,
    asked: Asked,
    *,
    ground: ErasureGround,
    categories: Sequence[str],
    purposes: Sequence[str],
) -> Decision:
    """A request for deletion on one of the grounds of clause 7.3; never refused for a hold or a minimum: what has to
    stay is restricted, and the effects say so (settled rule 25)."""
    if subject.erasure is not None:
        return NOTHING  # it is so already: clause 7.3 asked twice
    known_categories(asked.policy, categories)
    known_purposes(asked.policy, purposes)

    def asked_for(holding: Holding, held: Ground) -> bool:
        if held.basis is LegalBasis.LEGAL_DUTY:
            return False
        if ground is ErasureGround.CONSENT_WITHDRAWN and held.basis is not LegalBasis.CONSENT:
            return False
        return (not categories or holding.category in categories) and (not purposes or held.purpose in purposes)

    touched = _touched(subject.kept(), categories, purposes)
    refs = _open_refs(subject, asked_for)
    whole = not categories and not purposes and ground is not ErasureGround.PURPOSE_OVER
    before = [] if categories else _consents_over(subject, asked, ground, purposes)
    if refs:
        ending = e.GroundEnded(occurred_at=asked.at, grounds=refs, because=ground)
        return ended(subject, asked, ending, touched, ground, before=before, whole=whole)
    named = _touched(subject.holdings.values(), categories, purposes)
    return _without_grounds(subject, asked, ground, before, named, whole)


def _without_grounds(
    subject: Subject,
    asked: Asked,
    ground: ErasureGround,
    before: Sequence[Ending],
    touched: Sequence[str],
    whole: bool,
) -> Decision:
    """Nothing is left to end: only consents, or the person altogether; a repeat gives the same effects again."""
    if subject.version == 0:
        return NOTHING
    unfolding = Unfolding(subject, asked.now)
    overdue = over(unfolding, asked.policy.time_zone)
    for event in before:
        unfolding.add(event)
    settle(unfolding, ground, whole, overdue)
    return unfolding.decided(effects_of(subject, unfolding.subject, touched, asked.now))


def _touched(holdings: Iterable[Holding], categories: Sequence[str], purposes: Sequence[str]) -> list[str]:
    return [
        holding.id
        for holding in holdings
        if (not categories or holding.category in categories)
        and (not purposes or any(ground.purpose in purposes for ground in holding.grounds))
    ]


def _open_refs(subject: Subject, over: Callable[[Holding, Ground], bool]) -> tuple[e.GroundRef, ...]:
    return tuple(
        e.GroundRef(holding=holding.id, ground=ground.number)
        for holding in subject.kept()
        for ground in holding.grounds
        if ground.ended is None and over(holding, ground)
    )


def _holdings(refs: Sequence[e.GroundRef]) -> list[str]:
    return list(dict.fromkeys(ref.holding for ref in refs))


def _open_consents(subject: Subject, purposes: Sequence[str]) -> tuple[str, ...]:
    """Purposes with a consent that has not ended; no purposes means all."""
    return tuple(
        sorted({c.purpose for c in subject.consents if c.ended is None and (not purposes or c.purpose in purposes)})
    )


def _consents_over(subject: Subject, asked: Asked, ground: ErasureGround, purposes: Sequence[str]) -> list[Ending]:
    """Whoever asks for deletion no longer consents; how the consent ended depends on the ground."""
    consents = _open_consents(subject, purposes)
    if not consents:
        return []
    if ground is ErasureGround.CONSENT_WITHDRAWN:
        return [e.ConsentWithdrawn(occurred_at=asked.at, purposes=consents)]
    if ground in (ErasureGround.PURPOSE_OVER, ErasureGround.SERVICE_OR_PERIOD_OVER):
        return [e.ConsentExpired(occurred_at=asked.at, purposes=consents, because=ground)]
    return [e.ConsentInvalidated(occurred_at=asked.at, purposes=consents, because=ground)]
