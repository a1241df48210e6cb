"""The line about revisions: diff, versions, notify and explain, for people and for programs."""

from __future__ import annotations

import pytest
from clauses.revised import TRIAL_KEPT, revision
from cli.doors import CANARY, EMAIL, WHO, Door, document

from lifecycle.cli.telling import visible

SHORTER = revision((TRIAL_KEPT, "months = 6"))
NOW = "2025-06-10T09:00:00+08:00"


@pytest.fixture
def revised(lived: Door) -> Door:
    """A store in which somebody lives, with a revision that is to come."""
    (lived.folder / "newer.toml").write_text(SHORTER, encoding="utf-8")
    (published,) = lived.apply(document("p-2", "publish-policy", at=NOW, text=SHORTER))
    assert published["outcome"] == "done"
    return lived


def test_two_files_are_compared_without_a_store(empty: Door):
    (empty.folder / "newer.toml").write_text(SHORTER, encoding="utf-8")
    (found,) = empty("--json", "policy", "diff", "policy.toml", "newer.toml").json
    assert (found["number"], found["what"], found["change"], found["purpose"]) == (
        1,
        "retention",
        "shorter",
        "free-trial",
    )
    assert "retention shorter" in empty("policy", "diff", "policy.toml", "newer.toml").out
    assert empty("--json", "policy", "diff", "policy.toml", "policy.toml").json == []


def test_versions_are_compared_with_the_people_whom_it_concerns(revised: Door):
    (found,) = revised("--json", "policy", "diff", "1.0", "newer.toml").json
    assert (found["concerned"], found["to_be_asked"], found["grounds_without_cover"]) == (1, 0, 0)
    people = revised("--json", "policy", "diff", "1.0", "2.0", "--people", "1").json
    assert len(people) == 1
    assert revised("--json", "policy", "diff", "1.0", "2.0", "--people", "1", "--after", people[0]).json == []
    assert revised("policy", "diff", "1.0", "2.0", "--people", "1").out.split() == people


def test_notices_are_listed_then_given_and_versions_say_how_far_they_are(revised: Door):
    told = revised("--json", "policy", "notify", "2.0", "--dry-run").json
    assert (told["to_be_told"], len(told["people"])) == (1, 1)
    assert revised("policy", "notify", "2.0", "--dry-run").out == "1 to be told of version 2.0.\n"
    assert revised("--json", "policy", "notify", "2.0", "--channel", "email").json == {
        "version": "2.0", "channel": "email", "told": 1, "refused": 0, "to_be_told": 0,
    }  # fmt: skip
    rows = revised("--json", "policy", "versions").json
    assert [(row["version"], row["told"], row["to_be_told"]) for row in rows] == [("1.0", 0, 0), ("2.0", 1, 0)]
    (row,) = revised("--json", "policy", "versions", "--told", "2.0").json
    assert row["subject"] == told["people"][0]
    assert "0 told" in revised("policy", "notify", "2.0").out


def test_the_rules_are_explained_in_general_and_for_somebody_without_a_value(revised: Door):
    general = revised("policy", "explain").out
    assert "Rules of processing, policy recruiting-site version 1.0" in general
    mine = revised("policy", "explain", *WHO)
    assert "For you, on" in mine.out
    assert CANARY not in mine.everything
    chinese = revised("--json", "policy", "explain", *WHO, "--language", "zh").json
    assert chinese["language"] == "zh"
    assert CANARY not in str(chinese)
    assert EMAIL not in str(chinese)
    past = revised("--json", "policy", "explain", "--at", "2024-07-20T00:00:00+08:00").json
    assert past["at"] == "2024-07-19T16:00:00Z"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("policy", "diff", "1.0", "7.7"), "No version"),
        (("policy", "diff", "1.0", "2.0", "--people", "9"), "none of their numbers"),
        (("policy", "diff", "1.0", "2.0", "--people", "1", "--after", "x"), "not an id"),
        (("policy", "notify", "7.7"), "No version"),
        (("policy", "notify", "2.0", "--channel", "phone"), "no notices"),
        (("policy", "explain", "--language", "fr"), "no texts"),
        (("policy", "explain", "--at", "yesterday"), "not a time"),
        (("policy", "explain", "--at", "2020-01-01T00:00:00Z"), "No policy"),
    ],
    ids=lambda each: " ".join(each[1:])[:40] if isinstance(each, tuple) else "",
)
def test_what_cannot_be_answered_says_why(revised: Door, arguments: tuple[str, ...], said: str):
    code = 1
    assert visible(said) in revised(*arguments, code=code).err
