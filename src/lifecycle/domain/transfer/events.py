"""The facts of a transfer to another controller. Policy clause 3.2; PIPL Art. 22."""

from typing import ClassVar, Literal

from lifecycle.domain.event import DomainEvent, Personal, words
from lifecycle.domain.transfer.cause import Cause

Why = Literal["erased", "nothing-left"]


class TransferAnnounced(DomainEvent):
    """It was decided who takes over, and what: what is held for `purposes`, or everything."""

    kind: ClassVar[str] = "transfer-announced/1"
    transfer: str
    cause: Cause
    country: str
    purposes: tuple[str, ...] = ()
    name: Personal[str | None] = words()
    contact: Personal[str | None] = words()


class TransferBegun(DomainEvent):
    """From here on people's data may go, each person's after its notice; it can no longer be called off."""

    kind: ClassVar[str] = "transfer-begun/1"
    transfer: str


class PeopleSkipped(DomainEvent):
    """People who had been told and were not transferred. Each is a digest that only their own pseudonym leads to."""

    kind: ClassVar[str] = "people-skipped/1"
    transfer: str
    because: Why
    skipped: tuple[str, ...]


class HandoverPrepared(DomainEvent):
    """The archive of `people` was written as of the checkpoint of `size` leaves. Who opens it learns what `proof` is
    the digest of."""

    kind: ClassVar[str] = "handover-prepared/1"
    transfer: str
    people: int
    size: int
    manifest: str
    proof: str


class TransferConfirmed(DomainEvent):
    """The recipient has the archive of this manifest, and opened it."""

    kind: ClassVar[str] = "transfer-confirmed/1"
    transfer: str
    manifest: str
    size: int
    evidence: Personal[str | None] = words()


class TransferCompleted(DomainEvent):
    """Of everybody who was handed over, nothing is left here but what law or a hold keeps."""

    kind: ClassVar[str] = "transfer-completed/1"
    transfer: str


class TransferCancelled(DomainEvent):
    kind: ClassVar[str] = "transfer-cancelled/1"
    transfer: str
    reason: Personal[str | None] = words()
