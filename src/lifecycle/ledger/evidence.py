"""Evidence against a log: two notes that it signed and that do not go together, kept where nothing overwrites them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from lifecycle.ledger.checkpoint import Checkpoint
from lifecycle.ledger.durable_files import create_file, make_folder
from lifecycle.ledger.note import base64, read_note

_ENOUGH = 1000  # pieces of one kind; somebody who sends old checkpoints again and again must not fill the disk


class Kind(StrEnum):
    """What the two notes show; the file says it in words to whoever finds it."""

    FORK = "fork"
    REWRITTEN = "rewritten"
    UNPROVEN = "unproven"
    ROLLBACK = "rollback"


_MEANING = {
    Kind.FORK: "The log signed two histories that exclude each other. The two notes alone prove it to anybody.",
    Kind.REWRITTEN: "The log signed a tree that does not begin with the one that it signed before. The hashes under"
    " proof, read as a consistency proof (RFC 9162, 2.1.4.2), lead to the newer root, but to another older one.",
    Kind.UNPROVEN: "No valid proof was given that the newer tree continues the older one. Ask the log for one; if it"
    " has none, it has rewritten its history. A stranger can cause this file by sending a wrong proof.",
    Kind.ROLLBACK: "A tree was shown that is smaller than one cosigned before. A late or repeated request looks the"
    " same: compare its root with that of the larger tree before accusing anybody.",
}


def keep(folder: Path, kind: Kind, held: bytes, shown: bytes, proof: Sequence[bytes] = ()) -> Path | None:
    """Keep both notes, once; None when a thousand of this kind are there already."""
    texts = [read_note(note).text for note in (held, shown)]
    name = sha256("\n".join(texts).encode()).hexdigest()[:32]
    path = folder / f"{kind}-{name}.json"
    make_folder(folder)
    if path.exists():
        return path
    if sum(1 for _ in folder.glob(f"{kind}-*.json")) >= _ENOUGH:
        return None
    said = {
        "kind": f"{kind}/1",
        "meaning": _MEANING[kind],
        "held": held.decode(),
        "shown": shown.decode(),
        "sizes": [Checkpoint.parse(text, extensions=True).size for text in texts],
        "proof": [base64(each) for each in proof],
    }
    create_file(path, json.dumps(said, ensure_ascii=False, indent=1).encode() + b"\n")
    return path
