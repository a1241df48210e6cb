"""Ask the verifier about a draft: the inner function, whose bugs nothing catches, and the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from verify.book import Book, Closed, Draft, Signer, policy

from lifecycle import verify


def asked(book: Book, bundle: Path, *, witnesses: Sequence[Signer] | None = None, **more: Any) -> verify.Asked:
    """What a verifier brings who trusts this log and its witnesses, an hour later."""
    trusted = policy(book.log, book.witnesses if witnesses is None else witnesses)
    keys = verify.read_keys(trusted.encode())
    return verify.Asked(bundle=bundle, policy=keys, now=book.now + timedelta(hours=1), **more)


def accepted(book: Book, draft: Draft, tmp_path: Path, **more: Any) -> verify.Found:
    """The draft as a ZIP and as a folder: both accepted."""
    name = f"bundle-{len(list(tmp_path.iterdir()))}"
    verify.verify(asked(book, draft.folder(tmp_path / name), **more))
    return verify.verify(asked(book, draft.zip(tmp_path / f"{name}.zip"), **more))


def refused(book: Book, draft: Draft, tmp_path: Path, **more: Any) -> verify.Verdict:
    path = draft.zip(tmp_path / f"refused-{len(list(tmp_path.iterdir()))}.zip")
    with pytest.raises(verify.Verdict) as refusal:
        verify.verify(asked(book, path, **more))
    return refusal.value


def seen(closed: Closed, **more: Any) -> verify.Checkpoint:
    """A checkpoint that the verifier saw before."""
    return verify.read_checkpoint(closed.note(**more))


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """The command line with --json: exit code and what it says."""
    code = verify.main([*map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)
