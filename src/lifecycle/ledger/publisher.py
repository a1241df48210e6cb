"""Publishes the log: leaves into tree and map, tiles into the folder, and a signed checkpoint that the anchor allows.

Each step can be done again, so a crash between any two is repaired by publishing once more. Several may publish at
once: the row of the tree orders them, the anchor lets one sign, and files that are there already say the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from sqlalchemy import Connection

from lifecycle.errors import Conflict
from lifecycle.ledger import integration
from lifecycle.ledger.anchor import Anchor, AnchorMoved
from lifecycle.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from lifecycle.ledger.checkpoint_rows import Published, RolledBack, newest_checkpoint, remember
from lifecycle.ledger.growing import NewLeaves, add_files, roots_on_the_way
from lifecycle.ledger.integration import FactsOf, LogDamaged, LogTree, is_whole, read_tree
from lifecycle.ledger.ledger_files import CHECKPOINT, VKEYS, LedgerFolder, LedgerUnavailable
from lifecycle.ledger.log_keys import LogKeys
from lifecycle.ledger.log_proofs import log_hashes
from lifecycle.ledger.loss import Loss, declare_loss
from lifecycle.ledger.note import SigningKey
from lifecycle.ledger.sequencer import log_size
from lifecycle.ledger.tree import EMPTY, Hashes

TRIES = 8
Anchored: TypeAlias = tuple[Checkpoint, bytes]


class AnchorMissing(LedgerUnavailable):
    """The anchor is gone or older than what is published, so nobody would notice a log that was rolled back."""


class Store(Protocol):
    """The database: transactions that read one snapshot, and those that write as the sequencer."""

    def read(self) -> AbstractContextManager[Connection]: ...

    def write(self, role: Literal["sequencer"]) -> AbstractContextManager[Connection]: ...


class Publisher:
    """One process's publisher of one log. `origin` is the log's name for ever."""

    def __init__(
        self, store: Store, facts_of: FactsOf, folder: LedgerFolder, anchor: Anchor, keys: LogKeys, origin: str
    ) -> None:
        self._store = store
        self._facts_of = facts_of
        self._folder = folder
        self._anchor = anchor
        self._keys = keys
        self._origin = origin

    def publish(self, now: datetime, *, at_once: int = integration.AT_ONCE) -> Published:
        """Publish all leaves that have positions; without new ones nothing is signed. Returns the newest checkpoint.

        Errors: LogKeyMissing where the log's key is not; RolledBack and AnchorMissing after a restore that nobody
        checked; LedgerDamaged and LogDamaged when what was published is not what the log says.
        """
        keys = self._keys.signing(self._origin)
        for _ in range(TRIES):
            try:
                done = self._done(keys) or self._publish(keys, now, at_once)
            except AnchorMoved:
                continue
            return done
        raise Conflict("The log could not be published: others were always faster.")

    def _publish(self, keys: list[SigningKey], now: datetime, at_once: int) -> Published:
        anchored = self.anchored(keys)
        with self._store.read() as c:
            if anchored is not None and log_size(c) < anchored[0].size:
                raise RolledBack("The log has fewer leaves than its last checkpoint.")
        self.integrate(at_once)
        with self._store.read() as c:
            tree = read_tree(c)
            if not is_whole(c, tree):
                raise AnchorMoved  # another publisher is in the middle of a backlog
            self._outdated(newest_checkpoint(c), anchored)
            leaves = NewLeaves(c, min(self._shown(keys), tree.size), tree.size)
            self.add_files(leaves, self._checked(c, tree, anchored, leaves))
        note = self.sign(keys, tree, anchored)
        self.record(tree, note, now)
        return self.show(keys)

    def declare_loss(self, now: datetime) -> Loss:
        """After a restore that lost events, and before anybody writes: take back the leaves that were published.

        Publish then, and the log goes on above its last checkpoint. Errors: as `lifecycle.ledger.loss` says.
        """
        anchored = self.anchored(self._keys.signing(self._origin))
        if anchored is None:
            raise _outdated()
        with self._store.write("sequencer") as c:
            return declare_loss(c, self._folder, *anchored, now)

    # -- the steps ---------------------------------------------------------------------------------------------------

    def integrate(self, at_once: int) -> None:
        more = True
        while more:
            with self._store.write("sequencer") as c:
                more = integration.integrate(c, self._facts_of, at_once)

    def add_files(self, leaves: NewLeaves, hashes: Hashes) -> None:
        """The files of the checkpoint that is shown are there; those of a later one may be, after a crash."""
        add_files(leaves, self._folder, hashes)

    def sign(self, keys: list[SigningKey], tree: LogTree, anchored: Anchored | None) -> bytes:
        """Sign, and swap the anchor. Errors: AnchorMoved if it is not the one that the tree was compared with."""
        if anchored is not None and anchored[0].size == tree.size:
            return anchored[1]  # a crash came between the anchor and the row
        note = sign_checkpoint(Checkpoint(self._origin, tree.size, tree.root), keys)
        with self._anchor.held():
            self._anchor.swap(anchored[1] if anchored is not None else None, note)
        return note

    def record(self, tree: LogTree, note: bytes, now: datetime) -> None:
        with self._store.write("sequencer") as c:
            remember(c, tree.size, note, now)

    def show(self, keys: list[SigningKey]) -> Published:
        """Publish the newest checkpoint. It is read while the anchor is held, so none goes back behind a newer one."""
        with self._anchor.held(), self._store.read() as c:
            newest = newest_checkpoint(c)
            assert newest is not None, "a checkpoint was recorded"
            open_checkpoint(newest.note, [key.verifying for key in keys])
            self._folder.replace(VKEYS, "".join(f"{key.vkey}\n" for key in keys).encode())
            self._folder.replace(CHECKPOINT, newest.note)
        return newest

    # -- what allows them --------------------------------------------------------------------------------------------

    def anchored(self, keys: Iterable[SigningKey]) -> Anchored | None:
        """The anchor's checkpoint. Errors: AnchorMissing if the folder shows a newer one."""
        theirs = [key.verifying for key in keys]
        shown, note = self._folder.read(CHECKPOINT), self._anchor.read()  # in this order: the anchor moves first
        anchored = None if note is None else open_checkpoint(note, theirs)
        public = None if shown is None else open_checkpoint(shown, theirs)
        if public is not None and (anchored is None or anchored.size < public.size):
            raise _outdated()
        return None if anchored is None or note is None else (anchored, note)

    def _done(self, keys: list[SigningKey]) -> Published | None:
        """The newest checkpoint, if there is nothing to do."""
        with self._store.read() as c:
            newest = newest_checkpoint(c)
            if newest is None or not log_size(c) == read_tree(c).size == newest.size:
                return None
        anchored = self.anchored(keys)
        same = anchored is not None and (anchored[0].size, anchored[0].root) == (newest.size, newest.root)
        return newest if same and self._folder.read(CHECKPOINT) == newest.note else None

    def _shown(self, keys: Iterable[SigningKey]) -> int:
        """Up to where the folder has all files."""
        shown = self._folder.read(CHECKPOINT)
        return 0 if shown is None else open_checkpoint(shown, [key.verifying for key in keys]).size

    def _outdated(self, newest: Published | None, anchored: Anchored | None) -> None:
        """Refuse when the database remembers a checkpoint that the anchor knows nothing of."""
        if newest is None or (anchored is not None and newest.size <= anchored[0].size):
            return
        if self._anchor.read() != (anchored[1] if anchored is not None else None):
            raise AnchorMoved  # it was signed just now
        raise _outdated()

    def _checked(self, c: Connection, tree: LogTree, anchored: Anchored | None, leaves: NewLeaves) -> Hashes:
        """See that the tree to be signed continues what was signed, and is that of the log's own rows.

        Returns the stored hashes at the size that is shown. A tile that lies is no proof of a rollback.
        """
        stop, before = (anchored[0].size, anchored[0].root) if anchored is not None else (0, EMPTY)
        if leaves.first > stop:
            raise AnchorMoved  # it was signed and shown just now
        if stop > tree.size:
            raise RolledBack("The tree has fewer leaves than its last checkpoint.")
        for folder in (self._folder, None):
            hashes = log_hashes(c, folder, leaves.first)
            at_anchor, root = roots_on_the_way(leaves, hashes, stop)
            if (at_anchor, root) == (before, tree.root):
                return hashes
        if at_anchor != before:
            raise RolledBack("The log is not the one that its last checkpoint was signed for.")
        raise LogDamaged("The rows of the log do not lead to the root of its tree.")


def _outdated() -> AnchorMissing:
    return AnchorMissing(
        "The anchor is missing, or older than the checkpoint that was published last.",
        "put the newest copy of `anchor` back into the folder that LIFECYCLE_KEYS names, or run `lifecycle restore "
        "check`",
    )
