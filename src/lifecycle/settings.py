"""Where the database, the keys and the published log are. Read from the environment once, at the doors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

DEFAULT_DB = "sqlite:///lifecycle.db"


@dataclass(frozen=True, slots=True)
class Settings:
    """`db` is an SQLAlchemy URL; `keys` is the folder of epoch key, log key, anchor and erasure journal.

    `ledger_folder` is where the log's files are published; see `ledger` for what it is when nobody says.
    """

    db: str
    keys: Path
    ledger_folder: Path | None = None

    @classmethod
    def read(
        cls,
        db: str | None = None,
        keys: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] | None = None,
        ledger: str | os.PathLike[str] | None = None,
    ) -> Settings:
        environ = os.environ if environ is None else environ
        url = db or environ.get("LIFECYCLE_DB") or DEFAULT_DB
        folder = keys or environ.get("LIFECYCLE_KEYS") or _beside(url, "keys") or "lifecycle.keys"
        published = ledger or environ.get("LIFECYCLE_LEDGER")
        return cls(url, Path(folder), Path(published) if published else None)

    @property
    def ledger(self) -> Path:
        """The ledger folder: `FILE.ledger` beside a SQLite file, for a server `lifecycle.ledger` beside the keys."""
        if self.ledger_folder is not None:
            return self.ledger_folder
        beside = _beside(self.db, "ledger")
        return Path(beside) if beside is not None else self.keys.with_name("lifecycle.ledger")


def _beside(url: str, what: str) -> str | None:
    """`FILE.what` for the URL of a SQLite file, which may have a driver, a query and escapes; None for a server."""
    parts = urlsplit(url, allow_fragments=False)  # a path may have a # in it
    if parts.scheme.partition("+")[0] != "sqlite" or not url.startswith(f"{parts.scheme}:///"):
        return None
    return f"{unquote(parts.path[1:])}.{what}"
