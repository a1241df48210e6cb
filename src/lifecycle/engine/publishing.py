"""The store's public log: published when asked, and the evidence that can be had from it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from lifecycle.audit.bundle import Evidence
from lifecycle.errors import Refused
from lifecycle.ledger import faults, key_rotation
from lifecycle.ledger.anchor import Anchor
from lifecycle.ledger.checkpoint_rows import Published, newest_checkpoint
from lifecycle.ledger.ledger_files import LedgerFolder
from lifecycle.ledger.log_keys import LogKeys
from lifecycle.ledger.log_proofs import LogProofs
from lifecycle.ledger.map_proofs import MapProofs
from lifecycle.ledger.publisher import Publisher
from lifecycle.storage.database import Database
from lifecycle.storage.map_facts import facts_of

TOKEN = "checkpoint.tsr"  # noqa: S105 -- the name of a file


class NothingPublished(Refused):
    code = "nothing-published"
    remedy = "run `lifecycle ledger publish` where the key of the log is"

    def __init__(self) -> None:
        super().__init__("No checkpoint of this log has been published.")


class Publishing:
    """What this process may do with the log: everybody reads it, whoever has its key publishes."""

    def __init__(self, database: Database, keys: Path, ledger: Path, origin: str) -> None:
        self.origin = origin
        self.folder = LedgerFolder(ledger)
        self.anchor = Anchor(keys)
        self.keys = LogKeys(keys)
        self._database = database
        self._publisher = Publisher(database, facts_of, self.folder, self.anchor, self.keys, origin)

    @property
    def may_sign(self) -> bool:
        return self.keys.path.exists()

    def publish(self, now: datetime) -> Published:
        return self._publisher.publish(now)

    def declare_loss(self, now: datetime) -> None:
        """After a restore: take back the leaves that the folder has and the database has not, and say so for ever."""
        self._publisher.declare_loss(now)

    def add_key(self, now: datetime) -> str:
        """A new key signs beside the present one; returns its vkey, to be given to auditors."""
        return key_rotation.add_key(self._database, self.keys, self.origin, now)

    def retire_key(self, now: datetime) -> str:
        """The older key signs one last checkpoint; returns its vkey."""
        return key_rotation.retire_key(self._database, self.keys, self.origin, self._publisher, now)

    def faults(self, now: datetime, *, deep: bool) -> list[str]:
        """What is wrong with the rows of the log, in words; `deep` reads all of them."""
        with self._database.read() as c:
            found = faults.faults(c, now)
            return [*found, *faults.deep_faults(c)] if deep else found

    def evidence(self, c: Connection) -> Evidence:
        """Under the newest checkpoint. `c` is a snapshot that lasts as long as the evidence is read."""
        newest = newest_checkpoint(c)
        if newest is None:
            raise NothingPublished
        log = LogProofs(c, self.folder, newest.size)
        return Evidence(self.origin, newest.note, log, MapProofs(c, log), self.folder.read(TOKEN))
