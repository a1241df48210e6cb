"""Ids of events: UUIDv7, increasing within an append, and along a stream whatever the machine's clock does."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7

_MILLISECOND = 1 << 80
_ROOM = ~(0xFFFFF)  # the last bits begin at zero, so that counting up from a fresh id never carries


class EventIds:
    """One per append, so that an append's events stand together in the log's order.

    The sequencer orders by event id. A stream keeps its order because each id is greater than the one before it
    (`after`), even when the machine that wrote that one had a faster clock.
    """

    def __init__(self) -> None:
        self._next = uuid7().int & _ROOM

    def after(self, previous: UUID | None) -> UUID:
        if previous is not None and previous.int >= self._next:
            fresh = uuid7().int & _ROOM & (_MILLISECOND - 1)
            self._next = (previous.int // _MILLISECOND + 1) * _MILLISECOND | fresh
        event_id = UUID(int=self._next)
        self._next += 1
        return event_id
