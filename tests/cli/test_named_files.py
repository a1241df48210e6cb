"""A file of documents may name the policy that it publishes; the path counts from where that file lies."""

from __future__ import annotations

from typing import Any

import pytest
from cli.doors import CANARY, Door, document

from lifecycle.policy.examples import example_policy_text


def publishing(id: str = "p-1", **fields: Any) -> dict[str, Any]:
    return document(id, "publish-policy", **fields)


@pytest.fixture
def beside(door: Door) -> Door:
    (door.folder / "bulk").mkdir()
    (door.folder / "bulk" / "same.toml").write_text("\ufeff" + example_policy_text(), encoding="utf-8")
    return door


def test_a_policy_that_a_document_names_is_read_from_beside_the_file_of_documents(beside: Door):
    beside.write("bulk/docs.jsonl", publishing(file="same.toml"))
    assert [each["outcome"] for each in beside("apply", "bulk/docs.jsonl").lines] == ["nothing"]  # it is published
    assert beside("import", "bulk/docs.jsonl", "--json").json["nothing"] == 1
    newer = example_policy_text().replace('version = "1.0"', 'version = "1.1"', 1)
    (beside.folder / "newer.toml").write_text(newer, encoding="utf-8")
    beside.write("bulk/newer.jsonl", publishing(id="p-2", file="../newer.toml"))
    (refused,) = beside("apply", "bulk/newer.jsonl").lines
    assert (refused["id"], refused["code"]) == ("p-2", "effective-before-notice")


def test_from_standard_input_the_path_counts_from_the_working_folder(beside: Door):
    assert [each["outcome"] for each in beside.apply(publishing(file="bulk/same.toml"))] == ["nothing"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"file": f"{CANARY}.toml"}, "file: cannot be read"),
        ({"file": "bulk"}, "file: cannot be read"),
        ({"file": "\x00"}, "file: cannot be read"),
        ({"file": 7}, "file: should be the path"),
        ({"file": "bulk/same.toml", "text": "x"}, "either `file` or `text`"),
        ({"file": "bulk/not-utf-8"}, "file: is not UTF-8"),
        ({"file": "bulk/faulty.toml"}, "effective"),
    ],
    ids=lambda each: "" if isinstance(each, dict) else each,
)
def test_a_file_that_is_of_no_use_is_invalid_and_its_path_is_not_told(beside: Door, fields: Any, said: str):
    (beside.folder / "bulk" / "not-utf-8").write_bytes(b"\xff\xfe\xff")
    faulty = example_policy_text().replace("effective = 2024-07-15", 'effective = "soon"')
    (beside.folder / "bulk" / "faulty.toml").write_text(faulty, encoding="utf-8")
    (outcome,) = beside.apply(publishing(**fields), code=1)
    assert (outcome["id"], outcome["outcome"]) == ("p-1", "invalid")
    assert said in outcome["message"]
    assert CANARY not in str(outcome)
