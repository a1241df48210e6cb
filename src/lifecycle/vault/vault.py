"""The vault as the engine sees it: whose keys, which person, which value."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import Any, ClassVar, NamedTuple, Protocol
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import JsonValue
from sqlalchemy import Connection, bindparam, select

from lifecycle.columns import Ask, ask_together
from lifecycle.domain.event import Personal, Withheld
from lifecycle.errors import Conflict
from lifecycle.vault.epochs import EpochKeys
from lifecycle.vault.files import KeyMissing
from lifecycle.vault.installation import EpochChanged, Found, Identifier, Installation
from lifecycle.vault.loading import begin_first_epoch, load_installation, open_epochs
from lifecycle.vault.sealing import SealedPart, SubjectKeys, Tampered, open_disclosure, payload_of
from lifecycle.vault.tables import Answer, chunks, custody_key, data_key, subject_key, tombstone
from lifecycle.vault.wrapping import unwrap_subject

# People and keys in one question. Both engines look for each key at each of its people: with a thousand of either that
# was a million look-ups, and a third of an import about people on record.
_PAIRS = 16
REMEMBERED = 10_000  # people whose unwrapped keys are kept, about 1 kB each

_KEYS = (
    select(subject_key, data_key.c.wrapped.label("record_wrapped"))
    .select_from(
        subject_key.join(
            data_key,
            (data_key.c.subject_id == subject_key.c.subject_id) & (data_key.c.kid == subject_key.c.record_kid),
        ).outerjoin(tombstone, tombstone.c.subject_id == subject_key.c.subject_id)
    )
    .where(subject_key.c.subject_id.in_(bindparam("ids", expanding=True)), tombstone.c.subject_id.is_(None))
)
_DATA_KEYS = (
    select(data_key, subject_key.c.generation)
    .join(subject_key, subject_key.c.subject_id == data_key.c.subject_id)
    .where(
        data_key.c.subject_id.in_(bindparam("ids", expanding=True)),
        data_key.c.kid.in_(bindparam("kids", expanding=True)),
    )
)

_IN_CUSTODY = select(custody_key.c.subject_id, custody_key.c.kid).where(
    custody_key.c.subject_id.in_(bindparam("ids", expanding=True)),
    custody_key.c.kid.in_(bindparam("kids", expanding=True)),
)


class StaleKeys(Conflict):
    """Someone else erased a holding of this person in between; the keys must be read again."""

    code: ClassVar[str] = "stale-keys"
    remedy: ClassVar[str] = "read the person's keys again"


class DataKey(Protocol):
    """A row of a data key, with the generation of its person's keys in the same snapshot."""

    @property
    def kid(self) -> str: ...
    @property
    def hid(self) -> str: ...
    @property
    def wrapped(self) -> bytes: ...
    @property
    def generation(self) -> int: ...


class Wanted(NamedTuple):
    """One sealed value to be opened: the person's keys, the stream, the event and what was stored of it."""

    keys: SubjectKeys
    sid: bytes
    n: int
    part: SealedPart
    ciphertext: bytes | None

    def __repr__(self) -> str:
        return f"Wanted(n={self.n})"


class Vault:
    """Opens what the database and the folder of keys together allow, and remembers nothing that they no longer do.

    Safe to share between threads. A remembered key is used only if the row read in this very call is the one that
    it was unwrapped from: so nothing is ever opened out of memory that the database would not open.
    """

    def __init__(self, keys: EpochKeys, remember: int | None = None) -> None:
        self.epoch_keys = keys
        self._remember = remember or REMEMBERED
        self._known: OrderedDict[UUID, tuple[tuple[int, int, bytes, bytes], SubjectKeys]] = OrderedDict()
        self._lock = Lock()
        self._installation: Installation | None = None
        self._newest = 0

    def initialise(self, db: Connection, at: datetime) -> None:
        """Begin epoch 1. Again is harmless."""
        begin_first_epoch(db, self.epoch_keys, at)

    def installation(self, db: Connection) -> Installation:
        """The installation's keys as of now."""
        known, now_open = self._installation, open_epochs(db)
        if known is None or known.epochs != now_open:
            known = self._installation = self._loaded(db, now_open)
        return known

    @property
    def remembered(self) -> Installation | None:
        """As it was known last; an epoch may have begun or ended since, which `found_in` notices."""
        return self._installation

    def cmd(self, command_id: str) -> str:
        """The stored form of a command's id; needs `installation` to have been called once."""
        return self._present().cmd(command_id)

    def instruction_token(self, instruction: str) -> str:
        """What whoever answers this instruction has to show."""
        return self._present().instruction_token(instruction)

    def new_instruction(self) -> tuple[str, str]:
        """An id for an instruction, and the SHA-256 of its token in hex."""
        return self._present().new_instruction()

    def _present(self) -> Installation:
        if self._installation is None:
            raise AssertionError("the vault was not opened")
        return self._installation

    def find(self, db: Connection, identifiers: Iterable[Identifier]) -> Found:
        """Whose identifiers these are; who decides to register someone on the answer asks `installation` instead."""
        wanted = list(identifiers)
        try:
            return (self._installation or self.installation(db)).find(db, wanted)
        except EpochChanged:
            return self.installation(db).find(db, wanted)

    def keys_of(self, db: Connection, subject_ids: Iterable[UUID]) -> dict[UUID, SubjectKeys]:
        """The keys of these people. Who is missing in the answer is unknown or erased."""
        ids = list(dict.fromkeys(subject_ids))
        return self.keys_in(db, ids, ask_together(db, self.keys_asked(ids)))

    def keys_asked(self, ids: Sequence[UUID]) -> list[Ask]:
        """What `keys_in` has to be given the answers to: so that it can be asked together with something else."""
        return [Ask(_KEYS, {"ids": some}) for some in chunks(ids)]

    def keys_in(
        self, db: Connection, ids: Sequence[UUID], answers: Iterable[Sequence[Answer]]
    ) -> dict[UUID, SubjectKeys]:
        known = {
            row.subject_id: self._keys(row) or self._unwrapped(self.kek(db, row.epoch), row)
            for rows in answers
            for row in rows
        }
        with self._lock:
            for subject_id in ids:
                if subject_id not in known:
                    self._known.pop(subject_id, None)
        return known

    def keys_at_hand(self, row: Answer) -> SubjectKeys | None:
        """The keys of whose row this is; None if it takes a key of an epoch that this process has not met."""
        if (known := self._keys(row)) is not None:
            return known
        installation = self._installation
        kek = next((one.kek for one in installation.open if one.epoch == row.epoch), None) if installation else None
        return None if kek is None else self._unwrapped(kek, row)

    def wrapped(self, keys: SubjectKeys | None) -> tuple[bytes, bytes] | None:
        """What the rows hold that these keys were unwrapped from: the person's key, and that of the record."""
        known = self._known.get(keys.subject_id) if keys is not None else None
        return known[0][2:] if known is not None and known[1] is keys else None

    def open_values(
        self, db: Connection, wanted: Sequence[Wanted], rows: dict[tuple[UUID, str], Answer] | None = None
    ) -> list[Personal[JsonValue]]:
        """Open many values of any number of people with one query for their keys, whose rows are added to `rows`."""
        opened = zip(wanted, self.open_disclosures(db, wanted, rows), strict=True)
        return [said if isinstance(said, Withheld) else payload_of(said, value.part.hid) for value, said in opened]

    def open_disclosures(
        self, db: Connection, wanted: Sequence[Wanted], found: dict[tuple[UUID, str], Answer] | None = None
    ) -> list[bytes | Withheld]:
        """The exact bytes that were sealed, for whoever has to show them to a stranger."""
        rows = self._data_keys(db, wanted)
        if found is not None:
            found |= rows
        lacking = [value for value in wanted if _is_lacking(value, rows)]
        stored_only = _in_custody(db, lacking)
        return [
            Withheld.CUSTODY if _place(value) in stored_only else disclosed(value, rows.get(_place(value)))
            for value in wanted
        ]

    def kek(self, db: Connection, of_epoch: int) -> AESGCM:
        """The key that wraps subject keys of this epoch."""
        if self._installation is None or of_epoch not in self._installation.epochs:
            return self.installation(db).kek(of_epoch)
        return self._installation.kek(of_epoch)

    def _loaded(self, db: Connection, now_open: tuple[int, ...]) -> Installation:
        try:
            loaded = load_installation(db, self.epoch_keys)
        except KeyMissing:
            if now_open[0] < self._newest:  # a snapshot from before a rotation that another thread has seen the end of
                raise EpochChanged("An epoch ended while this was being read.") from None
            raise
        self._newest = max(self._newest, loaded.epoch)
        return loaded

    def _keys(self, row: Answer) -> SubjectKeys | None:
        with self._lock:
            known = self._known.get(row.subject_id)
            if known is None or known[0] != _seen(row):
                return None
            self._known.move_to_end(row.subject_id)
            return known[1]

    def _unwrapped(self, kek: AESGCM, row: Answer) -> SubjectKeys:
        keys = unwrap_subject(kek, row)
        with self._lock:
            self._known[row.subject_id] = (_seen(row), keys)
            self._known.move_to_end(row.subject_id)
            if len(self._known) > self._remember:
                self._known.popitem(last=False)
        return keys

    def _data_keys(self, db: Connection, wanted: Sequence[Wanted]) -> dict[tuple[UUID, str], Answer]:
        sealed = [value for value in wanted if value.part.kid and value.part.kid != value.keys.rk_kid]
        if not sealed:
            return {}
        found = ask_together(db, [Ask(_DATA_KEYS, _people_and_keys(some)) for some in chunks(sealed, _PAIRS)])
        return {(row.subject_id, row.kid): row for rows in found for row in rows}


def _seen(row: Answer) -> tuple[int, int, bytes, bytes]:
    return row.generation, row.epoch, bytes(row.wrapped), bytes(row.record_wrapped)


def _people_and_keys(wanted: Iterable[Wanted]) -> dict[str, list[Any]]:
    return {"ids": list({v.keys.subject_id for v in wanted}), "kids": list({v.part.kid for v in wanted})}


def _place(value: Wanted) -> tuple[UUID, str]:
    return value.keys.subject_id, value.part.kid


def _is_lacking(value: Wanted, rows: Mapping[tuple[UUID, str], Answer]) -> bool:
    return bool(value.part.kid) and value.part.kid != value.keys.rk_kid and _place(value) not in rows


def _in_custody(db: Connection, lacking: Sequence[Wanted]) -> set[tuple[UUID, str]]:
    """Which of the keys that are not here are with the custodian. Where they are is all that this session may see."""
    found: set[tuple[UUID, str]] = set()
    for some in chunks(lacking, _PAIRS):
        asked = _people_and_keys(some)
        found.update((row.subject_id, row.kid) for row in db.execute(_IN_CUSTODY, asked))
    return found


def disclosed(value: Wanted, row: DataKey | None) -> bytes | Withheld:
    """The exact bytes that were sealed, by the row of the key that they were sealed with; without one it is erased."""
    keys, part = value.keys, value.part
    dk: bytes | None = None
    if part.kid == keys.rk_kid:
        dk = keys.rk
    elif part.kid:
        if row is None:
            return Withheld.ERASED
        if row.generation != keys.generation:
            raise StaleKeys("A person was re-keyed while a value was being opened.")
        dk = keys.unwrap(bytes(row.wrapped), row.hid, row.kid)
    if value.ciphertext is None:
        raise Tampered("A ciphertext is missing though its key was not destroyed.")
    return open_disclosure(value.sid, value.n, part, value.ciphertext, dk)
