"""Letters as files in a folder, from where whoever carries them on takes them."""

from __future__ import annotations

from pathlib import Path

import orjson

from lifecycle.ledger.durable_files import create_file, make_folder
from lifecycle.ledger.ledger_files import file_errors
from lifecycle.outbox.delivery import Letter

OWNER_ONLY = 0o600


class FileOutbox:
    """One JSON file an instruction, named by its id: whole or not there, on the disk before `deliver` returns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, instruction: str) -> Path:
        return self._folder / f"{instruction}.json"

    def deliver(self, letter: Letter) -> None:
        """Again is harmless: a file that is there is left as it is."""
        content = orjson.dumps(letter.as_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
        with file_errors("outbox folder", "LIFECYCLE_OUTBOX"):
            make_folder(self._folder)
            create_file(self.path(letter.instruction), content + b"\n", OWNER_ONLY)
