"""The full audit (level L2): every leaf of the newest checkpoint opened, every column and count made again.

Memory stays flat: leaves go by position, events by stream, the map by pseudonym, each some thousands at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from lifecycle.audit.full_custody import misplaced
from lifecycle.audit.full_findings import LIMIT, Finding, Findings, place
from lifecycle.audit.full_leaves import Leaves, read_record, signed_in
from lifecycle.audit.full_map import Map
from lifecycle.audit.full_streams import Events
from lifecycle.columns import instant_of
from lifecycle.domain.streams import SYSTEM
from lifecycle.errors import LifecycleError
from lifecycle.ledger.checkpoint import open_checkpoint
from lifecycle.ledger.envelope import SYSTEM_ENTRY
from lifecycle.ledger.integration import LogTree, read_tree
from lifecycle.ledger.ledger_files import LedgerFolder
from lifecycle.ledger.map_proofs import NotPublished
from lifecycle.ledger.note import VerifyingKey
from lifecycle.ledger.sequencer import log_size
from lifecycle.ledger.system_records import EPOCH_DESTROYED
from lifecycle.ledger.tables import checkpoint, event_position, ledger_queue, log_entry, map_expunged
from lifecycle.storage.tables import event_header, stream_head
from lifecycle.vault.tables import epoch
from lifecycle.vault.vault import Vault

PATIENCE = 60  # seconds that an entry may wait for its place
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Audited:
    """What was opened, and what was found. `counts` also has what is beyond the limit of `findings`."""

    size: int
    note: bytes
    leaves: int
    events: int
    streams: int
    findings: tuple[Finding, ...]
    counts: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        return {
            "size": self.size,
            "leaves": self.leaves,
            "events": self.events,
            "streams": self.streams,
            "findings": [each.as_json() for each in self.findings],
            "counts": self.counts,
        }


def full_audit(
    c: Connection,
    folder: LedgerFolder,
    origin: str,
    log_keys: Iterable[VerifyingKey],
    *,
    now: datetime,
    vault: Vault | None = None,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> Audited:
    """Audit the newest checkpoint. `c` is one snapshot as whoever owns the tables; `now` is the machine's time.
    With `vault` keys are compared with what was committed to; without it, only that they are there.

    Errors: NotPublished when there is no checkpoint of what the tree holds.
    """
    return _Run(c, folder, origin, list(log_keys), Findings(limit), progress).run(now, vault)


class _Run:
    def __init__(
        self,
        c: Connection,
        folder: LedgerFolder,
        origin: str,
        log_keys: list[VerifyingKey],
        found: Findings,
        progress: Progress | None,
    ) -> None:
        self._c = c
        self._found = found
        self._origin = origin
        self._log_keys = log_keys
        self._tree = read_tree(c)
        newest = c.execute(select(checkpoint).order_by(checkpoint.c.size.desc()).limit(1)).one_or_none()
        # What was expunged since is declared by the next checkpoint, and only then explains anything.
        is_expunging = c.execute(select(map_expunged.c.sid).limit(1)).first() is not None
        if newest is None or newest.size != self._tree.size or is_expunging:
            raise NotPublished("The newest checkpoint is not of what the store holds.")
        self._note = newest.note
        self._leaves = Leaves(c, folder, newest.size, origin, found)
        self._step = _Steps(progress, newest.size + self._tree.events + self._tree.streams)

    def run(self, now: datetime, vault: Vault | None) -> Audited:
        found, leaves = self._found, self._leaves
        self._signature()
        leaves.run(self._step)
        self._tree_row(self._tree)
        self._ends()
        self._queue(now)
        events = Events(self._c, vault, found)
        events.run(self._step)
        self._heads()
        misplaced(self._c, found)
        leaves.destroyed |= self._ended_since()
        map = Map(self._c, leaves, self._tree, found)
        map.run(self._step)
        self._epochs()
        return Audited(
            leaves.size, self._note.encode(), leaves.size, events.count, map.streams, tuple(found.kept),
            dict(found.counts),
        )  # fmt: skip

    # -- what is asked of the whole, in a query each ------------------------------------------------------------------

    def _signature(self) -> None:
        if signed_in(self._note) is None:
            return  # reported where its size is reached
        try:
            open_checkpoint(self._note.encode(), self._log_keys)
        except LifecycleError:
            self._found.add("checkpoint-unsigned", size=self._leaves.size)

    def _tree_row(self, tree: LogTree) -> None:
        """The next checkpoint will be made from this row."""
        own = self._leaves.frontier
        edge = b"".join(own.hashes)
        if own.size == tree.size and (tree.root, tree.frontier) != (own.root(), edge):
            self._found.add("tree-differs", size=tree.size)

    def _ends(self) -> None:
        """What a run by positions cannot see: rows before the first and behind the last."""
        position, size = log_entry.c.position, log_size(self._c)
        bounds = self._c.execute(select(func.min(position), func.max(position))).one()
        if tuple(bounds) != (0, size - 1):
            self._found.add("log-size-differs", size=size)
        nowhere = select(event_position.c.position).outerjoin(log_entry, position == event_position.c.position)
        for at in self._c.execute(nowhere.where(position.is_(None)).limit(self._found.limit)).scalars():
            self._found.add("position-of-no-event", position=at)

    def _queue(self, now: datetime) -> None:
        queue, header = ledger_queue.c, event_header.c
        mine = (header.stream_id == queue.stream_id) & (header.version == queue.version)
        rows = select(ledger_queue, header.version.label("of"), stream_head.c.sid).outerjoin(event_header, mine)
        rows = rows.outerjoin(stream_head, stream_head.c.stream_id == queue.stream_id)
        for row in self._c.execute(rows.order_by(queue.event_id).limit(100_000)):
            where = place(None if row.sid is None else bytes(row.sid), row.version)
            if row.of is None and row.stream_id != SYSTEM:
                self._found.add("queue-without-event", **where)
            if (now - instant_of((row.event_id.int >> 80) * 1000)).total_seconds() > PATIENCE:
                self._found.add("queue-waits", **where)

    def _heads(self) -> None:
        """Streams whose events are all gone: a run over events meets none of them."""
        header = event_header.c
        gone = (
            select(stream_head.c.sid)
            .outerjoin(event_header, (header.stream_id == stream_head.c.stream_id) & (header.version == 1))
            .where(stream_head.c.version > 0, header.version.is_(None))
            .limit(self._found.limit)
        )
        for sid in self._c.execute(gone).scalars():
            self._found.add("head-without-events", stream=bytes(sid))

    def _ended_since(self) -> set[int]:
        """Epochs whose end the log tells behind the checkpoint, or is about to tell."""
        later = select(log_entry.c.entry).where(log_entry.c.position >= self._leaves.size)
        waiting = select(ledger_queue.c.entry).where(ledger_queue.c.stream_id == SYSTEM)
        entries = [bytes(entry) for query in (later, waiting) for entry in self._c.execute(query).scalars()]
        records = [read_record(entry) for entry in entries if entry[:1] == SYSTEM_ENTRY]
        return {record["epoch"] for record in records if record is not None and record["kind"] == EPOCH_DESTROYED}

    def _epochs(self) -> None:
        ended = self._c.execute(select(epoch.c.epoch).where(epoch.c.ended_at.is_not(None))).scalars()
        for number in ended:
            if number not in self._leaves.destroyed:
                self._found.add("epoch-ended-unsaid", epoch=number)


class _Steps:
    """Tells how far the run is."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def __call__(self, more: int) -> None:
        self._done += more
        if self._progress is not None:
            self._progress(min(self._done, self._total), self._total)
