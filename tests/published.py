"""A store whose log is published, for tests, and the judge of what it publishes: computed again from the rows."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from appends import MONDAY, Person, an_activity
from sqlalchemy import select

from lifecycle.ledger import tree
from lifecycle.ledger.anchor import Anchor
from lifecycle.ledger.checkpoint import Checkpoint, open_checkpoint
from lifecycle.ledger.checkpoint_rows import Published
from lifecycle.ledger.integration import AT_ONCE, rebuild_map
from lifecycle.ledger.ledger_files import LedgerFolder
from lifecycle.ledger.log_keys import LogKeys
from lifecycle.ledger.publisher import Publisher
from lifecycle.ledger.sequencer import sequence, write_genesis
from lifecycle.ledger.subject_map import MapEntry, MapLeaf, State, bucket_of, read_entry
from lifecycle.ledger.tables import event_position, log_entry
from lifecycle.ledger.tiles import entries_path, read_entry_bundle, read_tile, tile_path
from lifecycle.storage.appending import Appending
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.map_facts import facts_of
from lifecycle.storage.tables import stream_head

ORIGIN = "lifecycle/0123456789abcdef"


@dataclass
class Log:
    """A database, the folder of keys and the ledger folder."""

    database: Database
    home: Path
    publisher: Publisher = field(init=False)

    def __post_init__(self) -> None:
        self.folder = LedgerFolder(self.home / "ledger")
        self.anchor = Anchor(self.home / "keys")
        self.keys = LogKeys(self.home / "keys")
        self.streams = Streams(self.database)
        self.publisher = self.another()

    def another(self, of: type[Publisher] = Publisher) -> Publisher:
        return of(self.database, facts_of, self.folder, self.anchor, self.keys, ORIGIN)

    def begin(self) -> Log:
        with self.database.own() as c:
            write_genesis(c, {"at": "2026-11-23T09:00:00.000000Z", "format": "1", "kind": "genesis/1",
                              "origin": ORIGIN, "simulated": False})  # fmt: skip
        self.keys.create(ORIGIN)
        return self

    def live(self, *people: Person, events: int = 1) -> None:
        """Each of these people does something, all in one transaction, and it gets positions. Who is named twice does it
        twice."""
        appending = Appending()
        times = Counter(person.subject_id for person in people)
        by_id = {person.subject_id: person for person in people}
        for id, person in by_id.items():
            person.append_to(appending, *[an_activity()] * events * times[id])
        self.streams.save(*appending.recorded, rows=appending.rows)
        for person in by_id.values():
            person.move(appending)
        self.sequence()

    def sequence(self) -> None:
        with self.database.write("sequencer") as c:
            while sequence(c):
                pass

    def publish(self, at_once: int = AT_ONCE) -> Published:
        return self.publisher.publish(MONDAY, at_once=at_once)

    def rebuild_map(self) -> bytes:
        with self.database.write("sequencer") as c:
            return rebuild_map(c, facts_of)

    # -- the judge ---------------------------------------------------------------------------------------------------

    def entries(self) -> list[bytes]:
        with self.database.read() as c:
            return list(c.execute(select(log_entry.c.entry).order_by(log_entry.c.position)).scalars())

    def shown(self) -> Checkpoint:
        note = self.folder.read("checkpoint")
        assert note is not None
        return open_checkpoint(note, [key.verifying for key in self.keys.signing(ORIGIN)])

    def assert_published(self, published: Published) -> MapEntry:
        """Checkpoint, tiles, bundles and map entry are those of the rows, computed in the simplest way."""
        entries = self.entries()[: published.size]
        leaves = [tree.leaf_hash(entry) for entry in entries]
        shown = self.shown()
        assert (shown.size, shown.root) == (published.size, published.root) == (len(entries), tree.root(leaves))
        self.assert_files(entries)
        entry = read_entry(entries[-1])
        assert entry.covered == published.size - 1
        assert entry.events == sum(each[0] == 1 for each in entries)
        assert (entry.streams, entry.top_root) == self.naive_map(entry.covered, entry.depth)
        return entry

    def assert_files(self, entries: list[bytes]) -> None:
        row, level = [tree.leaf_hash(entry) for entry in entries], 0
        while row:
            for at in range(0, len(row), 256):
                wanted = row[at : at + 256]
                content = self.folder.read(tile_path(level, at // 256, len(wanted)))
                assert content is not None, (level, at // 256, len(wanted))
                assert read_tile(content, len(wanted)) == wanted
                if level == 0:
                    bundle = self.folder.read(entries_path(at // 256, len(wanted)))
                    assert bundle is not None
                    assert read_entry_bundle(bundle) == entries[at : at + 256]
            row = [tree.root(row[at : at + 256]) for at in range(0, len(row) - len(row) % 256, 256)]
            level += 1

    def naive_map(self, covered: int, depth: int, erased: frozenset[bytes] = frozenset()) -> tuple[int, bytes]:
        """Number of streams and root of the map, from all positions and all heads' sids."""
        with self.database.read() as c:
            sids = {row.stream_id: row.sid for row in c.execute(select(stream_head))}
            rows = c.execute(
                select(event_position, log_entry.c.entry)
                .join(log_entry, log_entry.c.position == event_position.c.position)
                .where(event_position.c.position < covered)
                .order_by(event_position.c.position)
            )
            leaves = {}
            for row in rows:
                sid = sids[row.stream_id]
                state = State.ERASED if sid in erased else State.ALIVE
                leaves[sid] = MapLeaf(sid, row.version, row.entry[1:33], state)
        tops = []
        for bucket in range(1 << depth):
            mine = [leaves[sid].packed for sid in sorted(leaves) if bucket_of(sid, depth) == bucket]
            root = tree.root([tree.leaf_hash(each) for each in mine])
            tops.append(tree.leaf_hash(len(mine).to_bytes(4, "big") + root))
        return len(leaves), tree.root(tops)


def backed_up(log: Log, to: Path) -> None:
    log.database.truncate_wal()
    shutil.copyfile(log.database.path or "", to)


def restored(log: Log, backup: Path) -> Log:
    log.streams.close()
    log.database.close()
    assert log.database.path is not None
    for beside in ("-wal", "-shm"):
        Path(f"{log.database.path}{beside}").unlink(missing_ok=True)
    shutil.copyfile(backup, log.database.path)
    return Log(Database(log.database.url), log.home)
