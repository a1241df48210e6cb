"""What is projected about people, and was found to be what the record says: while it stays the same, it is not compared
again. A changed bit makes it another, and then the record decides.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from uuid import UUID

REMEMBERED = 10_000  # people, about 150 bytes each


class Compared:
    """Of each of the people read last, a hash of what was compared; safe to share between threads."""

    def __init__(self, remember: int = REMEMBERED) -> None:
        self._remember = remember
        self._known: OrderedDict[UUID, int] = OrderedDict()
        self._lock = Lock()

    def is_known(self, subject_id: UUID, projected: Hashable) -> bool:
        with self._lock:
            known = self._known.get(subject_id)
            if known is None or known != hash(projected):
                return False
            self._known.move_to_end(subject_id)
            return True

    def note(self, subject_id: UUID, projected: Hashable) -> None:
        with self._lock:
            self._known[subject_id] = hash(projected)
            self._known.move_to_end(subject_id)
            if len(self._known) > self._remember:
                self._known.popitem(last=False)
