"""Checkpoints and cosignatures are what c2sp.org/tlog-checkpoint and tlog-cosignature say, and nothing else is."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.errors import LifecycleError
from lifecycle.ledger import cosignature
from lifecycle.ledger.checkpoint import Checkpoint, MalformedCheckpoint, open_checkpoint, sign_checkpoint
from lifecycle.ledger.note import (
    COSIGNATURE,
    BadSignature,
    Note,
    Signature,
    SigningKey,
    read_note,
    sign,
    with_signatures,
)

# The text of the specification's example.
EXAMPLE = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
LOG = SigningKey.from_seed("example.com/behind-the-sofa", b"l" * 32)
NEXT = SigningKey.from_seed("example.com/behind-the-sofa", b"n" * 32)
WITNESS = SigningKey.from_seed("witness.example.com/w1", b"w" * 32, COSIGNATURE)
SECOND = SigningKey.from_seed("witness.example.com/w2", b"v" * 32, COSIGNATURE)
SAID = Checkpoint.parse(EXAMPLE)
lines = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=0x20), min_size=1, max_size=20)
checkpoints = st.builds(Checkpoint, lines, st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))


def test_the_specification_s_example_is_read():
    assert (SAID.origin, SAID.size, SAID.extensions) == ("example.com/behind-the-sofa", 20_852_163, ())
    assert SAID.root.hex() == "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62"
    assert SAID.text() == EXAMPLE


@given(checkpoints, st.lists(lines, max_size=2))
def test_a_checkpoint_is_read_as_it_was_written(checkpoint, more):
    assert Checkpoint.parse(checkpoint.text()) == checkpoint
    extended = Checkpoint(checkpoint.origin, checkpoint.size, checkpoint.root, tuple(more))
    assert Checkpoint.parse(extended.text(), extensions=True) == extended
    if more:
        with pytest.raises(MalformedCheckpoint, match="extension lines"):
            Checkpoint.parse(extended.text())


ROOT = base64.b64encode(b"r" * 32).decode()
MALFORMED = {
    "nothing": "",
    "two lines": "o\n1\n",
    "no end": f"o\n1\n{ROOT}",
    "no origin": f"\n1\n{ROOT}\n",
    "an empty line": f"o\n1\n{ROOT}\n\n",
    "no size": f"o\n\n{ROOT}\n",
    "a leading zero": f"o\n01\n{ROOT}\n",
    "a sign": f"o\n+1\n{ROOT}\n",
    "a negative size": f"o\n-1\n{ROOT}\n",
    "a grouped size": f"o\n1_000\n{ROOT}\n",
    "a spaced size": f"o\n 1\n{ROOT}\n",
    "foreign digits": f"o\n١\n{ROOT}\n",
    "2^63": f"o\n{2**63}\n{ROOT}\n",
    "a size of 5,000 digits": f"o\n{'9' * 5000}\n{ROOT}\n",
    "a short root": f"o\n1\n{base64.b64encode(b'r' * 31).decode()}\n",
    "a long root": f"o\n1\n{base64.b64encode(b'r' * 33).decode()}\n",
    "a root without padding": f"o\n1\n{ROOT[:-1]}\n",
    "a root with loose bits": f"o\n1\n{ROOT[:-2]}J=\n",
    "a carriage return": f"o\n1\n{ROOT}\r\n",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_checkpoint_is_refused(what):
    for extensions in (False, True):
        with pytest.raises(MalformedCheckpoint) as refused:
            Checkpoint.parse(MALFORMED[what], extensions=extensions)
        assert "c2sp.org/tlog-checkpoint" in str(refused.value)


def test_a_signed_checkpoint_opens_with_the_log_s_key_only():
    data = sign_checkpoint(SAID, [LOG])
    assert open_checkpoint(data, [LOG.verifying, WITNESS.verifying]) == SAID
    with pytest.raises(BadSignature, match="No known key belongs"):
        open_checkpoint(data, [SigningKey.from_seed("other.example", b"l" * 32).verifying])
    with pytest.raises(BadSignature, match="No known key has signed"):
        open_checkpoint(data, [NEXT.verifying])


def test_while_keys_change_over_either_key_opens_a_checkpoint():
    data = sign_checkpoint(SAID, [LOG, NEXT])
    for keys in ([LOG], [NEXT], [LOG, NEXT]):
        assert open_checkpoint(data, [key.verifying for key in keys]) == SAID


def test_another_log_cannot_sign_for_this_one():
    """The key is known, but not for this origin: a log may only speak for itself."""
    stranger = SigningKey.from_seed("stranger.example", b"s" * 32)
    with pytest.raises(ValueError, match="origin"):
        sign_checkpoint(SAID, [stranger])
    data = sign(SAID.text(), [stranger])
    for keys in ([stranger.verifying], [stranger.verifying, LOG.verifying]):
        with pytest.raises(BadSignature):
            open_checkpoint(data, keys)


def test_a_checkpoint_with_extension_lines_opens_only_when_asked():
    extended = Checkpoint(SAID.origin, SAID.size, SAID.root, ("more",))
    data = sign_checkpoint(extended, [LOG])
    assert open_checkpoint(data, [LOG.verifying], extensions=True) == extended
    with pytest.raises(MalformedCheckpoint):
        open_checkpoint(data, [LOG.verifying])


def test_a_cosignature_signs_what_the_specification_spells_out():
    line = cosignature.sign(EXAMPLE, WITNESS, 1_679_315_147)
    assert line.value[:8] == (1_679_315_147).to_bytes(8, "big")
    message = b"cosignature/v1\ntime 1679315147\n" + EXAMPLE.encode()
    Ed25519PrivateKey.from_private_bytes(b"w" * 32).public_key().verify(line.value[8:], message)
    assert len(line.value) == 72


@given(checkpoints, st.integers(1, 2**63 - 1))
def test_a_cosignature_tells_its_witness_and_its_time(checkpoint, at):
    note = Note(checkpoint.text(), (cosignature.sign(checkpoint.text(), WITNESS, at),))
    assert cosignature.verify(note, [SECOND.verifying, WITNESS.verifying]) == ((WITNESS.verifying, at),)
    assert cosignature.verify(note, [SECOND.verifying]) == ()


def test_a_cosigned_checkpoint_still_opens_and_all_its_cosignatures_are_found():
    note = read_note(sign_checkpoint(SAID, [LOG]))
    cosigned = with_signatures(
        note, [cosignature.sign(note.text, key, 1000 + i) for i, key in enumerate((WITNESS, SECOND, WITNESS))]
    )
    assert open_checkpoint(cosigned.written(), [LOG.verifying]) == SAID
    found = cosignature.verify(read_note(cosigned.written()), [WITNESS.verifying, SECOND.verifying])
    assert [(each.key.name[-2:], each.at) for each in found] == [("w1", 1000), ("w2", 1001), ("w1", 1002)]


GOOD = cosignature.sign(EXAMPLE, WITNESS, 1000)


@pytest.mark.parametrize("value", [
    GOOD.value[:8], GOOD.value[:7], GOOD.value[:-1], GOOD.value + b"x", b"\x80" + GOOD.value[1:],
    (1001).to_bytes(8, "big") + GOOD.value[8:], GOOD.value[:8] + LOG.signature(EXAMPLE.encode()).value,
])  # fmt: skip
def test_a_false_cosignature_of_a_known_witness_spoils_the_note(value):
    with pytest.raises(BadSignature):
        cosignature.verify(Note(EXAMPLE, (GOOD._replace(value=value),)), [WITNESS.verifying])


def test_a_cosignature_is_for_one_checkpoint():
    for text in (EXAMPLE.replace("163\n", "164\n"), EXAMPLE + "more\n"):
        with pytest.raises(BadSignature):
            cosignature.verify(Note(text, (GOOD,)), [WITNESS.verifying])


def test_the_signature_of_a_log_is_no_cosignature_and_the_other_way_round():
    """One private key with both types: the ids differ, so neither passes for the other."""
    as_log = SigningKey.from_seed(WITNESS.name, b"w" * 32)
    assert as_log.verifying.key_id != WITNESS.verifying.key_id
    assert cosignature.verify(Note(EXAMPLE, (as_log.signature(EXAMPLE.encode()),)), [WITNESS.verifying]) == ()
    with pytest.raises(ValueError, match="verifies no cosignatures"):
        cosignature.verify(Note(EXAMPLE, (GOOD,)), [as_log.verifying])


@pytest.mark.parametrize(("key", "at"), [(LOG, 1000), (WITNESS, 0), (WITNESS, -1), (WITNESS, 2**63)])
def test_no_cosignature_is_made_with_another_key_or_at_no_time(key, at):
    with pytest.raises(ValueError, match="cosignature"):
        cosignature.sign(EXAMPLE, key, at)


def test_only_checkpoints_are_cosigned():
    with pytest.raises(MalformedCheckpoint):
        cosignature.sign("t\n", WITNESS, 1000)
    with pytest.raises(MalformedCheckpoint):
        cosignature.verify(Note("t\n", (GOOD,)), [WITNESS.verifying])


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
    | st.tuples(st.text(max_size=9), st.text("0123456789-", max_size=21), st.text("AQ=", max_size=45)).map(
        lambda t: "\n".join(t) + "\n"
    ),
    st.binary(max_size=80),
)
def test_readers_fed_anything_answer_or_refuse(text, value):
    for extensions in (False, True):
        with suppress(LifecycleError):
            assert Checkpoint.parse(text, extensions=extensions).text() == text
    with suppress(LifecycleError):
        open_checkpoint(text.encode(), [LOG.verifying])
    with suppress(LifecycleError):
        cosignature.verify(Note(text, (Signature(WITNESS.name, WITNESS.verifying.key_id, value),)), [WITNESS.verifying])
    with suppress(LifecycleError):
        cosignature.verify(Note(EXAMPLE, (GOOD._replace(value=value),)), [WITNESS.verifying])
