"""States of records about no person: each is folded on from where it was known, since some grow long.

A transfer that skips very many, or an incident that is counted often, has a long stream; every batch that reads it
folds what came since. What stands in it in words is opened only for whoever decides about the record itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from eventsourcing.application import LRUCache
from sqlalchemy import Connection

from lifecycle.domain import open_records
from lifecycle.domain.event import Recorded
from lifecycle.domain.open_records import Named, OpenRecord, stream_of
from lifecycle.storage.application import Streams
from lifecycle.storage.open_words import open_words

REMEMBERED = 64  # records


class RecordStates:
    """One object serves all threads of a process. It remembers nothing about people: there is nothing in these."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._silent: LRUCache[Named, OpenRecord] = LRUCache(maxsize=REMEMBERED)
        self._in_words: LRUCache[Named, OpenRecord] = LRUCache(maxsize=REMEMBERED)

    def of(self, named: Named, version: int | None = None) -> OpenRecord:
        """Without words. `version` is that of the caller's snapshot: another thread may have gone on since."""
        known = self._known(self._silent, named, version)
        events = self._streams.events.get(stream_of(named), gt=known.version or None, lte=version)
        return self._keep(self._silent, named, known, cast("Iterable[Recorded]", events))

    def in_words(self, c: Connection, named: Named, version: int) -> OpenRecord:
        """As of `version`, which the snapshot `c` has."""
        known = self._known(self._in_words, named, version)
        if known.version == version:
            return known
        stream = stream_of(named)
        said = open_words(c, stream, known.version)
        events = cast("Iterable[Recorded]", self._streams.events.get(stream, gt=known.version or None, lte=version))
        told = (_with_words(event, said.get(event.originator_version, {})) for event in events)
        return self._keep(self._in_words, named, known, told)

    def _known(self, remembered: LRUCache[Named, OpenRecord], named: Named, version: int | None) -> OpenRecord:
        try:
            known = remembered.get(named)
        except KeyError:
            known = None
        return known if known is not None and (version is None or known.version <= version) else _born(named)

    def _keep(
        self, remembered: LRUCache[Named, OpenRecord], named: Named, known: OpenRecord, events: Iterable[Recorded]
    ) -> OpenRecord:
        record = open_records.folded_on(known, events)
        if record.version:
            remembered.put(named, record)
        return record


def _born(named: Named) -> OpenRecord:
    return open_records.replay(named, ())


def _with_words(recorded: Recorded, said: Mapping[str, Any]) -> Recorded:
    absent = dict.fromkeys(recorded.event.record_fields)
    return recorded._replace(event=recorded.event.model_copy(update={**absent, **said}))
