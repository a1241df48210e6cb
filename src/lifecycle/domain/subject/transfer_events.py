"""The facts about a person whose data goes to another controller, or came from one. Policy clause 3.2; PIPL Art. 22."""

from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from lifecycle.domain.event import DomainEvent, Personal, words
from lifecycle.domain.subject.events import Effect, GroundRef
from lifecycle.domain.transfer.cause import Cause


class SubjectTransferNotified(DomainEvent):
    """The person was told who takes over, as the transfer was announced by its version `announced`."""

    kind: ClassVar[str] = "subject-transfer-notified/1"
    transfer: str
    cause: Cause
    channel: str
    announced: int


class SubjectTransferred(DomainEvent):
    """From here on the recipient has them: `holdings` are sealed and unread here, of `copied` a ground here lives on.

    `whole` if nothing stays that is not on its way.
    """

    kind: ClassVar[str] = "subject-transferred/1"
    transfer: str
    holdings: tuple[str, ...]
    copied: tuple[str, ...] = ()
    whole: bool = False


class Told(BaseModel):
    """One event of the record as the former controller kept it: its number there, and what its header says."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    n: int
    kind: str
    at: datetime
    data: dict[str, Any]


class SubjectReceived(DomainEvent):
    """The person's record came from another controller, and goes on here as it stood there.

    `origin`, `checkpoint` and `last`, the commitment of the last of `count` events, chain it to the log that it comes
    from. `sealed` are the numbers of the events whose sealed parts follow, one event each, in this order. `left` are
    holdings and requests that were not carried over, `ended` grounds that do not go on here, `asked_anew` purposes that
    need a new consent, `unlinked` identifiers that are somebody else's here.
    """

    kind: ClassVar[str] = "subject-received/1"
    transfer: str
    origin: str
    checkpoint: str
    sid: str
    count: int
    last: str
    history: tuple[Told, ...]
    sealed: tuple[int, ...] = ()
    left: tuple[str, ...] = ()
    ended: tuple[GroundRef, ...] = ()
    asked_anew: tuple[str, ...] = ()
    unlinked: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()


class PartsReceived(DomainEvent):
    """What event `of` of the former record had sealed, sealed anew. `said` is what callers wrote in words, as JSON."""

    kind: ClassVar[str] = "parts-received/1"
    transfer: str
    of: int
    said: Personal[str | None] = words()
