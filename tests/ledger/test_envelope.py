"""Headers are canonical to a foreign judge, and entries are what the format says when they are made by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pydantic import create_model

from lifecycle.domain.catalogue import KINDS, decode
from lifecycle.domain.event import DomainEvent
from lifecycle.ledger import envelope
from lifecycle.ledger.envelope import Header, MalformedHeader, Part, header_bytes, read_header
from lifecycle.vault.sealing import open_part

GOLDEN = Path(__file__).parent.parent / "golden" / "envelope-v1.json"
EVENTS = GOLDEN.parent / "events"
AT = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)
SID = bytes(range(32))
FIRST = {
    "at": AT,
    "data": {"occurred_at": "2026-11-23T10:00:00Z", "purpose": "free-trial", "new": [{"holding": "h1"}]},
    "meta": {"cmd": "ab" * 32, "policy": "recruiting-site/1.0#9f2c", "role": "service"},
    "n": 1,
    "parts": [{"ct": "c", "hid": "h1", "kc": "k", "kid": "i", "pc": "p"}],
    "prev": None,
    "sid": SID,
    "kind": "personal-data-collected/1",
}
PREV = envelope.b64url(b"p" * 32)

ascii_keys = st.text(st.characters(max_codepoint=127), max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ascii_keys, inner, max_size=4),
    max_leaves=16,
)
instants = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-3))]))
parts = st.builds(Part, texts, texts, texts, texts, texts)


@st.composite
def headers(draw) -> dict:
    n = draw(st.integers(1, 2**40))
    return {
        "at": draw(instants.filter(lambda at: datetime(2, 1, 1, tzinfo=UTC) < at < datetime(9998, 1, 1, tzinfo=UTC))),
        "data": draw(st.dictionaries(ascii_keys, plain, max_size=5)),
        "meta": {"cmd": draw(texts), "policy": draw(texts), "role": draw(texts)},
        "n": n,
        "parts": [part.as_json() for part in draw(st.lists(parts, max_size=3))],
        "prev": None if n == 1 else PREV,
        "sid": draw(st.binary(min_size=32, max_size=32)),
        "kind": f"{draw(st.sampled_from(['subject-registered', 'consent-given']))}/{draw(st.integers(1, 9))}",
    }


@given(headers())
def test_the_fast_encoder_writes_what_rfc_8785_says(fields):
    name, version = fields["kind"].split("/")
    said = {key: fields[key] for key in ("data", "meta", "n", "parts", "prev")}
    said["at"] = fields["at"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    said["sid"] = base64.urlsafe_b64encode(fields["sid"]).decode().rstrip("=")
    assert header_bytes(**fields) == rfc8785.dumps(said | {"type": name, "v": int(version)})


@given(headers())
def test_a_header_is_read_as_it_was_written(fields):
    read = read_header(header_bytes(**fields), strict=True)
    assert read == Header(
        fields["at"],
        fields["data"],
        fields["meta"],
        fields["n"],
        tuple(Part(**part) for part in fields["parts"]),
        fields["prev"],
        fields["sid"],
        fields["kind"],
    )
    assert read.at.tzinfo is UTC


@given(st.dictionaries(ascii_keys, plain, max_size=5))
def test_a_system_entry_is_canonical_too(record):
    assert envelope.system_entry(record) == b"\x03" + rfc8785.dumps(record)


@pytest.mark.parametrize(
    "unfit",
    [1.5, float("nan"), 2**53, -(2**53), b"bytes", AT, {"ärger": 1}, {1: 2}, {"deep": [{"er": 0.1}]}, {1, 2}, "\ud800"],
    ids=repr,
)
def test_what_is_not_canonical_in_every_language_is_not_written(unfit):
    with pytest.raises(TypeError):
        header_bytes(**(FIRST | {"data": {"x": unfit}}))


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_kind_of_event_that_is_not_looked_at_is_written_as_rfc_8785_says(path: Path):
    example = json.loads(path.read_text(encoding="utf-8"))
    event = decode(example["kind"], example["data"], example["record"], example["values"])
    fields = FIRST | {"kind": event.kind, "data": event.header_data()}
    header = header_bytes(**fields, is_plain=event.is_plain())
    assert header == header_bytes(**fields)
    assert header == rfc8785.dumps(json.loads(header))
    assert json.loads(header)["data"] == example["data"]


def test_a_kind_with_names_or_numbers_that_are_not_ours_is_looked_at():
    assert {kind for kind, event in KINDS.items() if not event.is_plain()} == {
        "affected-counted/1",
        "consent-given/1",
        "erasure-completed/1",
        "subject-received/1",
        "subjects-notified/1",
    }
    assert not _of(float).is_plain()
    assert not _of(dict[str, str]).is_plain()
    assert not _of(tuple[float, ...]).is_plain()
    assert not _of(list[Any]).is_plain()
    assert _of(tuple[int | None, ...]).is_plain()


def _of(type_: Any) -> type[DomainEvent]:
    return create_model("Made", __base__=DomainEvent, field=(type_, ...))


def test_an_instant_without_a_zone_is_not_written():
    with pytest.raises(TypeError, match="zone"):
        header_bytes(**(FIRST | {"at": AT.replace(tzinfo=None)}))


def test_strict_reading_refuses_every_other_spelling_of_the_same_header():
    header = header_bytes(**FIRST)
    said = header.decode()
    spellings = {
        "spaces": json.dumps(json.loads(said), sort_keys=True),
        "order": json.dumps(dict(reversed(json.loads(said).items())), separators=(",", ":")),
        "duplicate key": said.replace('"n":1', '"n":1,"n":1'),
        "duplicate key of data": said.replace('"purpose":"free-trial"', '"purpose":"x","purpose":"free-trial"'),
        "escape": said.replace("free-trial", "free\\u002dtrial"),
        "zone": said.replace("10:00:00.123456Z", "10:00:00.123456000Z"),
        "short time": said.replace("T10:00:00.123456Z", "T10:00Z"),
        "number": said.replace('"v":1', '"v":1.0'),
        "float in data": said.replace('"purpose":', '"a":1.5,"purpose":'),
        "end": said + "\n",
    }
    for name, spelling in spellings.items():
        assert spelling != said, name
        with pytest.raises(MalformedHeader):
            read_header(spelling.encode(), strict=True)
    assert read_header(header, strict=True).n == 1


def test_any_flipped_byte_changes_the_header_or_is_refused():
    header = header_bytes(**FIRST)
    salt = b"s" * 64
    for index in range(len(header)):
        flipped = header[:index] + bytes([header[index] ^ 1]) + header[index + 1 :]
        assert envelope.commitment(salt, flipped) != envelope.commitment(salt, header)
        with suppress(MalformedHeader):
            assert read_header(flipped, strict=True) != read_header(header)


@pytest.mark.parametrize(
    "change",
    [
        {"n": 0},
        {"n": True},
        {"n": "1"},
        {"v": 0},
        {"prev": "short"},
        {"prev": PREV + "="},
        {"prev": 1},
        {"sid": "!"},
        {"sid": None},
        {"at": "2026-11-23T10:00:00.123456"},
        {"at": "2026-11-23T10:00:00.123456+08:00"},
        {"at": "yesterday Z"},
        {"at": 5},
        {"meta": {"cmd": "c", "policy": "p"}},
        {"meta": {"cmd": "c", "policy": "p", "role": 1}},
        {"meta": []},
        {"data": []},
        {"parts": [{"ct": "c"}]},
        {"parts": [{"ct": 1, "hid": "h", "kc": "k", "kid": "i", "pc": "p"}]},
        {"parts": None},
        {"extra": 1},
        {"type": None},
    ],
    ids=str,
)
def test_a_header_outside_the_closed_schema_is_refused(change):
    said = json.loads(header_bytes(**FIRST)) | change
    with pytest.raises(MalformedHeader):
        read_header(rfc8785.dumps(said))


@pytest.mark.parametrize("said", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 5_000, b'{"n":1}'])
def test_other_bytes_are_no_header(said):
    with pytest.raises(MalformedHeader):
        read_header(said)


@pytest.mark.parametrize("change", [{"sid": b"short"}, {"prev": PREV}, {"n": 2}])
def test_strict_reading_knows_what_begins_a_stream(change):
    with pytest.raises(MalformedHeader):
        read_header(header_bytes(**(FIRST | change)), strict=True)


@given(st.binary(max_size=80))
def test_base64url_has_one_spelling(raw):
    assert envelope.b64url(raw) == base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert envelope.unb64url(envelope.b64url(raw)) == raw


@pytest.mark.parametrize("text", ["AA==", "AB", "A", "A+__", "A/__", "A A", "AAAA\n", "ä"])
def test_another_spelling_of_base64url_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 -- whose words these are does not matter
        envelope.unb64url(text)


@given(st.binary(min_size=64, max_size=64), st.binary(max_size=200), st.integers(1, 2**64 - 1))
def test_an_entry_is_what_the_format_says_when_it_is_made_by_hand(salt, header, n):
    committed = hashlib.sha256(b"lifecycle/leaf/v1" + b"\x00" + salt + header).digest()
    key = hmac.new(salt, b"lifecycle/tag/v1", "sha256").digest()
    tag = hmac.new(key, n.to_bytes(8, "big"), "sha256").digest()[:16]
    assert envelope.commitment(salt, header) == committed
    assert envelope.stream_key(salt) == key
    assert envelope.tag(key, n) == tag
    entry = envelope.event_entry(committed, tag)
    assert entry == b"\x01" + committed + tag
    assert len(entry) == 49
    assert envelope.leaf_hash(entry) == hashlib.sha256(b"\x00" + entry).digest()


def test_the_leaf_hash_is_rfc_6962_s_known_answer():
    empty = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert envelope.leaf_hash(b"").hex() == empty


@pytest.mark.parametrize(("committed", "tag"), [(b"c" * 31, b"t" * 16), (b"c" * 32, b"t" * 17)])
def test_an_entry_has_49_bytes_or_does_not_exist(committed, tag):
    with pytest.raises(ValueError, match="49 bytes"):
        envelope.event_entry(committed, tag)


def test_a_system_entry_fits_into_an_entry_bundle():
    around = len(envelope.system_entry({"x": ""}))
    assert len(envelope.system_entry({"x": "y" * (65_535 - around)})) == 65_535
    with pytest.raises(ValueError, match="65,535"):
        envelope.system_entry({"x": "y" * (65_536 - around)})


def test_a_header_s_pseudonym_is_not_in_its_repr():
    header = header_bytes(**FIRST)
    assert repr(SID) not in repr(read_header(header))


def test_golden_headers_and_entries_never_change():
    for golden in json.loads(GOLDEN.read_text())["events"]:
        fields = golden["fields"] | {
            "at": datetime.fromisoformat(golden["fields"]["at"]),
            "sid": bytes.fromhex(golden["fields"]["sid"]),
        }
        header, salt = header_bytes(**fields), bytes.fromhex(golden["salt"])
        key = envelope.stream_key(bytes.fromhex(golden["first_salt"]))
        committed = envelope.commitment(salt, header)
        entry = envelope.event_entry(committed, envelope.tag(key, fields["n"]))
        assert header.decode() == golden["header"]
        assert committed.hex() == golden["commitment"]
        assert key.hex() == golden["stream_key"]
        assert entry.hex() == golden["entry"]
        assert envelope.leaf_hash(entry).hex() == golden["leaf_hash"]
        assert read_header(header, strict=True).kind == fields["kind"]


def test_golden_bodies_open_for_ever():
    for golden in json.loads(GOLDEN.read_text())["bodies"]:
        dk = bytes.fromhex(golden["dk"]) if golden["dk"] else None
        ciphertext, sid = bytes.fromhex(golden["ciphertext"]), bytes.fromhex(golden["sid"])
        assert open_part(sid, golden["n"], Part(**golden["part"]), ciphertext, dk) == golden["value"]


def test_golden_system_entries_never_change():
    for golden in json.loads(GOLDEN.read_text())["system"]:
        assert envelope.system_entry(golden["record"]).hex() == golden["entry"]


@given(headers())
def test_what_a_fold_reads_of_a_header_is_what_the_header_says(header: dict):
    raw = header_bytes(**header)
    whole, fact = read_header(raw), envelope.read_fact(raw)
    assert fact == (
        whole.at,
        whole.kind,
        whole.data,
        *(whole.meta[name] for name in ("cmd", "role", "policy")),
        [part.hid for part in whole.parts],
    )


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("at", None),
        ("at", "yesterday"),
        ("at", "2026-11-23T10:00:00"),
        ("data", []),
        ("meta", {"cmd": "c", "role": "r"}),
        ("meta", {"cmd": "c", "role": "r", "policy": 1}),
        ("parts", None),
        ("parts", [{"hid": 1}]),
        ("type", 1),
        ("v", 0),
        ("v", "1"),
    ],
)
def test_what_is_no_header_is_none_to_a_fold_either(name: str, instead):
    said = json.dumps(json.loads(header_bytes(**FIRST)) | {name: instead}).encode()
    for read in (read_header, envelope.read_fact):
        with pytest.raises(MalformedHeader):
            read(said)
