"""A document may name a policy file instead of holding its text: read here, so that the command stays pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lifecycle.commands.parsing import Malformed

LONGEST = 4_000_000  # bytes; what a command may hold is less


def with_text(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """`publish-policy` with the text of the `file` that it names, whose path counts from `folder`; others as they are.

    Only files of documents come here: what a program or the network hands over never names a file of ours.

    Errors: Malformed, without the path: the caller wrote it.
    """
    if document.get("command") != "publish-policy" or "file" not in document:
        return document
    id = document.get("id")
    try:
        text = _read(document, folder)
    except _Unusable as fault:
        raise Malformed([f"file: {fault}"], id if isinstance(id, str) else None) from None
    return {**{name: value for name, value in document.items() if name != "file"}, "text": text}


class _Unusable(ValueError):
    """Says why, never which file."""


def _read(document: dict[str, Any], folder: Path) -> str:
    file = document["file"]
    if "text" in document:
        raise _Unusable("give either `file` or `text`")
    if not isinstance(file, str) or not file:
        raise _Unusable("should be the path of a policy file, from where the file of documents lies")
    try:
        with (folder / file).open("rb") as opened:
            said = opened.read(LONGEST + 1)
    except (OSError, ValueError):  # ValueError: a path with a NUL
        raise _Unusable("cannot be read; its path counts from where the file of documents lies") from None
    if len(said) > LONGEST:
        raise _Unusable("is too long for a policy")
    try:
        return said.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Unusable("is not UTF-8") from None
