"""Logs, maps, checkpoints and bundles for tests, made from the written format and sharing no code with the verifier.

Everything can be made honestly, and every single thing can be made a lie: events are plain records until they are
written, the map is a list of leaves before it is closed, and a draft is the JSON of a bundle before it is stored.
"""

from __future__ import annotations

import base64
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lifecycle.ledger import envelope
from lifecycle.ledger.envelope import b64url
from lifecycle.vault.sealing import RECORD, SubjectKeys

ORIGIN = "log.example/main"
BEGAN = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)

# -- trees, level by level: what is left over at the end of a level goes up as it is -----------------------------------


def _parents(level: Sequence[bytes]) -> list[bytes]:
    pairs = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
    return pairs + list(level[len(pairs) * 2 :])


class Tree:
    def __init__(self, leaf_hashes: Sequence[bytes]) -> None:
        self.levels = [list(leaf_hashes)]
        while len(self.levels[-1]) > 1:
            self.levels.append(_parents(self.levels[-1]))

    @property
    def root(self) -> bytes:
        return self.levels[-1][0] if self.levels[0] else sha256(b"").digest()

    def path(self, index: int) -> list[bytes]:
        found = []
        for level in self.levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                found.append(level[sibling])
            index >>= 1
        return found

    def proof(self, index: int) -> str:
        return b64url(b"".join(self.path(index)))

    def consistency(self, old: int) -> list[bytes]:
        """RFC 6962, section 2.1.2."""
        return _subproof(old, self.levels[0], whole=True)


def _subproof(old: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [Tree(leaves).root]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= split:
        return [*_subproof(old, leaves[:split], whole=whole), Tree(leaves[split:]).root]
    return [*_subproof(old - split, leaves[split:], whole=False), Tree(leaves[:split]).root]


# -- keys and notes ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Signer:
    name: str
    kind: int
    key: Ed25519PrivateKey

    @classmethod
    def new(cls, name: str, kind: int = 1) -> Signer:
        return cls(name, kind, Ed25519PrivateKey.generate())

    @property
    def _material(self) -> bytes:
        return bytes([self.kind]) + self.key.public_key().public_bytes_raw()

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + self._material).digest()[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(self._material).decode()}"

    def line(self, text: str, at: int = 0) -> str:
        if self.kind == 4:
            signed = f"cosignature/v1\ntime {at}\n{text}".encode()
            raw = at.to_bytes(8, "big") + self.key.sign(signed)
        else:
            raw = self.key.sign(text.encode())
        return f"\u2014 {self.name} {base64.b64encode(self.key_id + raw).decode()}\n"


def policy(log: Signer, witnesses: Sequence[Signer] = (), least: str = "all") -> str:
    lines = [f"log {log.vkey}"]
    lines += [f"witness w{n} {witness.vkey}" for n, witness in enumerate(witnesses)]
    if witnesses:
        lines.append(f"group ours {least} " + " ".join(f"w{n}" for n in range(len(witnesses))))
    lines.append("quorum " + ("ours" if witnesses else "none"))
    return "\n".join(lines) + "\n"


# -- the log -----------------------------------------------------------------------------------------------------------


@dataclass
class Event:
    """One event as it was recorded: the exact header, its salt, its leaf, and what is stored of its parts."""

    n: int
    header: bytes
    salt: bytes
    index: int = -1
    stored: list[dict[str, bytes]] = field(default_factory=list)

    @property
    def said(self) -> dict[str, Any]:
        return json.loads(self.header)

    @property
    def commitment(self) -> bytes:
        return sha256(b"lifecycle/leaf/v1\x00" + self.salt + self.header).digest()


@dataclass
class Stream:
    sid: bytes
    events: list[Event] = field(default_factory=list)
    state: int = 0

    @property
    def key(self) -> bytes:
        return envelope.stream_key(self.events[0].salt)


@dataclass
class Person:
    record: Stream
    access: Stream
    keys: SubjectKeys


@dataclass
class MapLeaf:
    sid: bytes
    count: int
    head: bytes
    state: int

    @property
    def raw(self) -> bytes:
        return self.sid + self.count.to_bytes(8, "big") + self.head + bytes([self.state])


def sid_with(first: int) -> bytes:
    """A pseudonym that begins with this byte: its bucket is known in advance."""
    return bytes([first]) + os.urandom(31)


class Book:
    def __init__(self, *, simulated: bool = False, origin: str = ORIGIN, witnesses: int = 2) -> None:
        self.origin = origin
        self.log = Signer.new(origin)
        self.witnesses = [Signer.new(f"witness.example/w{n}", 4) for n in range(witnesses)]
        self.now = BEGAN
        self.entries: list[bytes] = []
        self.streams: dict[bytes, Stream] = {}
        genesis = {"at": self.tick(), "format": "1", "kind": "genesis/1", "origin": origin, "simulated": simulated}
        self.system(genesis)

    # -- entries

    def tick(self, seconds: float = 1) -> str:
        self.now += timedelta(seconds=seconds)
        return self.now.isoformat(timespec="microseconds")[:-6] + "Z"

    def system(self, record: dict[str, Any]) -> int:
        self.entries.append(envelope.system_entry(record))
        return len(self.entries) - 1

    def enter(self, stream: Stream, event: Event, *, tag_n: int | None = None) -> None:
        """Give an event its leaf. `tag_n` lies in the tag."""
        event.index = len(self.entries)
        tag = envelope.tag(stream.key, event.n if tag_n is None else tag_n)
        self.entries.append(envelope.event_entry(event.commitment, tag))

    def record(
        self,
        stream: Stream,
        kind: str,
        data: dict[str, Any] | None = None,
        *,
        values: dict[str, Any] | None = None,
        keys: SubjectKeys | None = None,
        at: str | None = None,
        cmd: str | None = None,
        **lies: Any,
    ) -> Event:
        """Append an event. `lies` replace fields of the header as it is written."""
        self.streams.setdefault(stream.sid, stream)
        n = len(stream.events) + 1
        sealed = [keys.seal(stream.sid, n, hid, value) for hid, value in (values or {}).items()] if keys else []
        at = at or self.tick()
        said = {
            "at": at,
            "data": {"occurred_at": at, **(data or {})},
            "meta": {"cmd": cmd or os.urandom(32).hex(), "policy": "test/1.0#00", "role": "service"},
            "n": n,
            "parts": [each.part.as_json() for each in sealed],
            "prev": b64url(stream.events[-1].commitment) if stream.events else None,
            "sid": b64url(stream.sid),
            "type": kind,
            "v": 1,
            **lies,
        }
        stored = [{"ct": each.ciphertext, "disclosure": self._opened(stream.sid, n, each, keys)} for each in sealed]
        event = Event(n, envelope.canonical(said), os.urandom(64), stored=stored)
        stream.events.append(event)
        self.enter(stream, event)
        return event

    def _opened(self, sid: bytes, n: int, sealed: Any, keys: SubjectKeys | None) -> bytes:
        """The disclosure again, by decrypting what was sealed, as a builder of bundles does."""
        assert keys is not None
        part = sealed.part
        row = sealed.data_key_row
        key = keys.rk if row is None else keys.unwrap(row["wrapped"], part.hid, part.kid)
        aad = b"|".join(
            (b"lifecycle/aad/v1", b64url(sid).encode(), str(n).encode(), part.kid.encode(), part.hid.encode())
        )
        return AESGCM(key).decrypt(sealed.ciphertext[:12], sealed.ciphertext[12:], aad)

    # -- people

    def register(self, first: int | None = None, **lies: Any) -> Person:
        sids = [os.urandom(32) if first is None else sid_with(first) for _ in range(2)]
        keys = SubjectKeys(uuid4(), sids[0], 1, 1, os.urandom(32), os.urandom(32), b64url(os.urandom(16)))
        person = Person(Stream(sids[0]), Stream(sids[1]), keys)
        self.record(person.record, "subject-registered", {"access_sid": b64url(sids[1]), **lies})
        return person

    def collect(self, person: Person, holding: str, value: Any, **more: Any) -> Event:
        values = {RECORD: {"actor": "clerk-7"}, holding: value}
        data = {"purpose": "newsletter", "new": [{"category": "name", "holding": holding}]}
        return self.record(person.record, "personal-data-collected", data, values=values, keys=person.keys, **more)

    def look(self, person: Person, **more: Any) -> Event:
        """Somebody reads: an event of the access stream."""
        values = {RECORD: {"actor": "clerk-7"}}
        return self.record(
            person.access, "personal-data-read", {"clear": True}, values=values, keys=person.keys, **more
        )

    def order(self, person: Person, *holdings: str) -> Event:
        data = {"ground": "7.3e", "holdings": list(holdings), "whole": not holdings}
        return self.record(person.record, "erasure-ordered", data)

    def destroy(self, person: Person, order: Event) -> list[dict[str, str]]:
        """Ciphertexts and keys go; what comes back is the list of keys that are gone."""
        whole, holdings = order.said["data"]["whole"], order.said["data"]["holdings"]
        gone: dict[str, str] = {}
        for stream in (person.record, person.access):
            for event in stream.events:
                for part, stored in zip(event.said["parts"], event.stored, strict=True):
                    if whole or part["hid"] in holdings:
                        stored.clear()
                        if stream is person.record:
                            gone[part["kid"]] = part["kc"]
        return [{"kid": kid, "kc": kc} for kid, kc in gone.items()]

    def complete(self, person: Person, order: Event, keys: list[dict[str, str]], **lies: Any) -> Event:
        whole = order.said["data"]["whole"]
        data = {"order": order.n, "whole": whole, "epoch": 1, "keys": keys, "stores": ["vault"], **lies}
        event = self.record(person.record, "erasure-completed", data)
        if whole:
            person.record.state = person.access.state = 1
        return event

    def erase(self, person: Person, *holdings: str) -> Event:
        order = self.order(person, *holdings)
        return self.complete(person, order, self.destroy(person, order))

    def end_epoch(self, epoch: int, *sids: bytes) -> Epoch:
        ascending = sorted(sids)
        tree = Tree([envelope.leaf_hash(sid) for sid in ascending])
        record = {"at": self.tick(), "epoch": epoch, "kind": "epoch-destroyed/1", "records": len(sids)}
        return Epoch(self.system({**record, "root": b64url(tree.root)}), ascending, tree)

    def finalise(self, person: Person, epoch: int = 1, *others: bytes) -> Epoch:
        streams = [each for each in (person.record, person.access) if each.events]
        ended = self.end_epoch(epoch, *(each.sid for each in streams), *others)
        for each in streams:
            self.record(each, "erasure-finalised", {"epoch": epoch})
        return ended

    def crowd(self, *firsts: int) -> None:
        """Other streams, one event each, in buckets of our choice."""
        for first in firsts:
            self.record(Stream(sid_with(first)), "policy-published")

    # -- checkpoints

    def close(
        self,
        *,
        leaves: Callable[[list[MapLeaf]], list[MapLeaf]] = lambda honest: honest,
        covered: int | None = None,
        events: int | None = None,
        depth: int | None = None,
        misplaced: dict[bytes, int] | None = None,
    ) -> Closed:
        """Append the map entry that makes a checkpoint. Every figure of it can be a lie."""
        mapped = leaves(sorted((_map_leaf(each) for each in self.streams.values()), key=lambda leaf: leaf.sid))
        if depth is None:
            depth = next(d for d in range(0, 64, 2) if len(mapped) <= 32 << d)
        subject_map = SubjectMap(mapped, depth, misplaced or {})
        counted = sum(entry[:1] == b"\x01" for entry in self.entries) if events is None else events
        numbers = (len(self.entries) if covered is None else covered, len(mapped), counted)
        entry = bytes([2, depth]) + b"".join(number.to_bytes(8, "big") for number in numbers) + subject_map.top.root
        self.entries.append(entry)
        return Closed(self, len(self.entries), entry, subject_map)


@dataclass
class Epoch:
    index: int
    sids: list[bytes]
    tree: Tree

    def of(self, number: int, sid: bytes) -> dict[str, Any]:
        position = self.sids.index(sid)
        return {"stream": number, "position": position, "size": len(self.sids), "inclusion": self.tree.proof(position)}


def _map_leaf(stream: Stream) -> MapLeaf:
    if stream.state == 2:
        return MapLeaf(stream.sid, 0, bytes(32), 2)
    return MapLeaf(stream.sid, len(stream.events), stream.events[-1].commitment, stream.state)


class SubjectMap:
    """`misplaced` lies about where a stream belongs."""

    def __init__(self, leaves: list[MapLeaf], depth: int, misplaced: dict[bytes, int]) -> None:
        self.depth = depth
        self.misplaced = misplaced
        self.buckets: list[list[MapLeaf]] = [[] for _ in range(1 << depth)]
        for leaf in leaves:
            self.buckets[self.number(leaf.sid)].append(leaf)
        self.trees = [Tree([envelope.leaf_hash(leaf.raw) for leaf in bucket]) for bucket in self.buckets]
        self.top = Tree(
            [
                envelope.leaf_hash(len(bucket).to_bytes(4, "big") + tree.root)
                for bucket, tree in zip(self.buckets, self.trees, strict=True)
            ]
        )

    def number(self, sid: bytes) -> int:
        return self.misplaced.get(sid, int.from_bytes(sid, "big") >> (256 - self.depth))

    def leaf(self, number: int, position: int) -> dict[str, Any]:
        leaf = self.buckets[number][position]
        return {
            "sid": b64url(leaf.sid),
            "count": leaf.count,
            "head": b64url(leaf.head),
            "state": leaf.state,
            "position": position,
            "inclusion": self.trees[number].proof(position),
        }

    def show(self, sid: bytes) -> dict[str, Any]:
        """The stream's object of map.json, whether the map has it or not."""
        number = self.number(sid)
        bucket = self.buckets[number]
        place = {
            "bucket": {"n": len(bucket), "root": b64url(self.trees[number].root)},
            "top": self.top.proof(number),
        }
        at = next((i for i, leaf in enumerate(bucket) if leaf.sid == sid), None)
        if at is not None:
            return {"present": True, **self.leaf(number, at), **place}
        after = next((i for i, leaf in enumerate(bucket) if leaf.sid > sid), len(bucket))
        beside = [i for i in (after - 1, after) if 0 <= i < len(bucket)]
        return {"sid": b64url(sid), "present": False, "neighbours": [self.leaf(number, i) for i in beside], **place}


@dataclass
class Closed:
    """A checkpoint of the book: its tree, its map, and what can be shown under it."""

    book: Book
    size: int
    entry: bytes
    subject_map: SubjectMap
    tree: Tree = field(init=False)

    def __post_init__(self) -> None:
        self.tree = Tree([envelope.leaf_hash(entry) for entry in self.book.entries[: self.size]])

    def text(self) -> str:
        return f"{self.book.origin}\n{self.size}\n{base64.b64encode(self.tree.root).decode()}\n"

    def note(
        self, *, log: Signer | None = None, cosigned_by: Sequence[Signer] | None = None, at: datetime | None = None
    ) -> bytes:
        text = self.text()
        seconds = int((at or self.book.now + timedelta(seconds=1)).timestamp())
        cosigners = self.book.witnesses if cosigned_by is None else cosigned_by
        lines = (log or self.book.log).line(text) + "".join(each.line(text, seconds) for each in cosigners)
        return f"{text}\n{lines}".encode()

    def event(self, number: int, event: Event, values: str) -> dict[str, Any]:
        kinds = ("ct", "disclosure") if values == "disclosed" else ("ct",)
        return {
            "stream": number,
            "index": event.index,
            "header": event.header.decode(),
            "salt": b64url(event.salt),
            "inclusion": self.tree.proof(event.index),
            "parts": [{kind: b64url(stored[kind]) for kind in kinds if kind in stored} for stored in event.stored],
        }

    def system(self, index: int, sids: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        line = {"index": index, "record": self.book.entries[index][1:].decode(), "inclusion": self.tree.proof(index)}
        return line if sids is None else {**line, "sids": sids}

    def draft(self, *streams: Stream, values: str = "disclosed", epochs: Sequence[Epoch] = ()) -> Draft:
        """An honest bundle of these streams."""
        present = [each for each in streams if each.state != 2]
        system = [self.system(0)]
        for epoch in epochs:
            mine = [epoch.of(n, each.sid) for n, each in enumerate(streams) if each.sid in epoch.sids]
            system.append(self.system(epoch.index, mine))
        roles = ("record", "access")
        return Draft(
            checkpoint=self.note(),
            bundle={
                "format": "lifecycle/bundle/v1",
                "origin": self.book.origin,
                "streams": [{"sid": b64url(each.sid), "role": roles[n]} for n, each in enumerate(streams)],
                "values": values,
            },
            map={
                "entry": b64url(self.entry),
                "inclusion": self.tree.proof(self.size - 1),
                "streams": [self.subject_map.show(each.sid) for each in streams],
            },
            events=[
                self.event(n, event, values)
                for n, each in enumerate(streams)
                if each in present
                for event in each.events
                if event.index < self.size - 1
            ],
            system=system,
        )

    def of(self, person: Person, **more: Any) -> Draft:
        return self.draft(person.record, person.access, **more)

    def mirror(self, folder: Path) -> Path:
        """The log's entry bundles, as static files."""
        for number in range((self.size + 255) // 256):
            entries = self.book.entries[256 * number : min(256 * number + 256, self.size)]
            path = folder / "tile" / "entries" / f"{number:03d}"
            if len(entries) < 256:
                path = path.with_name(path.name + ".p") / str(len(entries))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries))
        return folder

    def consistency(self, *olds: int) -> bytes:
        blocks = []
        for old in olds:
            hashes = [base64.b64encode(each).decode() for each in self.tree.consistency(old)]
            blocks.append("\n".join([f"old {old}", *hashes]))
        return ("\n\n".join(blocks) + "\n").encode()


# -- a bundle ----------------------------------------------------------------------------------------------------------


def event_line(said: Any) -> bytes:
    """As bundles are written: the keys in order and no blanks. A reader may not depend on it."""
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass") + b"\n"


@dataclass
class Draft:
    """A bundle before it is written. Whoever lies in a bundle lies here."""

    checkpoint: bytes
    bundle: dict[str, Any]
    map: dict[str, Any]
    events: list[dict[str, Any]]
    system: list[dict[str, Any]]
    others: dict[str, bytes] = field(default_factory=dict)

    def files(self) -> dict[str, bytes]:
        return {
            "bundle.json": json.dumps(self.bundle).encode() + b"\n",
            "checkpoint": self.checkpoint,
            "map.json": json.dumps(self.map).encode() + b"\n",
            "events.jsonl": b"".join(event_line(each) for each in self.events),
            "system.jsonl": b"".join(json.dumps(each).encode() + b"\n" for each in self.system),
            **self.others,
        }

    def zip(self, path: Path) -> Path:
        return write_zip(path, self.files())

    def folder(self, path: Path) -> Path:
        path.mkdir(parents=True)
        for name, content in self.files().items():
            (path / name).write_bytes(content)
        return path


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for name, content in files.items():
            out.writestr(name, content)
    return path
