"""Looks through a mirror for events of one stream that a bundle does not show: level L3."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from lifecycle.errors import LifecycleError
from lifecycle.ledger.checkpoint import Checkpoint, open_checkpoint
from lifecycle.ledger.envelope import EVENT_ENTRY, SYSTEM_ENTRY, tag
from lifecycle.ledger.log_sources import FolderSource
from lifecycle.ledger.mirror import CHECKPOINT, LogContradicts
from lifecycle.ledger.note import VerifyingKey
from lifecycle.ledger.tiles import TILE_WIDTH, MalformedTile, entries_path, read_entry_bundle
from lifecycle.ledger.tree import Frontier, leaf_hash

AHEAD = 32  # so many events may have been lost openly between the last shown one and one that is found
_EVENT_BYTES, _TAG = 49, slice(33, 49)


class MirrorIncomplete(LifecycleError):
    """The mirror has less than what it is to be searched for, or its files are damaged."""

    code: ClassVar[str] = "mirror-incomplete"
    remedy: ClassVar[str] = "run `lifecycle audit mirror` and then ask again"


class Found(NamedTuple):
    """An event of the stream: its leaf, and its number in the stream."""

    leaf: int
    n: int


class Scan(NamedTuple):
    """`withheld` must be empty. Those in `lost` lie in leaves whose openings the log has declared lost."""

    size: int
    withheld: tuple[Found, ...]
    lost: tuple[Found, ...]
    losses: tuple[range, ...]


def scan(
    folder: Path,
    keys: Sequence[VerifyingKey],
    stream_key: bytes,
    count: int,
    *,
    under: Checkpoint | None = None,
    losses: Sequence[range] = (),
    ahead: int = AHEAD,
) -> Scan:
    """Every leaf that carries the tag of an event after the `count` that were shown.

    `under` is the checkpoint of the bundle: newer leaves do not matter to it, and the older ones must lead to its root.
    Without it, the mirror's own. Losses that the log itself declares count without being given.
    """
    source = FolderSource(folder)
    note = source.read(CHECKPOINT)
    if note is None:
        raise MirrorIncomplete("There is no mirror in this folder.")
    mirrored = open_checkpoint(note, keys)
    until = under or mirrored
    if until.origin != mirrored.origin or until.size > mirrored.size:
        raise MirrorIncomplete("The mirror is of another log, or older than the checkpoint that it is compared with.")
    wanted = {tag(stream_key, n): n for n in range(count + 1, count + ahead + 1)}
    tree, found, declared = Frontier(), [], list(losses)
    for entries in _bundles(source, until.size, mirrored.size):
        for leaf, entry in enumerate(entries, tree.size):
            if entry[:1] == EVENT_ENTRY and len(entry) == _EVENT_BYTES and (n := wanted.get(entry[_TAG])):
                found.append(Found(leaf, n))
            elif entry[:1] == SYSTEM_ENTRY:
                declared += _loss(entry, leaf)
        tree.extend(map(leaf_hash, entries))
    if tree.root() != until.root:
        raise LogContradicts("The mirror's entries do not lead to the root of this checkpoint.", None)
    lost = tuple(each for each in found if any(each.leaf in loss for loss in declared))
    return Scan(until.size, tuple(each for each in found if each not in lost), lost, tuple(declared))


def _bundles(source: FolderSource, size: int, mirrored: int) -> Iterator[list[bytes]]:
    for first in range(0, size, TILE_WIDTH):
        index = first // TILE_WIDTH
        data = source.read(entries_path(index, min(TILE_WIDTH, mirrored - first)))
        try:
            entries = read_entry_bundle(data or b"", min(TILE_WIDTH, size - first))
        except MalformedTile:
            raise MirrorIncomplete("A file of the mirror is missing or damaged.") from None
        yield entries


def _loss(entry: bytes, leaf: int) -> list[range]:
    """What an entry of system says of leaves before it, if it is about a loss."""
    try:
        said = json.loads(entry[1:])
        first, past = (said["first"], said["past"]) if said["kind"] == "loss-declared/1" else (0, 0)
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
    plain = type(first) is int and type(past) is int
    return [range(first, past)] if plain and 0 <= first < past <= leaf else []
