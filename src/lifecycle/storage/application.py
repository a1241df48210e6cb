"""The engine's application of the eventsourcing library: streams of events over our own recorder and mapper."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import starmap
from types import MappingProxyType
from typing import Any, ClassVar
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import EventStore, Mapper, Recording
from eventsourcing.utils import Environment, EnvType
from sqlalchemy import Connection

from lifecycle.storage.database import Database
from lifecycle.storage.factory import StreamsFactory
from lifecycle.storage.mapper import HeaderMapper, as_stored
from lifecycle.storage.recorder import EventRecorder
from lifecycle.storage.remembered import STREAMS, Remembered


class HeaderStore(EventStore[UUID]):
    """Reads the events of a stream right from their rows."""

    recorder: EventRecorder

    def get(
        self,
        originator_id: UUID,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Iterator[DomainEventProtocol[UUID]]:
        if desc or limit is not None:
            return super().get(originator_id, gt=gt, lte=lte, desc=desc, limit=limit)
        return starmap(partial(as_stored, originator_id), self.recorder.states(originator_id, gt, lte))


class Streams(Application[UUID]):
    """Loads states by `repository.get(id, projector_func=…)`, saves events by `save(*recorded, rows=…)`.

    States are immutable, so the cache hands them out without copying. It holds no personal values: a state is folded
    from headers.
    """

    env: ClassVar[dict[str, str]] = {
        "DEEPCOPY_FROM_AGGREGATE_CACHE": "n",
    }
    recorder: EventRecorder

    def __init__(self, database: Database, env: EnvType | None = None, *, remember: int | None = None) -> None:
        """`remember` is how many people this process keeps at hand, here and wherever states are kept beside this."""
        self.database = database
        self.remember_at_most = remember or STREAMS
        super().__init__(env)
        self.repository.cache = Remembered(self.remember_at_most)

    def construct_factory(self, env: Environment) -> StreamsFactory:
        return StreamsFactory(env, self.database)

    def construct_mapper(self) -> Mapper[UUID]:
        return self.factory.mapper(transcoder=self.construct_transcoder(), mapper_class=HeaderMapper)

    def construct_event_store(self) -> EventStore[UUID]:
        return HeaderStore(self.mapper, self.recorder)

    def save(self, *objs: Any, **kwargs: Any) -> list[Recording[UUID]]:
        """Write events, and with `rows` what belongs to them, in one transaction.

        Unlike the library's it takes events only: asking of each by a runtime protocol what it is took 15 µs.
        """
        return self.events.put(objs, **kwargs)

    def remembered(self, stream_id: UUID) -> Any:
        """The state that this process knows last of a stream; the stream may have gone on. None for one unknown."""
        cache = self.repository.cache
        try:
            return cache.get(stream_id) if cache is not None else None
        except KeyError:
            return None

    def remember(self, states: Iterable[Any]) -> None:
        """Keep the states that this process has just folded of what it appended, and read them of nobody again."""
        cache = self.repository.cache
        if cache is not None:
            for state in states:
                cache.put(state.id, state)

    def forget(self, stream_ids: Iterable[UUID]) -> None:
        """Drop what this process remembers of streams that were expunged."""
        cache = self.repository.cache
        for stream_id in stream_ids:
            try:
                if cache is not None:
                    cache.get(stream_id, evict=True)
            except KeyError:
                continue

    @contextmanager
    def prefetched(
        self,
        stream_ids: Iterable[UUID],
        connection: Connection | None = None,
        heads: Mapping[UUID, int] | None = None,
        *,
        known: Mapping[UUID, int] = MappingProxyType({}),
    ) -> Iterator[None]:
        """In this block and thread the repository gets these streams without a query for each.

        With `connection` they are read in a snapshot of the caller's, who may have read the versions of their heads.
        `known`: how far the caller has some of them, which the repository does not keep.
        """
        wanted = list(dict.fromkeys(stream_ids))
        with self.recorder.prefetched(wanted, {**self._known(wanted), **known}, connection, heads):
            yield

    def _known(self, stream_ids: Iterable[UUID]) -> dict[UUID, int]:
        states = {stream_id: self.remembered(stream_id) for stream_id in stream_ids}
        return {stream_id: state.version for stream_id, state in states.items() if state is not None}
