"""What a handler may ask for while it decides: ports, filled by the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lifecycle.domain.decision import Asked
from lifecycle.domain.event import Personal
from lifecycle.domain.open_records import Named
from lifecycle.domain.subject.state import Holding, Subject
from lifecycle.policy.vocabulary import IdentifierType

if TYPE_CHECKING:
    from lifecycle.domain.trustee.trustee import Trustee


@dataclass(frozen=True, slots=True)
class Found:
    """What the blind index says of an identifier: its id, and whether it is this person's."""

    identifier: str
    is_own: bool


class PersonContext(Protocol):
    """One person at the moment of one command."""

    @property
    def asked(self) -> Asked: ...

    @property
    def subject(self) -> Subject: ...

    def values_of(self, holdings: Sequence[str]) -> dict[str, Personal[str]]:
        """Open the newest value of each holding."""

    def may_say(self, holding: Holding, format: str | None, normal: str) -> bool:
        """False only where its newest value is at hand and has another normal form: asked first, for it is cheaper than
        whether a holding is in use."""

    def reference(self, what: str, text: str) -> str:
        """A keyed reference to the caller's words: the same for the same words of this person, and mute without
        the person's record key."""

    def trustee(self, trustee: str) -> Trustee: ...

    def open_record(self, named: Named) -> Any:
        """The state of another record that the command `reads`; a fresh one if nothing is recorded of it."""

    def find(self, type: IdentifierType, normalised: str) -> Found | None: ...

    def link(self, type: IdentifierType, normalised: str) -> str:
        """Give the identifier an id; the index row is written with the decision's events."""

    def link_as(self, identifier: str, type: IdentifierType, normalised: str) -> None:
        """The same, under an id that it has already."""

    def is_receipt(self, sid: str, salt: str) -> bool:
        """Whether this is the receipt that was handed out at the erasure of this person."""

    def new_id(self) -> str:
        """An id for a new holding."""

    def new_instruction(self) -> tuple[str, str]:
        """An id for an instruction to a recipient, and the SHA-256 of the token that goes out with it, in hex."""


class OpenRecordContext(Protocol):
    """One record about no person at the moment of one command; a handler knows of which noun `named` is."""

    @property
    def asked(self) -> Asked: ...

    @property
    def named(self) -> Any: ...

    def open_record(self, named: Named) -> Any:
        """The state of another record that the command `reads`."""


class TrusteeContext(OpenRecordContext, Protocol):
    """One trustee at the moment of one command."""

    @property
    def named(self) -> Trustee: ...
