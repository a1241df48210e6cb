"""Sealing what goes to another controller: X25519, HKDF and AES-256-GCM; only the recipient's key opens it."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lifecycle.errors import Invalid
from lifecycle.vault.files import create_once
from lifecycle.vault.sealing import KEY_BYTES, NONCE_BYTES, Tampered, wrap

INFO = b"lifecycle/handover/v1"


class NotARecipientKey(Invalid):
    code: ClassVar[str] = "not-a-recipient-key"
    remedy: ClassVar[str] = "give an X25519 key in PEM, such as `lifecycle transfer key` makes"

    def __init__(self, what: str) -> None:
        super().__init__(f"This is not {what} for handing over.")


@dataclass(frozen=True, slots=True)
class Sealer:
    """The key of one archive. `enc` is public: with it the recipient derives the same key."""

    enc: bytes
    _key: AESGCM = field(repr=False)

    def seal(self, name: str, number: int, content: bytes) -> bytes:
        """Bound to its place: line `number` of the file `name`."""
        return wrap(self._key, content, _aad(name, number))

    def open(self, name: str, number: int, sealed: bytes) -> bytes:
        """Errors: Tampered."""
        try:
            return self._key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _aad(name, number))
        except (InvalidTag, ValueError):
            raise Tampered("What was sealed for the recipient does not open in this place under this key.") from None


def sealer_for(recipient: X25519PublicKey) -> Sealer:
    """A new archive's, with an ephemeral key that is forgotten at once."""
    ephemeral = X25519PrivateKey.generate()
    enc = raw(ephemeral.public_key())
    return Sealer(enc, _derived(ephemeral.exchange(recipient), enc, raw(recipient)))


def opener_of(private: X25519PrivateKey, enc: bytes) -> Sealer:
    """Errors: Tampered if `enc` is no public key."""
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(enc))
    except ValueError:
        raise Tampered("The archive's ephemeral key is none.") from None
    return Sealer(enc, _derived(shared, enc, raw(private.public_key())))


def _derived(shared: bytes, enc: bytes, recipient: bytes) -> AESGCM:
    return AESGCM(HKDF(hashes.SHA256(), KEY_BYTES, salt=enc + recipient, info=INFO).derive(shared))


def _aad(name: str, number: int) -> bytes:
    return b"|".join((INFO, name.encode(), str(number).encode()))


# -- keys in files -----------------------------------------------------------------------------------------------------


def raw(public: X25519PublicKey) -> bytes:
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def fingerprint(public: X25519PublicKey) -> str:
    return sha256(raw(public)).hexdigest()


def create_key(path: Path) -> str:
    """Make a recipient's private key, readable by its owner alone; return the public one in PEM. What is there stays.

    Errors: FileExistsError.
    """
    private = X25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    if not create_once(path, pem):
        raise FileExistsError
    return public_pem(private.public_key())


def public_pem(public: X25519PublicKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.PEM, form).decode("ascii")


def read_public(pem: bytes) -> X25519PublicKey:
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, X25519PublicKey):
        raise NotARecipientKey("a public key")
    return key


def read_private(pem: bytes) -> X25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, X25519PrivateKey):
        raise NotARecipientKey("a private key")
    return key
