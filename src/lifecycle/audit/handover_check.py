"""One person's record as it arrives from another controller, checked against that controller's checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

from pydantic import JsonValue

from lifecycle.domain.streams import is_person_stream
from lifecycle.domain.subject.events import ErasureCompleted
from lifecycle.domain.subject.receiving import before_the_transfer, in_scope
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.transfer_events import Told
from lifecycle.domain.subject.transfer_fold import told
from lifecycle.errors import Invalid, LifecycleError
from lifecycle.ledger.checkpoint import Checkpoint
from lifecycle.ledger.envelope import (
    Header,
    Part,
    b64url,
    commitment,
    event_entry,
    read_header,
    stream_key,
    tag,
    unb64url,
)
from lifecycle.ledger.subject_map import MapEntry, State, bucket_of, packed, read_entry
from lifecycle.ledger.tree import leaf_hash, root_of_inclusion
from lifecycle.vault.sealing import RECORD, Tampered, payload_commitment, payload_of

HASH = 32
SPOKEN_BY = ("actor", "correlation")
"""Who acted in the former controller's name is told in its record, and is nothing that the recipient processes."""


class ArchiveRefused(Invalid):
    """Nothing of the archive was taken over. Names the place, nothing of what is there."""

    code: ClassVar[str] = "archive-refused"
    clause: ClassVar[str | None] = "3.2"
    remedy: ClassVar[str] = "ask the former controller for the archive again, and compare how it reached you"


@dataclass(frozen=True, slots=True)
class Ground:
    """What everybody's record is checked against."""

    transfer: str
    checkpoint: Checkpoint
    note: str
    entry: MapEntry

    @classmethod
    def of(cls, transfer: str, checkpoint: Checkpoint, note: str, said: Mapping[str, Any]) -> Ground:
        """`said` is the map entry with its inclusion. Errors: ArchiveRefused."""
        with_refusal = "The archive's map entry is not that of its checkpoint."
        try:
            entry, proof = unb64url(said["entry"]), _hashes(said["inclusion"])
            size = checkpoint.size
            if root_of_inclusion(leaf_hash(entry), size - 1, size, proof) != checkpoint.root:
                raise ArchiveRefused(with_refusal)
            found = read_entry(entry)
        except (LifecycleError, ValueError, KeyError, TypeError):
            raise ArchiveRefused(with_refusal) from None
        if found.covered != size - 1:
            raise ArchiveRefused(with_refusal)
        return cls(transfer, checkpoint, note, found)


@dataclass(frozen=True, slots=True)
class Checked:
    """A record that the checkpoint attests, whole: what `receive-subject` needs of it."""

    subject: UUID
    sid: str
    last: str
    history: tuple[Told, ...]
    opened: tuple[dict[str, Any], ...] = field(repr=False)
    identifiers: tuple[dict[str, str], ...] = field(repr=False)

    @property
    def count(self) -> int:
        return len(self.history)


def checked(said: Any, ground: Ground, place: str) -> Checked:
    """Errors: ArchiveRefused, which names the `place`."""
    return _at(place, lambda: _checked(said, ground))


def read_again(said: Any, ground: Ground, place: str) -> Checked:
    """What was checked before, read once more: without its proofs. Errors: ArchiveRefused."""
    return _at(place, lambda: _as_checked(said, ground, _headers(said["events"]), said["map"]["head"]))


def _at(place: str, read: Callable[[], Checked]) -> Checked:
    try:
        return read()
    except ArchiveRefused as refused:
        raise ArchiveRefused(f"{place}: {refused.message}") from None
    except (LifecycleError, LookupError, TypeError, ValueError, AttributeError):
        raise ArchiveRefused(f"{place}: the record is not in its format.") from None


def _checked(said: Any, ground: Ground) -> Checked:
    if said.keys() != {"subject", "identifiers", "map", "events"}:
        raise ArchiveRefused("the record has not the fields that it must have.")
    if not is_person_stream(UUID(said["subject"])) or not said["events"]:
        raise ArchiveRefused("this is not a person's record.")
    headers, last = _chain(said["events"], ground)
    _in_map(said["map"], headers[0].sid, len(headers), last, ground.entry)
    found = _as_checked(said, ground, headers, b64url(last))
    state = told(Subject(found.subject), before_the_transfer(found.history), lambda n: n)
    _same_identifiers(found.identifiers, state)
    return found


def _as_checked(said: Any, ground: Ground, headers: Sequence[Header], last: str) -> Checked:
    history = tuple(Told(n=each.n, kind=each.kind, at=each.at, data=each.data) for each in headers)
    named, whole = in_scope(history, ground.transfer)
    if named is None:
        raise ArchiveRefused("the record does not say that it was transferred.")
    opened = _opened(said["events"], headers, None if whole else named)
    return Checked(UUID(said["subject"]), b64url(headers[0].sid), last, history, opened, _identifiers(said))


def _headers(events: Sequence[Any]) -> list[Header]:
    return [read_header(event["header"].encode()) for event in events]


def _hashes(text: str) -> list[bytes]:
    raw = unb64url(text)
    if len(raw) % HASH:
        raise ArchiveRefused("a proof is not made of hashes.")
    return [raw[at : at + HASH] for at in range(0, len(raw), HASH)]


def _chain(events: Sequence[Any], ground: Ground) -> tuple[list[Header], bytes]:
    """Every event from the first on, each bound to the one before and included under the checkpoint."""
    headers: list[Header] = []
    last: bytes | None = None
    index, key = -1, b""
    for n, event in enumerate(events, start=1):
        if event.keys() != {"index", "header", "salt", "inclusion", "parts"} or type(event["index"]) is not int:
            raise ArchiveRefused(f"event {n} has not the fields that it must have.")
        raw, salt = event["header"].encode(), unb64url(event["salt"])
        header = read_header(raw, strict=True)
        key = key or stream_key(salt)
        committed = commitment(salt, raw)
        follows = header.prev == (None if last is None else b64url(last)) and (
            not headers or header.sid == headers[0].sid
        )
        if header.n != n or not follows or not index < event["index"] < ground.checkpoint.size:
            raise ArchiveRefused(f"event {n} does not follow from the one before.")
        entry = event_entry(committed, tag(key, n))
        index, size = event["index"], ground.checkpoint.size
        if root_of_inclusion(leaf_hash(entry), index, size, _hashes(event["inclusion"])) != ground.checkpoint.root:
            raise ArchiveRefused(f"event {n} is not in the log of this checkpoint.")
        headers.append(header)
        last = committed
    assert last is not None, "a record has an event"
    return headers, last


def _in_map(said: Any, sid: bytes, count: int, last: bytes, entry: MapEntry) -> None:
    """That these are all events of the person, and that the person was not erased."""
    if not said["present"] or said["sid"] != b64url(sid) or (said["count"], said["head"]) != (count, b64url(last)):
        raise ArchiveRefused("the record is not the whole record that the checkpoint attests.")
    if said["state"] != State.ALIVE:
        raise ArchiveRefused("the person was erased.")
    leaf = leaf_hash(packed(sid, count, last, State.ALIVE))
    bucket = said["bucket"]
    root = root_of_inclusion(leaf, said["position"], bucket["n"], _hashes(said["inclusion"]))
    top = leaf_hash(bucket["n"].to_bytes(4, "big") + root)
    above = root_of_inclusion(top, bucket_of(sid, entry.depth), 1 << entry.depth, _hashes(said["top"]))
    if root != unb64url(bucket["root"]) or above != entry.top_root:
        raise ArchiveRefused("the record is not the whole record that the checkpoint attests.")


def _opened(
    events: Sequence[Any], headers: Sequence[Header], going: frozenset[str] | None
) -> tuple[dict[str, Any], ...]:
    """What was sealed, each value checked against its header; what is missing must be explained."""
    gone = {key["kid"] for header in headers if header.kind == ErasureCompleted.kind for key in header.data["keys"]}
    found: list[dict[str, Any]] = []
    for header, event in zip(headers, events, strict=True):
        values: dict[str, JsonValue] = {}
        for part, shown in zip(header.parts, event["parts"], strict=True):
            if "disclosure" in shown:
                values[part.hid] = _payload(part, shown["disclosure"], header.n, gone)
            elif part.kid not in gone and (going is None or part.hid in going):
                raise ArchiveRefused(f"a value of event {header.n} is missing, and nothing explains it.")
        said = values.pop(RECORD, None)
        words = {k: v for k, v in said.items() if k not in SPOKEN_BY} if isinstance(said, dict) else {}
        if values or words:
            found.append({"n": header.n, "values": values, "said": words or None})
    return tuple(found)


def _payload(part: Part, disclosure: str, n: int, gone: set[str]) -> JsonValue:
    raw = unb64url(disclosure)
    refused = ArchiveRefused(f"a value of event {n} is not the one that was recorded.")
    if payload_commitment(raw) != part.pc or part.kid in gone:
        raise refused
    try:
        return payload_of(raw, part.hid)
    except Tampered:
        raise refused from None


def _identifiers(said: Any) -> tuple[dict[str, str], ...]:
    return tuple(dict(zip(("identifier", "type", "normalised"), each, strict=True)) for each in said["identifiers"])


def _same_identifiers(found: Sequence[Mapping[str, str]], state: Subject) -> None:
    if {each["identifier"]: each["type"] for each in found} != dict(state.identifiers) or len(found) != len(
        state.identifiers
    ):
        raise ArchiveRefused("the identifiers are not those of the record.")
