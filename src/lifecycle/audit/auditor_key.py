"""The key by which a full auditor cosigns: made once, in a file that its owner alone reads."""

from __future__ import annotations

import os
from pathlib import Path

from lifecycle.errors import Invalid
from lifecycle.ledger.durable_files import OWNER_ONLY, create_file
from lifecycle.ledger.note import COSIGNATURE, MalformedKey, SigningKey, VerifyingKey


class AuditorKeyUnusable(Invalid):
    """The file is there already, is not a key for cosignatures, or is open to others."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy  # type: ignore[misc]  # here the remedy depends on the file


def create_auditor_key(name: str, out: Path) -> VerifyingKey:
    """Make a key and return the public one, which verifiers are given (`--auditor`). Nothing is overwritten."""
    key = SigningKey.generate(name, COSIGNATURE)
    if not create_file(out, f"{key.secret()}\n".encode(), OWNER_ONLY):
        raise AuditorKeyUnusable("The file exists already.", "name a file that does not exist yet")
    return key.verifying


def auditor_key(path: Path) -> SigningKey:
    if os.name != "nt" and path.stat().st_mode & 0o077:
        raise AuditorKeyUnusable("Others than its owner can read the auditor's key.", "chmod 600 on its file")
    try:
        key = SigningKey.parse(path.read_text("utf-8").strip())
    except (UnicodeDecodeError, MalformedKey):
        key = None
    if key is None or key.kind != COSIGNATURE:
        raise AuditorKeyUnusable(
            "The file holds no key for cosignatures.", "make one with `lifecycle audit key NAME --out FILE`"
        )
    return key
