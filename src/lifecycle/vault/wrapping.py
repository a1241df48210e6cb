"""What an epoch's key wraps: subject keys, installation keys and the identifiers behind the blind index."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lifecycle.macs import Mac
from lifecycle.vault.sealing import RECORD, SubjectKeys, b64url, data_key_aad, unwrap, wrap
from lifecycle.vault.tables import Answer, Row

WRAP_SUBJECT_KEY = b"lifecycle/wrap-subject-key/v1"
WRAP_INSTALLATION_KEY = b"lifecycle/wrap-installation-key/v1"
SEAL_LOOKUP = b"lifecycle/seal-lookup/v1"
CONTENT_OF_STRANGERS = b"lifecycle/content-of-strangers/v1"

LOOKUP_KEY = "lookup"
COMMAND_KEY = "command"
CUSTODY_KEY = "custody"  # the public half, wrapped so that nobody without the epoch's key can put another in its place


@dataclass(frozen=True, slots=True)
class EpochSecrets:
    """One open epoch: its key, ready for use, and its key of the blind index."""

    epoch: int
    kek: AESGCM = field(repr=False)
    lookup_key: bytes = field(repr=False)
    _mac: Mac = field(init=False, repr=False, compare=False)
    _of_kind: dict[str, Mac] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_mac", Mac(self.lookup_key))

    def token(self, kind: str, normalised: str) -> bytes:
        made = self._of_kind.get(kind)
        if made is None:  # there are a handful of kinds, and a batch of strangers asks a thousand times
            made = self._of_kind[kind] = Mac(self._mac(kind.encode()))
        return made(normalised.encode())

    def content_mac(self, content: bytes) -> bytes:
        """To tell whether whom nobody knows says the same again; for as long as this epoch lasts."""
        return self._mac(CONTENT_OF_STRANGERS + b"\x00" + content)


def subject_key_row(secrets: EpochSecrets, keys: SubjectKeys) -> Row:
    aad = subject_key_aad(keys.subject_id, keys.sid, secrets.epoch)
    return {
        "subject_id": keys.subject_id,
        "sid": keys.sid,
        "generation": keys.generation,
        "epoch": secrets.epoch,
        "record_kid": keys.rk_kid,
        "wrapped": wrap(secrets.kek, keys.sk, aad),
    }


def subject_key_aad(subject_id: UUID, sid: bytes, of_epoch: int) -> bytes:
    return bound_to_subject(subject_id.hex, sid) + str(of_epoch).encode()


def bound_to_subject(subject_id: str, sid: bytes) -> bytes:
    """What a wrapped subject key is bound to, up to the number of the epoch; `subject_id` in 32 hexadecimal digits."""
    return b"|".join((WRAP_SUBJECT_KEY, subject_id.encode(), b64url(sid).encode(), b""))


def installation_key_row(kek: AESGCM, name: str, of_epoch: int, key: bytes) -> Row:
    return {"name": name, "epoch": of_epoch, "wrapped": wrap(kek, key, _installation_aad(name, of_epoch))}


def unwrap_installation_key(kek: AESGCM, name: str, of_epoch: int, wrapped: bytes) -> bytes:
    return unwrap(kek, wrapped, _installation_aad(name, of_epoch))


def _installation_aad(name: str, of_epoch: int) -> bytes:
    return b"|".join((WRAP_INSTALLATION_KEY, name.encode(), str(of_epoch).encode()))


def lookup_row(secrets: EpochSecrets, kind: str, normalised: str, subject_id: UUID, identifier_id: str) -> Row:
    aad = lookup_aad(kind, subject_id, identifier_id, secrets.epoch)
    return {
        "token": secrets.token(kind, normalised),
        "type": kind,
        "subject_id": subject_id,
        "identifier_id": identifier_id,
        "epoch": secrets.epoch,
        "sealed": wrap(secrets.kek, normalised.encode(), aad),
    }


def lookup_aad(kind: str, subject_id: UUID, identifier_id: str, of_epoch: int) -> bytes:
    return bound_to_identifier(kind, subject_id.hex, identifier_id) + str(of_epoch).encode()


def bound_to_identifier(kind: str, subject_id: str, identifier_id: str) -> bytes:
    """The same for a sealed identifier."""
    return b"|".join((SEAL_LOOKUP, kind.encode(), subject_id.encode(), identifier_id.encode(), b""))


def unwrap_subject_key(kek: AESGCM, row: Answer) -> bytes:
    return unwrap(kek, bytes(row.wrapped), subject_key_aad(row.subject_id, bytes(row.sid), row.epoch))


def unwrap_subject(kek: AESGCM, row: Answer) -> SubjectKeys:
    """A person's keys, from the row of the subject key with its record key beside it."""
    sid = bytes(row.sid)
    sk = unwrap_subject_key(kek, row)
    rk = unwrap(AESGCM(sk), bytes(row.record_wrapped), data_key_aad(sid, RECORD, row.record_kid))
    return SubjectKeys(row.subject_id, sid, row.generation, row.epoch, sk, rk, row.record_kid)


def unseal_lookup(kek: AESGCM, row: Answer) -> str:
    aad = lookup_aad(row.type, row.subject_id, row.identifier_id, row.epoch)
    return unwrap(kek, bytes(row.sealed), aad).decode()
