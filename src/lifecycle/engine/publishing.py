"""The store's public log: published when asked, and the evidence that can be had from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select, update

from lifecycle.audit.full_findings import LIMIT
from lifecycle.errors import Refused
from lifecycle.ledger.anchor import Anchor
from lifecycle.ledger.checkpoint_rows import Published, newest_checkpoint
from lifecycle.ledger.ledger_files import CHECKPOINT, VKEYS, LedgerFolder
from lifecycle.ledger.log_keys import LogKeys
from lifecycle.ledger.note import Note, Signature, VerifyingKey, read_note
from lifecycle.ledger.publisher import Publisher
from lifecycle.ledger.tables import checkpoint, log_entry
from lifecycle.storage.database import Database
from lifecycle.storage.map_facts import facts_of
from lifecycle.vault.vault import Vault

if TYPE_CHECKING:
    from lifecycle.audit.bundle import Evidence
    from lifecycle.audit.full import Audited, Progress

TOKEN = "checkpoint.tsr"  # noqa: S105 -- the name of a file
_LOOKED_BACK = 1_000  # checkpoints


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
        from lifecycle.ledger import key_rotation  # noqa: PLC0415

        return key_rotation.add_key(self._database, self.keys, self.origin, now)

    def retire_key(self, now: datetime) -> str:
        """The older key signs one last checkpoint; returns its vkey."""
        from lifecycle.ledger import key_rotation  # noqa: PLC0415

        return key_rotation.retire_key(self._database, self.keys, self.origin, self._publisher, now)

    def faults(self, now: datetime, *, deep: bool) -> list[str]:
        """What is wrong with the rows of the log, in words; `deep` reads all of them."""
        from lifecycle.ledger import faults  # noqa: PLC0415

        with self._database.read() as c:
            found = faults.faults(c, now)
            return [*found, *faults.deep_faults(c)] if deep else found

    def evidence(self, c: Connection) -> Evidence:
        """Under the newest checkpoint. `c` is a snapshot that lasts as long as the evidence is read."""
        from lifecycle.audit.bundle import Evidence  # noqa: PLC0415
        from lifecycle.ledger.log_proofs import LogProofs  # noqa: PLC0415
        from lifecycle.ledger.map_proofs import MapProofs  # noqa: PLC0415

        newest = newest_checkpoint(c)
        if newest is None:
            raise NothingPublished
        log = LogProofs(c, self.folder, newest.size)
        return Evidence(self.origin, newest.note, log, MapProofs(c, log), self.token(newest.note))

    def token(self, note: bytes) -> bytes | None:
        """The timestamp, if it is over this checkpoint: its request had this digest, so the token has it too."""
        from lifecycle.ledger.timestamps import stamped_bytes  # noqa: PLC0415 -- with it comes what asks others by HTTP

        token = self.folder.read(TOKEN)
        if token is None or sha256(stamped_bytes(note, self.known_keys())).digest() not in token:
            return None
        return token

    # -- what others need, and say ----------------------------------------------------------------------------------

    def known_keys(self) -> list[VerifyingKey]:
        """The log's public keys: of its own file where that is, else as they were published."""
        if self.may_sign:
            return [key.verifying for key in self.keys.signing(self.origin)]
        said = (self.folder.read(VKEYS) or b"").decode("utf-8", "replace")
        return [VerifyingKey.parse(line) for line in said.splitlines()]

    def audit(
        self,
        now: datetime,
        vault: Vault,
        *,
        keys: Iterable[VerifyingKey] | None = None,
        limit: int = LIMIT,
        progress: Progress | None = None,
    ) -> Audited:
        """Open every leaf of the newest checkpoint, in one snapshot. `keys` are the log's as the auditor knows them."""
        from lifecycle.audit.full import full_audit  # noqa: PLC0415

        with self._database.read() as c:
            if newest_size(c) is None:
                raise NothingPublished
            theirs = self.known_keys() if keys is None else keys
            vault.installation(c)  # of this snapshot, also when an epoch ends meanwhile
            return full_audit(c, self.folder, self.origin, theirs, now=now, vault=vault, limit=limit, progress=progress)

    def newest_if_any(self) -> Published | None:
        with self._database.read() as c:
            return newest_checkpoint(c)

    def newest(self) -> Published:
        newest = self.newest_if_any()
        if newest is None:
            raise NothingPublished
        return newest

    def first_leaf(self) -> bytes:
        with self._database.read() as c:
            return bytes(c.execute(select(log_entry.c.entry).where(log_entry.c.position == 0)).scalar_one())

    def genesis_proof(self) -> bytes:
        """A c2sp.org/tlog-proof of leaf 0, which it carries as extra data: a witness learns what this log is."""
        from lifecycle.ledger.log_proofs import LogProofs  # noqa: PLC0415
        from lifecycle.ledger.tlog_proof import TlogProof  # noqa: PLC0415

        newest = self.newest()
        with self._database.read() as c:
            path = LogProofs(c, self.folder, newest.size).inclusion(0)
        return TlogProof(0, tuple(path), newest.note, self.first_leaf()).written()

    def consistency(self, old: int, size: int) -> list[bytes]:
        from lifecycle.ledger.log_proofs import LogProofs  # noqa: PLC0415

        with self._database.read() as c:
            return LogProofs(c, self.folder, size).consistency(old)

    def cosigned_by(self, key: VerifyingKey) -> int:
        """The size of the newest checkpoint that carries a cosignature by this key; 0 if none of the last does."""
        rows = select(checkpoint.c.size, checkpoint.c.note).order_by(checkpoint.c.size.desc()).limit(_LOOKED_BACK)
        with self._database.read() as c:
            for size, note in c.execute(rows):
                if any(_same(each, key) for each in read_note(note.encode()).signatures):
                    return int(size)
        return 0

    def add_signatures(self, size: int, signatures: Sequence[Signature], *, text: str | None = None) -> bytes:
        """Add cosignatures to a checkpoint, and show them if it is the newest; a key's later one replaces its earlier.

        `text`: what was signed; another root for this size, or a size that was never published, is left alone.
        """
        row = select(checkpoint.c.note).where(checkpoint.c.size == size).with_for_update()
        with self.anchor.held():  # nobody shows a newer checkpoint meanwhile
            with self._database.write("sequencer") as c:
                kept: str | None = c.execute(row).scalar_one_or_none()
                note = None if kept is None else read_note(kept.encode())
                if note is None or text not in (None, note.text):
                    return b""
                grown = _grown(note, signatures).written()
                c.execute(update(checkpoint).where(checkpoint.c.size == size).values(note=grown.decode()))
            shown = self.folder.read(CHECKPOINT)
            if shown is not None and read_note(shown).text == note.text:
                self.folder.replace(CHECKPOINT, grown)
        return grown


def newest_size(c: Connection) -> int | None:
    """Without reading the note, which an audit reads itself."""
    row = select(checkpoint.c.size).order_by(checkpoint.c.size.desc()).limit(1)
    return c.execute(row).scalar_one_or_none()


def _grown(note: Note, signatures: Sequence[Signature]) -> Note:
    newer = {(each.name, each.key_id) for each in signatures}
    kept = [each for each in note.signatures if (each.name, each.key_id) not in newer]
    return Note(note.text, (*kept, *signatures))


def _same(signature: Signature, key: VerifyingKey) -> bool:
    return (signature.name, signature.key_id) == (key.name, key.key_id)
