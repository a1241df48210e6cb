"""Notes are signed and read as c2sp.org/signed-note says, and nothing else is read as a note."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.errors import LifecycleError
from lifecycle.ledger.note import (
    COSIGNATURE,
    BadSignature,
    MalformedKey,
    MalformedNote,
    Note,
    Signature,
    SigningKey,
    VerifyingKey,
    read_note,
    read_signatures,
    sign,
    verify,
    with_signatures,
)

# The specification's own example.
FOO = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOO_NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
# Keys that others' implementations publish, private and public, and one of a witness.
WIT1 = ("PRIVATE+KEY+Wit1+55ee4561+AeadRiG7XM4XiieCHzD8lxysXMwcViy5nYsoXURWGrlE",
        "Wit1+55ee4561+AVhZSmQj9+SoL+p/nN0Hh76xXmF7QcHfytUrI1XfSClk")  # fmt: skip
REMORA = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
_OF_ORDER_8 = int.from_bytes(
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
)

KEY = SigningKey.from_seed("log.example/one", bytes(range(32)))
OTHER = SigningKey.from_seed("log.example/two", b"2" * 32)
LINE = sign("t\n", [KEY]).decode().split("\n")[2]
names = st.text(
    st.characters(exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"], exclude_characters="+"), min_size=1, max_size=20
)
texts = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=0x20) | st.just("\n"), max_size=80).map(
    lambda t: t + "\n"
)
seeds = st.binary(min_size=32, max_size=32)


def test_the_specification_s_example_verifies():
    key = VerifyingKey.parse(FOO)
    assert verify(read_note(FOO_NOTE.encode()), [key]) == (key,)
    assert read_note(FOO_NOTE.encode()).text == "This is an example message.\n"
    assert key.vkey == FOO


def test_keys_that_others_publish_are_read_and_written_alike():
    secret, public = WIT1
    key = SigningKey.parse(secret)
    assert (key.vkey, key.secret()) == (public, secret)
    assert VerifyingKey.parse(public) == key.verifying
    assert VerifyingKey.parse(REMORA).kind == COSIGNATURE


@given(texts, st.lists(st.tuples(names, seeds), min_size=1, max_size=4, unique=True))
def test_what_was_signed_is_read_and_verifies(text, owners):
    keys = [SigningKey.from_seed(name, seed) for name, seed in owners]
    data = sign(text, keys)
    note = read_note(data)
    assert note.text == text
    assert note.written() == data
    assert verify(note, [key.verifying for key in keys]) == tuple(key.verifying for key in keys)
    assert verify(note, [keys[0].verifying]) == (keys[0].verifying,)


@given(names, st.sampled_from([1, COSIGNATURE]), seeds)
def test_a_key_is_read_as_it_was_written(name, kind, seed):
    key = SigningKey.from_seed(name, seed, kind)
    assert SigningKey.parse(key.secret()) == key
    assert VerifyingKey.parse(key.vkey) == key.verifying
    assert SigningKey.parse(key.secret()).secret() == key.secret()


def test_a_new_key_is_another_each_time_and_signs():
    one, two = SigningKey.generate("a"), SigningKey.generate("a")
    assert one.vkey != two.vkey
    assert verify(read_note(sign("t\n", [one])), [one.verifying, two.verifying]) == (one.verifying,)


def test_a_signing_key_never_shows_its_secret():
    secret = KEY.secret().split("+")[-1]
    for shown in (repr(KEY), str(KEY), f"{KEY}", f"{KEY!r:>9}"):
        assert secret not in shown
        assert bytes(range(32)).hex() not in shown
        assert repr(bytes(range(32))) not in shown
    broken = KEY.secret().replace("+", "-", 1)
    for text in (broken, KEY.secret()[:-2], KEY.secret().replace(KEY.verifying.key_id.hex(), "00000000")):
        with pytest.raises(MalformedKey) as refused:
            SigningKey.parse(text)
        assert secret[:10] not in str(refused.value)


@given(texts, st.integers(0, 10_000), st.integers(1, 255))
def test_a_note_with_any_byte_changed_is_refused(text, at, change):
    data = bytearray(sign(text, [KEY]))
    data[at % len(data)] ^= change
    with pytest.raises((MalformedNote, BadSignature)):
        verify(read_note(bytes(data)), [KEY.verifying])


def test_signatures_of_unknown_keys_are_ignored_even_with_a_known_name_or_id():
    same_name = SigningKey.from_seed(KEY.name, b"x" * 32)
    same_id = Signature("log.example/three", KEY.verifying.key_id, b"nonsense")
    note = with_signatures(read_note(sign("t\n", [KEY, same_name])), [same_id])
    assert verify(note, [KEY.verifying]) == (KEY.verifying,)
    with pytest.raises(BadSignature, match="No known key"):
        verify(note, [OTHER.verifying])


def test_one_false_signature_of_a_known_key_spoils_the_note():
    false = Signature(OTHER.name, OTHER.verifying.key_id, b"x" * 64)
    for note in (with_signatures(read_note(sign("t\n", [KEY])), [false]), Note("t\n", (false,))):
        with pytest.raises(BadSignature, match="does not verify"):
            verify(note, [KEY.verifying, OTHER.verifying])


def test_a_signature_is_added_once():
    note = read_note(sign("t\n", [KEY]))
    assert with_signatures(note, note.signatures) == note
    assert len(with_signatures(note, read_note(sign("t\n", [OTHER])).signatures).signatures) == 2


def test_text_may_have_empty_lines_and_the_last_one_parts_it_from_the_signatures():
    text = "a\n\n— not a signature\n\nb\n"
    assert read_note(sign(text, [KEY])).text == text


def test_a_note_may_have_a_hundred_signatures():
    note = Note("t\n", tuple(Signature(f"w{i}", b"abcd", b"s") for i in range(100)))
    assert read_note(note.written()) == note


MALFORMED = {
    "no empty line": f"t\n{LINE}\n",
    "no signature": "t\n\n",
    "an unended signature": f"t\n\n{LINE}",
    "a hyphen for the dash": f"t\n\n{LINE.replace('—', '-')}\n",
    "no dash": f"t\n\n{LINE[2:]}\n",
    "a plus in the name": f"t\n\n{LINE.replace('/one', '+one')}\n",
    "a space in the name": f"t\n\n{LINE.replace('/one', chr(0xA0) + 'one')}\n",
    "no name": f"t\n\n—  {LINE.split(' ')[2]}\n",
    "a third field": f"t\n\n{LINE} more\n",
    "a carriage return": f"t\r\n\n{LINE}\n",
    "a tab": f"t\tt\n\n{LINE}\n",
    "a zero byte": f"t\x00\n\n{LINE}\n",
    "base64 without its end": f"t\n\n{LINE[:-1]}\n",
    "base64 for addresses": "t\n\n— a -_-_-_-_\n",
    "base64 with loose bits": "t\n\n— a YWJjZGVmZ1==\n",
    "only a key id": "t\n\n— a YWJjZA==\n",
    "too many signatures": "t\n\n" + f"{LINE}\n" * 101,
    "too many bytes": "t" * 1_000_000 + f"\n\n{LINE}\n",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_note_is_refused(what):
    with pytest.raises(MalformedNote) as refused:
        read_note(MALFORMED[what].encode())
    assert "c2sp.org/signed-note" in str(refused.value)


def test_what_is_no_text_is_refused():
    with pytest.raises(MalformedNote, match="UTF-8"):
        read_note(b"\xff" + sign("t\n", [KEY]))


BASE = VerifyingKey("a", 1, b"k" * 32)
ENCODED = base64.b64encode(b"\x01" + b"k" * 32).decode()


@pytest.mark.parametrize("vkey", [
    "", "a", "a+", "a+b+c", "+".join(["a", "00000000", ENCODED]), f"a+{BASE.key_id.hex().upper()}+{ENCODED}",
    f"a b+{BASE.key_id.hex()}+{ENCODED}", f"+{BASE.key_id.hex()}+{ENCODED}", f"a+{BASE.key_id.hex()}+{ENCODED}=",
    f"a+{BASE.key_id.hex()}+{ENCODED}\n", f"a+0x{BASE.key_id.hex()[:6]}+{ENCODED}", f"a+{BASE.key_id.hex()}+", f"\ud800+{BASE.key_id.hex()}+{ENCODED}",
])  # fmt: skip
def test_what_is_no_key_is_refused(vkey):
    with pytest.raises(MalformedKey):
        VerifyingKey.parse(vkey)


@pytest.mark.parametrize(
    ("name", "kind", "public"), [("a", 6, b"k" * 32), ("a", 2, b"k" * 32), ("a", 1, b"k" * 31), ("", 1, b"k" * 32)]
)
def test_a_key_of_a_type_or_length_that_is_not_known_is_refused(name, kind, public):
    with pytest.raises(MalformedKey):
        VerifyingKey(name, kind, public)


def test_keys_are_used_for_what_they_are_for():
    cosigner = SigningKey.from_seed("w", b"w" * 32, COSIGNATURE)
    with pytest.raises(ValueError, match="cosignatures"):
        sign("t\n", [cosigner])
    with pytest.raises(ValueError, match="cosignatures"):
        verify(read_note(sign("t\n", [KEY])), [cosigner.verifying])
    with pytest.raises(MalformedKey):
        SigningKey.from_seed("a", b"short")


@pytest.mark.parametrize("text", ["", "t", "t\t\n", "t\n\n— x"])
def test_a_text_that_cannot_be_signed_is_not(text):
    with pytest.raises((ValueError, MalformedNote)):
        sign(text, [KEY])


@given(
    st.binary(max_size=200) | st.text(st.characters(exclude_categories=["Cs"]), max_size=100).map(str.encode) | texts.map(lambda t: (t + "\n— " + t).encode()),
    st.text(max_size=80) | st.text("+ab01= ", max_size=60),
)  # fmt: skip
def test_readers_fed_anything_answer_or_refuse(data, text):
    with suppress(LifecycleError):
        assert read_note(data).written() == data
    for read in (VerifyingKey.parse, SigningKey.parse, read_signatures):
        with suppress(LifecycleError):
            read(text)


def test_two_keys_that_share_name_and_id_are_refused_rather_than_confused():
    """Ids have 32 bits; these two were found by counting upwards."""
    one, two = (VerifyingKey("a", 1, number.to_bytes(32, "big")) for number in (65_227, 67_083))
    assert one.key_id == two.key_id
    with pytest.raises(MalformedKey, match="same name and id"):
        verify(read_note(sign("t\n", [KEY])), [one, two])
    assert verify(read_note(sign("t\n", [KEY])), [KEY.verifying, KEY.verifying]) == (KEY.verifying,)


@pytest.mark.parametrize("y", [0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18])
@pytest.mark.parametrize("sign_of_x", [0, 2**255])
def test_a_point_that_anybody_can_sign_for_is_no_key(y, sign_of_x):
    with pytest.raises(MalformedKey, match="anybody"):
        VerifyingKey("a", COSIGNATURE, (y + sign_of_x).to_bytes(32, "little"))


def test_why_such_a_point_is_no_key():
    """The neutral point as a key, and as the signature: it verifies whatever was said."""
    neutral = (1).to_bytes(32, "little")
    Ed25519PublicKey.from_public_bytes(neutral).verify(neutral + bytes(32), b"anything")
    for y in (_OF_ORDER_8, 2**255 - 19 - _OF_ORDER_8):
        key = Ed25519PublicKey.from_public_bytes(y.to_bytes(32, "little"))
        assert any(_verifies(key, neutral + bytes(32), bytes([said])) for said in range(64))
        with pytest.raises(MalformedKey, match="anybody"):
            VerifyingKey("a", 1, y.to_bytes(32, "little"))


def _verifies(key, signature, message):
    with suppress(InvalidSignature):
        key.verify(signature, message)
        return True
    return False
