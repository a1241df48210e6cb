"""Somebody who arrives from another controller and was erased here before: a new person, with a new stream.

Erased stays erased: nothing leads from one record to the other but what came along in the archive. The new id follows
from the arrival, so that an archive that is taken over again finds the person whom it brought. What arrived, was erased
here, and arrives by the same transfer once more, does not come back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.domain.subject.transfer_events import SubjectReceived
from lifecycle.ledger.envelope import read_header
from lifecycle.storage.appending import in_chunks, load_heads
from lifecycle.storage.lost_keys import explained_wholly
from lifecycle.storage.tables import event_header
from lifecycle.value_lists import one_of
from lifecycle.vault.vault import Vault

CAME_BACK = b"lifecycle/came-back/v1"
_VERSION, _VARIANT = 7 << 76, 2 << 62
_FREE = ~((0xF << 76) | (3 << 62))


class Arrival(NamedTuple):
    """A person, by the id that they have in the archive, the log and pseudonym that they come from, and the transfer
    by which they come: each happens once."""

    subject: UUID
    origin: str
    sid: str
    transfer: str

    def again(self) -> UUID:
        """A UUIDv7 in form. Its time says nothing, so that it cannot be matched with when the erased record began."""
        said = "\0".join((self.origin, self.sid, self.transfer, str(self.subject))).encode()
        number = int.from_bytes(sha256(CAME_BACK + b"\0" + said).digest()[:16], "big")
        return UUID(int=number & _FREE | _VERSION | _VARIANT)


class Here(NamedTuple):
    """Under which id each arrival is, or is going to be, on record here; and which of these ids are known already."""

    ids: Mapping[Arrival, UUID]
    known: frozenset[UUID]


def here(c: Connection, vault: Vault, arrivals: Sequence[Arrival]) -> Here:
    known = set(load_heads(c, [each.subject for each in arrivals]))
    living = vault.keys_of(c, known)
    erased = [each for each in arrivals if each.subject in known and each.subject not in living]
    for each in erased:
        explained_wholly(c, vault, each.subject)
    before = _arrived_before(c, [each.subject for each in erased])
    back = {each: each.again() for each in erased if before.get(each.subject) != each}
    known |= set(load_heads(c, list(back.values())))
    return Here({each: back.get(each, each.subject) for each in arrivals}, frozenset(known))


def _arrived_before(c: Connection, people: Sequence[UUID]) -> dict[UUID, Arrival]:
    """By which arrival those of them came who were not registered here."""
    head = event_header.c
    found: dict[UUID, Arrival] = {}
    for some in in_chunks(people):
        rows = c.execute(
            select(head.stream_id, head.header).where(
                one_of(head.stream_id, some), head.version == 2, head.kind == SubjectReceived.kind
            )
        )
        for row in rows:
            said = read_header(bytes(row.header)).data
            found[row.stream_id] = Arrival(row.stream_id, said["origin"], said["sid"], said["transfer"])
    return found
