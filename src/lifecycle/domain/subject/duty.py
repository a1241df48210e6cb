"""One duty of one recipient: what it was told to do with its copies, and what it answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

COPY_GOES = ("erase", "return")
"""Once one of these is confirmed, the recipient has no copy of what it had been given by then."""


class DutyState(StrEnum):
    OPEN = "open"
    OVERDUE = "overdue"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    COVERED = "covered"  # the copy has gone on another instruction


@dataclass(frozen=True, slots=True)
class Duty:
    instruction: str
    recipient: str
    duty: str
    holdings: tuple[str, ...]
    purposes: tuple[str, ...]
    agreement: str | None
    because: str
    since: datetime
    due: datetime
    token_hash: str
    answer: str | None = None  # "confirmed", "declined" or "covered"
    answered_at: datetime | None = None
    overdue: bool = False  # said so

    def state(self, at: datetime) -> DutyState:
        if self.answer is not None:
            return DutyState(self.answer)
        return DutyState.OVERDUE if self.overdue or self.due <= at else DutyState.OPEN

    @property
    def is_open(self) -> bool:
        """Nothing is done while the answer is missing."""
        return self.answer is None
