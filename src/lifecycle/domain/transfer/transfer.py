"""A transfer to another controller: how far it is, and what may happen next with it. Policy clause 3.2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.event import DomainEvent, Personal, Withheld
from lifecycle.domain.subject.refusals import UnknownPurpose
from lifecycle.domain.transfer import events as e
from lifecycle.domain.transfer import refusals as r
from lifecycle.domain.transfer.cause import Cause
from lifecycle.policy.model import Policy

PROOF = b"lifecycle/handover-token/v1"


class Status(StrEnum):
    UNKNOWN = "unknown"
    ANNOUNCED = "announced"
    BEGUN = "begun"
    HANDED_OVER = "handed-over"
    CONFIRMED = "confirmed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Act(StrEnum):
    """What may be done with a transfer; some are commands of the doors, some the engine asks itself."""

    ANNOUNCE = "announce-transfer"
    NOTIFY = "notify-transfer"
    BEGIN = "begin-transfer"
    TRANSFER = "transfer"
    SKIP = "skip-in-transfer"
    HAND_OVER = "hand-over"
    CONFIRM = "confirm-transfer"
    LEAVE = "leave-transferred"
    COMPLETE = "complete-transfer"
    CANCEL = "cancel-transfer"


_UNDER_WAY = frozenset({Act.NOTIFY, Act.TRANSFER, Act.SKIP, Act.HAND_OVER})

ALLOWED: Mapping[Status, frozenset[Act]] = {
    Status.UNKNOWN: frozenset({Act.ANNOUNCE}),
    Status.ANNOUNCED: frozenset({Act.NOTIFY, Act.BEGIN, Act.CANCEL}),
    Status.BEGUN: _UNDER_WAY,
    Status.HANDED_OVER: _UNDER_WAY | {Act.CONFIRM},
    Status.CONFIRMED: frozenset({Act.LEAVE, Act.COMPLETE}),
    Status.COMPLETED: frozenset(),
    Status.CANCELLED: frozenset(),
}
"""The state machine. What is not here is refused, unless it is so already."""

ALREADY: frozenset[tuple[Status, Act]] = frozenset(
    {
        *((status, Act.ANNOUNCE) for status in Status if status is not Status.UNKNOWN),  # with the same terms
        *((status, Act.BEGIN) for status in (Status.BEGUN, Status.HANDED_OVER, Status.CONFIRMED, Status.COMPLETED)),
        (Status.CONFIRMED, Act.CONFIRM),
        (Status.COMPLETED, Act.CONFIRM),
        (Status.COMPLETED, Act.LEAVE),
        (Status.COMPLETED, Act.COMPLETE),
        (Status.CANCELLED, Act.CANCEL),
    }
)
"""Asked again, these are so already."""


@dataclass(frozen=True, slots=True)
class Handover:
    """One archive that was written: whose opening `proof` attests, as of which size of the log."""

    manifest: str
    size: int
    people: int
    proof: str


@dataclass(frozen=True, slots=True)
class Transfer:
    name_id: str
    version: int = 0
    status: Status = Status.UNKNOWN
    cause: str = ""
    country: str = ""
    purposes: tuple[str, ...] | None = None  # None: everything
    name: Personal[str | None] = field(default=Withheld.SEALED, repr=False)
    contact: Personal[str | None] = field(default=Withheld.SEALED, repr=False)
    skipped: int = 0  # people; who they are is in the events, and in no state: they may be very many
    handovers: tuple[Handover, ...] = ()
    confirmed: Handover | None = None
    announced_at: datetime | None = None

    def covers(self, purpose: str) -> bool:
        return self.purposes is None or purpose in self.purposes

    def calendar(self, policy: Policy) -> Sequence[tuple[datetime, str]]:
        return ()

    def fall_due(self, asked: Asked) -> Decision:
        return NOTHING

    def fold(self, event: DomainEvent) -> Transfer:  # noqa: PLR0911 -- one line a kind
        found = replace(self, version=self.version + 1)
        match event:
            case e.TransferAnnounced():
                return _announced(found, event)
            case e.TransferBegun():
                return replace(found, status=Status.BEGUN)
            case e.PeopleSkipped(skipped=skipped):
                return replace(found, skipped=self.skipped + len(skipped))
            case e.HandoverPrepared():
                made = Handover(event.manifest, event.size, event.people, event.proof)
                return replace(found, status=Status.HANDED_OVER, handovers=(*self.handovers, made))
            case e.TransferConfirmed(manifest=manifest):
                which = next(each for each in self.handovers if each.manifest == manifest)
                return replace(found, status=Status.CONFIRMED, confirmed=which)
            case e.TransferCompleted():
                return replace(found, status=Status.COMPLETED)
            case e.TransferCancelled():
                return replace(found, status=Status.CANCELLED)
            case _:
                return found


def _announced(found: Transfer, event: e.TransferAnnounced) -> Transfer:
    return replace(
        found,
        status=Status.ANNOUNCED,
        cause=event.cause,
        country=event.country,
        purposes=event.purposes or None,
        name=event.name,
        contact=event.contact,
        announced_at=event.occurred_at,
    )


def allowed(transfer: Transfer, act: Act) -> bool:
    """Whether it may be done now; False if it is so already. Errors: TransferUnknown, TransferOutOfOrder."""
    if act in ALLOWED[transfer.status]:
        return True
    if (transfer.status, act) in ALREADY:
        return False
    if transfer.status is Status.UNKNOWN:
        raise r.TransferUnknown(transfer.name_id)
    raise r.TransferOutOfOrder(transfer.name_id, act, transfer.status)


def announce(
    transfer: Transfer,
    asked: Asked,
    *,
    cause: Cause,
    name: str | None,
    contact: str | None,
    country: str,
    purposes: Sequence[str] | None,
) -> Decision:
    """Say who takes over. A recipient without a name or contact is none that anybody could be told of."""
    missing = [what for what, said in (("name", name), ("contact", contact)) if not (said or "").strip()]
    if missing:
        raise r.RecipientIncomplete(missing)
    for purpose in purposes or ():
        if purpose not in asked.policy.purposes:
            raise UnknownPurpose(purpose)
    wanted = None if purposes is None else tuple(sorted(set(purposes)))
    if not allowed(transfer, Act.ANNOUNCE):
        same = (transfer.cause, transfer.country, transfer.purposes) == (cause, country, wanted)
        if same and (transfer.name, transfer.contact) == (name, contact):
            return NOTHING
        raise r.TransferKnown(transfer.name_id)
    announced = e.TransferAnnounced(
        occurred_at=asked.at,
        transfer=transfer.name_id,
        cause=cause,
        country=country,
        purposes=wanted or (),
        name=name,
        contact=contact,
    )
    return Decision((announced,))


def begin(transfer: Transfer, asked: Asked) -> Decision:
    if not allowed(transfer, Act.BEGIN):
        return NOTHING
    return Decision((e.TransferBegun(occurred_at=asked.at, transfer=transfer.name_id),))


def skip(transfer: Transfer, asked: Asked, *, because: e.Why, digests: Sequence[str]) -> Decision:
    """Whoever asks leaves out who is on record as skipped already."""
    named = tuple(dict.fromkeys(digests))
    if not allowed(transfer, Act.SKIP) or not named:
        return NOTHING
    return Decision((e.PeopleSkipped(occurred_at=asked.at, transfer=transfer.name_id, because=because, skipped=named),))


def hand_over(transfer: Transfer, asked: Asked, handover: Handover) -> Decision:
    allowed(transfer, Act.HAND_OVER)
    prepared = e.HandoverPrepared(
        occurred_at=asked.at,
        transfer=transfer.name_id,
        people=handover.people,
        size=handover.size,
        manifest=handover.manifest,
        proof=handover.proof,
    )
    return Decision((prepared,))


def proof_of(token: str) -> str:
    """The digest that stands in our record: it tells nobody the token."""
    return sha256(PROOF + b"\x00" + token.encode()).hexdigest()


def confirm(transfer: Transfer, asked: Asked, *, token: str, evidence: str | None) -> Decision:
    """Only who opened an archive of ours knows its token."""
    is_open = allowed(transfer, Act.CONFIRM)
    found = next((each for each in transfer.handovers if each.proof == proof_of(token)), None)
    if found is None:
        raise r.ConfirmationWrong
    if not is_open:
        return NOTHING
    confirmed = e.TransferConfirmed(
        occurred_at=asked.at, transfer=transfer.name_id, manifest=found.manifest, size=found.size, evidence=evidence
    )
    return Decision((confirmed,))


def complete(transfer: Transfer, asked: Asked) -> Decision:
    if not allowed(transfer, Act.COMPLETE):
        return NOTHING
    return Decision((e.TransferCompleted(occurred_at=asked.at, transfer=transfer.name_id),))


def cancel(transfer: Transfer, asked: Asked, *, reason: str) -> Decision:
    if not allowed(transfer, Act.CANCEL):
        return NOTHING
    return Decision((e.TransferCancelled(occurred_at=asked.at, transfer=transfer.name_id, reason=reason),))
