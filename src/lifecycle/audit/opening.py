"""Opening what is sealed, for whoever has the keys: values of holdings, and who acted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection

from lifecycle.domain.event import Personal, Withheld
from lifecycle.ledger.envelope import Header, read_header
from lifecycle.ledger.many_rows import rows_of
from lifecycle.storage.failures import RecordDamaged
from lifecycle.storage.lost_keys import Lacking, explained
from lifecycle.storage.packing import unpacked
from lifecycle.vault.sealing import RECORD
from lifecycle.vault.tables import chunks
from lifecycle.vault.vault import Vault, Wanted


class Place(NamedTuple):
    """Where something is sealed: the part of this holding's id in the event of this version."""

    version: int
    hid: str


def values_of(
    c: Connection, vault: Vault | None, subject_id: UUID, sealed_in: Mapping[str, int]
) -> dict[str, Personal[JsonValue]]:
    """Open the value of each holding as the event of that version sealed it; as many queries for many as for one.

    Errors: Tampered when bytes are not what was sealed, KeyLost when a key is missing without an erasure; neither ever
    looks like one.
    """
    if vault is None or not sealed_in:
        return dict.fromkeys(sealed_in, Withheld.SEALED)
    places = {holding: Place(version, holding) for holding, version in sealed_in.items()}
    headers = _headers(c, subject_id, sealed_in.values())
    opened = open_parts(c, vault, subject_id, headers, places.values())
    return {holding: opened[place] for holding, place in places.items()}


def parts_of(
    c: Connection, vault: Vault | None, subject_id: UUID, places: Collection[Place]
) -> dict[Place, Personal[JsonValue]]:
    """Open what is sealed at these places; where an event sealed nothing under that id the place is left out."""
    headers = _headers(c, subject_id, {place.version for place in places})
    there = [place for place in places if any(part.hid == place.hid for part in headers[place.version].parts)]
    if vault is None:
        return dict.fromkeys(there, Withheld.SEALED)
    return open_parts(c, vault, subject_id, headers, there) if there else {}


def actors_of(c: Connection, vault: Vault | None, subject_id: UUID, headers: Mapping[int, Header]) -> dict[int, str]:
    """Who acted, by version, where the caller said so and the person's record key still exists."""
    places = [Place(n, RECORD) for n, header in headers.items() if any(part.hid == RECORD for part in header.parts)]
    if vault is None or not places:
        return {}
    opened = open_parts(c, vault, subject_id, headers, places)
    said = {place.version: words.get("actor") for place, words in opened.items() if isinstance(words, dict)}
    return {version: actor for version, actor in said.items() if isinstance(actor, str)}


def open_parts(
    c: Connection, vault: Vault, subject_id: UUID, headers: Mapping[int, Header], places: Collection[Place]
) -> dict[Place, Personal[JsonValue]]:
    """What is sealed at these places of one person's stream; without the person's keys everything is erased.

    Errors: Tampered, KeyLost.
    """
    keys = vault.keys_of(c, [subject_id]).get(subject_id)
    index = {place: _index(headers[place.version], place.hid) for place in places}
    sealed = {place: headers[place.version].parts[part] for place, part in index.items()}
    if keys is None:
        explained(c, vault, subject_id, [Lacking(part.hid, part.kid) for part in sealed.values()])
        return dict.fromkeys(places, Withheld.ERASED)
    bodies = _bodies(c, subject_id, {(place.version, part) for place, part in index.items()})
    wanted = []
    for place, part in index.items():
        header = headers[place.version]
        wanted.append(Wanted(keys, header.sid, header.n, sealed[place], bodies.get((place.version, part))))
    opened = dict(zip(index, vault.open_values(c, wanted), strict=True))
    lacking = [sealed[place] for place, value in opened.items() if value is Withheld.ERASED]
    explained(c, vault, subject_id, [Lacking(part.hid, part.kid) for part in lacking])
    return opened


def _index(header: Header, hid: str) -> int:
    return next(index for index, part in enumerate(header.parts) if part.hid == hid)


def _headers(c: Connection, stream_id: UUID, versions: Collection[int]) -> dict[int, Header]:
    found: dict[int, Header] = {}
    for some in chunks(sorted(set(versions))):
        rows = rows_of(c, _asked(_HEADERS, c, some), (_driver_id(c, stream_id),))
        found |= {version: read_header(unpacked(header)) for version, header in rows}
    if lost := set(versions) - found.keys():
        raise RecordDamaged(stream_id, min(lost))
    return found


def _bodies(c: Connection, stream_id: UUID, parts: Collection[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    found: dict[tuple[int, int], bytes] = {}
    for some in chunks(sorted({version for version, _ in parts})):
        for version, part, ct in rows_of(c, _asked(_BODIES, c, some), (_driver_id(c, stream_id),)):
            if (version, part) in parts:
                found[version, part] = bytes(ct)
    return found


# Numbers of versions stand in the text: there is nothing in them to be quoted.
_HEADERS = "SELECT version, header FROM event_header WHERE stream_id = {mark} AND version IN ({versions})"
_BODIES = "SELECT version, part, ct FROM event_body WHERE stream_id = {mark} AND version IN ({versions})"


def _asked(query: str, c: Connection, versions: Iterable[int]) -> str:
    mark = "?" if c.dialect.name == "sqlite" else "%s"
    return query.format(mark=mark, versions=", ".join(f"{version:d}" for version in versions))


def _driver_id(c: Connection, id: UUID) -> UUID | str:
    return id.hex if c.dialect.name == "sqlite" else id
