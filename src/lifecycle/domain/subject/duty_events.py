"""What whoever has a copy was told to do with it, and what it answered. Both go on after the person is erased."""

from datetime import datetime
from typing import ClassVar, Literal

from lifecycle.domain.event import DomainEvent, Personal, words

Act = Literal["erase", "correct", "stop", "return"]
Cause = Literal["corrected", "ground-ended", "restricted", "erased", "anonymised", "agreement-ended", "asked"]
Why = Literal["law-requires-it", "not-held", "not-feasible", "not-ours", "other"]


class RecipientInstructed(DomainEvent):
    """A recipient is to do something with its copies of these holdings. Policy clauses 3.1a, 7.2, 7.3; GDPR Art. 19.

    `purposes` are those for which it has to stop; none means altogether. `agreement` is the one that is over, under
    which it was given what it returns. `token_hash` is SHA-256 in hex over the token that goes out with the
    instruction: whoever answers has to show it.
    """

    kind: ClassVar[str] = "recipient-instructed/1"
    after_erasure: ClassVar[bool] = True
    instruction: str
    recipient: str
    duty: Act
    holdings: tuple[str, ...]
    purposes: tuple[str, ...] = ()
    agreement: str | None = None
    because: Cause
    due: datetime
    token_hash: str


class RecipientConfirmed(DomainEvent):
    kind: ClassVar[str] = "recipient-confirmed/1"
    after_erasure: ClassVar[bool] = True
    instruction: str
    recipient: str
    evidence: Personal[str | None] = words()


class RecipientDeclined(DomainEvent):
    """The recipient says that it will not, and why. Nothing is done by that: it leads to a finding."""

    kind: ClassVar[str] = "recipient-declined/1"
    after_erasure: ClassVar[bool] = True
    instruction: str
    recipient: str
    because: Why
    reason: Personal[str | None] = words()


class RecipientOverdue(DomainEvent):
    """The last day has passed without an answer. Said once."""

    kind: ClassVar[str] = "recipient-overdue/1"
    after_erasure: ClassVar[bool] = True
    instruction: str
    recipient: str
    due: datetime
