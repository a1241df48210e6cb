"""The port through which notices reach people, and its folder: one file a notice, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol
from uuid import UUID

import orjson

from lifecycle.ledger.durable_files import create_file, make_folder
from lifecycle.ledger.ledger_files import file_errors

FORMAT = "lifecycle-notice/1"
OWNER_ONLY = 0o600

About = Literal["policy", "incident", "transfer", "disclosure"]


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person is told, as it goes out: `text` by language, and no value that was collected about anybody. Whoever
    carries it knows whose address belongs to `subject`."""

    notice: str
    subject: UUID
    about: About
    channel: str
    at: datetime
    text: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        said = {name: getattr(self, name) for name in self.__slots__}
        return {"format": FORMAT, **said, "subject": str(self.subject), "text": dict(self.text)}


class NoticeDelivery(Protocol):
    """Takes a notice to its person. The same one may come again after a crash: it must be one to the person.

    Returns only when the notice cannot be lost any more; raises when that did not succeed, and is asked again.
    """

    def deliver(self, notice: Notice) -> None: ...


class NoticeFolder:
    """One JSON file a notice, named by its id: whole or not there, on the disk before `deliver` returns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, notice: Notice) -> None:
        """Again is harmless: a file that is there is left as it is."""
        content = orjson.dumps(notice.as_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
        with file_errors("folder of notices", "LIFECYCLE_NOTICES"):
            make_folder(self._folder)
            create_file(self._folder / f"{notice.notice}.json", content + b"\n", OWNER_ONLY)
