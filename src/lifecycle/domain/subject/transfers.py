"""How far one person is in a transfer to another controller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Moving:
    """`transferred_in` is the version of the event by which the data went."""

    transfer: str
    notified_at: datetime
    transferred_at: datetime | None = None
    transferred_in: int | None = None
    whole: bool = False
    holdings: tuple[str, ...] = ()  # that went altogether
