"""What a process remembers of streams: the states used last, as many as have room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from operator import attrgetter
from threading import Lock
from typing import TypeVar

from eventsourcing.application import Cache

K = TypeVar("K")
V = TypeVar("V")

STREAMS = 4_096
EVENTS = 65_536  # folded into all of them together: two to three kilobytes each, so some 150 MB at most


class Remembered(Cache[K, V]):
    """The library's cache counts states, and one of a thousand events has the room of two hundred of five.

    So there are two bounds; the state put in last stays in any case. `events` says how many a state is folded from.
    """

    def __init__(
        self, streams: int = STREAMS, most: int = EVENTS, events: Callable[[V], int] = attrgetter("version")
    ) -> None:
        super().__init__()
        self.cache: OrderedDict[K, V] = OrderedDict()
        self._streams, self._most, self._events = streams, most, events
        self._folded = 0
        self._lock = Lock()

    def get(self, key: K, *, evict: bool = False) -> V:
        with self._lock:
            value = self.cache[key]
            if evict:
                self._drop(key)
            else:
                self.cache.move_to_end(key)
            return value

    def peek(self, key: K) -> V | None:
        """Without its counting as used."""
        return self.cache.get(key)

    def forget(self, key: K) -> None:
        with self._lock:
            if key in self.cache:
                self._drop(key)

    def put(self, key: K, value: V | None) -> None:
        if value is None:
            return
        with self._lock:
            if key in self.cache:
                self._drop(key)
            self.cache[key] = value
            self._folded += self._events(value)
            while len(self.cache) > self._streams or (self._folded > self._most and len(self.cache) > 1):
                self._drop(next(iter(self.cache)))

    def _drop(self, key: K) -> None:
        self._folded -= self._events(self.cache.pop(key))
