"""One key in custody: sealed to a public key by RFC 9180, bound to its person, holding and epoch."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from sqlalchemy import Connection, bindparam, insert, select, update

from lifecycle.vault.custody_keys import CustodyKeys
from lifecycle.vault.sealing import Tampered
from lifecycle.vault.tables import Answer, custody_key, installation_key
from lifecycle.vault.wrapping import CUSTODY_KEY, installation_key_row, unwrap_installation_key

INFO = b"lifecycle/custody/v1"
SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_RESEAL = (
    update(custody_key)
    .where(custody_key.c.subject_id == bindparam("its_subject"), custody_key.c.kid == bindparam("its_kid"))
    .values(epoch=bindparam("new_epoch"), sealed=bindparam("new_sealed"))
)


def seal_to_custody(public: bytes, dk: bytes, subject_id: UUID, hid: str, kid: str, epoch: int) -> bytes:
    """RFC 9180, base mode; bound to its place, so that a row that was put elsewhere does not open."""
    return SUITE.encrypt(dk, X25519PublicKey.from_public_bytes(public), _info(subject_id, hid, kid, epoch))


def unseal_from_custody(private: bytes, row: Answer) -> bytes:
    key = X25519PrivateKey.from_private_bytes(private)
    try:
        return SUITE.decrypt(bytes(row.sealed), key, _info(row.subject_id, row.hid, row.kid, row.epoch))
    except (InvalidTag, ValueError):
        raise Tampered("A key in custody does not open under the custody key.") from None


def public_half(db: Connection, kek: AESGCM, keys: CustodyKeys, epoch: int) -> bytes:
    """Made when it is first needed in an epoch, by whoever may write the folder of custody keys."""
    mine = (installation_key.c.name == CUSTODY_KEY) & (installation_key.c.epoch == epoch)
    if (row := db.execute(select(installation_key).where(mine)).first()) is not None:
        return unwrap_installation_key(kek, CUSTODY_KEY, epoch, bytes(row.wrapped))
    private = X25519PrivateKey.from_private_bytes(keys.create(epoch))
    public = private.public_key().public_bytes_raw()
    db.execute(insert(installation_key).values(installation_key_row(kek, CUSTODY_KEY, epoch, public)))
    return public


def reseal(db: Connection, kek: AESGCM, newest: int, keys: CustodyKeys, rows: Sequence[Answer]) -> None:
    """Seal these to the newest epoch's custody key instead of the one that they are sealed to."""
    public = public_half(db, kek, keys, newest)
    again = []
    for row, dk in zip(rows, unsealed(keys, rows), strict=True):
        sealed = seal_to_custody(public, dk, row.subject_id, row.hid, row.kid, newest)
        place = {"its_subject": row.subject_id, "its_kid": row.kid}
        again.append(place | {"new_epoch": newest, "new_sealed": sealed})
    db.execute(_RESEAL, again)


def unsealed(keys: CustodyKeys, rows: Sequence[Answer]) -> list[bytes]:
    """The keys behind these rows. Each epoch's private key is read from its file once, and kept nowhere."""
    private = {epoch: keys.load(epoch) for epoch in {row.epoch for row in rows}}
    return [unseal_from_custody(private[row.epoch], row) for row in rows]


def _info(subject_id: UUID, hid: str, kid: str, epoch: int) -> bytes:
    return b"|".join((INFO, subject_id.hex.encode(), hid.encode(), kid.encode(), str(epoch).encode()))
