"""What sealing promises: judged by hashes and ciphers applied by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from lifecycle.errors import Invalid
from lifecycle.vault.sealing import RECORD, OpenParts, Part, SubjectKeys, Tampered, open_part

SID = bytes(range(32))
ANN = "ann@example.com"

text = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


def some_keys() -> SubjectKeys:
    return SubjectKeys(uuid7(), SID, 1, 1, b"s" * 32, b"r" * 32, "record-kid")


def key_of(keys: SubjectKeys, sealed) -> bytes:
    row = sealed.data_key_row
    return keys.unwrap(row["wrapped"], row["hid"], row["kid"])


def unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def flipped(raw: bytes, index: int) -> bytes:
    return raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :]


def test_a_sealed_part_is_what_the_format_says_when_it_is_made_by_hand():
    keys = some_keys()
    sealed = keys.seal(SID, 17, "h1", {"email": ANN})
    dk, part = key_of(keys, sealed), sealed.part
    aad = b"lifecycle/aad/v1|" + unpadded(SID).encode() + b"|17|" + part.kid.encode() + b"|h1"
    disclosure = AESGCM(dk).decrypt(sealed.ciphertext[:12], sealed.ciphertext[12:], aad)
    salt, hid, payload = json.loads(disclosure)
    assert (hid, payload) == ("h1", {"email": ANN})
    assert len(base64.urlsafe_b64decode(salt + "==")) == 64
    assert len(disclosure) % 64 == 0
    assert disclosure.rstrip(b" ") == json.dumps([salt, hid, payload], separators=(",", ":")).encode()
    assert part.ct == unpadded(hashlib.sha256(sealed.ciphertext).digest())
    assert part.kc == unpadded(hmac.new(dk, b"lifecycle/key-commit/v1", "sha256").digest())
    assert part.pc == unpadded(hashlib.sha256(unpadded(disclosure).encode()).digest())
    assert sealed.data_key_row == {
        "subject_id": keys.subject_id,
        "kid": part.kid,
        "hid": "h1",
        "wrapped": sealed.data_key_row["wrapped"],
    }


@given(value=values, n=st.integers(1, 2**40), hid=st.sampled_from([RECORD, "h1", "ein|Name", "ärger"]))
def test_what_was_sealed_is_what_is_opened(value, n, hid):
    keys = some_keys()
    sealed = keys.seal(SID, n, hid, value)
    dk = keys.rk if hid == RECORD else key_of(keys, sealed)
    assert open_part(SID, n, sealed.part, sealed.ciphertext, dk) == value


def test_the_record_key_needs_no_row_and_every_holding_gets_a_key_of_its_own():
    keys = some_keys()
    record, one, other = (keys.seal(SID, 1, hid, "x") for hid in (RECORD, "h1", "h1"))
    assert record.data_key_row is None
    assert record.part.kid == "record-kid"
    assert one.part.kid != other.part.kid
    assert key_of(keys, one) != key_of(keys, other)


def test_equal_values_look_different():
    keys = some_keys()
    one, other = (keys.seal(SID, 1, RECORD, ANN) for _ in range(2))
    assert one.ciphertext != other.ciphertext
    assert one.part.pc != other.part.pc


def test_lengths_are_told_only_in_steps_of_64_bytes():
    keys = some_keys()
    lengths = {len(keys.seal(SID, 1, "h1", "a" * length).ciphertext) for length in range(1, 60)}
    assert len(lengths) <= 2


def test_any_flipped_byte_of_the_ciphertext_is_tampering():
    keys = some_keys()
    sealed = keys.seal(SID, 3, "h1", ANN)
    dk = key_of(keys, sealed)
    for index in range(len(sealed.ciphertext)):
        changed = flipped(sealed.ciphertext, index)
        with pytest.raises(Tampered):
            open_part(SID, 3, sealed.part, changed, dk)
        repinned = sealed.part._replace(ct=unpadded(hashlib.sha256(changed).digest()))
        with pytest.raises(Tampered):
            open_part(SID, 3, repinned, changed, dk)


@pytest.mark.parametrize("name", Part._fields)
def test_any_changed_field_of_the_part_is_tampering(name):
    keys = some_keys()
    sealed = keys.seal(SID, 3, "h1", ANN)
    said = getattr(sealed.part, name)
    for index in range(len(said)):
        other = "A" if said[index] != "A" else "B"
        changed = sealed.part._replace(**{name: said[:index] + other + said[index + 1 :]})
        with pytest.raises(Tampered):
            open_part(SID, 3, changed, sealed.ciphertext, key_of(keys, sealed))


def test_a_value_opens_only_in_its_stream_and_event_and_under_its_key():
    keys = some_keys()
    sealed = keys.seal(SID, 3, "h1", ANN)
    dk = key_of(keys, sealed)
    for sid, n, key in ((b"\x00" * 32, 3, dk), (SID, 4, dk), (SID, 3, b"k" * 32), (SID, 3, None)):
        with pytest.raises(Tampered):
            open_part(sid, n, sealed.part, sealed.ciphertext, key)


@pytest.mark.parametrize("ciphertext", [b"", b"short", bytes(12), bytes(27)])
def test_a_ciphertext_cut_short_is_tampering(ciphertext):
    keys = some_keys()
    sealed = keys.seal(SID, 3, "h1", ANN)
    part = sealed.part._replace(ct=unpadded(hashlib.sha256(ciphertext).digest()))
    with pytest.raises(Tampered):
        open_part(SID, 3, part, ciphertext, key_of(keys, sealed))


def test_a_value_sealed_for_another_holding_is_tampering_even_under_the_right_key():
    keys = some_keys()
    mine = keys.seal(SID, 3, RECORD, ANN)
    disclosure = json.dumps(["A" * 86, "another", ANN]).encode()
    aad = b"|".join((b"lifecycle/aad/v1", unpadded(SID).encode(), b"3", b"record-kid", b"record"))
    forged = bytes(12) + AESGCM(keys.rk).encrypt(bytes(12), disclosure, aad)
    part = mine.part._replace(
        ct=unpadded(hashlib.sha256(forged).digest()),
        pc=unpadded(hashlib.sha256(unpadded(disclosure).encode()).digest()),
    )
    with pytest.raises(Tampered, match="another holding"):
        open_part(SID, 3, part, forged, keys.rk)


def test_no_random_byte_of_a_part_serves_two_ends():
    """Salt, nonces, key and its id come from one draw."""
    keys = some_keys()
    sealed = keys.seal(SID, 17, "h1", ANN)
    row, dk = sealed.data_key_row, key_of(keys, sealed)
    aad = b"lifecycle/aad/v1|" + unpadded(SID).encode() + b"|17|" + row["kid"].encode() + b"|h1"
    disclosure = AESGCM(dk).decrypt(sealed.ciphertext[:12], sealed.ciphertext[12:], aad)
    salt, kid = (base64.urlsafe_b64decode(each + "==") for each in (json.loads(disclosure)[0], row["kid"]))
    drawn = [salt, sealed.ciphertext[:12], dk, kid, row["wrapped"][:12]]
    assert [len(each) for each in drawn] == [64, 12, 32, 16, 12]
    eights = [each[at : at + 8] for each in drawn for at in range(len(each) - 7)]
    assert len(set(eights)) == len(eights)


def test_a_wrapped_key_opens_only_for_its_person_holding_and_id():
    keys = some_keys()
    row = keys.seal(SID, 1, "h1", ANN).data_key_row
    other = SubjectKeys(uuid7(), b"\x07" * 32, 1, 1, keys.sk, keys.rk, "record-kid")
    for who, hid, kid in ((keys, "h2", row["kid"]), (keys, "h1", "other"), (other, "h1", row["kid"])):
        with pytest.raises(Tampered):
            who.unwrap(row["wrapped"], hid, kid)
    with pytest.raises(Tampered):
        keys.unwrap(b"", "h1", row["kid"])


def test_a_wrapped_key_is_what_the_format_says_when_it_is_opened_by_hand():
    keys = some_keys()
    row = keys.seal(SID, 1, "h1", ANN).data_key_row
    aad = b"lifecycle/wrap-data-key/v1|" + unpadded(SID).encode() + b"|h1|" + row["kid"].encode()
    dk = AESGCM(keys.sk).decrypt(row["wrapped"][:12], row["wrapped"][12:], aad)
    assert dk == keys.unwrap(row["wrapped"], "h1", row["kid"])
    with pytest.raises(InvalidTag):
        AESGCM(keys.rk).decrypt(row["wrapped"][:12], row["wrapped"][12:], aad)


def test_references_and_content_macs_are_keyed_by_the_record_key_alone():
    keys = some_keys()
    by_hand = hmac.new(keys.rk, b"lifecycle/reference/v1\x00instrument|No. 7", "sha256").digest()[:16]
    assert keys.reference("instrument", "No. 7") == unpadded(by_hand)
    assert len(keys.reference("instrument", "No. 7")) == 22
    assert keys.content_mac(b"doc") == hmac.new(keys.rk, b"lifecycle/content/v1\x00doc", "sha256").digest()
    rekeyed = SubjectKeys(keys.subject_id, SID, 2, 1, b"t" * 32, keys.rk, "record-kid")
    assert rekeyed.reference("instrument", "No. 7") == keys.reference("instrument", "No. 7")
    stranger = SubjectKeys(keys.subject_id, SID, 1, 1, keys.sk, b"q" * 32, "record-kid")
    assert stranger.reference("instrument", "No. 7") != keys.reference("instrument", "No. 7")


def test_open_parts_have_no_key_and_are_pinned_all_the_same():
    sealed = OpenParts().seal(SID, 2, "name", "Udesk")
    assert (sealed.part.kid, sealed.part.kc, sealed.data_key_row) == ("", "", None)
    assert open_part(SID, 2, sealed.part, sealed.ciphertext, None) == "Udesk"
    for index in range(len(sealed.ciphertext)):
        with pytest.raises(Tampered):
            open_part(SID, 2, sealed.part, flipped(sealed.ciphertext, index), None)


@pytest.mark.parametrize("value", [2**70, "\ud800"])
def test_what_json_cannot_carry_is_invalid_and_not_quoted(value):
    with pytest.raises(Invalid) as refused:
        some_keys().seal(SID, 1, "h1", value)
    assert str(value).encode("utf-8", "replace") not in str(refused.value).encode("utf-8", "replace")


def test_nothing_secret_is_in_a_repr():
    keys = some_keys()
    sealed = keys.seal(SID, 1, "h1", ANN)
    shown = repr(keys) + repr(sealed)
    assert ANN not in shown
    for secret in (keys.sk, keys.rk, SID, sealed.ciphertext, sealed.data_key_row["wrapped"]):
        assert repr(secret) not in shown
        assert secret.hex() not in shown
