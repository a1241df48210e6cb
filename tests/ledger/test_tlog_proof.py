"""A tlog-proof is written and read as c2sp.org/tlog-proof says, and proves one leaf to whoever brings a policy of trust."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import leaves

from lifecycle.errors import LifecycleError
from lifecycle.ledger import cosignature
from lifecycle.ledger.checkpoint import Checkpoint, sign_checkpoint
from lifecycle.ledger.note import COSIGNATURE, BadSignature, MalformedNote, SigningKey, read_note, with_signatures
from lifecycle.ledger.tlog_policy import QuorumMissing, TrustPolicy
from lifecycle.ledger.tlog_proof import MalformedTlogProof, TlogProof
from lifecycle.ledger.tree import BadProof, inclusion_proof, root

LOG = SigningKey.from_seed("log.example", b"l" * 32)
WITNESS = SigningKey.from_seed("witness.example", b"w" * 32, COSIGNATURE)
TRUSTED = TrustPolicy.parse(f"log {LOG.vkey}\nwitness w {WITNESS.vkey}\nquorum w\n".encode())


def signed(size: int, *, cosigned: bool = True) -> bytes:
    note = read_note(sign_checkpoint(Checkpoint("log.example", size, root(leaves(400)[:size])), [LOG]))
    return with_signatures(note, [cosignature.sign(note.text, WITNESS, 1000)] if cosigned else []).written()


def proof(index: int, size: int, extra: bytes = b"") -> TlogProof:
    return TlogProof(index, tuple(inclusion_proof(index, leaves(400)[:size])), signed(size), extra)


@given(st.integers(1, 400), st.data(), st.binary(max_size=40))
@settings(max_examples=50)
def test_a_proof_is_read_as_it_was_written_and_verifies(size, data, extra):
    index = data.draw(st.integers(0, size - 1))
    made = proof(index, size, extra)
    read = TlogProof.parse(made.written())
    assert read == made
    checkpoint, cosigned = read.verify(leaves(400)[index], TRUSTED)
    assert (checkpoint.origin, checkpoint.size) == ("log.example", size)
    assert cosigned == ((WITNESS.verifying, 1000),)


def test_a_proof_has_the_lines_that_the_specification_shows():
    lines = proof(1, 3, b"more").written().decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra bW9yZQ==", "index 1"]
    assert [len(line) for line in lines[3:6]] == [44, 44, 0]
    assert lines[6:8] == ["log.example", "3"]
    assert proof(0, 1).written().decode().split("\n")[:4] == ["c2sp.org/tlog-proof@v1", "index 0", "", "log.example"]


GOOD = proof(5, 7)


@pytest.mark.parametrize(("false", "error"), [
    (replace(GOOD, index=4), BadProof), (replace(GOOD, index=7), BadProof), (replace(GOOD, path=GOOD.path[:-1]), BadProof),
    (replace(GOOD, path=(*GOOD.path, b"x" * 32)), BadProof), (replace(GOOD, checkpoint=signed(8)), BadProof),
    (replace(GOOD, checkpoint=signed(7, cosigned=False)), QuorumMissing),
    (replace(GOOD, checkpoint=signed(7).replace(b"\n7\n", b"\n8\n")), BadSignature),
    (replace(GOOD, checkpoint=signed(7).replace(b"log.example\n", b"log.other\n")), BadSignature),
])  # fmt: skip
def test_a_proof_of_something_else_proves_nothing(false, error):
    assert GOOD.verify(leaves(400)[5], TRUSTED)
    with pytest.raises(error):
        false.verify(leaves(400)[5], TRUSTED)
    with pytest.raises(BadProof):
        GOOD.verify(leaves(400)[6], TRUSTED)


TEXT = proof(1, 3, b"more").written().decode()


@pytest.mark.parametrize(("text", "why"), [
    ("", "an empty line"), (TEXT.replace("@v1", "@v2"), "begins with"), (TEXT.replace("extra bW9yZQ==", "extra "), "Extra data"),
    (TEXT.replace("bW9yZQ==", "bW9yZR=="), "Extra data"), (TEXT.replace("index 1", "index 01"), "decimal"), (TEXT.replace("index 1", "index -1"), "decimal"),
    (TEXT.replace("index 1\n", ""), "with the index"), (TEXT.replace("index 1", "index  1"), "decimal"), (TEXT.replace("index 1", f"index {2**63}"), "below"),
    (TEXT.replace("index 1", "index 1\nindex 1"), "A hash is"), (TEXT.replace("index 1", "index 1\nAAAA"), "A hash is"),
    (TEXT.replace("index 1", "index 1" + "\n" + "\n".join(["A" * 43 + "="] * 64)), "63 hashes"), (TEXT.replace("index", "índex"), "ASCII"),
    (TEXT.replace("\n", "\r\n"), "an empty line"), ("\n" + TEXT, "begins with"),
    ("c2sp.org/tlog-proof@v1\n\n" + TEXT.split("\n\n", 1)[1], "with the index"), (TEXT + "x" * 2_000_000, "two million"),
])  # fmt: skip
def test_what_is_no_proof_is_refused(text, why):
    with pytest.raises(MalformedTlogProof, match=why):
        TlogProof.parse(text.encode())


def test_a_proof_without_a_signed_note_is_refused():
    with pytest.raises(MalformedNote):
        TlogProof.parse(TEXT.split("\n\n", 1)[0].encode() + b"\n\nlog.example\n")
    with pytest.raises(MalformedTlogProof, match="32 bytes"):
        replace(GOOD, path=(b"short",))


pieces = st.sampled_from(
    ["c2sp.org/tlog-proof@v1", "extra ", "bW9yZQ==", "index ", "1", "\n", "\n\n", "A" * 43 + "=", signed(3).decode()]
)


@given(st.lists(pieces, max_size=14).map(lambda p: "".join(p).encode()) | st.binary(max_size=200))
def test_a_reader_fed_anything_answers_or_refuses(data):
    with suppress(LifecycleError):
        read = TlogProof.parse(data)
        assert read.written() == data
        read.verify(leaves(400)[0], TRUSTED)
