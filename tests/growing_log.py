"""A log for tests that grows, forks and rolls back as asked, and publishes itself as static files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from lifecycle.ledger.add_checkpoint import AddCheckpoint
from lifecycle.ledger.checkpoint import Checkpoint, sign_checkpoint
from lifecycle.ledger.envelope import event_entry, system_entry, tag
from lifecycle.ledger.genesis import genesis_proof
from lifecycle.ledger.note import SigningKey
from lifecycle.ledger.system_records import genesis
from lifecycle.ledger.tiles import TILE_WIDTH, entries_path, entry_bundle, tile_bytes, tiles_of
from lifecycle.ledger.tree import Frontier, consistency_proof, inclusion_proof, leaf_hash, root

ORIGIN = "lifecycle.example/acme"
LOG_KEY = SigningKey.from_seed(ORIGIN, b"l" * 32)
STREAM_KEY = sha256(b"the stream that is looked for").digest()
WHEN = datetime(2026, 11, 23, 10, tzinfo=UTC)


def event(name: str, its_tag: bytes | None = None) -> bytes:
    committed = sha256(name.encode()).digest()
    return event_entry(committed, its_tag or sha256(committed).digest()[:16])


class GrowingLog:
    """Entries, with everything that a log says about them; a branch is another history after its first leaves."""

    def __init__(self, *, simulated: bool = False, key: SigningKey = LOG_KEY, branch: str = "") -> None:
        self.key = key
        self.branch = branch
        self.entries = [system_entry(genesis(WHEN, key.name, simulated=simulated))]

    def grow(self, size: int) -> GrowingLog:
        self.entries += [event(f"{self.branch}{i}") for i in range(len(self.entries), size)]
        return self

    def forked(self, after: int, branch: str = "fork") -> GrowingLog:
        other = GrowingLog(key=self.key, branch=branch)
        other.entries = self.entries[:after]
        return other.grow(len(self.entries))

    def record(self, n: int, key: bytes = STREAM_KEY) -> int:
        """The n-th event of the stream with this key; its leaf."""
        self.entries.append(event(f"of the stream, {n}", tag(key, n)))
        return len(self.entries) - 1

    @property
    def hashes(self) -> list[bytes]:
        return [leaf_hash(entry) for entry in self.entries]

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        hashes = self.hashes[:size]
        return Checkpoint(self.key.name, len(hashes), root(hashes))

    def note(self, size: int | None = None, keys: Sequence[SigningKey] = ()) -> bytes:
        return sign_checkpoint(self.checkpoint(size), keys or [self.key])

    def proof(self, old: int, size: int | None = None) -> list[bytes]:
        return consistency_proof(old, self.hashes[:size])

    def request(self, old: int, size: int | None = None) -> bytes:
        """What an honest client sends; the proof is left out where there can be none."""
        size = len(self.entries) if size is None else size
        proof = self.proof(old, size) if old <= size else []
        return AddCheckpoint(old, tuple(proof), self.note(size)).written()

    def genesis_proof(self) -> bytes:
        return genesis_proof(self.entries[0], inclusion_proof(0, self.hashes), self.note())

    def publish(self, folder: Path, old: int = 0) -> Path:
        """The static files of c2sp.org/tlog-tiles."""
        levels: dict[int, list[bytes]] = {}
        for row in Frontier().extend(self.hashes):
            levels.setdefault(row.level, []).extend(row.hashes)
        for tile in tiles_of(old, len(self.entries)):
            first = tile.index * TILE_WIDTH
            _write(folder / tile.path, tile_bytes(levels[tile.level][first : first + tile.width]))
            if tile.level == 0:
                bundle = entry_bundle(self.entries[first : first + tile.width])
                _write(folder / entries_path(tile.index, tile.width), bundle)
        _write(folder / "checkpoint", self.note())
        return folder


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
