"""The files of epoch keys: whole or not there, readable by their owner alone, and never overwritten."""

from __future__ import annotations

import hmac
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from lifecycle.errors import StoreUnavailable
from lifecycle.vault.epochs import EpochKeys, epoch_commitment
from lifecycle.vault.files import KeyMissing


def test_a_key_is_read_as_it_was_made(keys: Path):
    made = EpochKeys(keys).create(1)
    assert len(made) == 32
    assert EpochKeys(keys).load(1) == made
    assert EpochKeys(keys).present() == [1]


def test_only_the_owner_may_read_a_key_or_the_folder(keys: Path):
    folder = EpochKeys(keys)
    folder.create(1)
    assert stat.S_IMODE(folder.path(1).stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert [path.name for path in keys.iterdir()] == ["epoch-000001.key"]


def test_a_key_that_is_there_is_never_overwritten(keys: Path):
    first = EpochKeys(keys).create(1)
    assert EpochKeys(keys).create(1) == first


def test_what_a_crash_left_half_written_is_written_anew(keys: Path):
    keys.mkdir()
    (keys / "epoch-000001.key.new").write_bytes(b"half a k")
    assert EpochKeys(keys).present() == []
    made = EpochKeys(keys).create(1)
    assert EpochKeys(keys).load(1) == made
    assert not (keys / "epoch-000001.key.new").exists()


def test_a_destroyed_key_is_overwritten_before_its_name_goes(keys: Path):
    folder = EpochKeys(keys)
    folder.create(1)
    said = folder.path(1).read_bytes()
    witness = keys / "another-name"  # of the same bytes on the disk
    witness.hardlink_to(folder.path(1))
    folder.destroy(1)
    folder.destroy(1)
    assert folder.present() == []
    assert len(witness.read_bytes()) == len(said)
    assert said.split()[0] not in witness.read_bytes()


def test_a_half_written_key_is_destroyed_with_its_epoch(keys: Path):
    keys.mkdir()
    (keys / "epoch-000001.key.new").write_bytes(b"half a k")
    EpochKeys(keys).destroy(1)
    assert list(keys.iterdir()) == []


def test_a_destruction_that_a_crash_interrupted_is_finished_the_next_time(keys: Path):
    folder = EpochKeys(keys)
    folder.create(1)
    folder.path(1).rename(keys / "epoch-000001.key.dead")
    assert folder.present() == []
    folder.destroy(1)
    assert list(keys.iterdir()) == []


def test_who_reads_a_key_while_it_is_destroyed_finds_it_missing_and_never_damaged(keys: Path):
    folder = EpochKeys(keys)
    with ThreadPoolExecutor(1) as pool:
        for number in range(1, 60):
            made = folder.create(number)
            destroying = pool.submit(folder.destroy, number)
            with suppress(KeyMissing):
                while True:
                    assert folder.load(number) == made
            destroying.result()


def test_a_missing_key_says_where_it_belongs(keys: Path):
    with pytest.raises(StoreUnavailable, match=r"put epoch-000007\.key back"):
        EpochKeys(keys).load(7)


def test_no_changed_character_of_the_file_goes_unnoticed(keys: Path):
    folder = EpochKeys(keys)
    made = folder.create(1)
    said = folder.path(1).read_text()
    for index, character in enumerate(said.rstrip("\n")):
        other = "\n0"[character == "\n"] if character in "\n" else ("0" if character != "0" else "1")
        folder.path(1).write_text(said[:index] + other + said[index + 1 :])
        with pytest.raises(StoreUnavailable, match="damaged"):
            folder.load(1)
    for cut in range(len(said) - 1):
        folder.path(1).write_text(said[:cut])
        with pytest.raises(StoreUnavailable, match="damaged"):
            folder.load(1)
    folder.path(1).write_text(said)
    assert folder.load(1) == made


def test_a_key_under_another_epoch_s_name_is_damaged(keys: Path):
    folder = EpochKeys(keys)
    folder.create(1)
    folder.path(1).rename(folder.path(2))
    with pytest.raises(StoreUnavailable, match="damaged"):
        folder.load(2)


def test_a_folder_that_cannot_be_made_is_a_store_that_cannot_serve(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="LIFECYCLE_KEYS"):
        EpochKeys(tmp_path / "file" / "keys").create(1)


def test_epochs_are_listed_by_number_and_nothing_else_is(keys: Path):
    folder = EpochKeys(keys)
    for number in (2, 1, 1_000_000):
        folder.create(number)
    for name in ("epoch-3.key", "epoch-000004.key.new", "erasure.journal", "anchor"):
        (keys / name).touch()
    assert folder.present() == [1, 2, 1_000_000]


def test_the_commitment_is_what_the_format_says():
    assert epoch_commitment(b"k" * 32) == hmac.new(b"k" * 32, b"lifecycle/epoch-commit/v1", "sha256").digest()


class Turned:
    """A wrapper that turns the key around, where a KMS would encrypt it."""

    def wrap(self, key: bytes) -> bytes:
        return b"kms:" + key[::-1]

    def unwrap(self, wrapped: bytes) -> bytes:
        return wrapped.removeprefix(b"kms:")[::-1]


def test_a_wrapper_keeps_the_key_itself_out_of_the_file(keys: Path):
    made = EpochKeys(keys, Turned()).create(1)
    assert EpochKeys(keys, Turned()).load(1) == made
    assert made.hex() not in (keys / "epoch-000001.key").read_text()
