"""Where the database and the keys are. Read from the environment once, at the doors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_DB = "sqlite:///lifecycle.db"


@dataclass(frozen=True, slots=True)
class Settings:
    """`db` is an SQLAlchemy URL; `keys` is the folder of epoch keys and erasure journal."""

    db: str
    keys: Path

    @classmethod
    def read(
        cls,
        db: str | None = None,
        keys: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Settings:
        environ = os.environ if environ is None else environ
        url = db or environ.get("LIFECYCLE_DB") or DEFAULT_DB
        folder = keys or environ.get("LIFECYCLE_KEYS") or _beside(url)
        return cls(url, Path(folder))


def _beside(url: str) -> str:
    """Beside a SQLite file its keys lie in `FILE.keys`; for a server, in the working folder."""
    prefix = "sqlite:///"
    return f"{url.removeprefix(prefix)}.keys" if url.startswith(prefix) else "lifecycle.keys"
