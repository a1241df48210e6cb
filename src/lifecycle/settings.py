"""Where the database and the keys are. Read from the environment once, at the doors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

DEFAULT_DB = "sqlite:///lifecycle.db"


@dataclass(frozen=True, slots=True)
class Settings:
    """`db` is an SQLAlchemy URL; `keys` the folder of keys, anchor and erasure journal; `custody_folder` that of the
    custody keys, if it is another."""

    db: str
    keys: Path
    ledger_folder: Path | None = None
    calendars: Path | None = None  # the operator's own working days, if there are any
    custody_folder: Path | None = None
    outbox: Path | None = None  # where instructions to recipients go as files; without it they wait
    notices: Path | None = None  # where notices to people go as files; without it their words are sent by others
    remembered: str | None = None  # how many people a process keeps at hand, as the operator wrote it

    @property
    def custody(self) -> Path:
        """Among the other keys, unless somebody said where: a folder that only custodians and the worker may read."""
        return self.custody_folder or self.keys

    @property
    def ledger(self) -> Path:
        """The folder of the public log: beside the keys, never among them, unless somebody said where."""
        return self.ledger_folder or ledger_beside(self.keys)

    @classmethod
    def read(
        cls,
        db: str | None = None,
        keys: str | os.PathLike[str] | None = None,
        ledger: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] | None = None,
        *,
        custody: str | os.PathLike[str] | None = None,
    ) -> Settings:
        environ = os.environ if environ is None else environ
        url = db or environ.get("LIFECYCLE_DB") or DEFAULT_DB
        folder = keys or environ.get("LIFECYCLE_KEYS") or _beside(url)
        public = ledger or environ.get("LIFECYCLE_LEDGER")
        days, inside = environ.get("LIFECYCLE_CALENDARS"), custody or environ.get("LIFECYCLE_CUSTODY")
        sent, told = environ.get("LIFECYCLE_OUTBOX"), environ.get("LIFECYCLE_NOTICES")
        optional = (Path(each) if each else None for each in (public, days, inside, sent, told))
        of_log, of_days, of_custody, outbox, notices = optional
        remembered = environ.get("LIFECYCLE_REMEMBERED") or None
        return cls(url, Path(folder), of_log, of_days, of_custody, outbox, notices, remembered)


def ledger_beside(keys: Path) -> Path:
    return keys.with_name(f"{keys.name.removesuffix('.keys')}.ledger")


def _beside(url: str) -> str:
    """Beside a SQLite file its keys lie in `FILE.keys`; for a server, in the working folder."""
    scheme, _, rest = url.partition(":///")
    if scheme.partition("+")[0] != "sqlite":
        return "lifecycle.keys"
    return f"{unquote(rest.partition('?')[0])}.keys"
