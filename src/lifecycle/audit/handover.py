"""One person as they are handed over: the record with its proofs, what is sealed in it opened, and how they are found.

The state is not carried: it follows from the record, so nobody can hand over another one than the log attests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.audit.bundle import Evidence, Keys, covered_events, parts_shown
from lifecycle.domain.subject.events import BirthDateRecorded, GuardianRecorded, LegalHoldPlaced, LegalHoldReleased
from lifecycle.domain.subject.transfer_events import SubjectTransferred
from lifecycle.ledger.envelope import Header, b64url, read_header
from lifecycle.vault.revealing import Revealed
from lifecycle.vault.sealing import RECORD

ALWAYS = frozenset({BirthDateRecorded.kind, GuardianRecorded.kind, LegalHoldPlaced.kind, LegalHoldReleased.kind})
"""What callers said in words with these goes whatever the scope is: age, guardians and holds bind the recipient too."""


def person(
    c: Connection,
    evidence: Evidence,
    subject_id: UUID,
    transfer: str,
    *,
    keys: Keys,
    identifiers: Sequence[Revealed],
    purposes: Sequence[str] | None,
) -> dict[str, Any]:
    """`c` is one snapshot, in which the map is that of the checkpoint. `purposes` is the scope, None for everything."""
    rows = [row for some in covered_events(c, subject_id, evidence.size) for row in some]
    headers = [read_header(bytes(row.header)) for row in rows]
    shown = parts_shown(c, subject_id, rows, keys)
    going = None if purposes is None else _going(headers, transfer)
    events = [
        {
            "index": row.position,
            "header": bytes(row.header).decode(),
            "salt": b64url(row.salt),
            "inclusion": evidence.inclusion(row.position),
            "parts": [
                _disclosed(part) if going is None or _goes(header, hid, going, purposes or ()) else {}
                for hid, part in zip((part.hid for part in header.parts), shown[row.version], strict=True)
            ],
        }
        for row, header in zip(rows, headers, strict=True)
    ]
    return {
        "subject": str(subject_id),
        "identifiers": [list(each) for each in identifiers],
        "map": evidence.map.stream(headers[0].sid),
        "events": events,
    }


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


def _disclosed(part: Mapping[str, str]) -> dict[str, str]:
    return {"disclosure": part["disclosure"]} if "disclosure" in part else {}
