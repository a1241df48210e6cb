"""The facts about requests, enquiries and complaints. Policy clauses 7.1 to 7.6, 10.1 and 10.2.

What anybody said in words is the sealed value of the request's own id, in each of these events: it dies when the
records of the request are over, or with the person. Of somebody erased there are no words.
"""

from datetime import date, datetime
from typing import ClassVar, Literal

from lifecycle.domain.event import DomainEvent
from lifecycle.policy.deadlines import Deadline
from lifecycle.policy.periods import RetentionRule
from lifecycle.policy.vocabulary import PauseReason, RequestKind

OnBehalf = Literal["agent", "guardian"]
Answered = Literal["package", "token", "otherwise"]


class RequestReceived(DomainEvent):
    """Somebody asks for something. `request` is our id, `name` a keyed reference to the caller's own name for it.

    `deadlines` are all limits on the answer, the one that binds first. `identity` says whether it was proven who asks;
    if it is awaited and the clock waits for it, it does so until `waits_until` at most. `duplicate_of` is the open
    request with which this one is answered.
    """

    kind: ClassVar[str] = "request-received/1"
    after_erasure: ClassVar[bool] = True
    request: str
    asks: RequestKind
    channel: str
    received_on: date
    identity: Literal["proven", "awaited", "not-needed"]
    deadlines: tuple[Deadline, ...]
    waits_until: datetime | None = None
    on_behalf: OnBehalf | None = None
    authorised: bool | None = None  # of who asks for another: whether it was shown by what authority
    region: str | None = None
    duplicate_of: str | None = None
    about: str | None = None


class RequesterVerified(DomainEvent):
    """Who asks has shown who they are. `deadlines` only if the clock had waited for it, for `rested` days. `by`: of
    somebody erased it was shown with the receipt that was handed out at the erasure."""

    kind: ClassVar[str] = "requester-verified/1"
    after_erasure: ClassVar[bool] = True
    request: str
    deadlines: tuple[Deadline, ...] | None = None
    rested: int = 0
    by: Literal["erasure-receipt"] | None = None


class RequestPaused(DomainEvent):
    """The person has something to do first; the clock rests until then, and not after `until`."""

    kind: ClassVar[str] = "request-paused/1"
    after_erasure: ClassVar[bool] = True
    request: str
    because: PauseReason
    until: datetime


class RequestResumed(DomainEvent):
    """The clock goes on after `rested` days: the answer is due by these `deadlines` now."""

    kind: ClassVar[str] = "request-resumed/1"
    after_erasure: ClassVar[bool] = True
    request: str
    because: Literal["asked", "pause-over"]
    deadlines: tuple[Deadline, ...]
    rested: int


class DeadlineExtended(DomainEvent):
    """The matter is complex: the person was told, by `channel`, of another day. Once, and before the first is over."""

    kind: ClassVar[str] = "deadline-extended/1"
    after_erasure: ClassVar[bool] = True
    request: str
    was: date
    deadlines: tuple[Deadline, ...]
    channel: str


class DeadlineRecomputed(DomainEvent):
    """The working days of the year were published, or corrected: a provisional day was counted again."""

    kind: ClassVar[str] = "deadline-recomputed/1"
    request: str
    was: date
    because: Literal["calendar"]
    deadlines: tuple[Deadline, ...]


class DeadlineNearing(DomainEvent):
    """Few working days are left. Said once."""

    kind: ClassVar[str] = "deadline-nearing/1"
    request: str
    due: datetime
    due_on: date


class DeadlineMissed(DomainEvent):
    """The last day is over without an answer: a finding for the officer. Said once."""

    kind: ClassVar[str] = "deadline-missed/1"
    after_erasure: ClassVar[bool] = True
    request: str
    due: datetime
    due_on: date


class RequestFulfilled(DomainEvent):
    """Answered as asked, and with it the duplicates `together`. `kept` says how long the words are kept. `answered`: of
    a request for access or a copy, that a package was made, that a token for one was good, or that it was otherwise."""

    kind: ClassVar[str] = "request-fulfilled/1"
    after_erasure: ClassVar[bool] = True
    request: str
    kept: RetentionRule
    together: tuple[str, ...] = ()
    answered: Answered | None = None


class RequestRefused(DomainEvent):
    """Answered with a refusal: the reason and where to complain are said in words. `regulators` by jurisdiction."""

    kind: ClassVar[str] = "request-refused/1"
    after_erasure: ClassVar[bool] = True
    request: str
    kept: RetentionRule
    regulators: tuple[str, ...]
    together: tuple[str, ...] = ()


class RequestWithdrawn(DomainEvent):
    """Whoever asked does so no longer."""

    kind: ClassVar[str] = "request-withdrawn/1"
    after_erasure: ClassVar[bool] = True
    request: str
    kept: RetentionRule


class ComplaintEscalated(DomainEvent):
    """The complaint is with the authority of the person's region. Policy clause 10.2."""

    kind: ClassVar[str] = "complaint-escalated/1"
    after_erasure: ClassVar[bool] = True
    request: str
    region: str
