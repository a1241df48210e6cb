"""What was sealed of a person's last values, as it was stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from lifecycle.engine.gathering import Gathered
from lifecycle.storage.appending import Appending

AT_MOST = 16  # events of one person


class _Key(NamedTuple):
    """A data key's row, with the generation of the person's keys that wrap it."""

    kid: str
    hid: str
    wrapped: bytes
    generation: int


class _Event(NamedTuple):
    """What was sealed with one event, as it is stored."""

    header: bytes
    bodies: dict[int, bytes]


class Sealed(NamedTuple):
    """Events by their versions, keys by their ids."""

    events: dict[int, _Event]
    keys: dict[str, _Key]

    def __repr__(self) -> str:
        return "Sealed()"

    def and_then(self, later: Sealed) -> Sealed:
        if len(self.events) + len(later.events) > AT_MOST:
            return later
        return Sealed({**self.events, **later.events}, {**self.keys, **later.keys})


def sealed_in(appending: Appending) -> Mapping[UUID, Sealed]:
    found: dict[UUID, Sealed] = {}
    generation = {id: becomes.generation for id, (_, becomes) in appending.rows.moves.items()}
    for one in appending.recorded:
        if one.event.values:
            of = found.setdefault(one.originator_id, Sealed({}, {}))
            of.events[one.originator_version] = _Event(one.header, {})
    for row in appending.rows.bodies:
        of_event = found[row["stream_id"]].events.get(row["version"]) if row["stream_id"] in found else None
        if of_event is not None:
            of_event.bodies[row["part"]] = row["ct"]
    for row in appending.rows.data_keys:
        if (id := row["subject_id"]) in found:
            found[id].keys[row["kid"]] = _Key(row["kid"], row["hid"], row["wrapped"], generation[id])
    return found


def sealed_as_read(read: Gathered) -> Mapping[UUID, Sealed]:
    """The same of what was opened to be compared with."""
    found: dict[UUID, Sealed] = {}
    for (id, kid), row in read.data_keys.items():
        found.setdefault(id, Sealed({}, {})).keys[kid] = _Key(kid, row.hid, bytes(row.wrapped), row.generation)
    for (id, version), header in read.headers.items():
        if id in found:
            found[id].events[version] = _Event(header, {})
    for (id, version, part), ciphertext in read.bodies.items():
        if id in found and version in found[id].events:
            found[id].events[version].bodies[part] = ciphertext
    return found
