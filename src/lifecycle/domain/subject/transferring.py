"""One person in a transfer to another controller: told first, then transferred, then gone from here. Clause 3.2."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import transfer_events as t
from lifecycle.domain.subject.refusals import UnknownSubject
from lifecycle.domain.subject.settling import Unfolding, effects_of, over, settle
from lifecycle.domain.subject.state import Ground, Holding, Subject
from lifecycle.domain.subject.wording import known_channel, recorded_here
from lifecycle.domain.transfer.refusals import TransferNoticeMissing
from lifecycle.domain.transfer.transfer import Act, Status, Transfer, allowed
from lifecycle.policy.vocabulary import LegalBasis

TRANSFERRED = "transferred"
"""Why grounds and consents end here, and the ground of the erasure, once the recipient has confirmed."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a person goes: `moved` altogether, of `copied` a ground stays here."""

    moved: tuple[Holding, ...]
    copied: tuple[Holding, ...]
    consented: bool

    @property
    def is_empty(self) -> bool:
        return not (self.moved or self.copied or self.consented)


def scope_of(subject: Subject, transfer: Transfer, now: datetime) -> Scope:
    kept = [holding for holding in subject.kept() if holding.transferred_at is None]
    if transfer.purposes is None:
        return Scope(tuple(kept), (), consented=True)  # the record goes, whatever is in it
    of_age = [holding for holding in kept if holding.id == subject.birth_date]
    parts = [(h, _reasons(subject, h, now)) for h in kept if h not in of_age]
    moved = tuple(h for h, grounds in parts if grounds and all(transfer.covers(g.purpose) for g in grounds))
    copied = [h for h, grounds in parts if h not in moved and any(transfer.covers(g.purpose) for g in grounds)]
    consented = any(c.in_force(now) and transfer.covers(c.purpose) for c in subject.consents)
    if moved or copied or consented:
        copied += of_age  # whoever processes has to know whether it is a minor's
    return Scope(moved, tuple(copied), consented)


def _reasons(subject: Subject, holding: Holding, now: datetime) -> tuple[Ground, ...]:
    """Its live grounds; of what law or a hold keeps, the grounds that it had."""
    return subject.live_grounds(holding, now) or holding.grounds


def notify(subject: Subject, asked: Asked, *, transfer: Transfer, channel: str) -> Decision:
    """Record that the person was told who takes over and how to reach them."""
    _known(subject)
    allowed(transfer, Act.NOTIFY)
    known_channel(asked.policy, channel)
    if transfer.name_id in subject.transfers or scope_of(subject, transfer, asked.now).is_empty:
        return NOTHING
    told = t.SubjectTransferNotified(
        occurred_at=asked.at,
        transfer=transfer.name_id,
        cause=transfer.cause,
        channel=channel,
        announced=transfer.version,
    )
    return Decision((told,))


def _known(subject: Subject) -> None:
    recorded_here(subject)
    if subject.version == 0:
        raise UnknownSubject  # a transfer registers nobody


def transfer(subject: Subject, asked: Asked, *, transfer: Transfer) -> Decision:
    """The person's data goes, after the person was told; nothing happens if nothing of theirs is in scope."""
    _known(subject)
    if transfer.status is not Status.UNKNOWN and transfer.name_id not in subject.transfers:
        if scope_of(subject, transfer, asked.now).is_empty:
            return NOTHING
        raise TransferNoticeMissing
    told = subject.transfers.get(transfer.name_id)
    if told is not None and told.transferred_at is not None:
        return NOTHING
    allowed(transfer, Act.TRANSFER)
    unfolding = Unfolding(subject, asked.now)
    over(unfolding, asked.policy.time_zone)
    settle(unfolding, "retention")
    going = scope_of(unfolding.subject, transfer, asked.now)
    if going.is_empty:
        return unfolding.decided()
    unfolding.add(
        t.SubjectTransferred(
            occurred_at=asked.at,
            transfer=transfer.name_id,
            holdings=tuple(holding.id for holding in going.moved),
            copied=tuple(holding.id for holding in going.copied),
            whole=transfer.purposes is None,
        )
    )
    refs = _refs(going.copied, lambda ground: transfer.covers(ground.purpose))
    if refs:
        unfolding.add(e.GroundEnded(occurred_at=asked.at, grounds=refs, because=TRANSFERRED))
    return unfolding.decided()


def _refs(holdings: Iterable[Holding], which: Callable[[Ground], bool]) -> tuple[e.GroundRef, ...]:
    return tuple(
        e.GroundRef(holding=holding.id, ground=ground.number)
        for holding in holdings
        for ground in holding.grounds
        if ground.ended is None and which(ground)
    )


def leave(subject: Subject, asked: Asked, *, transfer: Transfer) -> Decision:
    """The recipient has confirmed: what went is destroyed here. What a statutory period or a hold of ours still keeps
    stays in storage only, and goes by itself when that ends."""
    told = subject.transfers.get(transfer.name_id)
    if subject.erasure is not None or told is None or told.transferred_at is None:
        return NOTHING
    if not allowed(transfer, Act.LEAVE):
        return NOTHING
    unfolding = Unfolding(subject, asked.now)
    overdue = over(unfolding, asked.policy.time_zone)
    consents = _consents_over(unfolding.subject, transfer)
    if consents:
        unfolding.add(e.ConsentExpired(occurred_at=asked.now, purposes=consents, because=TRANSFERRED))
    went = [h for h in unfolding.subject.kept() if h.id in told.holdings]
    refs = _refs(went, lambda ground: ground.basis is not LegalBasis.LEGAL_DUTY)
    if refs:
        unfolding.add(e.GroundEnded(occurred_at=asked.now, grounds=refs, because=TRANSFERRED))
    settle(unfolding, TRANSFERRED, whole=told.whole, overdue=overdue)
    if not unfolding.events:
        return NOTHING
    return unfolding.decided(effects_of(subject, unfolding.subject, [h.id for h in went], asked.now))


def _consents_over(subject: Subject, transfer: Transfer) -> tuple[str, ...]:
    return tuple(sorted({c.purpose for c in subject.consents if c.ended is None and transfer.covers(c.purpose)}))
