"""Storage only, enforced: keys that are sealed to a custody key, which only a custodian has.

Every session can give a key into custody, because that takes the public half alone. Taking one out, or opening what it
seals, takes the private half: a file of its own, loaded by a `Custodian` and by nobody else.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar, NamedTuple
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection, delete, func, insert, select

from lifecycle.domain.event import Personal, Withheld
from lifecycle.errors import NeedsAnother
from lifecycle.vault.custody_keys import CustodyKeys
from lifecycle.vault.custody_sealing import public_half, seal_to_custody, unsealed
from lifecycle.vault.installation import lock_epochs
from lifecycle.vault.loading import open_epochs
from lifecycle.vault.rekeying import locked, rekey
from lifecycle.vault.sealing import Tampered, open_disclosure, payload_of
from lifecycle.vault.tables import Answer, chunks, custody_key, data_key
from lifecycle.vault.vault import Vault, Wanted


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
    row = locked(db, subject_id)
    if row is None or not hids:
        return Moved()
    mine = db.execute(select(data_key).where(data_key.c.subject_id == subject_id)).all()
    inside = [each for each in mine if each.hid in hids and each.kid != row.record_kid]
    if not inside:
        return Moved()
    lock_epochs(db, shared=True)
    epoch = open_epochs(db)[0]
    public = public_half(db, vault.kek(db, epoch), keys, epoch)
    opened = rekey(db, vault, row, [each for each in mine if each not in inside], also_open=inside)
    sealed = [
        {"subject_id": subject_id, "kid": kid, "hid": hid, "epoch": epoch}
        | {"sealed": seal_to_custody(public, dk, subject_id, hid, kid, epoch)}
        for hid, kid, dk in opened
    ]
    db.execute(insert(custody_key), sealed)
    for some in chunks([each.kid for each in inside]):
        db.execute(delete(data_key).where(data_key.c.subject_id == subject_id, data_key.c.kid.in_(some)))
    return Moved(taken=len(sealed), generation=row.generation + 1)


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
            db.execute(delete(custody_key).where(custody_key.c.subject_id == subject_id, custody_key.c.kid.in_(some)))
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
    theirs = custody_key.c.subject_id.in_(list(people))
    return db.execute(select(custody_key).where(theirs).order_by(custody_key.c.kid)).all()
