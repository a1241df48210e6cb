"""`lifecycle demo`: two years in seconds, told for people, with the files left to look at."""

from __future__ import annotations

import pytest
from cli.doors import Door

from lifecycle.cli.demo import Told, play
from lifecycle.cli.demo_report import as_text
from lifecycle.cli.story import LOOKS, PEOPLE, STORY, VALUES

FACTS = [
    "the form also tries to keep her internet address",
    "Purpose 'free-trial' does not need",
    "does not",  # the agreement does not cover her name
    "the form is sent a second time",
    "nothing",
    "the storage period is over (website-browsing)",
    "the storage period is over (quotation)",
    "nothing justifies keeping it: erased",
    "kept locked away",
    "the program is stopped and started again",
    "a court forbids deleting anything about him",
    "the law wants it kept",
    "to be answered by 2025-02-14",  # not 02-12: two holidays of Lunar New Year
    "that is overdue",
    "as a finding against it",
    "Nothing is on record that was done about the",
    "data of theirs was on the laptop",
    "version 1.1 is in force",
    "for the engine she is a new person",
    "it was the same, to the last detail",
    "Dora was handed a receipt",
    "Look further:",
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return play(tmp_path_factory.mktemp("demo") / "here")


def test_it_tells_the_whole_story(told: Told, capsys: pytest.CaptureFixture[str]):
    as_text(told)
    said = capsys.readouterr().out
    for fact in FACTS:
        assert fact in said
    for step in STORY:
        assert step.at[:10] in said
    for look in LOOKS:
        assert f"What the company held about Ann on {look[:10]}" in said
    assert said.count("REFUSED") == 4
    assert "\x1b" not in said
    assert str(told.folder) in said
    for values in VALUES.values():
        assert not any(value in said for category, value in values.items() if category in ("name", "phone"))


def test_what_it_offers_to_look_further_works(empty: Door, told: Told, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LIFECYCLE_DB", told.settings.db)
    monkeypatch.setenv("LIFECYCLE_KEYS", str(told.settings.keys))
    ann = ("--subject", f"email={PEOPLE['Ann']['email']}")
    assert "personal data collected" in empty("subject", "history", *ann).out
    assert "held" in empty("subject", "holdings", *ann, "--as-of", LOOKS[1]).out
    assert "refused" in empty("audit", "trail").out
    assert "erasure completed" in empty("audit", "replay", *ann).out


def test_as_json_it_proves_what_it_says_and_tells_the_same_each_time(empty: Door, told: Told):
    again = empty("demo", "--dir", "here", "--json").json
    *gone, held = again["found"]
    assert all((row["value"], row["sealed"], row["key"]) == ([], [], []) for row in gone)
    assert (held["value"], held["sealed"], held["key"]) == ([], ["lifecycle.db"], ["lifecycle.db"])
    assert again["replayed_alike"]
    assert [tuple(row) for row in again["timeline"]] == told.timeline
    assert [tuple(row) for row in again["refused"]] == told.refused
    assert again["entries"] == told.entries
    assert [row[0] for row in told.timeline] == sorted(row[0] for row in told.timeline)
    assert {row[1] for row in told.timeline} >= set(PEOPLE)
    states = {look: {row["category"]: row["state"] for row in again["holdings"][look]} for look in LOOKS}
    assert states[LOOKS[0]] == states[LOOKS[1]] == dict.fromkeys(("name", "company", "phone", "email"), "held")
    assert states[LOOKS[2]]["name"] == "erased"
    assert "holds a store already" in empty("demo", "--dir", "here", code=1).err
