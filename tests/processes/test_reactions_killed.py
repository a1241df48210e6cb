"""Reactions whose process is killed at any moment: between the event and the command, after it, or before the letter."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

from forked import Forks
from processes.killing import killed_at_each_moment
from sharing_with import duties, engaged, given
from whole.stores import Store

PEOPLE = [{"ref": f"user-{number}"} for number in range(5)]


def letters(folder: Path) -> list[str]:
    return sorted(json.loads(path.read_text())["instruction"] for path in (folder / "outbox").rglob("*.json"))


def shared_with_udesk(store: Store) -> None:
    engaged(store)
    for person in PEOPLE:
        given(store, "name", subject=person)


def test_what_a_trustee_received_is_asked_back_once_of_each_and_each_has_one_letter(
    store: Store, forks: Forks, tmp_path: Path
):
    shared_with_udesk(store)
    assert store.do("end-agreement", trustee="udesk").outcome == "done"
    deaths = killed_at_each_moment(forks, store, tmp_path)
    asked = duties(store)
    assert sorted(str(each["subject"]) for each in asked) == sorted(
        str(store.engine.read.subject_id(person)) for person in PEOPLE
    )
    assert {each["state"] for each in asked} == {"open"}
    assert letters(tmp_path) == sorted(each["instruction"] for each in asked)
    assert [store.kinds(person).count("recipient-instructed") for person in PEOPLE] == [1] * 5
    for where in ("event_header", "reaction_position", "outbox"):
        assert any(where in moment for moment in deaths), (where, deaths)


def test_each_recipient_that_is_overdue_is_one_finding(store: Store, forks: Forks, tmp_path: Path):
    shared_with_udesk(store)
    assert store.do("end-agreement", trustee="udesk").outcome == "done"
    store.engine.react()
    due = max(datetime.fromisoformat(each["due"]) for each in duties(store))
    store.engine.move_clock(due + timedelta(seconds=1))
    store.engine.sweeping(store.engine.clock.now())  # they are overdue, and nobody has reacted yet
    assert {each["state"] for each in duties(store)} == {"overdue"}
    assert store.engine.trustee("udesk")["findings"] == []
    deaths = killed_at_each_moment(forks, store, tmp_path)
    assert len(store.engine.trustee("udesk")["findings"]) == len(PEOPLE)
    assert any("event_header" in moment for moment in deaths), deaths
