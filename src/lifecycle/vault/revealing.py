"""The identifiers by which a person is found, in clear: for whoever takes over the person's record, nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.value_lists import one_of
from lifecycle.vault.sealing import unwrap
from lifecycle.vault.tables import chunks, lookup
from lifecycle.vault.vault import Vault
from lifecycle.vault.wrapping import lookup_aad


class Revealed(NamedTuple):
    identifier: str
    type: str
    normalised: str


def identifiers_of(db: Connection, vault: Vault, people: Sequence[UUID]) -> dict[UUID, list[Revealed]]:
    """Errors: Tampered."""
    found: dict[UUID, dict[str, Revealed]] = {}
    for some in chunks(people):
        for row in db.execute(select(lookup).where(one_of(lookup.c.subject_id, some))):
            aad = lookup_aad(row.type, row.subject_id, row.identifier_id, row.epoch)
            said = unwrap(vault.kek(db, row.epoch), bytes(row.sealed), aad).decode()
            found.setdefault(row.subject_id, {})[row.identifier_id] = Revealed(row.identifier_id, row.type, said)
    return {person: sorted(each.values()) for person, each in found.items()}
