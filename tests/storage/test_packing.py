"""A header is stored in less room, and is read as the very bytes that were hashed; for ever, and whoever damages it."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from appends import JUDGED, Person, an_activity
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import LargeBinary, select, type_coerce

from lifecycle.domain.catalogue import UnknownKind
from lifecycle.domain.event import Recorded
from lifecycle.ledger.envelope import MalformedHeader, b64url, canonical, read_fact
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.failures import RecordDamaged
from lifecycle.storage.mapper import as_stored, recorded
from lifecycle.storage.packing import FORM_1, MOST, WORDS_1, form_of, inflated, packed, unpacked
from lifecycle.storage.tables import event_header

SOMEBODY = UUID(int=7)
GOLDEN = Path(__file__).parents[1] / "golden"
TOKENS = st.sampled_from([16, 22, 43, 64]).flatmap(
    lambda size: st.text("ABCabc019-_", min_size=size, max_size=size) | st.text("0f", min_size=size, max_size=size)
)
WORDS = TOKENS | st.text(max_size=70) | st.text("%b\"\\{}:,'", max_size=9)
FIELDS = st.dictionaries(st.sampled_from(["meta", "cmd", "sid", "%b", "n"]) | st.text("ab%", max_size=3), WORDS)


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    part = st.fixed_dictionaries(dict.fromkeys(("ct", "hid", "kc", "kid", "pc"), WORDS))
    return canonical(
        {
            "at": draw(WORDS),
            "data": draw(st.dictionaries(st.sampled_from(["meta", "new", "%"]), FIELDS | WORDS)),
            "meta": {"cmd": draw(WORDS), "policy": draw(WORDS), "role": draw(WORDS)},
            "n": draw(st.integers(1, 2**40)),
            "parts": draw(st.lists(part, max_size=3)),
            "prev": draw(st.none() | WORDS),
            "sid": draw(WORDS),
            "type": draw(WORDS),
            "v": 1,
        }
    )


def stored(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def a_header(name: str) -> bytes:
    """Of a golden event, with digests as every header has them."""
    event = stored(f"events/{name}.json")
    kind, _, version = event["kind"].partition("/")
    hids = ["record", *event["values"]]
    digest = {hid: {key: b64url(sha256(f"{key}{hid}".encode()).digest()) for key in ("ct", "kc", "pc")} for hid in hids}
    return canonical(
        {
            "at": "2026-03-01T02:00:05.123456Z",
            "data": event["data"],
            "meta": {
                "cmd": sha256(name.encode()).hexdigest(),
                "policy": "shop/2.0#9f2c5a7e01b3d468",
                "role": "service",
            },
            "n": 7,
            "parts": [{"hid": hid, "kid": b64url(hid.encode().ljust(16)[:16]), **digest[hid]} for hid in hids],
            "prev": b64url(bytes(range(32))),
            "sid": b64url(bytes(range(32, 64))),
            "type": kind,
            "v": int(version),
        }
    )


@given(headers())
@example(b"")
@example(FORM_1)
@example(b'{"meta":{"cmd":"')
@example(b'{"meta":{"cmd":"' + b"AB" * 32 + b'"}}')
def test_a_header_is_read_as_the_bytes_that_were_written(header: bytes):
    assert unpacked(packed(header)) == header


@pytest.mark.parametrize("name", sorted(path.stem for path in (GOLDEN / "events").glob("*.json")))
def test_of_every_kind_of_event_less_is_stored(name: str):
    header = a_header(name)
    assert unpacked(packed(header)) == header
    assert len(packed(header)) < 0.75 * len(header)


def test_a_collected_value_takes_less_than_half_of_its_header():
    header = a_header("personal-data-collected-1")
    assert len(packed(header)) < 0.5 * len(header)


def test_golden_packed_headers_are_unpacked_for_ever():
    golden = stored("packed-header-v1.json")
    assert sha256(WORDS_1).hexdigest() == golden["words"]
    for each in golden["headers"]:
        assert unpacked(bytes.fromhex(each["packed"])) == each["header"].encode()


def test_what_older_programs_stored_is_read_as_it_is():
    for each in stored("envelope-v1.json")["events"]:
        assert unpacked(each["header"].encode()) == each["header"].encode()


def read_in_full(stored_bytes: bytes) -> Recorded:
    return recorded(SOMEBODY, 7, unpacked(stored_bytes))._replace(header=b"")


@pytest.mark.parametrize("name", sorted(path.stem for path in (GOLDEN / "events").glob("*.json")))
def test_a_fold_reads_of_the_form_alone_what_the_header_says(name: str):
    """Of every kind, those among them whose name has the length of a digest."""
    there = packed(a_header(name))
    assert as_stored(SOMEBODY, 7, there)._replace(header=b"") == read_in_full(there)


@pytest.mark.parametrize("length", [21, 22, 43, 44, 64])
@pytest.mark.parametrize("letter", ["p", "0", "%"])
def test_a_word_as_long_as_a_digest_is_a_word(length: int, letter: str):
    said = json.loads(a_header("activity-recorded-1"))
    word = letter * length
    for change in (
        {"data": said["data"] | {"purpose": word}},
        {"meta": said["meta"] | {"role": word}},
        {"meta": said["meta"] | {"policy": word}},
        {"parts": [said["parts"][0] | {"hid": word}]},
    ):
        there = packed(canonical(said | change))
        assert as_stored(SOMEBODY, 7, there)._replace(header=b"") == read_in_full(there)


@given(headers())
def test_what_a_fold_is_told_of_any_header_is_what_it_says(header: bytes):
    there = inflated(packed(header))
    form = form_of(*there) if there is not None else None
    if form is not None:
        try:
            whole = read_fact(header)
        except MalformedHeader:
            with pytest.raises(MalformedHeader):
                read_fact(form[0])
        else:
            assert read_fact(form[0])._replace(cmd=form[1]) == whole


@given(st.sampled_from(["activity-recorded-1", "personal-data-collected-1"]), st.integers(0, 700), st.integers(1, 255))
def test_what_is_damaged_is_refused_or_read_as_in_full(name: str, at: int, flipped: int):
    good = packed(a_header(name))
    at %= len(good)
    there = good[:at] + bytes([good[at] ^ flipped]) + good[at + 1 :]
    try:
        full = read_in_full(there)
    except (RecordDamaged, UnknownKind) as error:
        with pytest.raises(type(error)):
            as_stored(SOMEBODY, 7, there)
    else:
        assert as_stored(SOMEBODY, 7, there)._replace(header=b"") == full


def test_a_header_that_is_too_long_to_unfold_is_stored_as_it_is():
    header = canonical({"data": "x" * MOST, "meta": {"cmd": "ab" * 32}})
    assert packed(header) == header


@given(st.binary(max_size=40), st.integers(0, 500), st.integers(1, 255))
def test_what_somebody_damaged_is_other_bytes_and_no_failure(tail: bytes, at: int, flipped: int):
    header = a_header("personal-data-collected-1")
    good = packed(header)
    at %= len(good)
    assert unpacked(FORM_1 + tail) != header
    assert unpacked(good[:at]) != header
    assert type(unpacked(good[:at] + bytes([good[at] ^ flipped]) + good[at + 1 :])) is bytes


def test_rows_hold_packed_headers_and_are_read_unpacked(database: Database):
    appending = Person().appending(an_activity(), judged=JUDGED._replace(cmd="0b" * 32))
    Streams(database).save(*appending.recorded, rows=appending.rows)
    (recorded,) = appending.recorded
    as_it_is = type_coerce(event_header.c.header, LargeBinary)
    with database.read() as c:
        assert c.execute(select(event_header.c.header)).scalar_one() == recorded.header
        assert c.execute(select(as_it_is)).scalar_one() == packed(recorded.header) != recorded.header
