"""An access package: its schema is published, its words are complete, and nobody's data is in another's."""

from __future__ import annotations

import base64
import json
import os
import re
import zipfile
from datetime import datetime
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from founding import InAFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from whole.stores import Store

from lifecycle.audit.package import package_of
from lifecycle.audit.package_model import Package
from lifecycle.audit.package_page import page
from lifecycle.audit.package_words import LANGUAGES, package_words
from lifecycle.domain.catalogue import KINDS
from lifecycle.domain.streams import is_person_stream
from lifecycle.engine.packaging import archive

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = DOCS / "access-package.schema.json"
GOLDEN = Path(__file__).parents[1] / "golden" / "access-package-v2.json"
BEFORE = DOCS / "access-package-1.schema.json", GOLDEN.with_name("access-package-v1.json")
ON_THE_SECOND_STREAM = {"command-refused", "personal-data-read", "custody-opened"}
AT = "2024-08-01T10:00:00+08:00"


def schema() -> dict[str, Any]:
    return Package.model_json_schema(mode="serialization")


def test_the_published_schema_is_that_of_the_program():
    assert json.loads(SCHEMA.read_text("utf-8")) == schema()


def test_the_golden_package_is_read_and_written_the_same_and_somebody_elses_validator_accepts_it():
    stored = json.loads(GOLDEN.read_text("utf-8"))
    assert Package.model_validate_json(GOLDEN.read_text("utf-8")).model_dump(mode="json") == stored
    published = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.validate(stored, published, jsonschema.Draft202012Validator)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(stored | {"subject": 7}, published, jsonschema.Draft202012Validator)


def test_a_package_of_the_first_version_is_still_what_its_schema_says():
    published, stored = (json.loads(path.read_text("utf-8")) for path in BEFORE)
    jsonschema.validate(stored, published, jsonschema.Draft202012Validator)
    assert stored["schema_version"] == "lifecycle/access-package/1"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_golden_package_is_told_in_every_language(language: Any):
    package = Package.model_validate_json(GOLDEN.read_text("utf-8")).model_copy(update={"language": language})
    told = page(package, "Asia/Singapore")
    for one in package.holdings:
        assert one.no_value is not None or str(one.value) in told
    assert all(each in told for each in ("ann@example.com", "receipts/1.json"))
    words = package_words(language)
    assert all(words.code(role) in told and words.code(role) != role for role in ("officer", "custodian"))
    assert package_words(language).headings["title"] in told


def test_both_languages_say_the_same_things_and_have_words_for_every_act():
    first, *others = map(package_words, LANGUAGES)
    for other in others:
        for part in ("headings", "columns", "kinds", "codes"):
            assert getattr(first, part).keys() == getattr(other, part).keys()
    about_people = {kind for kind, event in KINDS.items() if ".domain.subject." in event.__module__}
    assert {kind.partition("/")[0] for kind in about_people} - ON_THE_SECOND_STREAM == first.kinds.keys()


@pytest.fixture(scope="module")
def people(founded_file: InAFile, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("people")
    with founded_file.store(folder, folder / "keys") as store:
        store.engine.move_clock(datetime.fromisoformat(AT))
        yield store


WORD = st.text(st.characters(categories=("Lu", "Ll", "Lo", "Nd")), min_size=1, max_size=8)
values = st.fixed_dictionaries({"name": WORD, "company": WORD})


EXAMPLES = 2_000 if os.environ.get("LIFECYCLE_EXAMPLES") == "soak" else 25


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(several=st.lists(values, min_size=2, max_size=4))
def test_the_package_of_one_person_has_nothing_of_any_other_in_any_encoding(people: Store, several: list[Any]):
    """All in one store: everybody of the examples before is somebody else, too."""
    distinct = [_marked(number, each) for number, each in enumerate(several)]
    documents = [document for person in distinct for document in _lived(people, person)]
    assert {outcome.outcome for outcome in people.engine.execute_many(documents)} == {"done"}
    for person in distinct:
        told = everything(people, {"email": person["email"]})
        marks = {mark for content in told for mark in MARK.findall(content)}
        assert marks == set(MARK.findall(person["email"].encode())), "nobody of the examples before is in it either"
        for other in distinct:
            for value in other.values():
                found = any(form in content for form in encodings(value) for content in told)
                assert found is (other is person), "a package has its own person's values, and nobody else's"


def _lived(store: Store, person: dict[str, str]) -> list[dict[str, Any]]:
    subject = {"email": person["email"]}
    given_ = {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"}
    collected = {"purpose": "free-trial", "basis": "consent", "source": "web-form", "data": person}
    asked = {"kind": "access", "channel": "email", "text": f"I am {person['name']}", "identity": "passport"}
    return [
        store.document("give-consent", AT, subject=subject, **given_),
        store.document("collect", AT, subject=subject, **collected),
        store.document("receive-request", subject=subject, **asked),
    ]


MARKS = count(1)
MARK = re.compile(rb"qZ\d+x\d+q")


def _marked(number: int, each: dict[str, str]) -> dict[str, str]:
    """No value is a part of another's: each has a number of its own."""
    mark = f"qZ{next(MARKS)}x{number}q"
    return {name: f"{value}{mark}{name}" for name, value in each.items()} | {"email": f"{mark}@example.com"}


def everything(store: Store, subject: dict[str, str]) -> list[bytes]:
    engine = store.engine
    id = engine.read.subject_id(subject)
    assert is_person_stream(id)
    with engine.database.read() as c:
        how = {"request": "r", "language": "zh", "now": engine.clock.now(), "simulated": True}
        written = archive(package_of(c, engine.vault, engine.policies, id, **how).package, "UTC")
    with zipfile.ZipFile(BytesIO(written)) as file:
        return [written, *(name.encode() for name in file.namelist()), *(file.read(name) for name in file.namelist())]


def encodings(value: str) -> list[bytes]:
    raw = value.encode()
    return [raw, base64.b64encode(raw), raw.hex().encode(), json.dumps(value)[1:-1].encode(), value.encode("utf-16-le")]
