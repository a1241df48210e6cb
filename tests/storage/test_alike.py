"""What says the same as an event read before is not parsed again, and is the same event for all that; nobody's ids stay."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.domain.catalogue import KINDS, UnknownKind
from lifecycle.domain.event import Recorded
from lifecycle.ledger.envelope import b64url, canonical
from lifecycle.storage import alike
from lifecycle.storage.failures import RecordDamaged
from lifecycle.storage.mapper import as_stored, recorded
from lifecycle.storage.packing import packed, unpacked

SOMEBODY = UUID(int=7)
EVENTS = Path(__file__).parents[1] / "golden" / "events"
ALIKE = sorted(kind for kind, event in KINDS.items() if event.says_alike)
AT = "2024-08-01T02:00:05.123456Z"
OF_THE_POLICY = {
    "purpose", "purposes", "technologies", "notice", "channel", "language", "separate", "by_guardian", "scopes", "lapses",
}  # fmt: skip


def header(kind: str, **changes: Any) -> bytes:
    said = json.loads((EVENTS / f"{kind.replace('/', '-')}.json").read_text(encoding="utf-8"))
    digest = b64url(bytes(32))
    part = {"ct": digest, "hid": "record", "kc": digest, "kid": b64url(bytes(16)), "pc": digest}
    name, _, version = kind.rpartition("/")
    whole = {
        "at": AT,
        "data": said["data"],
        "meta": {"cmd": "ab" * 32, "policy": "recruiting-site/1.0#9f2c", "role": "service"},
        "n": 4,
        "parts": [part],
        "prev": digest,
        "sid": digest,
        "type": name,
        "v": int(version),
    }
    return canonical(whole | changes)


def in_full(stored: bytes) -> Recorded:
    return recorded(SOMEBODY, 7, unpacked(stored))._replace(header=b"")


def read(stored: bytes) -> Recorded:
    return as_stored(SOMEBODY, 7, stored)._replace(header=b"")


def read_before(kind: str) -> int:
    alike._known.clear()
    read(packed(header(kind)))
    return len(alike._known)


def is_read_as_in_full(there: bytes) -> None:
    try:
        full = in_full(there)
    except RecordDamaged:
        with pytest.raises(RecordDamaged):
            read(there)
    else:
        assert read(there) == full


@pytest.mark.parametrize("kind", ALIKE)
def test_an_event_that_says_the_same_at_another_time_is_that_event_at_that_time(kind: str):
    assert read_before(kind) == 1
    data = json.loads(header(kind))["data"]
    for at, happened in (
        ("2031-01-02T03:04:05.678901Z", "2030-01-02T03:04:05.678901Z"),
        (AT, "2024-08-01T10:00:00+08:00"),
        (AT, AT),
    ):
        there = packed(header(kind, at=at, n=12, data=data | {"occurred_at": happened}))
        assert read(there) == in_full(there)
        assert read(there).event.occurred_at == datetime.fromisoformat(happened)
        assert read(there).recorded_at == datetime.fromisoformat(at)
        assert read(there).event.header_data() == in_full(there).event.header_data()
    assert len(alike._known) == 1, "none of them was parsed"


def test_the_events_of_many_do_not_change_each_other():
    read_before("activity-recorded/1")
    one, other = (read(packed(header("activity-recorded/1", n=n))) for n in (5, 6))
    assert one.event is not other.event
    assert one.event.again(datetime(2030, 1, 1, tzinfo=UTC)) != one.event == other.event


@given(st.sampled_from(ALIKE), st.integers(0, 2_000), st.integers(1, 255))
def test_a_header_in_which_anything_was_changed_is_refused_or_read_as_in_full(kind: str, at: int, flipped: int):
    read_before(kind)
    good = header(kind)
    at %= len(good)
    there = packed(good[:at] + bytes([good[at] ^ flipped]) + good[at + 1 :])
    try:
        full = in_full(there)
    except (RecordDamaged, UnknownKind) as error:
        with pytest.raises(type(error)):
            read(there)
    else:
        assert read(there) == full


@pytest.mark.parametrize(
    ("good", "changed"),
    [
        (AT, "2024-08-01\n02:00:05.123456Z"),  # no JSON, and yet a time to Python
        (AT, "2024-08-01/02:00:05.123456Z"),
        (AT, "2024-08-01T02:00:05.12345+00"),
        (AT, "2024-08-01T02:00:05.123456z"),
        (AT, '2024-08-01T02:00:05.1234","x'),
        ('"n":4', '"n":04'),
        ('"n":4', '"n":4.0'),
        ('"n":4', '"n":-4'),
        ('"n":4', '"n":4,"n":5'),
        ('"occurred_at":"', '"occurred_at":"\\u0032'),
        ('"occurred_at":"', '"occurred_at":"2024-08-01T00:00:00Z","occurred_at":"'),
        ('"occurred_at":"', '"a":{"occurred_at":"2024-08-01T00:00:00Z"},"occurred_at":"'),
        ('"role":"service"', '"role":"officer"'),
        ('"hid":"record"', '"hid":"a12c3d0d63d20c69"'),
    ],
)
@pytest.mark.parametrize("kind", ALIKE)
def test_what_no_program_of_ours_writes_is_not_taken_for_the_same(kind: str, good: str, changed: str):
    read_before(kind)
    whole = header(kind).decode()
    assert good in whole
    there = packed(whole.replace(good, changed, 1).encode())
    is_read_as_in_full(there)


@pytest.mark.parametrize("kind", ALIKE)
def test_behind_a_form_that_is_known_digests_too_few_or_too_many_are_read_as_in_full(kind: str):
    read_before(kind)
    good = packed(header(kind))
    for there in (good[:-1], good[:-20], good + b"\0"):
        is_read_as_in_full(there)


def test_kinds_that_say_alike_have_no_field_of_one_person_s():
    for kind in ALIKE:
        fields = {name for name, field in KINDS[kind].model_fields.items() if not field.exclude}
        assert fields <= {"occurred_at", *OF_THE_POLICY}, kind


def test_no_more_is_remembered_than_of_such_kinds_with_words_alone_and_not_without_end(monkeypatch: pytest.MonkeyPatch):
    alike._known.clear()
    for kind in KINDS:
        read(packed(header(kind)))
    assert {each.event.kind for each in alike._known.values()} == set(ALIKE)
    data = {"occurred_at": AT, "purpose": "free-trial"}
    part = json.loads(header("activity-recorded/1"))["parts"][0]
    alike._known.clear()
    read(packed(header("activity-recorded/1", parts=[part, part | {"hid": "a12c3d0d63d20c69"}])))
    read(packed(header("activity-recorded/1", data=data | {"purpose": "p" * alike.LONGEST})))
    assert not alike._known
    monkeypatch.setattr(alike, "MOST", 3)
    for number in range(10):
        read(packed(header("activity-recorded/1", data=data | {"purpose": f"purpose-{number}"})))
    assert len(alike._known) <= 3
