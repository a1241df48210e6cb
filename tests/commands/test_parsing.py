"""From documents to commands: every malformed input is named with its place and reason, and never with its value."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.commands.document import Actor, Command, SubjectRef
from lifecycle.commands.parsing import Malformed, parse_command, parse_line
from lifecycle.commands.registry import COMMANDS
from lifecycle.commands.subject.collect import Collect

CANARY = "canary@example.com"
COLLECT: dict[str, Any] = {
    "command": "collect",
    "id": "c-2",
    "at": "2024-08-01T10:00:05+08:00",
    "actor": {"id": "web", "role": "service"},
    "subject": {"email": "ann@example.com"},
    "purpose": "free-trial",
    "basis": "consent",
    "source": "web-form",
    "data": {"name": "Ann"},
}
SIGN: dict[str, Any] = {
    "command": "sign-agreement",
    "id": "t-1",
    "actor": {"id": "web", "role": "officer"},
    "trustee": "udesk",
    "agreement": {"from": "2025-01-01", "to": "2025-12-31"},
}
REVIEW = {"command": "review-trustee", "id": "t-2", "actor": SIGN["actor"], "trustee": "udesk", "finding": "none"}


def without(*fields: str) -> dict[str, Any]:
    return {name: value for name, value in COLLECT.items() if name not in fields}


def faults(document: dict[str, Any]) -> list[str]:
    with pytest.raises(Malformed) as malformed:
        parse_command(document)
    return malformed.value.faults


# -- lines -------------------------------------------------------------------------------------------------------------


def test_a_line_is_one_json_object():
    assert parse_line(orjson.dumps(COLLECT)) == COLLECT
    assert parse_line('{"name": "安"}') == {"name": "安"}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"   ",
        f'{{"id": "{CANARY}"'.encode(),
        f'{{"id": {CANARY}}}'.encode(),
        f"'{CANARY}'".encode(),
        b'{"id": NaN}',
        b'{"id": 1,}',
        b'\xef\xbb\xbf{"id": "x"}',
        b'{"id": "\xff"}',
        b'{"id": "\\ud800"}',
        '{"id": "\ud800"}',
        b'{"id": "a\nb"}',
        b'{"a": 1} {"b": 2}',
        b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    ],
    ids=lambda line: repr(line[:20]),
)
def test_what_is_not_json_is_malformed_and_not_repeated(line: bytes | str):
    with pytest.raises(Malformed) as malformed:
        parse_line(line)
    assert "canary" not in str(malformed.value)
    assert malformed.value.code == "invalid"
    assert malformed.value.__cause__ is None


@pytest.mark.parametrize("line", [b"[]", b'"x"', b"1", b"null", b"true", f'["{CANARY}"]'.encode()])
def test_json_that_is_no_object_is_malformed(line: bytes):
    with pytest.raises(Malformed, match="not a JSON object") as malformed:
        parse_line(line)
    assert "canary" not in str(malformed.value)


def test_a_field_given_twice_is_malformed_wherever_it_stands():
    for line in (
        '{"id": "a", "id": "b"}',
        '{"data": {"email": "a@b.sg", "email": "c@d.sg"}, "id": "a"}',
        '{"id": "a", "more": [{"x": 1, "x": 1}]}',
    ):
        with pytest.raises(Malformed, match="given twice") as malformed:
            parse_line(line)
        assert "a@b.sg" not in str(malformed.value)


@given(
    names=st.lists(st.sampled_from(["a", "b", "ab", "é", 'q"', "\\"]), min_size=1, max_size=4),
    value=st.sampled_from(["x", 'say "y"', "\\", "é", "\n", 1, None, [], {"a": "a"}]),
    ascii=st.booleans(),
    gap=st.sampled_from([":", " : "]),
)
def test_a_name_is_missed_in_no_way_of_writing_a_line(names: list[str], value: Any, ascii: bool, gap: str):
    pairs = [json.dumps(name, ensure_ascii=ascii) + gap + json.dumps(value, ensure_ascii=ascii) for name in names]
    line = ("{" + ", ".join(pairs) + "}").encode()
    if len(set(names)) == len(names):
        assert parse_line(line) == dict.fromkeys(names, value)
    else:
        with pytest.raises(Malformed, match="given twice"):
            parse_line(line)


def test_a_field_given_twice_is_not_named_when_it_looks_like_a_value():
    with pytest.raises(Malformed) as malformed:
        parse_line(f'{{"{CANARY}": 1, "{CANARY}": 2}}')
    assert "canary" not in str(malformed.value)


# -- commands ----------------------------------------------------------------------------------------------------------


def test_the_command_is_what_the_document_says():
    command = parse_command(COLLECT)
    assert isinstance(command, Collect)
    assert command.at == datetime(2024, 8, 1, 2, 0, 5, tzinfo=UTC)
    assert (command.purpose, dict(command.data)) == ("free-trial", {"name": "Ann"})


def test_an_unknown_command_is_named_unless_it_could_be_a_value():
    assert faults(COLLECT | {"command": "colect"}) == [
        "command: 'colect' is none that `lifecycle schema commands` lists"
    ]
    assert "canary" not in faults(COLLECT | {"command": CANARY})[0]


@pytest.mark.parametrize("verb", [None, 1, True, ["collect"], {"a": 1}])
def test_a_command_that_is_missing_or_no_text_is_malformed(verb: object):
    assert faults(COLLECT | {"command": verb}) == ["command: missing, or not a string"]
    assert faults(without("command")) == ["command: missing, or not a string"]


def test_what_the_engine_asks_itself_is_no_document():
    faults(without("basis", "data", "source") | {"command": "read-clear"})


def test_an_unknown_field_is_named_unless_it_could_be_a_value():
    assert faults(COLLECT | {"colour": "red"}) == ["colour: no such field"]
    assert faults(COLLECT | {"actor": {"id": "web", "role": "service", "shoe": 38}}) == ["actor.shoe: no such field"]
    assert faults(COLLECT | {CANARY: 1}) == ["(a name that is not shown): no such field"]


def test_what_to_do_next_names_the_schema_of_that_command_alone():
    with pytest.raises(Malformed) as malformed:
        parse_command(COLLECT | {"colour": "red"})
    assert malformed.value.remedy == "compare it with `lifecycle schema commands collect`"


@pytest.mark.parametrize("field", ["id", "actor", "subject", "purpose", "basis", "source", "data"])
def test_a_missing_field_is_named(field: str):
    assert faults(without(field)) == [f"{field}: missing"]


@pytest.mark.parametrize(
    "at",
    [
        "2024-08-01T10:00:05",  # no offset
        "2023-08-01",
        "2024-08-01T10:00+08:00",  # no seconds
        "2024-08-01T10:00:05+08",
        "2024-08-01T10:00:05+0800",
        "2024-08-01T10:00:05 +08:00",
        "2024-08-01T10:00:05.1234567Z",
        "2024-13-01T10:00:05Z",
        "2024-02-30T10:00:05Z",
        "2024-08-01T24:30:05Z",
        "2024-08-01T10:00:05+25:00",
        "２０２４-08-01T10:00:05Z",
        "1722477605",
        "0001-01-01T00:00:00+08:00",  # before the year 1 in UTC
        "9999-12-31T23:59:59-08:00",
        "yesterday",
        "",
        1722477605,
        1722477605.5,
        True,
        [],
        {},
    ],
)
def test_a_time_that_is_no_rfc_3339_time_with_an_offset_is_malformed(at: object):
    (fault,) = faults(COLLECT | {"at": at})
    assert fault.startswith("at: ")
    if isinstance(at, str) and len(at) > 3:
        assert at not in fault


@pytest.mark.parametrize(
    "at", ["2024-08-01T02:00:05Z", "2024-08-01t10:00:05.000000+08:00", "2024-07-31T21:00:05-05:00"]
)
def test_a_time_means_the_same_instant_in_whatever_offset_it_is_written(at: str):
    assert parse_command(COLLECT | {"at": at}) == parse_command(COLLECT)


def test_a_time_may_be_absent():
    assert parse_command(without("at")).at is None
    assert parse_command(COLLECT | {"at": None}).at is None


@pytest.mark.parametrize(
    "day", [0, 20250101, 1735689600, "1735689600", "2025-01-01T00:00:00Z", "2025-1-1", "", True, 1.5]
)
def test_a_day_that_is_no_calendar_day_is_malformed(day: object):
    (fault,) = faults(SIGN | {"agreement": {"from": day}})
    assert fault.startswith("agreement.from: ")
    (fault,) = faults(REVIEW | {"remedy_by": day})
    assert fault.startswith("remedy_by: ")


def test_an_agreement_that_ends_before_it_begins_is_malformed():
    assert faults(SIGN | {"agreement": {"from": "2025-02-01", "to": "2025-01-01"}}) == [
        "agreement: `to` lies before `from`"
    ]


@pytest.mark.parametrize(
    "subject",
    [
        {},
        {"email": CANARY, "phone": "+6591234567"},
        {"email": None},
        {"name": CANARY},
        CANARY,
        [CANARY],
        None,
        {"email": 7},
        {"email": ["canary"]},
    ],
)
def test_a_person_is_named_by_exactly_one_identifier(subject: object):
    said = "; ".join(faults(COLLECT | {"subject": subject}))
    assert "subject" in said
    assert "canary" not in said


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", "x" * 201),
        ("id", 7),
        ("expected_version", "3"),
        ("expected_version", -1),
        ("expected_version", True),
        ("expected_version", 1.0),
        ("correlation", "x" * 201),
        ("actor", {"id": "web", "role": "emperor"}),
        ("actor", {"id": "", "role": "service"}),
        ("basis", "because"),
        ("purpose", ""),
        ("purpose", "x" * 65),
        ("data", {}),
        ("data", {"name": 7}),
        ("data", {"name": None}),
        ("data", {"name": {"first": "Ann"}}),
        ("data", [["name", "Ann"]]),
        ("data", {f"c{number}": "x" for number in range(101)}),
        ("evidence", ""),
        ("evidence", "x" * 4097),
    ],
)
def test_a_field_of_the_wrong_shape_is_malformed_and_its_place_named(field: str, value: object):
    assert all(fault.startswith(field) for fault in faults(COLLECT | {field: value}))


def test_all_faults_of_a_document_are_told_at_once():
    document = without("purpose") | {"at": 5, "colour": "red", "basis": "because", "data": {"name": 7}}
    told = faults(document)
    assert sorted(fault.split(":")[0] for fault in told) == ["at", "basis", "colour", "data.name", "purpose"]


def test_the_id_is_told_back_so_that_the_caller_knows_which_document_it_was():
    for document in (COLLECT | {"colour": "red"}, COLLECT | {"command": "colect"}, without("command")):
        with pytest.raises(Malformed) as malformed:
            parse_command(document)
        assert malformed.value.id == "c-2"
    with pytest.raises(Malformed) as malformed:
        parse_command(COLLECT | {"id": 7})
    assert malformed.value.id is None


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, below in inside for place in places(below, (*path, key)))]


def put(document: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    key, *rest = path
    if isinstance(document, dict):
        return {**document, key: put(document[key], tuple(rest), new)}
    return [put(below, tuple(rest), new) if index == key else below for index, below in enumerate(document)]


VALUES = st.sampled_from(
    [CANARY, [CANARY], {CANARY: CANARY}, {"canary": [CANARY]}, 7, -1.5, True, None, [], {}, CANARY * 300, [[CANARY]]]
)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), start=st.sampled_from([COLLECT, SIGN, REVIEW]))
def test_no_value_ever_stands_in_a_message_whatever_is_wrong(data: st.DataObject, start: dict[str, Any]):
    document = start
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(document)[1:]))
        document = put(document, path, data.draw(VALUES))
    try:
        command = parse_command(document)
    except Malformed as malformed:
        said = str(malformed) + repr(malformed) + "".join(malformed.faults) + repr(malformed.__cause__)
    else:
        said = repr(command) + str(command)
    assert CANARY not in said


@settings(max_examples=150, deadline=None)
@given(line=st.one_of(st.binary(max_size=60), st.text(st.characters(exclude_categories=["Cs"]), max_size=60)))
def test_any_noise_is_malformed_not_a_crash(line: bytes | str):
    with pytest.raises(Malformed, match=r".+"):
        parse_command(parse_line(line))


@pytest.mark.parametrize("verb", COMMANDS)
def test_an_empty_document_of_any_command_is_malformed_not_a_crash(verb: str):
    assert {"id: missing", "actor: missing"} <= set(faults({"command": verb}))


def test_a_command_made_in_python_shows_nothing_either():
    actor = Actor(id="canary", role="service")
    with pytest.raises(ValueError, match="data") as wrong:
        Collect(
            id="1",
            actor=actor,
            subject=SubjectRef(email=CANARY),
            purpose="free-trial",
            basis="consent",
            source="web-form",
            data={"name": 7, "email": [CANARY]},
        )
    assert "canary" not in str(wrong.value)
    command = parse_command(COLLECT)
    for shown in (repr(command), str(command), f"{command}", repr([command]), repr(actor)):
        assert "Ann" not in shown
        assert "ann@" not in shown
        assert "canary" not in shown


def test_a_command_reads_back_as_the_document_it_was_made_from():
    command: Command = parse_command(COLLECT)
    again = json.loads(command.model_dump_json(exclude_none=True, exclude_defaults=False))
    assert parse_command(again) == command
