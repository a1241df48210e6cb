"""One stored example of every kind of event, for ever: what was written once must be read by every later program.

A new kind, or a new version of one, gets a file in tests/golden/events. A file that is there is never changed; a kind
that gained a field gets a further one, KIND+FIELD.json.
"""

from __future__ import annotations

import json
import pkgutil
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from scenario import whole

import lifecycle.domain
from lifecycle.domain.catalogue import KINDS, UPCASTS, UnknownKind, decode, decode_sealed
from lifecycle.domain.event import DomainEvent, Withheld

GOLDEN = Path(__file__).parents[1] / "golden" / "events"
STORED = sorted(GOLDEN.glob("*.json"))


def file_of(kind: str) -> Path:
    return GOLDEN / f"{kind.replace('/', '-')}.json"


def of_kind(path: Path) -> list[Path]:
    """All the files of one kind."""
    first = path.stem.partition("+")[0]
    return [each for each in STORED if each.stem.partition("+")[0] == first]


def stored(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def read(example: dict[str, Any]) -> DomainEvent:
    return decode(example["kind"], example["data"], example["record"], example["values"])


def test_every_kind_has_a_golden_file_and_every_file_a_kind():
    names = {f"{path.stem.partition('+')[0]}.json" for path in STORED}
    assert names == {file_of(kind).name for kind in (*KINDS, *UPCASTS)}


def test_every_event_that_a_module_of_the_domain_defines_is_in_the_catalogue():
    """Modules of open records are loaded when one of their kinds is met, so what they define is said beside them."""
    defined = set[type[DomainEvent]]()
    for found in pkgutil.walk_packages(lifecycle.domain.__path__, "lifecycle.domain."):
        module = import_module(found.name)
        defined |= {one for one in vars(module).values() if isinstance(one, type) and issubclass(one, DomainEvent)}
    assert {kind: KINDS[kind] for kind in KINDS} == {one.kind: one for one in defined - {DomainEvent}}


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_stored_example_is_read_and_would_be_written_the_same(path: Path):
    """Fields that a kind gained later may be absent from an old file: those, and only those, are written anew."""
    example = stored(path)
    event = read(example)
    assert type(event).kind == example["kind"] or example["kind"] in UPCASTS
    if example["kind"] in UPCASTS:
        return
    assert event.header_data() == example["data"]
    assert event.record_words() == example["record"]
    assert dict(event.values) == example["values"]


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_stored_example_says_something_in_every_field(path: Path):
    """Otherwise its encoding could change without anybody noticing."""
    example = stored(path)
    event = read(example)
    if example["kind"] in UPCASTS:
        return
    said = {"values"}.union(*(set(each["data"]) | set(each["record"]) for each in map(stored, of_kind(path))))
    assert set(type(event).model_fields) <= said
    assert all(value not in ([], {}, "", None) for value in example["data"].values())


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_stored_example_is_read_without_its_words_and_values(path: Path):
    example = stored(path)
    for withheld in (Withheld.SEALED, Withheld.ERASED):
        values = dict.fromkeys(example["values"], withheld)
        event = decode(example["kind"], example["data"], withheld, values)
        assert all(getattr(event, name) is withheld for name in type(event).record_fields)
        assert all(value is withheld for value in event.values.values())


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_nothing_of_the_words_and_values_stands_in_the_header(path: Path):
    example = stored(path)
    header = json.dumps(example["data"])
    for said in (*example["record"].values(), *example["values"].values()):
        assert said not in header


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_stored_name_with_a_version_and_a_schema(kind: str):
    name, version = kind.split("/")
    assert name == name.lower()
    assert version.isdigit()
    schema = KINDS[kind].model_json_schema()
    assert {"occurred_at"} <= set(schema["properties"])
    assert json.dumps(schema)


def test_a_kind_that_a_later_program_wrote_is_named_in_the_error():
    with pytest.raises(UnknownKind, match="later-fact/1") as unknown:
        decode("later-fact/1", {"occurred_at": datetime.now(UTC).isoformat()})
    assert unknown.value.remedy


def test_a_stored_fact_with_a_field_that_nobody_knows_is_not_read_and_its_words_are_not_told():
    with pytest.raises(ValueError, match="no_such_field") as wrong:
        decode(
            "guardian-recorded/1",
            {"occurred_at": "2025-03-01T02:00:00Z", "guardian": "g", "no_such_field": 1},
            {"reference": "email:mum@example.com"},
        )
    assert "mum@example.com" not in str(wrong.value)
    assert whole(read(stored(STORED[0])))


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_who_opens_nothing_reads_the_same_in_a_shorter_way(path: Path):
    example = stored(path)
    whole_way = decode(
        example["kind"], example["data"], Withheld.SEALED, dict.fromkeys(example["values"], Withheld.SEALED)
    )
    assert decode_sealed(example["kind"], example["data"], list(example["values"])) == whole_way
