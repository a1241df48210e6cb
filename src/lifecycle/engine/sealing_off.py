"""Whether the database is the one that its keys, its journal and its anchor last saw: a restored one is sealed off."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.errors import StoreUnavailable
from lifecycle.ledger.anchor import Anchor
from lifecycle.ledger.checkpoint import Checkpoint
from lifecycle.ledger.checkpoint_rows import newest_checkpoint
from lifecycle.ledger.integration import LogTree, read_tree
from lifecycle.ledger.log_proofs import log_hashes, published_root
from lifecycle.ledger.note import read_note
from lifecycle.ledger.tree import root_from
from lifecycle.storage import journal_seen
from lifecycle.storage.database import Database
from lifecycle.storage.tables import pending_erasure
from lifecycle.vault.erasure import keys_left
from lifecycle.vault.journal import ErasureJournal
from lifecycle.vault.journal_lines import JournalEntry, Mark

AT_ONCE = 10_000  # entries of the journal


class SealedOff(StoreUnavailable):
    """Nothing is read and nothing appended until what was erased since the backup is erased again."""

    remedy = "run `lifecycle restore check`; it says what is missing, and what `lifecycle restore reapply` would do"


class AnchorLost(SealedOff):
    remedy = "put back the newest copy of `anchor` into the folder that LIFECYCLE_KEYS names"


class AnotherHistory(SealedOff):
    remedy = "restore another backup of this store: this database has a history that was never signed"


class ErasedKeysAreBack(StoreUnavailable):
    """What was destroyed is in the vault again; wrapped under the next epoch's key it would outlive its end."""

    remedy = (
        "find out who put rows into the vault; `lifecycle vault backup` and then `lifecycle vault restore` leave out "
        "whatever the erasure journal says is gone"
    )


@dataclass(frozen=True, slots=True)
class Findings:
    """What the outside knows and the database does not: erasures to carry out again, and how many leaves are lost."""

    to_reapply: tuple[JournalEntry, ...] = ()
    leaves_lost: int = 0

    @property
    def is_restored(self) -> bool:
        return bool(self.to_reapply) or self.leaves_lost > 0

    def refuse(self) -> None:
        """Errors: SealedOff if the database was restored from a backup."""
        if not self.is_restored:
            return
        lost = f"{self.leaves_lost} leaves of the log are missing" if self.leaves_lost else ""
        erased = f"{len(self.to_reapply)} later erasures are not in it" if self.to_reapply else ""
        raise SealedOff(f"The database is older than its keys: {' and '.join(filter(None, (lost, erased)))}.")


def compare(database: Database, journal: ErasureJournal, anchor: Anchor) -> Findings:
    """Compare the database with journal and anchor. Cheap: it reads a few rows, whatever the size.

    What lies outside is read first: it is written before the database follows it, except for the anchor, which follows.

    Errors: JournalOlder, AnchorLost, AnotherHistory: what lies outside cannot vouch for this database at all.
    """
    end, note = journal.mark(), anchor.read()
    with database.read() as c:
        return Findings(_unfinished(c, journal, end), _lost(c, anchor, note))


class Watch:
    """Looks, before a process that is open reads or writes, whether the database was put back under it.

    At most once in `EVERY` seconds; at once when a SQLite file has become another, and after the store was not to be
    had: no server is restored under a connection that lives on. It has a connection of its own, which holds up nobody
    and is new whenever the file is.
    """

    EVERY = 1.0

    def __init__(self, database: Database, journal: ErasureJournal, anchor: Anchor) -> None:
        self._database = database
        self._own = Database(database.url, pool_size=1)
        self._journal = journal
        self._anchor = anchor
        self._file = self._identity()
        self._next = time.monotonic() + self.EVERY

    def look(self) -> None:
        """Errors: SealedOff, each time again until the database has caught up; StoreUnavailable."""
        file = self._identity()
        if file == self._file and time.monotonic() < self._next:
            return
        if file != self._file:  # who has the old one open would go on in a file that is nobody's
            self._database.engine.dispose()
            self._own.engine.dispose()
        try:
            compare(self._own, self._journal, self._anchor).refuse()
        except SealedOff:
            self._database.engine.dispose()  # whatever is connected may be so to what was there before
            raise
        self._file, self._next = file, time.monotonic() + self.EVERY

    def at_once(self) -> None:
        self._next = 0.0

    def close(self) -> None:
        self._own.close()

    def _identity(self) -> tuple[int, int] | None:
        """Of a SQLite file. One that is not there is the business of whoever opens it."""
        if self._database.path is None:
            return None
        try:
            its = os.stat(self._database.path)
        except OSError:
            return None
        return its.st_dev, its.st_ino


def refuse_what_came_back(database: Database, journal: ErasureJournal) -> None:
    """Errors: ErasedKeysAreBack, if the vault has a key that the journal says was destroyed.

    Where the journal ends is read first: what it says up to there is pending in the snapshot, or destroyed.
    """
    entries, left = journal.entries(), 0
    with database.read() as c:
        pending = _pending(c)
        while some := list(islice(entries, AT_ONCE)):
            done = [entry for entry in some if (entry.subject_id, entry.order) not in pending]
            people = {entry.subject_id for entry in done if entry.whole}
            kids = {(entry.subject_id, kid) for entry in done for kid in entry.kids}
            left += keys_left(c, people, kids)
    if left:
        raise ErasedKeysAreBack(f"{left} rows of keys that were destroyed are in the vault again.")


def _unfinished(c: Connection, journal: ErasureJournal, end: Mark) -> tuple[JournalEntry, ...]:
    """Entries behind the place that the database noted: after a crash their orders are pending, after a restore not."""
    mark = journal_seen.seen(c)
    if mark is None:
        return ()
    later = journal.between(mark, end)
    if not later:
        return ()
    pending = _pending(c)
    return tuple(entry for entry in later if (entry.subject_id, entry.order) not in pending)


def _pending(c: Connection) -> set[tuple[UUID, int]]:
    order = pending_erasure.c
    return {(row.stream_id, row.version) for row in c.execute(select(order.stream_id, order.version))}


def _lost(c: Connection, anchor: Anchor, note: bytes | None) -> int:
    newest = newest_checkpoint(c)
    anchored = _checkpoint(note)
    if newest is not None and (anchored is None or anchored.size < newest.size):
        anchored = _checkpoint(anchor.read())  # somebody published just now
        if anchored is None or anchored.size < newest.size:
            raise AnchorLost("The anchor is missing, or older than the checkpoint that was published last.")
    if anchored is None:
        return 0
    tree = read_tree(c)
    if tree.size < anchored.size:
        return anchored.size - tree.size
    if _root_at(c, anchored.size, tree) != anchored.root:
        raise AnotherHistory("The log is not the one that its newest checkpoint was signed for.")
    return 0


def _root_at(c: Connection, size: int, tree: LogTree) -> bytes:
    """Between anchor and row a crash leaves the anchored checkpoint unrecorded; a restored log may outgrow it too.

    Only then the leaves are read.
    """
    if tree.size == size:
        return tree.root
    return published_root(c, size) or root_from(size, log_hashes(c, None, size))


def _checkpoint(note: bytes | None) -> Checkpoint | None:
    return None if note is None else Checkpoint.parse(read_note(note).text)
