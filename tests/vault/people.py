"""For tests: a vault with its database and its folder of keys, and people who register, give values and are erased."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, Table, insert, select
from uuid_utils.compat import uuid7

from lifecycle.storage.database import Database
from lifecycle.storage.tables import pending_erasure
from lifecycle.vault.epochs import EpochKeys
from lifecycle.vault.erasure import Destroyed, destroy_holdings, destroy_subject, fence_subject
from lifecycle.vault.installation import hold_epoch
from lifecycle.vault.rotation import Rotation
from lifecycle.vault.sealing import SubjectKeys
from lifecycle.vault.tables import data_key, lookup, metadata, subject_key
from lifecycle.vault.vault import Vault, Wanted

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Stored:
    """One value as the stores keep it: where it is, and its ciphertext."""

    subject_id: UUID
    hid: str
    n: int
    part: object
    ciphertext: bytes | None


@dataclass
class Store:
    """One process's view. `reopened` is another process, which remembers nothing."""

    db: Database
    folder: Path
    vault: Vault = field(init=False)
    rotation: Rotation = field(init=False)

    def __post_init__(self) -> None:
        self.vault = Vault(EpochKeys(self.folder))
        self.rotation = Rotation(EpochKeys(self.folder))

    def reopened(self) -> Store:
        return Store(self.db, self.folder)

    def initialised(self) -> Store:
        with self.db.write("eraser") as c:
            self.vault.initialise(c, NOON)
        return self

    def register(self, *emails: str) -> list[UUID]:
        """Register one person for each address, all in one append."""
        with self.db.read() as c:
            installation = self.vault.installation(c)
            assert not installation.find(c, [("email", email) for email in emails])
        people = [installation.new_subject(uuid7()) for _ in emails]
        lookups = [
            installation.lookup_row("email", email, keys.subject_id, "i1")
            for email, (keys, _) in zip(emails, people, strict=True)
        ]
        with self.db.write("writer") as c:
            hold_epoch(c, {row["epoch"] for row in lookups})
            put(c, lookup, lookups)
            put(c, subject_key, [rows.subject_key for _, rows in people])
            put(c, data_key, [rows.data_key for _, rows in people])
        return [keys.subject_id for keys, _ in people]

    def keys(self, subject_id: UUID) -> SubjectKeys | None:
        with self.db.read() as c:
            return self.vault.keys_of(c, [subject_id]).get(subject_id)

    def keep(self, subject_id: UUID, hid: str, value: object, n: int = 1) -> Stored:
        keys = self.keys(subject_id)
        assert keys
        sealed = keys.seal(keys.sid, n, hid, value)
        with self.db.write("writer") as c:
            put(c, data_key, [sealed.data_key_row] if sealed.data_key_row else [])
        return Stored(subject_id, hid, n, sealed.part, sealed.ciphertext)

    def open(self, *stored: Stored) -> list[object]:
        with self.db.read() as c:
            keys = self.vault.keys_of(c, {each.subject_id for each in stored})
            return self.vault.open_values(c, [wanted(keys[each.subject_id], each) for each in stored])

    def find(self, *emails: str) -> list[UUID | None]:
        asked = [("email", email) for email in emails]
        with self.db.read() as c:
            found = self.vault.find(c, asked)
        return [found[one][0] if one in found else None for one in asked]

    def erase_holdings(self, subject_id: UUID, *kids: str) -> Destroyed:
        self.order_erasure(subject_id)
        with self.db.write("eraser") as c:
            return destroy_holdings(c, self.vault, subject_id, kids)

    def erase_person(self, subject_id: UUID) -> Destroyed:
        self.order_erasure(subject_id)
        with self.db.write("eraser") as c:
            fence_subject(c, subject_id, NOON)
        with self.db.write("eraser") as c:
            return destroy_subject(c, subject_id)

    def order_erasure(self, subject_id: UUID) -> None:
        """SQLite's triggers let keys be destroyed only where an order is pending."""
        with self.db.write("eraser") as c:
            mine = pending_erasure.c.stream_id == subject_id
            if not c.execute(select(pending_erasure).where(mine)).first():
                put(c, pending_erasure, [{"stream_id": subject_id, "version": 1, "at": NOON}])

    def rotate(self) -> None:
        with self.db.write("eraser") as c:
            self.rotation.begin(c, NOON)
        waiting = 1
        while waiting:
            with self.db.write("eraser") as c:
                waiting = self.rotation.rewrap_batch(c, 100)
        with self.db.write("eraser") as c:
            assert self.rotation.finish(c, NOON)

    def dump(self) -> dict[str, list[dict[str, object]]]:
        """What a backup, a replica or the write-ahead file would keep of the vault."""
        with self.db.write("eraser") as c:
            return {
                t.name: [dict(row._mapping) for row in c.execute(select(t).order_by(*t.primary_key))]
                for t in metadata.sorted_tables
            }


def wanted(keys: SubjectKeys, stored: Stored) -> Wanted:
    return Wanted(keys, keys.sid, stored.n, stored.part, stored.ciphertext)


def put(c: Connection, table: Table, rows: Iterable[dict[str, object]]) -> None:
    rows = list(rows)
    if rows:
        c.execute(insert(table), rows)
