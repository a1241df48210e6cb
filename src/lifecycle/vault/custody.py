"""Storage only, enforced: keys that are sealed to a custody key, which only a custodian has.

Every session can give a key into custody, because that takes the public half alone. Taking one out, or opening what it
seals, takes the private half: a file of its own, loaded by a `Custodian` and by nobody else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar, NamedTuple
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection, bindparam, delete, func, insert, select

from lifecycle.domain.event import Personal, Withheld
from lifecycle.errors import NeedsAnother
from lifecycle.value_lists import one_of
from lifecycle.vault.custody_keys import CustodyKeys
from lifecycle.vault.custody_sealing import public_half, seal_to_custody, unsealed
from lifecycle.vault.installation import lock_epochs
from lifecycle.vault.loading import open_epochs
from lifecycle.vault.rekeying import locked, locked_all, opened_under, rekey_all
from lifecycle.vault.sealing import Tampered, open_disclosure, payload_of
from lifecycle.vault.tables import Answer, chunks, custody_key, data_key
from lifecycle.vault.vault import Vault, Wanted

_GONE = delete(data_key).where(
    data_key.c.subject_id == bindparam("its_subject"), data_key.c.kid == bindparam("its_kid")
)


class Moved(NamedTuple):
    """How many keys went into custody and came out, and the person's generation, if keys were wrapped anew."""

    taken: int = 0
    given_back: int = 0
    generation: int | None = None


def take(db: Connection, vault: Vault, keys: CustodyKeys, subject_id: UUID, hids: Collection[str]) -> Moved:
    """Move the keys of these holdings into custody and give the person a new subject key.

    Without the new key, an old copy of the wrapped keys would still open under today's ordinary ones. The caller has
    locked the heads of both streams before, and notes the generation in them in the same transaction.
    """
    return take_all(db, vault, keys, {subject_id: hids}).get(subject_id, Moved())


def take_all(
    db: Connection, vault: Vault, keys: CustodyKeys, asked: Mapping[UUID, Collection[str]]
) -> dict[UUID, Moved]:
    """The same for many, in a few statements. Names those of whom something went in."""
    rows = locked_all(db, [person for person, hids in asked.items() if hids])
    staying, going = _apart(db, rows, asked)
    if not going:
        return {}
    lock_epochs(db, shared=True)
    epoch = open_epochs(db)[0]
    public = public_half(db, vault.kek(db, epoch), keys, epoch)
    opened = [(each, dk) for person, some in going.items() for each, dk in opened_under(db, vault, rows[person], some)]
    rekey_all(db, vault, [(rows[person], staying[person]) for person in going])
    db.execute(
        insert(custody_key),
        [
            {"subject_id": each.subject_id, "kid": each.kid, "hid": each.hid, "epoch": epoch}
            | {"sealed": seal_to_custody(public, dk, each.subject_id, each.hid, each.kid, epoch)}
            for each, dk in opened
        ],
    )
    db.execute(_GONE, [{"its_subject": each.subject_id, "its_kid": each.kid} for each, _ in opened])
    return {person: Moved(len(some), generation=rows[person].generation + 1) for person, some in going.items()}


def _apart(
    db: Connection, rows: Mapping[UUID, Answer], asked: Mapping[UUID, Collection[str]]
) -> tuple[dict[UUID, list[Answer]], dict[UUID, list[Answer]]]:
    """By person, the data keys that stay, and those that go."""
    staying: dict[UUID, list[Answer]] = {person: [] for person in rows}
    going: dict[UUID, list[Answer]] = {}
    for some in chunks(list(rows)):
        for each in db.execute(select(data_key).where(one_of(data_key.c.subject_id, some))):
            person = each.subject_id
            goes = each.hid in asked[person] and each.kid != rows[person].record_kid
            (going.setdefault(person, []) if goes else staying[person]).append(each)
    return staying, going


def in_custody(db: Connection, people: Sequence[UUID]) -> set[UUID]:
    """Those of whom something is there."""
    mine = custody_key.c.subject_id
    asked = (select(mine).distinct().where(one_of(mine, some)) for some in chunks(people))
    return {person for query in asked for person in db.execute(query).scalars()}


class CustodyKeyNeeded(NeedsAnother):
    """Keys in custody have to be sealed anew before an epoch can end, and the key that opens them is not here."""

    code: ClassVar[str] = "custody-key-needed"

    def __init__(self, epochs: Collection[int], keys: int) -> None:
        named = ", ".join(f"custody-{epoch:06d}.key" for epoch in sorted(epochs))
        super().__init__(
            f"The epoch cannot end here: {keys} keys are in custody, and the file {named} is not in the folder of "
            "custody keys. Until it ends, no erasure of this epoch becomes final."
        )
        self.remedy = (  # type: ignore[misc]  # it names the folder's setting
            "run `lifecycle vault rotate`, or a worker, where LIFECYCLE_CUSTODY names the folder with that file"
        )


def refuse_without_keys(db: Connection, keys: CustodyKeys) -> None:
    """Before an epoch is ended, or its end is gone on with. Raises CustodyKeyNeeded."""
    now_open = open_epochs(db)
    older = custody_key.c.epoch < (now_open[0] if len(now_open) > 1 else now_open[0] + 1)
    counted = select(custody_key.c.epoch, func.count().label("keys")).where(older).group_by(custody_key.c.epoch)
    found = {row.epoch: row.keys for row in db.execute(counted)}
    lacking = set(found) - set(keys.present())
    if lacking:
        raise CustodyKeyNeeded(lacking, sum(found[epoch] for epoch in lacking))


class Custodian:
    """Who has the private half. It is read from its file at each use and kept nowhere."""

    def __init__(self, keys: CustodyKeys) -> None:
        self.keys = keys

    def give_back(self, db: Connection, vault: Vault, subject_id: UUID, hids: Collection[str]) -> Moved:
        """Wrap the keys of these holdings by the person's own key again: their restriction is over."""
        row = locked(db, subject_id)
        if row is None or not hids:
            return Moved()
        inside = [each for each in _rows(db, {subject_id}) if each.hid in hids]
        if not inside:
            return Moved()
        person = vault.keys_of(db, [subject_id])[subject_id]
        back = [
            person.data_key_row(each.kid, each.hid, dk)
            for each, dk in zip(inside, unsealed(self.keys, inside), strict=True)
        ]
        db.execute(insert(data_key), back)
        for some in chunks([each.kid for each in inside]):
            db.execute(
                delete(custody_key).where(custody_key.c.subject_id == subject_id, one_of(custody_key.c.kid, some))
            )
        return Moved(given_back=len(back))

    def open_values(self, db: Connection, wanted: Sequence[Wanted]) -> list[Personal[JsonValue]]:
        """The values of what is in custody. What is not there is withheld, as if it were erased."""
        opened = zip(wanted, self.open_disclosures(db, wanted), strict=True)
        return [said if isinstance(said, Withheld) else payload_of(said, one.part.hid) for one, said in opened]

    def open_disclosures(self, db: Connection, wanted: Sequence[Wanted]) -> list[bytes | Withheld]:
        """The same, the exact bytes that were sealed."""
        rows = {(each.subject_id, each.kid): each for each in _rows(db, {one.keys.subject_id for one in wanted})}
        found = [rows.get((one.keys.subject_id, one.part.kid)) for one in wanted]
        opened = iter(unsealed(self.keys, [row for row in found if row is not None]))
        return [
            Withheld.ERASED if row is None else _disclosure(one, next(opened))
            for one, row in zip(wanted, found, strict=True)
        ]


def _disclosure(one: Wanted, dk: bytes) -> bytes:
    if one.ciphertext is None:
        raise Tampered("A ciphertext is missing though its key was not destroyed.")
    return open_disclosure(one.sid, one.n, one.part, one.ciphertext, dk)


def _rows(db: Connection, people: Collection[UUID]) -> Sequence[Answer]:
    theirs = one_of(custody_key.c.subject_id, people)
    return db.execute(select(custody_key).where(theirs).order_by(custody_key.c.kid)).all()
