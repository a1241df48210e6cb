"""The evidence about one person, as files that a stranger can check offline (docs/ledger-format.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Connection, select

from lifecycle.domain.event import Withheld
from lifecycle.domain.subject.events import ErasureFinalised
from lifecycle.ledger.envelope import Header, b64url, read_header
from lifecycle.ledger.log_proofs import LogProofs
from lifecycle.ledger.map_proofs import MapProofs, proof_text
from lifecycle.ledger.note import base64
from lifecycle.ledger.subject_map import State
from lifecycle.ledger.system_records import EPOCH_DESTROYED, EXPUNGED
from lifecycle.ledger.tables import event_position, final_record, log_entry, log_system
from lifecycle.ledger.tree import inclusion_proof, leaf_hash
from lifecycle.storage.database import taking_role
from lifecycle.storage.tables import event_body, event_header
from lifecycle.value_lists import one_of
from lifecycle.vault.custody import Custodian
from lifecycle.vault.sealing import SubjectKeys
from lifecycle.vault.vault import Vault, Wanted

FORMAT = "lifecycle/bundle/v1"
Values = Literal["disclosed", "sealed"]
AT_ONCE = 500  # events read, opened and written together


class Stream(NamedTuple):
    """One of a person's two streams. `id` is None for a sid that nobody has."""

    role: Literal["record", "access"]
    sid: bytes
    id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """The newest checkpoint, and how to prove something under it, within one snapshot of the database."""

    origin: str
    note: bytes
    log: LogProofs
    map: MapProofs
    token: bytes | None = None  # RFC 3161

    @property
    def size(self) -> int:
        return self.log.size

    def inclusion(self, index: int) -> str:
        return proof_text(self.log.inclusion(index))


class Keys(NamedTuple):
    """What opens a person's values; without it ciphertexts are shown."""

    vault: Vault
    of: SubjectKeys
    custodian: Custodian | None = None  # only where what is stored only has to be opened too


File = tuple[str, Iterable[bytes]]


def bundle(
    c: Connection,
    evidence: Evidence,
    streams: Sequence[Stream],
    *,
    keys: Keys | None = None,
    disclosed: bool = False,
    previous: Sequence[int] = (),
) -> Iterator[File]:
    """The files of a bundle, in the order in which a verifier reads them; those about events are made as they are read.

    `c` is one snapshot, in which the map is that of the checkpoint.
    """
    values: Values = "disclosed" if disclosed else "sealed"
    said = [{"role": stream.role, "sid": b64url(stream.sid)} for stream in streams]
    yield "bundle.json", [_json({"format": FORMAT, "origin": evidence.origin, "streams": said, "values": values})]
    yield "checkpoint", [evidence.note]
    if evidence.token is not None:
        yield "checkpoint.tsr", [evidence.token]
    if previous:
        yield "consistency", [_consistency(evidence, previous)]
    yield "map.json", [_json(evidence.map.document(*(stream.sid for stream in streams)))]
    yield "events.jsonl", _events(c, evidence, streams, keys)
    yield "system.jsonl", _system(c, evidence, streams)


def _json(said: Mapping[str, Any]) -> bytes:
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS) + b"\n"


def _consistency(evidence: Evidence, previous: Sequence[int]) -> bytes:
    """Blocks in the form of c2sp.org/tlog-witness, without the checkpoint."""
    blocks = []
    for old in sorted(set(previous)):
        lines = (f"old {old}", *map(base64, evidence.log.consistency(old)))
        blocks.append("".join(f"{line}\n" for line in lines))
    return "\n".join(blocks).encode()


# -- events -----------------------------------------------------------------------------------------------------------

_head, _position = event_header.c, event_position.c
_EVENTS = (
    select(_head.version, _head.header, _head.salt, _position.position)
    .join(event_position, (_position.stream_id == _head.stream_id) & (_position.version == _head.version))
    .order_by(_head.version)
    .limit(AT_ONCE)
)


def covered_events(c: Connection, stream_id: UUID, size: int) -> Iterator[Sequence[Any]]:
    """A stream's events among the leaves before `size`, some at a time: version, header, salt, position."""
    after = 0
    mine = _EVENTS.where(_head.stream_id == stream_id, _position.position < size)
    while rows := c.execute(mine.where(_head.version > after)).all():
        yield rows
        after = rows[-1].version


def _events(c: Connection, evidence: Evidence, streams: Sequence[Stream], keys: Keys | None) -> Iterator[bytes]:
    for number, stream in enumerate(streams):
        if stream.id is None:
            continue
        for rows in covered_events(c, stream.id, evidence.size):
            parts = parts_shown(c, stream.id, rows, keys)
            for row in rows:
                yield _json(
                    {
                        "stream": number,
                        "index": row.position,
                        "header": bytes(row.header).decode(),
                        "salt": b64url(row.salt),
                        "inclusion": evidence.inclusion(row.position),
                        "parts": parts[row.version],
                    }
                )


def parts_shown(
    c: Connection, stream_id: UUID, rows: Sequence[Any], keys: Keys | None
) -> dict[int, list[dict[str, str]]]:
    """What there still is of each part: its ciphertext, and what was sealed in it."""
    headers = {row.version: read_header(row.header) for row in rows}
    body = event_body.c
    theirs = (body.stream_id == stream_id) & body.version.between(rows[0].version, rows[-1].version)
    bodies = {(row.version, row.part): bytes(row.ct) for row in c.execute(select(event_body).where(theirs))}
    said: dict[int, list[dict[str, str]]] = {
        n: [{"ct": b64url(bodies[n, index])} if (n, index) in bodies else {} for index in range(len(header.parts))]
        for n, header in headers.items()
    }
    if keys is not None:
        for (n, index), disclosure in _opened(c, headers, bodies, keys).items():
            said[n][index]["disclosure"] = b64url(disclosure)
    return said


def _opened(
    c: Connection, headers: Mapping[int, Header], bodies: Mapping[tuple[int, int], bytes], keys: Keys
) -> dict[tuple[int, int], bytes]:
    wanted = {
        (n, index): Wanted(keys.of, headers[n].sid, n, headers[n].parts[index], ciphertext)
        for (n, index), ciphertext in bodies.items()
    }
    opened = list(zip(wanted, keys.vault.open_disclosures(c, list(wanted.values())), strict=True))
    stored_only = [place for place, said in opened if said is Withheld.CUSTODY]
    if keys.custodian is not None and stored_only:
        with taking_role(c, "custodian"):
            inside = keys.custodian.open_disclosures(c, [wanted[place] for place in stored_only])
        opened += zip(stored_only, inside, strict=True)
    return {place: said for place, said in opened if not isinstance(said, Withheld)}


# -- what the log says of itself --------------------------------------------------------------------------------------


def _system(c: Connection, evidence: Evidence, streams: Sequence[Stream]) -> Iterator[bytes]:
    """Genesis, what touches the whole log, and the ends of the epochs that made something of this person final."""
    expunged = any(evidence.map.state(stream.sid) is State.EXPUNGED for stream in streams)
    epochs = {number: _epochs_of(c, stream.id) for number, stream in enumerate(streams) if stream.id is not None}
    for position, entry in _system_entries(c, evidence.size):
        record = orjson.loads(entry[1:])
        if record["kind"] == EXPUNGED and not expunged:
            continue
        line = {"index": position, "record": entry[1:].decode(), "inclusion": evidence.inclusion(position)}
        if record["kind"] == EPOCH_DESTROYED:
            sids = [_final(c, record["epoch"], n, streams[n].sid) for n in epochs if record["epoch"] in epochs[n]]
            if not sids:
                continue
            line["sids"] = sids
        yield _json(line)


def _system_entries(c: Connection, size: int) -> Iterator[tuple[int, bytes]]:
    # Two queries, because a join is planned as a walk over every leaf of the log: on SQLite, and on PostgreSQL for as
    # long as it has no statistics of so small a table.
    own = log_system.c.position
    places = list(c.execute(select(own).where(own < size).order_by(own)).scalars())
    for start in range(0, len(places), AT_ONCE):
        some = one_of(log_entry.c.position, places[start : start + AT_ONCE])
        for row in c.execute(select(log_entry).where(some).order_by(log_entry.c.position)):
            yield row.position, bytes(row.entry)


def _epochs_of(c: Connection, stream_id: UUID) -> set[int]:
    """The epochs whose ends made something of this stream final."""
    mine = select(_head.header).where(_head.stream_id == stream_id, _head.kind == ErasureFinalised.kind)
    return {read_header(header).data["epoch"] for header in c.execute(mine).scalars()}


def _final(c: Connection, epoch: int, number: int, sid: bytes) -> dict[str, Any]:
    """That this sid is among those over which the record of the epoch's end has its root."""
    rows = c.execute(select(final_record.c.leaf).where(final_record.c.epoch == epoch).order_by(final_record.c.number))
    leaves = [bytes(leaf) for leaf in rows.scalars()]
    position = leaves.index(leaf_hash(sid))
    return {
        "stream": number,
        "position": position,
        "size": len(leaves),
        "inclusion": proof_text(inclusion_proof(position, leaves)),
    }
