"""How a store looks in the end, so that two interleavings can be compared: without what chance gave names to."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from engine.stores import headers_of
from world.watching import Watch

from lifecycle.domain.streams import access_stream_of
from lifecycle.engine import Engine

_BY_CHANCE = re.compile(r"^(?:[0-9a-f]{12,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Za-z0-9_-]{20,})$")


class _Names:
    """The first random name that is met is number 1, and so on."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def plain(self, value: Any) -> Any:
        match value:
            case dict():
                return {self.plain(key): self._named(key, each) for key, each in sorted(value.items())}
            case list() | tuple():
                return [self.plain(each) for each in value]
            case UUID():
                return self.plain(str(value))
            case str() if _BY_CHANCE.match(value):
                return f"#{self._numbers.setdefault(value, len(self._numbers) + 1)}"
        return value

    def _named(self, key: Any, value: Any) -> Any:
        """An epoch ends once more when who ended it died before saying so: its number is by chance, too."""
        return self.plain(f"{value:012x}" if key == "epoch" else value)


def state_of(engine: Engine, watch: Watch) -> dict[str, Any]:
    """Per life, both records event by event with their times, and what is held with its masked values."""
    found: dict[str, Any] = {}
    for person, lives in sorted(watch.lives.items()):
        for number, life in enumerate(lives):
            if life.is_expunged:
                found[f"person-{person}, life {number}"] = "expunged"
                continue
            names = _Names()
            streams = (life.subject_id, access_stream_of(life.subject_id))
            found[f"person-{person}, life {number}"] = {
                "records": [
                    [(each.kind, each.at, each.n, names.plain(each.data), each.meta["role"]) for each in told]
                    for told in (headers_of(engine.database, stream) for stream in streams)
                ],
                "held": sorted(names.plain(engine.read.holdings(life.subject_id)), key=lambda row: str(row["holding"])),
                "consents": names.plain(engine.read.consents(life.subject_id)),
            }
    return found
