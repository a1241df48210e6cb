"""Files and wrapped keys that this version wrote open for ever: the golden bytes are never changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lifecycle.vault.epochs import EpochKeys, epoch_commitment
from lifecycle.vault.journal import ErasureJournal
from lifecycle.vault.journal_lines import NAME, JournalEntry
from lifecycle.vault.wrapping import EpochSecrets, unseal_lookup, unwrap_installation_key, unwrap_subject

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "vault-v1.json").read_text())
AT = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)
ANN, BEN = UUID("0193a000-0000-7000-8000-000000000001"), UUID("0193a000-0000-7000-8000-000000000002")
ENTRIES = (
    [JournalEntry(ANN, 6, AT, whole=True)],
    [
        JournalEntry(BEN, 9, AT, kids=("qdcMVCRhudW68c0ImXmJlQ",)),
        JournalEntry(BEN, 10, AT, identifiers=("852f21014ac68b33",)),
    ],
)


def test_the_erasure_journal_is_written_as_ever(tmp_path: Path):
    journal = ErasureJournal(tmp_path)
    journal.create()
    for entries in ENTRIES:
        journal.append(*entries)
    assert (tmp_path / NAME).read_text() == GOLDEN["journal"]


def test_an_old_erasure_journal_is_read_for_ever(tmp_path: Path):
    (tmp_path / NAME).write_text(GOLDEN["journal"])
    assert list(ErasureJournal(tmp_path).entries()) == [entry for entries in ENTRIES for entry in entries]


def test_an_old_epoch_key_is_read_for_ever(tmp_path: Path):
    kept = EpochKeys(tmp_path)
    kept.path(7).write_text(GOLDEN["epoch_key_file"])
    assert kept.load(7) == b"k" * 32
    assert epoch_commitment(b"k" * 32).hex() == GOLDEN["epoch_commitment"]


def test_old_wrapped_keys_open_for_ever():
    kek = AESGCM(b"k" * 32)
    row = GOLDEN["subject_key"]
    keys = unwrap_subject(
        kek,
        SimpleNamespace(
            subject_id=ANN, sid=bytes.fromhex(row["sid"]), generation=1, epoch=7, record_kid=row["record_kid"],
            wrapped=bytes.fromhex(row["wrapped"]), record_wrapped=bytes.fromhex(row["record_wrapped"]),
        ),
    )  # fmt: skip
    assert keys.content_mac(b"doc").hex() == row["content_mac"]
    assert unwrap_installation_key(kek, "lookup", 7, bytes.fromhex(GOLDEN["installation_key"])) == b"l" * 32


def test_an_old_entry_of_the_blind_index_is_found_and_opened_for_ever():
    row = GOLDEN["lookup"]
    secrets = EpochSecrets(7, AESGCM(b"k" * 32), b"l" * 32)
    assert secrets.token("email", "ann@example.com").hex() == row["token"]
    sealed = SimpleNamespace(
        type="email", subject_id=ANN, identifier_id="852f21014ac68b33", epoch=7, sealed=bytes.fromhex(row["sealed"])
    )
    assert unseal_lookup(secrets.kek, sealed) == "ann@example.com"
