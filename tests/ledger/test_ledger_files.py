"""Files of the ledger are on the disk before anybody can see them by name, however many are written at a time."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from appends import Person
from published import Log

from lifecycle.ledger import growing
from lifecycle.ledger.ledger_files import LedgerFolder, LedgerUnavailable
from lifecycle.storage.database import Database

FILES = {f"tile/0/{at:03d}": bytes([at]) * 32 for at in range(100)}


def names(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced: set[int] = set()
    sync, link = os.fsync, os.link

    def synced_now(descriptor: int) -> None:
        sync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    def named(written: Path, final: Path) -> None:
        assert written.stat().st_ino in synced
        link(written, final)

    monkeypatch.setattr(os, "fsync", synced_now)
    monkeypatch.setattr(os, "link", named)
    LedgerFolder(tmp_path).add(FILES)
    assert names(tmp_path) == FILES
    assert (tmp_path / "tile" / "0").stat().st_ino in synced, "their names are durable too"


def test_when_one_file_cannot_be_written_none_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sync, tries = os.fsync, []

    def full(descriptor: int) -> None:
        tries.append(descriptor)
        if len(tries) == 50:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(LedgerUnavailable, match="No space left"):
            LedgerFolder(tmp_path).add(FILES)
    assert not (tmp_path / "tile").exists()
    LedgerFolder(tmp_path).add(FILES)
    assert FILES.items() <= names(tmp_path).items()


def test_leaves_too_many_to_keep_make_the_same_files(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    log = Log(database, tmp_path).begin()
    log.live(*(Person() for _ in range(40)), events=8)
    log.publish()
    log.live(*(Person() for _ in range(40)), events=9)
    with monkeypatch.context() as patch:
        patch.setattr(growing, "_FEW", 0)
        patch.setattr(growing, "_TOGETHER", 1)
        published = log.publish()
    log.assert_published(published)
