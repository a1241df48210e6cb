"""The keys that belong to nobody in particular: blind index and command ids, as of the epochs that are open."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, ClassVar, NamedTuple, TypeAlias
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, bindparam, func, select

from lifecycle.columns import Ask, ask_together
from lifecycle.errors import Conflict
from lifecycle.macs import Mac
from lifecycle.vault.files import KeysUnavailable
from lifecycle.vault.sealing import KEY_BYTES, RECORD, SubjectKeys, new_data_key
from lifecycle.vault.tables import Row, chunks, epoch, lookup
from lifecycle.vault.wrapping import EpochSecrets, lookup_row, subject_key_row

# "life", "epoch": PostgreSQL's advisory lock that registrations share and the beginning of an epoch takes alone.
EPOCH_LOCK = 0x6C6966650000E0C4

Identifier: TypeAlias = tuple[str, str]  # type and normalised text
Found: TypeAlias = dict[Identifier, tuple[UUID, str]]
Names: TypeAlias = tuple[tuple[int, bytes], ...]  # epoch and token, newest epoch first

OPEN_EPOCHS = select(epoch.c.epoch).where(epoch.c.ended_at.is_(None)).order_by(epoch.c.epoch.desc())
_FIND = (
    select(epoch.c.epoch, lookup.c.token, lookup.c.subject_id, lookup.c.identifier_id)
    .select_from(epoch.outerjoin(lookup, lookup.c.token.in_(bindparam("tokens", expanding=True))))
    .where(epoch.c.ended_at.is_(None))
)


class EpochChanged(Conflict):
    """Another process began or ended an epoch in between. Deciding again finds the new keys."""

    code: ClassVar[str] = "epoch-changed"
    remedy: ClassVar[str] = "try again; if it stays so, the vault's tables are older than the keys: restore newer ones"


class SubjectRows(NamedTuple):
    """What a new person adds to the vault's tables."""

    subject_key: Row
    data_key: Row


@dataclass(frozen=True, slots=True)
class Installation:
    """What was true of the epochs at one moment. Everything that one decision writes comes from one of these.

    Newest epoch first; there are two only while a rotation is under way. Before rows made here are inserted,
    `hold_epoch` says whether the moment still lasts.
    """

    epochs: tuple[int, ...]  # what the database calls open
    open: tuple[EpochSecrets, ...]  # without an epoch whose key is destroyed already
    command_key: bytes = field(repr=False)
    _mac: Mac = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_mac", Mac(self.command_key))

    @property
    def epoch(self) -> int:
        return self.open[0].epoch

    def kek(self, of_epoch: int) -> AESGCM:
        for one in self.open:
            if one.epoch == of_epoch:
                return one.kek
        raise KeysUnavailable(
            f"A key is wrapped by epoch {of_epoch}, which is not open.",
            "restore vault tables and keys of the same day",
        )

    def cmd(self, command_id: str) -> str:
        """The stored form of a command's id: the caller may have put anything into it."""
        return self._mac(command_id.encode()).hex()

    def instruction_token(self, instruction: str) -> str:
        """What whoever answers an instruction has to show. It follows from the instruction's id and from a key that
        stays, so that an instruction may go out twice. No command's id begins as this does: that byte is not UTF-8."""
        return self._mac(b"\xffinstruction|" + instruction.encode()).hex()

    def new_instruction(self) -> tuple[str, str]:
        """An id for an instruction, and the SHA-256 of its token in hex."""
        instruction = secrets.token_hex(16)
        return instruction, sha256(self.instruction_token(instruction).encode()).hexdigest()

    def tokens(self, identifiers: Iterable[Identifier]) -> dict[bytes, Identifier]:
        """Every token under which an identifier may be found now."""
        wanted = list(dict.fromkeys(identifiers))
        return {one.token(*identifier): identifier for identifier in wanted for one in self.open}

    def names(self, named: Identifier) -> Names:
        """What a name is hashed to in each open epoch; nobody can say it any more when the epoch has ended."""
        return tuple((one.epoch, one.token(*named)) for one in self.open)

    def stranger_macs(self, content: bytes) -> list[bytes]:
        """In the order of `names`."""
        return [one.content_mac(content) for one in self.open]

    def find(self, db: Connection, identifiers: Iterable[Identifier]) -> Found:
        """Whose identifiers these are. One statement reads epochs and look-ups together, so that no rotation
        can slip in between and make a known person unknown."""
        by_token = self.tokens(identifiers)
        return self.found_in(by_token, ask_together(db, self.asked_for(by_token)))

    def asked_for(self, by_token: Mapping[bytes, Identifier]) -> list[Ask]:
        """What `found_in` has to be given the answers to: so that it can be asked together with something else."""
        return [Ask(_FIND, {"tokens": some}) for some in chunks(list(by_token))]

    def found_in(self, by_token: Mapping[bytes, Identifier], answers: Iterable[Sequence[Any]]) -> Found:
        found: Found = {}
        for rows in answers:
            if {row.epoch for row in rows} != set(self.epochs):
                raise EpochChanged("An epoch began or ended during a look-up.")
            for row in rows:
                if row.token is not None:
                    found[by_token[bytes(row.token)]] = (row.subject_id, row.identifier_id)
        return found

    def new_subject(self, subject_id: UUID) -> tuple[SubjectKeys, SubjectRows]:
        """Keys for a new person, wrapped under the newest epoch."""
        sid, sk = os.urandom(KEY_BYTES), os.urandom(KEY_BYTES)
        rk, rk_kid = new_data_key()
        keys = SubjectKeys(subject_id, sid, 1, self.epoch, sk, rk, rk_kid)
        row = subject_key_row(self.open[0], keys)
        return keys, SubjectRows(row, keys.data_key_row(rk_kid, RECORD, rk))

    def lookup_row(self, kind: str, normalised: str, subject_id: UUID, identifier_id: str) -> Row:
        return lookup_row(self.open[0], kind, normalised, subject_id, identifier_id)


def hold_epoch(db: Connection, made_in: Collection[int]) -> None:
    """Keep epochs from beginning until this transaction ends, and refuse rows that were made before the newest.

    Call it in the writing transaction, before keys and look-ups are inserted; `made_in` are the epochs in their rows.
    Without it a person who registers while an epoch begins could be found under neither key, or be wrapped by a key
    that is about to be destroyed.
    """
    if not made_in:
        return
    lock_epochs(db, shared=True)
    newest = db.execute(OPEN_EPOCHS).scalars().first()
    if any(number != newest for number in made_in):
        raise EpochChanged("An epoch began between deciding and writing.")


def lock_epochs(db: Connection, *, shared: bool = False) -> None:
    """Row locks would need a right to UPDATE that writers do not have. SQLite's writers are alone anyway."""
    if db.dialect.name == "postgresql":
        lock = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        db.execute(select(lock(EPOCH_LOCK)))
