"""People as they are handed over: the record with its proofs, what is sealed in it opened, and how they are found.

The state is not carried: it follows from the record, so nobody can hand over another one than the log attests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.audit.bundle import Evidence
from lifecycle.domain.event import Withheld
from lifecycle.domain.subject.events import BirthDateRecorded, GuardianRecorded, LegalHoldPlaced, LegalHoldReleased
from lifecycle.domain.subject.transfer_events import SubjectTransferred
from lifecycle.ledger.envelope import Header, b64url, read_header
from lifecycle.ledger.map_proofs import proof_text
from lifecycle.ledger.tables import event_position
from lifecycle.storage.database import taking_role
from lifecycle.storage.lost_keys import Lacking, explained, explained_wholly
from lifecycle.storage.tables import event_body, event_header
from lifecycle.value_lists import one_of
from lifecycle.vault.custody import Custodian
from lifecycle.vault.revealing import identifiers_of
from lifecycle.vault.sealing import RECORD
from lifecycle.vault.vault import Vault, Wanted

ALWAYS = frozenset({BirthDateRecorded.kind, GuardianRecorded.kind, LegalHoldPlaced.kind, LegalHoldReleased.kind})
"""What callers said in words with these goes whatever the scope is: age, guardians and holds bind the recipient too."""

TOGETHER = 100  # people whose records are in memory at once

_head, _position = event_header.c, event_position.c
_EVENTS = (
    select(_head.stream_id, _head.version, _head.header, _head.salt, _position.position)
    .join(event_position, (_position.stream_id == _head.stream_id) & (_position.version == _head.version))
    .order_by(_head.stream_id, _head.version)
)

Place = tuple[UUID, int, int]  # person, version, part


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens what was sealed: the vault, and what is in custody because it was transferred."""

    vault: Vault
    custodian: Custodian


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a record as it is stored."""

    raw: bytes
    header: Header
    salt: bytes
    position: int


def people(
    c: Connection,
    evidence: Evidence,
    ids: Sequence[UUID],
    transfer: str,
    opening: Opening,
    purposes: Sequence[str] | None,
) -> Iterator[dict[str, Any]]:
    """In the order of the ids, a few queries for some of them together. `c` is one snapshot, in which the map is that
    of the checkpoint. `purposes` is the scope, None for everything."""
    for start in range(0, len(ids), TOGETHER):
        some = ids[start : start + TOGETHER]
        records = _records(c, some, evidence.size)
        disclosed = _disclosed(c, records, opening)
        named = identifiers_of(c, opening.vault, some)
        proofs = evidence.log.inclusions(each.position for events in records.values() for each in events)
        for person in some:
            events = records[person]
            shown = _shown(person, events, disclosed, transfer, purposes)
            yield {
                "subject": str(person),
                "identifiers": [list(each) for each in named.get(person, ())],
                "map": evidence.map.stream(events[0].header.sid),
                "events": [
                    {
                        "index": each.position,
                        "header": each.raw.decode(),
                        "salt": b64url(each.salt),
                        "inclusion": proof_text(proofs[each.position]),
                        "parts": parts,
                    }
                    for each, parts in zip(events, shown, strict=True)
                ],
            }


def _records(c: Connection, ids: Sequence[UUID], size: int) -> dict[UUID, list[Event]]:
    """Every event of these people among the leaves before `size`, in order."""
    found: dict[UUID, list[Event]] = {id: [] for id in ids}
    for row in c.execute(_EVENTS.where(one_of(_head.stream_id, ids), _position.position < size)):
        raw = bytes(row.header)
        found[row.stream_id].append(Event(raw, read_header(raw), bytes(row.salt), row.position))
    return found


def _disclosed(c: Connection, records: Mapping[UUID, Sequence[Event]], opening: Opening) -> dict[Place, bytes]:
    """What was sealed in each part that there still is."""
    body = event_body.c
    bodies = c.execute(select(event_body).where(one_of(body.stream_id, records))).all()
    keys = opening.vault.keys_of(c, records)
    for person in records.keys() - keys.keys():
        explained_wholly(c, opening.vault, person)
    wanted: dict[Place, Wanted] = {}
    for row in bodies:
        events = records[row.stream_id]
        if row.version <= len(events) and row.stream_id in keys:
            header = events[row.version - 1].header
            place = (row.stream_id, row.version, row.part)
            wanted[place] = Wanted(keys[row.stream_id], header.sid, header.n, header.parts[row.part], bytes(row.ct))
    opened = list(zip(wanted, opening.vault.open_disclosures(c, list(wanted.values())), strict=True))
    stored_only = [place for place, said in opened if said is Withheld.CUSTODY]
    if stored_only:
        with taking_role(c, "custodian"):
            inside = opening.custodian.open_disclosures(c, [wanted[place] for place in stored_only])
        opened += zip(stored_only, inside, strict=True)
    for place, said in opened:
        if said is Withheld.ERASED:  # its body is here
            part = wanted[place].part
            explained(c, opening.vault, place[0], [Lacking(part.hid, part.kid)])
    return {place: said for place, said in opened if not isinstance(said, Withheld)}


def _shown(
    person: UUID,
    events: Sequence[Event],
    disclosed: Mapping[Place, bytes],
    transfer: str,
    purposes: Sequence[str] | None,
) -> Iterator[list[dict[str, str]]]:
    """Of each event, its parts: what was sealed in them, as far as it goes."""
    going = None if purposes is None else _going((each.header for each in events), transfer)
    for each in events:
        header = each.header
        yield [
            {"disclosure": b64url(said)}
            if (said := disclosed.get((person, header.n, index))) is not None
            and (going is None or _goes(header, part.hid, going, purposes or ()))
            else {}
            for index, part in enumerate(header.parts)
        ]


def _going(headers: Iterable[Header], transfer: str) -> frozenset[str]:
    for header in headers:
        if header.kind == SubjectTransferred.kind and header.data["transfer"] == transfer:
            return frozenset([*header.data["holdings"], *header.data.get("copied", ())])
    return frozenset()


def _goes(header: Header, hid: str, going: frozenset[str], purposes: Sequence[str]) -> bool:
    """Of a part of the business only what is in scope: the rest is none of the recipient's business."""
    if hid != RECORD:
        return hid in going
    named = {header.data.get("purpose"), *header.data.get("purposes", ())}
    return header.kind in ALWAYS or not named.isdisjoint(purposes)
