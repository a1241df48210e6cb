"""Events that say the very same as one read before, but for their times: nothing of them is parsed again.

Most of a long record says that somebody was active. What is remembered is no person's: kinds of which every field is of
the policy's words (`DomainEvent.says_alike`), and of what is sealed beside them no more than that there are words.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from lifecycle.domain.event import Judged, Recorded
from lifecycle.storage.packing import NUMBER, PARTS, is_number, raw_size

MOST = 1_024  # remembered at once
LONGEST = 4_096  # bytes

_BEGINS = b'{"at":"'
_FROM, _TO = len(_BEGINS), len(_BEGINS) + len("2024-08-01T02:00:00.000000Z")
_OCCURRED = b'"occurred_at":"'

Key = tuple[bytes, bytes, bytes, bytes]
"""What a form says around its two times and its number, and the lengths of its texts. It begins and ends each of these
gaps, and what may stand in them (`told_again`) cannot end one: so forms with one key differ in nothing else."""

_known: dict[Key, Recorded] = {}
_new = tuple.__new__  # the classes' own is written in Python, and takes three times as long
_instant = datetime.fromisoformat


def told_again(stream_id: UUID, version: int, form: bytes, lengths: bytes, raw: bytes) -> Recorded | None:
    """The event, if one that says the same was read. None too where times or number are not written as programs of
    ours write them: then they might say more."""
    begins = form.find(_OCCURRED) + len(_OCCURRED)
    ends = form.find(b'"', begins)
    number = form.find(NUMBER, ends)
    parts = form.find(PARTS, number)
    same = _known.get((form[_TO:begins], form[ends:number], form[parts:], lengths))
    if same is None or len(raw) != raw_size(lengths) or not is_number(form, number, parts):
        return None
    at, occurred = form[_FROM:_TO], form[begins:ends]
    if at[10:11] != b"T" or occurred[10:11] != b"T" or at[-1:] != b"Z" or form[:_FROM] != _BEGINS:
        return None
    try:  # of ISO 8601; behind a T it takes nothing but digits and what stands between those of a time
        recorded_at = _instant(at.decode("ascii"))
        event = same.event.again(recorded_at if occurred == at else _instant(occurred.decode("ascii")))
    except ValueError:
        return None
    _, role, policy, actor, correlation = same.judged
    judged = _new(Judged, (raw[:32].hex(), role, policy, actor, correlation))
    return _new(Recorded, (stream_id, version, recorded_at, event, judged, b""))


def remember(form: bytes, lengths: bytes, read: Recorded) -> None:
    """What was read of a whole form, for all that say the same."""
    if not read.event.says_alike or read.event.values or len(form) > LONGEST:
        return
    begins = form.find(_OCCURRED) + len(_OCCURRED)
    ends = form.find(b'"', begins)
    number = form.find(NUMBER, ends)
    if len(_known) >= MOST:
        _known.clear()
    _known[form[_TO:begins], form[ends:number], form[form.find(PARTS, number) :], lengths] = read
