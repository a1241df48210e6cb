"""A key that is not there: an erasure, if the record or the journal of erasures says so, and damage if neither does.

Keys are destroyed by order, and every order is on the record before anything is destroyed. Where that record was lost
with a copy that was put back, the erasure journal still names the key. Asked only where a key is missing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.errors import StoreUnavailable
from lifecycle.ledger.envelope import read_header
from lifecycle.storage.tables import event_header
from lifecycle.vault.journal import ErasureJournal
from lifecycle.vault.sealing import RECORD
from lifecycle.vault.tables import tombstone
from lifecycle.vault.vault import Vault


class KeyLost(StoreUnavailable):
    """A key is missing and nobody ordered that: shown as erased, damage would be taken for the keeping of a promise."""

    code = "key-lost"
    rule = "what is erased was ordered to be"
    remedy = (
        "the database is damaged: `lifecycle audit full` says where, then restore a backup (docs/operating.md); what "
        "cannot be brought back can be ordered to be erased"
    )

    def __init__(self, person: UUID) -> None:
        super().__init__(f"A key of {person} is missing, and no erasure explains it.")


class Lacking(NamedTuple):
    """Something sealed that nothing opens: of which holding, and under which key."""

    hid: str
    kid: str


def explained(c: Connection, vault: Vault, person: UUID, lacking: Collection[Lacking]) -> None:
    """Errors: KeyLost if one of these keys is missing though nobody ordered it, in the snapshot of `c`."""
    if not lacking or c.execute(select(tombstone.c.generation).where(tombstone.c.subject_id == person)).first():
        return
    whole, ordered = _ordered(c, person)
    left = [each for each in lacking if each.hid not in ordered]
    if left and not whole and not _in_journal(vault, person, left):
        raise KeyLost(person)


def explained_wholly(c: Connection, vault: Vault, person: UUID) -> None:
    """Errors: KeyLost if somebody has no keys at all, and it was not ordered that they go altogether."""
    explained(c, vault, person, [Lacking(RECORD, "")])


def _ordered(c: Connection, person: UUID) -> tuple[bool, set[str]]:
    """Whether it was ordered that the person goes altogether, and which holdings were to go."""
    from lifecycle.domain.subject.events import ErasureOrdered  # noqa: PLC0415 -- a start does without facts

    head, whole, holdings = event_header.c, False, set[str]()
    orders = select(head.header).where(head.stream_id == person, head.kind == ErasureOrdered.kind)
    for header in c.execute(orders).scalars():
        said = read_header(bytes(header)).data
        whole = whole or bool(said["whole"])
        holdings.update(said["holdings"])
    return whole, holdings


def _in_journal(vault: Vault, person: UUID, lacking: Collection[Lacking]) -> bool:
    named = set[str]()
    for each in ErasureJournal(vault.epoch_keys.folder).entries():
        if each.subject_id == person:
            if each.whole:
                return True
            named.update(each.kids)
    return all(each.kid in named for each in lacking)
