"""A version that is published has people told by itself, each once, where what they are told has a place to go to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from clauses.partners import done
from clauses.revised import AFTER, BEFORE, EFFECTIVE, PUBLISHED, publish, revision, tell
from forked import Forks
from processes.killing import killed_at_each_moment
from whole.stores import ANN, BEN, Store

from lifecycle.engine import open_engine
from lifecycle.policy.succession import offered

SECOND = revision(version="2.0")
PEOPLE = [{"ref": f"user-{number}"} for number in range(5)]
NAMES = ("tell-people-of-a-revision", "tell-whoever-comes-before-the-day")


def with_notices(store: Store, folder: Path) -> Store:
    store.engine.close()
    store.engine = open_engine(store.settings.db, keys=store.settings.keys, notices=folder / "notices")
    return store


@pytest.fixture
def telling(store: Store, tmp_path: Path) -> Store:
    return with_notices(store, tmp_path)


def agreed(store: Store, *people: dict[str, str], at: str = BEFORE) -> None:
    for person in people:
        done(store.consent(subject=person, at=at))


def sent(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8")) for path in sorted((folder / "notices").glob("*.json"))]


def told(store: Store, people: Sequence[dict[str, str]]) -> list[tuple[int, int]]:
    """Of each, how many notices were given and how many went out."""
    kinds = [store.kinds(person) for person in people]
    return [(each.count("notice-given"), each.count("notice-sent")) for each in kinds]


def test_at_the_next_tick_everybody_whom_it_concerns_is_told_and_it_goes_out(telling: Store, tmp_path: Path):
    agreed(telling, *PEOPLE)
    done(telling.do("receive-request", subject=ANN, kind="enquiry", channel="email", text="what is this?"))
    publish(telling, SECOND)
    assert told(telling, PEOPLE) == [(0, 0)] * 5
    telling.engine.sweep()
    assert told(telling, PEOPLE) == [(1, 1)] * 5
    assert "notice-given" not in telling.kinds(ANN)  # nothing is held of her
    notices = sent(tmp_path)
    assert {(each["about"], each["channel"]) for each in notices} == {("policy", "website-notice")}
    assert {each["subject"] for each in notices} == {str(telling.engine.read.subject_id(each)) for each in PEOPLE}
    assert all(f"version 2.0 takes effect on {EFFECTIVE}" in each["text"]["en"] for each in notices)
    telling.engine.advance_clock(datetime.fromisoformat(AFTER))
    done(telling.collect(subject=PEOPLE[0]))
    assert "policy-accepted-by-use" in telling.kinds(PEOPLE[0])
    assert telling.engine.revisions.to_be_told("2.0") == (0, [])
    assert {row["verdict"] for row in telling.engine.read.re_decide(PEOPLE[0])} <= {"same"}


def test_without_a_place_for_notices_nobody_is_said_to_have_been_told(store: Store, tmp_path: Path):
    agreed(store, ANN)
    publish(store, SECOND)
    store.engine.sweep()
    assert "notice-given" not in store.kinds()
    with_notices(store, tmp_path).engine.sweep()
    assert told(store, [ANN]) == [(1, 1)]


def test_who_comes_before_the_day_is_told_and_who_comes_on_it_begins_under_it(telling: Store, tmp_path: Path):
    publish(telling, SECOND)
    telling.engine.sweep()
    agreed(telling, ANN, at=PUBLISHED)
    telling.engine.sweep()
    assert told(telling, [ANN]) == [(1, 1)]
    telling.engine.advance_clock(datetime.fromisoformat(AFTER))
    done(telling.consent(subject=BEN, notice="2.0"))
    telling.engine.sweep()
    assert "notice-given" not in telling.kinds(BEN)
    assert [each["subject"] for each in sent(tmp_path)] == [str(telling.engine.read.subject_id(ANN))]


def test_whoever_was_told_at_once_is_not_told_again(telling: Store, tmp_path: Path):
    agreed(telling, ANN, BEN)
    publish(telling, SECOND)
    done(tell(telling))
    telling.engine.revisions.notify("2.0")
    telling.engine.sweep()
    assert told(telling, [ANN, BEN]) == [(1, 1), (1, 1)]
    assert len(sent(tmp_path)) == 2


def test_of_a_version_that_was_replaced_nobody_is_told_any_more(store: Store, tmp_path: Path):
    agreed(store, ANN)
    publish(store, SECOND)
    store.engine.advance_clock(datetime.fromisoformat(AFTER))
    publish(store, revision(version="3.0", effective="2025-08-01"), at=AFTER)
    store.engine.advance_clock(datetime.fromisoformat("2025-08-01T09:00:00+08:00"))
    policies = store.engine.policies.all()
    assert [each.version for each in offered(policies, store.engine.clock.now())] == ["3.0"]
    with_notices(store, tmp_path).engine.sweep()
    assert [each["data"]["notice"] for each in store.engine.read.history(ANN) if each["kind"] == "notice-given/1"] == [
        "3.0"
    ]


def test_it_is_written_in_the_language_that_the_person_has_stated(telling: Store, tmp_path: Path):
    agreed(telling, ANN, BEN)
    done(telling.do("state-language", subject=ANN, language="zh"))
    assert telling.do("state-language", subject=ANN, language="zh").outcome == "nothing"
    assert telling.do("state-language", subject=BEN, language="tlh").outcome == "invalid"
    publish(telling, SECOND)
    telling.engine.sweep()
    texts = {each["subject"]: set(each["text"]) for each in sent(tmp_path)}
    assert texts == {
        str(telling.engine.read.subject_id(ANN)): {"zh"},
        str(telling.engine.read.subject_id(BEN)): {"en", "zh"},
    }


def test_killed_at_any_moment_everybody_is_told_once_and_of_everybody_there_is_one_file(
    store: Store, forks: Forks, tmp_path: Path
):
    agreed(store, *PEOPLE)
    publish(store, SECOND)
    deaths = killed_at_each_moment(forks, store, tmp_path)
    assert told(store, PEOPLE) == [(1, 1)] * 5
    assert len(sent(tmp_path)) == 5
    for where in ("event_header", "reaction_position", "notices"):
        assert any(where in moment for moment in deaths), (where, deaths)
    behind = with_notices(store, tmp_path).engine.reacting.behind()
    assert {name: behind[name] for name in NAMES} == dict.fromkeys(NAMES, 0)
