"""For what may be in vain: how often it is tried follows how it went last."""

from __future__ import annotations

AT_MOST = 64


class EverRarer:
    """After each time in vain it is passed over once, three, seven … at most 64 times. Whoever shares one between
    threads holds a lock."""

    def __init__(self) -> None:
        self._pause = self._to_pass = 0

    def is_due(self) -> bool:
        if self._to_pass:
            self._to_pass -= 1
            return False
        return True

    def was_right(self) -> None:
        self._pause = 0

    def was_in_vain(self) -> None:
        self._pause = self._to_pass = min(2 * self._pause + 1, AT_MOST)
