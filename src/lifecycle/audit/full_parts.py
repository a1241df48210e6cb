"""What a full audit sees of values without opening one: sealed bytes, keys, and what explains that either is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, literal, select, tuple_

from lifecycle.audit.full_erasures import NONE, Erasures, both_of, record_of
from lifecycle.audit.full_findings import Findings, place
from lifecycle.domain.streams import access_stream_of, is_access_stream, is_person_stream
from lifecycle.ledger.envelope import Header, Part, b64url
from lifecycle.storage.appending import in_chunks
from lifecycle.storage.tables import event_body, pending_erasure, stream_head
from lifecycle.value_lists import one_of
from lifecycle.vault.sealing import SubjectKeys, Tampered, key_commitment, payload_commitment
from lifecycle.vault.tables import custody_key, data_key, lookup, subject_key
from lifecycle.vault.vault import Vault

Key = tuple[UUID, int]
NO_KEY = ""  # no commitment is empty
_body = event_body.c
_BODIES = select(event_body).order_by(_body.stream_id, _body.version, _body.part)


class Parts:
    """Bodies and keys of a batch of events, and what is wrong with them."""

    def __init__(self, c: Connection, vault: Vault | None, found: Findings) -> None:
        self._c = c
        self._vault = vault
        self._found = found
        self._bodies: dict[tuple[UUID, int, int], Any] = {}
        self._sids: dict[UUID, bytes] = {}
        self._inside: set[tuple[UUID, str]] = set()  # keys in custody; what they are only a custodian can tell
        self._kids: dict[tuple[UUID, str], str] = {}  # the commitment of each key; NO_KEY where it does not open
        self._holders: set[UUID] = set()
        self._looked_up: set[UUID] = set()
        self._pending: set[UUID] = set()

    def read(self, streams: Sequence[UUID], erasures: Mapping[UUID, Erasures], after: Key | None, until: Key) -> None:
        """Read what belongs to the events behind `after` up to `until`."""
        self._bodies = {
            (row.stream_id, row.version, row.part): row.ct for row in self._c.execute(_between(after, until))
        }
        people = [record for record in dict.fromkeys(map(record_of, streams)) if is_person_stream(record)]
        self._inside = set()
        self._sids, self._kids, self._holders, self._looked_up, self._pending = {}, {}, set(), set(), set()
        erased = [person for person in people if erasures.get(person, NONE).whole is not None]
        for some in in_chunks(people):
            self._read_keys(some)
        for some in in_chunks(erased):
            rows = self._c.execute(select(lookup.c.subject_id).where(one_of(lookup.c.subject_id, some)).distinct())
            self._looked_up.update(rows.scalars())
        for some in in_chunks(both_of(people)):
            heads = select(stream_head.c.stream_id, stream_head.c.sid).where(one_of(stream_head.c.stream_id, some))
            self._sids |= {row.stream_id: bytes(row.sid) for row in self._c.execute(heads)}
            orders = select(pending_erasure.c.stream_id).where(one_of(pending_erasure.c.stream_id, some))
            self._pending.update(map(record_of, self._c.execute(orders).scalars()))

    def _read_keys(self, people: Sequence[UUID]) -> None:
        """Keys are unwrapped to be compared with what headers commit to, and nothing is opened with them."""
        holders = select(subject_key.c.subject_id).where(one_of(subject_key.c.subject_id, people))
        self._holders.update(self._c.execute(holders).scalars())
        inside = select(custody_key.c.subject_id, custody_key.c.kid).where(one_of(custody_key.c.subject_id, people))
        self._inside.update((row.subject_id, row.kid) for row in self._c.execute(inside))
        keys = self._keys_of(people)
        for row in self._c.execute(select(data_key).where(one_of(data_key.c.subject_id, people))):
            self._kids[row.subject_id, row.kid] = _commitment(keys.get(row.subject_id), row)

    def _keys_of(self, people: Sequence[UUID]) -> dict[UUID, SubjectKeys]:
        if self._vault is None:
            return {}
        try:
            return self._vault.keys_of(self._c, people)
        except Tampered:
            if len(people) == 1:
                return {}
            return {person: keys for each in people for person, keys in self._keys_of([each]).items()}

    # -- a stream's keys ---------------------------------------------------------------------------------------------

    def keys(self, stream_id: UUID, sid: bytes | None, erasures: Erasures) -> None:
        """Once for each person: who is alive has a key, and of what was erased there is none."""
        if not is_person_stream(stream_id):
            return
        if erasures.whole is None:
            if stream_id not in self._holders:
                self._found.add("key-missing", **place(sid))
            left = any((stream_id, kid) in here for kid in erasures.keys for here in (self._kids, self._inside))
        else:
            left = stream_id in self._holders or stream_id in self._looked_up
            left = left or any(person == stream_id for person, _ in (*self._kids, *self._inside))
        if left:
            self._found.add("key-left", **place(sid))

    def access(self, person: UUID, sid: bytes | None, header: Header) -> None:
        """The first event names the pseudonym of the second stream."""
        theirs = self._sids.get(access_stream_of(person))
        if theirs is None or header.data.get("access_sid") != b64url(theirs):
            self._found.add("access-stream-differs", **place(sid))

    # -- an event's parts --------------------------------------------------------------------------------------------

    def check(self, stream_id: UUID, sid: bytes | None, header: Header, version: int, erasures: Erasures) -> None:
        for index, part in enumerate(header.parts):
            ct = self._bodies.pop((stream_id, version, index), None)
            wrong = self._gone(stream_id, part, erasures) if ct is None else self._here(stream_id, part, ct, erasures)
            if wrong is not None:
                self._found.add(wrong, **place(sid, version), part=index)

    def _here(self, stream_id: UUID, part: Part, ct: Any, erasures: Erasures) -> str | None:
        if erasures.whole is not None or part.kid in erasures.keys:
            return "erased-yet-here"
        if type(ct) is not bytes or b64url(sha256(ct).digest()) != part.ct:
            return "body-differs"
        if not part.kid:
            return None if payload_commitment(ct) == part.pc else "body-differs"
        return self._key(stream_id, part)

    def _key(self, stream_id: UUID, part: Part) -> str | None:
        place = (record_of(stream_id), part.kid)
        commitment = self._kids.get(place)
        if place in self._inside:
            return None if commitment is None else "key-in-custody-and-here"
        if commitment is None:
            return self._unexplained(stream_id, "key-missing")
        if self._vault is not None and commitment != part.kc:
            return self._unexplained(stream_id, "key-does-not-open")
        return None

    def _gone(self, stream_id: UUID, part: Part, erasures: Erasures) -> str | None:
        if part.kid in erasures.keys:
            return None if erasures.keys[part.kid] == part.kc else "erasure-names-another-key"
        if erasures.whole is not None and is_access_stream(stream_id):
            return None  # the order that ended the person names the keys of the record alone
        return self._unexplained(stream_id, "body-missing")

    def _unexplained(self, stream_id: UUID, check: str) -> str:
        return "erasure-unfinished" if record_of(stream_id) in self._pending else check

    # -- bodies that no event asked for ------------------------------------------------------------------------------

    def unread(self) -> None:
        for stream_id, version, part in self._bodies:
            self._found.add("body-without-event", **place(self._sids.get(stream_id), version), part=part)
        self._bodies = {}

    def rest(self, after: Key | None) -> None:
        """What stands behind the last event."""
        for row in self._c.execute(_between(after, None).limit(self._found.limit)):
            self._found.add("body-without-event", version=row.version, part=row.part)


def _commitment(keys: SubjectKeys | None, row: Any) -> str:
    try:
        return NO_KEY if keys is None else key_commitment(keys.unwrap(bytes(row.wrapped), row.hid, row.kid))
    except Tampered:
        return NO_KEY


def _between(after: Key | None, until: Key | None) -> Any:
    rows = _BODIES
    key = tuple_(_body.stream_id, _body.version)
    if after is not None:
        rows = rows.where(key > _key(after))
    return rows if until is None else rows.where(key <= _key(until))


def _key(key: Key) -> Any:
    return tuple_(literal(key[0], _body.stream_id.type), literal(key[1], _body.version.type))
