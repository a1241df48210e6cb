"""Custody files and keys in custody that this version wrote open for ever, and by RFC 9180 as others read it."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lifecycle.vault.custody_keys import CustodyKeys
from lifecycle.vault.custody_sealing import seal_to_custody, unseal_from_custody
from lifecycle.vault.sealing import Tampered
from lifecycle.vault.wrapping import CUSTODY_KEY, unwrap_installation_key

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "custody-v1.json").read_text())
ANN, BEN = UUID("0193a000-0000-7000-8000-000000000001"), UUID("0193a000-0000-7000-8000-000000000002")
HID, KID = "852f21014ac68b33", "oORFHeTJpMA874owFoh3YA"
PRIVATE, DK = b"c" * 32, b"d" * 32
PLACE = {"subject_id": ANN, "hid": HID, "kid": KID, "epoch": 7}


def row(sealed: bytes, **other: object) -> SimpleNamespace:
    return SimpleNamespace(**{**PLACE, **other}, sealed=sealed)


def test_an_old_custody_key_file_is_read_for_ever(tmp_path: Path):
    kept = CustodyKeys(tmp_path)
    kept.path(7).write_text(GOLDEN["custody_key_file"])
    assert kept.path(7).name == "custody-000007.key"
    assert kept.load(7) == PRIVATE


def test_an_old_key_in_custody_opens_for_ever():
    assert unseal_from_custody(PRIVATE, row(bytes.fromhex(GOLDEN["sealed"]))) == DK  # type: ignore[arg-type]
    public = unwrap_installation_key(AESGCM(b"k" * 32), CUSTODY_KEY, 7, bytes.fromhex(GOLDEN["public_wrapped"]))
    assert public.hex() == GOLDEN["public"]


@pytest.mark.parametrize("moved", [{"subject_id": BEN}, {"hid": "other"}, {"kid": "other"}, {"epoch": 8}])
def test_a_key_in_custody_does_not_open_in_another_place(moved: dict[str, object]):
    with pytest.raises(Tampered):
        unseal_from_custody(PRIVATE, row(bytes.fromhex(GOLDEN["sealed"]), **moved))  # type: ignore[arg-type]


def labelled(label: bytes, suite: bytes) -> bytes:
    return b"HPKE-v1" + suite + label


def expanded(prk: bytes, suite: bytes, label: bytes, info: bytes, length: int) -> bytes:
    said, made, block = length.to_bytes(2, "big") + labelled(label, suite) + info, b"", b""
    for number in range(1, -(-length // 32) + 1):
        block = hmac.digest(prk, block + said + bytes([number]), sha256)
        made += block
    return made[:length]


def opened_by_hand(private: bytes, info: bytes, sealed: bytes) -> bytes:
    """RFC 9180 read anew: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, base mode, no associated data."""
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"
    enc, ciphertext = sealed[:32], sealed[32:]
    key = X25519PrivateKey.from_private_bytes(private)
    dh = key.exchange(X25519PublicKey.from_public_bytes(enc))
    prk = hmac.digest(b"", labelled(b"eae_prk", kem) + dh, sha256)
    shared = expanded(prk, kem, b"shared_secret", enc + key.public_key().public_bytes_raw(), 32)
    context = b"\x00" + hmac.digest(b"", labelled(b"psk_id_hash", suite), sha256)
    context += hmac.digest(b"", labelled(b"info_hash", suite) + info, sha256)
    secret = hmac.digest(shared, labelled(b"secret", suite), sha256)
    dk = AESGCM(expanded(secret, suite, b"key", context, 32))
    return dk.decrypt(expanded(secret, suite, b"base_nonce", context, 12), ciphertext, b"")


def test_keys_in_custody_are_rfc_9180_as_somebody_else_reads_it():
    info = b"|".join((b"lifecycle/custody/v1", ANN.hex.encode(), HID.encode(), KID.encode(), b"7"))
    public = X25519PrivateKey.from_private_bytes(PRIVATE).public_key().public_bytes_raw()
    for sealed in (bytes.fromhex(GOLDEN["sealed"]), seal_to_custody(public, DK, ANN, HID, KID, 7)):
        assert opened_by_hand(PRIVATE, info, sealed) == DK
