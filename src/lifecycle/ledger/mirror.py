"""Keeps a copy of a log that nobody can open, and notices when the log contradicts what it said before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from lifecycle.errors import LifecycleError, StoreUnavailable
from lifecycle.ledger import evidence
from lifecycle.ledger.checkpoint import Checkpoint, open_checkpoint
from lifecycle.ledger.durable_files import FOR_ALL, alone, make_folder, put_file, sync_files
from lifecycle.ledger.ledger_files import replace_file
from lifecycle.ledger.log_sources import FolderSource, LogSource, SourceDamaged
from lifecycle.ledger.note import Note, VerifyingKey, read_note
from lifecycle.ledger.tiles import (
    TILE_WIDTH,
    MalformedTile,
    Tile,
    entries_path,
    entry_bundle,
    read_entry_bundle,
    tile_bytes,
    tiles_of,
)
from lifecycle.ledger.tree import (
    BadProof,
    consistency_from,
    leaf_hash,
    verify_consistency,
)
from lifecycle.ledger.verified_tiles import VerifiedTiles, right_edge

CHECKPOINT, EVIDENCE = "checkpoint", "evidence"
Progress = Callable[[int, int], None]  # leaves that are here, leaves that there are


class LogContradicts(LifecycleError):
    """The log shows another history than the one that this mirror holds. The copy was left as it is."""

    code: ClassVar[str] = "log-contradicts"
    rule: ClassVar[str] = "a log only grows"
    remedy: ClassVar[str] = "keep the mirror and its folder of evidence; show both notes to whoever relies on the log"

    def __init__(self, message: str, kept: Path | None) -> None:
        super().__init__(message)
        self.kept = kept


class MirrorUnavailable(StoreUnavailable):
    """The mirror's folder cannot serve."""

    code: ClassVar[str] = "mirror-unavailable"
    remedy: ClassVar[str] = "see that this user may write it and that its disk has space; then mirror again"


class Mirrored(NamedTuple):
    """What a run has done: from which size to which checkpoint, and how many files it wrote."""

    before: int
    checkpoint: Checkpoint
    files: int


def mirror(source: LogSource, target: Path, keys: Sequence[VerifyingKey], progress: Progress | None = None) -> Mirrored:
    """Copy what is new. Whatever stops it, the next run goes on from there; the checkpoint is written last."""
    try:
        make_folder(target)
        with alone(target / ".lock"):
            return _Copying(source, target, keys, progress or _untold).run()
    except OSError as error:
        raise MirrorUnavailable(f"The mirror's folder cannot be used: {error.strerror}.") from error


class _Copying:
    """One run."""

    def __init__(self, source: LogSource, target: Path, keys: Sequence[VerifyingKey], progress: Progress) -> None:
        self._source = source
        self._here = FolderSource(target)
        self._target = target
        self._keys = keys
        self._progress = progress
        self._files = 0
        self._unsynced: set[Path] = set()

    def run(self) -> Mirrored:
        note = self._source.read(CHECKPOINT)
        if note is None:
            raise SourceDamaged("There is no checkpoint.")
        newest = open_checkpoint(note, self._keys)
        held = self._here.read(CHECKPOINT)
        before = open_checkpoint(held, self._keys) if held is not None else None
        if held is not None and before is not None:
            self._refuse_another(note, newest, held, before)
        tiles = VerifiedTiles(newest, self._candidates)
        if held is not None and before is not None:
            self._refuse_rewritten(tiles, note, newest, held, before)
        size = before.size if before else 0
        self._copy(tiles, size, newest.size)
        self._finish(_merged(held, note))
        self._prune(size, newest.size)
        return Mirrored(size, newest, self._files)

    def _refuse_another(self, note: bytes, newest: Checkpoint, held: bytes, before: Checkpoint) -> None:
        if newest.origin != before.origin:
            raise SourceDamaged("This is another log than the one in the mirror's folder.")
        if newest.size < before.size:
            kept = evidence.keep(self._target / EVIDENCE, evidence.Kind.ROLLBACK, held, note)
            raise LogContradicts("The log is smaller than before.", kept)
        if newest.size == before.size and newest.root != before.root:
            kept = evidence.keep(self._target / EVIDENCE, evidence.Kind.FORK, held, note)
            raise LogContradicts("The log has signed two roots for one size.", kept)

    def _refuse_rewritten(
        self, tiles: VerifiedTiles, note: bytes, newest: Checkpoint, held: bytes, before: Checkpoint
    ) -> None:
        proof = consistency_from(before.size, newest.size, tiles)
        try:
            verify_consistency(before.size, newest.size, before.root, newest.root, proof)
        except BadProof:
            kept = evidence.keep(self._target / EVIDENCE, evidence.Kind.REWRITTEN, held, note, proof)
            raise LogContradicts("The log has rewritten what it had signed before.", kept) from None

    def _copy(self, tiles: VerifiedTiles, old: int, new: int) -> None:
        for tile in tiles_of(old, new):
            hashes = tiles.tile(tile.level, tile.index)
            self._put(tile.path, tile_bytes(hashes))
            if tile.level == 0:
                self._put(entries_path(tile.index, tile.width), self._bundle(tile, hashes))
                self._progress(tile.index * TILE_WIDTH + tile.width, new)

    def _bundle(self, tile: Tile, hashes: Sequence[bytes]) -> bytes:
        path, whole = entries_path(tile.index, tile.width), entries_path(tile.index)
        for data in self._files_for(path, whole):
            try:
                entries = read_entry_bundle(data, tile.width)
            except MalformedTile:
                continue
            if [leaf_hash(entry) for entry in entries] == list(hashes):
                return entry_bundle(entries)
        raise SourceDamaged(f"The file {path} is missing or has other entries than the signed ones.")

    def _candidates(self, tile: Tile) -> Iterator[bytes]:
        whole = Tile(tile.level, tile.index).path
        if tile.width < TILE_WIDTH:  # verified together with the rest of the edge, so none may come from another run
            return self._log_files(tile.path, whole)
        return self._files_for(tile.path, whole)

    def _files_for(self, path: str, whole: str) -> Iterator[bytes]:
        """What may be a file: what an interrupted run has left here, before what the log has."""
        yield from _there(self._here.read(path))
        yield from self._log_files(path, whole)

    def _log_files(self, path: str, whole: str) -> Iterator[bytes]:
        """c2sp.org/tlog-tiles, "Partial Tiles": the log may drop a partial file when the full one is there."""
        yield from _there(self._source.read(path))
        if whole != path:
            yield from _there(self._source.read(whole))

    def _put(self, path: str, content: bytes) -> None:
        file = self._target / path
        self._unsynced.add(file)
        if self._here.read(path) != content:
            make_folder(file.parent)
            put_file(file, content)
            self._files += 1

    def _finish(self, note: bytes) -> None:
        """The checkpoint says that everything before it is here for good."""
        sync_files(self._unsynced)
        if self._here.read(CHECKPOINT) != note:
            replace_file(self._target / CHECKPOINT, note, FOR_ALL)
            self._files += 1

    def _prune(self, old: int, new: int) -> None:
        """Drop partial files that a wider or full one replaces, now that the newer checkpoint is here for good."""
        needed = {tile.path for tile in right_edge(new)}
        for tile in right_edge(old):
            if tile.path not in needed:
                self._drop(tile.path)
                if tile.level == 0:
                    self._drop(entries_path(tile.index, tile.width))

    def _drop(self, path: str) -> None:
        file = self._target / path
        file.unlink(missing_ok=True)
        if not any(file.parent.iterdir()):
            file.parent.rmdir()


def _merged(held: bytes | None, note: bytes) -> bytes:
    """For the same tree, also the cosignatures that the mirror had already."""
    if held is None or read_note(held).text != read_note(note).text:
        return note
    both = [*read_note(held).signatures, *read_note(note).signatures]
    first = {(each.name, each.key_id): each for each in reversed(both)}
    return Note(read_note(note).text, tuple(reversed(first.values()))).written()


def _there(data: bytes | None) -> Iterable[bytes]:
    return () if data is None else (data,)


def _untold(done: int, of: int) -> None:
    """Who does not ask for progress is not told of it."""
