"""What a full audit sees of custody: whether keys are where the record says that they belong."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select, union

from lifecycle.audit.full_findings import Findings, place
from lifecycle.audit.history import events_of
from lifecycle.domain.subject.custody import MOVING, in_use, stored_only
from lifecycle.domain.subject.state import Subject
from lifecycle.storage.appending import in_chunks
from lifecycle.storage.failures import RecordDamaged
from lifecycle.storage.folding import folded
from lifecycle.storage.tables import event_header, pending_custody, stream_head
from lifecycle.value_lists import one_of
from lifecycle.vault.tables import custody_key, data_key

_MOVED = select(event_header.c.stream_id).where(event_header.c.kind.in_([kind.kind for kind in MOVING]))
_WHOSE = union(select(custody_key.c.subject_id), _MOVED)


def misplaced(c: Connection, found: Findings) -> None:
    """Of everybody who has anything in custody, or ever had something restricted; who is just being moved is left out.

    As of the last event: what time alone changes is on record before a key moves.
    """
    moving = set(c.execute(select(pending_custody.c.stream_id)).scalars())
    people = [person for person in c.execute(_WHOSE).scalars() if person not in moving]
    for some in in_chunks(people):
        _misplaced(c, some, found)


def _misplaced(c: Connection, people: Sequence[UUID], found: Findings) -> None:
    heads = select(stream_head.c.stream_id, stream_head.c.sid).where(one_of(stream_head.c.stream_id, people))
    for person, sid in c.execute(heads).all():
        try:
            subject = folded(None, (event for event, _ in events_of(c, person, as_they_stand=True)))
        except RecordDamaged:
            continue  # found by whoever reads the record
        if subject is None or subject.last_event_at is None or subject.erasure is not None:
            continue
        where = place(bytes(sid))
        for table, hids, check in (
            (data_key, _belongs_there(subject, subject.last_event_at), "key-not-in-custody"),
            (custody_key, _belongs_here(subject, subject.last_event_at), "key-in-custody-unexplained"),
        ):
            theirs = select(table.c.hid).where(table.c.subject_id == person)
            if hids.intersection(c.execute(theirs).scalars()):
                found.add(check, **where)


def _belongs_there(subject: Subject, at: datetime) -> set[str]:
    """Stored only by what is recorded; a ground that is merely over waits for the sweep."""
    stored = (subject.holdings[id] for id in stored_only(subject, at))
    return {each.id for each in stored if each.kept_by or subject.is_restricted(each, at)}


def _belongs_here(subject: Subject, at: datetime) -> set[str]:
    """In use; a restriction whose date has come waits for the sweep too."""
    used = (subject.holdings[id] for id in in_use(subject, at))
    return {each.id for each in used if all(one.over for one in each.restrictions)}
