"""The port through which instructions reach recipients."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

FORMAT = "lifecycle-instruction/1"


@dataclass(frozen=True, slots=True)
class Letter:
    """An instruction as it goes out: ids and dates, never a value. Who has the token may answer for the recipient."""

    instruction: str
    recipient: str
    subject: UUID
    duty: str
    holdings: tuple[str, ...]
    purposes: tuple[str, ...]
    agreement: str | None
    because: str
    since: datetime
    due: datetime
    token: str = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        said = {name: getattr(self, name) for name in self.__slots__}
        return {"format": FORMAT, **said, "subject": str(self.subject)}


class Delivery(Protocol):
    """Takes a letter to its recipient. The same letter may come again after a crash: it must be one to the recipient.

    Returns only when the letter cannot be lost any more; raises when that did not succeed, and is asked again.
    """

    def deliver(self, letter: Letter) -> None: ...
