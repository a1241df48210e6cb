"""What is asked of us and how far it has come: the state of one request, and what may be done with it when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from lifecycle.policy.deadlines import Deadline
from lifecycle.policy.vocabulary import PauseReason, RequestKind


class Status(StrEnum):
    RECEIVED = "received"
    AWAITING_IDENTITY = "awaiting-identity"
    VERIFIED = "verified"
    PAUSED = "paused"
    EXTENDED = "extended"
    FULFILLED = "fulfilled"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


FOR_ACCESS = frozenset({RequestKind.ACCESS, RequestKind.COPY})
"""What is answered with an access package."""


class Act(StrEnum):
    """What may be done with a request after its receipt; each is a command."""

    VERIFY = "verify-requester"
    PAUSE = "pause-request"
    RESUME = "resume-request"
    EXTEND = "extend-request"
    FULFIL = "fulfil-request"
    REFUSE = "refuse-request"
    WITHDRAW = "withdraw-request"
    ESCALATE = "escalate-complaint"


_CLOSING = frozenset({Act.REFUSE, Act.WITHDRAW, Act.ESCALATE})

ALLOWED: Mapping[Status, frozenset[Act]] = {
    Status.AWAITING_IDENTITY: _CLOSING | {Act.VERIFY},
    Status.RECEIVED: _CLOSING | {Act.VERIFY, Act.PAUSE, Act.EXTEND, Act.FULFIL},
    Status.VERIFIED: _CLOSING | {Act.PAUSE, Act.EXTEND, Act.FULFIL},
    Status.EXTENDED: _CLOSING | {Act.VERIFY, Act.PAUSE, Act.FULFIL},
    Status.PAUSED: _CLOSING | {Act.VERIFY, Act.RESUME, Act.FULFIL},
    Status.FULFILLED: frozenset({Act.ESCALATE}),
    Status.REFUSED: frozenset({Act.ESCALATE}),
    Status.WITHDRAWN: frozenset(),
}
"""The state machine. What is not here is refused, unless it is so already."""

ALREADY: frozenset[tuple[Status, Act]] = frozenset(
    {
        (Status.VERIFIED, Act.VERIFY),
        (Status.PAUSED, Act.PAUSE),
        (Status.FULFILLED, Act.FULFIL),
        (Status.REFUSED, Act.REFUSE),
        (Status.WITHDRAWN, Act.WITHDRAW),
    }
)
"""Asked again, these are so already."""


@dataclass(frozen=True, slots=True)
class Pause:
    since: datetime
    because: PauseReason
    until: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `deadlines` are its limits, the one that binds first; while `paused` they stand still.

    `told_in` are the versions of the events that have something to say about it in words.
    """

    id: str
    asks: RequestKind
    at: datetime
    received_on: date
    channel: str
    deadlines: tuple[Deadline, ...]
    first_due_on: date
    needs_identity: bool = False
    verified: bool = False
    paused: Pause | None = None
    rested: int = 0  # days for which the clock stood
    extended: bool = False
    warned: bool = False
    missed_at: datetime | None = None
    on_behalf: str | None = None
    authorised: bool = True
    region: str | None = None
    duplicate_of: str | None = None
    about: str | None = None
    escalated_to: str | None = None
    closed: Status | None = None
    closed_at: datetime | None = None
    words_due: datetime | None = None  # when what was said in words goes
    words_gone: bool = False
    told_in: tuple[int, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.closed is None

    @property
    def is_unproven(self) -> bool:
        return self.needs_identity and not self.verified

    @property
    def status(self) -> Status:
        if self.closed is not None:
            return self.closed
        if self.is_unproven:
            return Status.AWAITING_IDENTITY
        if self.paused is not None:
            return Status.PAUSED
        if self.extended:
            return Status.EXTENDED
        return Status.VERIFIED if self.verified else Status.RECEIVED

    @property
    def deadline(self) -> Deadline:
        """The limit that binds."""
        return self.deadlines[0]

    @property
    def due(self) -> datetime | None:
        """None while the clock rests, and once it was answered."""
        return self.deadline.due if self.is_open and self.paused is None else None


Requests = Mapping[str, Request]


def open_ones(requests: Requests) -> tuple[Request, ...]:
    return tuple(request for request in requests.values() if request.is_open)


def is_answered_with_another(requests: Requests, request: Request) -> bool:
    """A duplicate has no clock of its own as long as the request that it repeats is open. But nobody who has proven
    who they are waits for somebody who has not."""
    first = requests.get(request.duplicate_of or "")
    return first is not None and first.is_open and (request.is_unproven or not first.is_unproven)


def original_of(requests: Requests, asks: RequestKind, about: str | None) -> str | None:
    """The open request of the same kind, about the same, that a new one would repeat."""
    same = (
        request.id
        for request in open_ones(requests)
        if request.asks is asks and request.about == about and not is_answered_with_another(requests, request)
    )
    return next(same, None)


def duplicates_of(requests: Requests, id: str) -> Iterable[Request]:
    return (request for request in open_ones(requests) if request.duplicate_of == id)
