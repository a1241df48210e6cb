"""One person's story: events, states, consents, recipients, who asked, and what falls due; never a value."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from lives import SUMMER, Town, asks_erasure, consents, corrects, gives, is_held, is_shared, live, steps, withdraws

from lifecycle.audit.telling import told

few = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SAID = ("Ann", "Acme", "example.com", "6591234567", "contract 7", "court", "disputed", "wrong")


def a_trial(town: Town):
    person = town.register()
    town.act(person, consents("free-trial"))
    town.act(person, gives("free-trial", "name", "email"))
    return person


def test_an_event_is_told_in_the_shape_of_the_contract(town: Town):
    person = a_trial(town)
    row = town.views().history(person)[2]
    assert row.pop("data")["purposes"] == ["free-trial"]
    assert row == {
        "version": 3,
        "position": None,
        "kind": "consent-given/1",
        "occurred_at": "2025-06-02T09:00:00Z",
        "recorded_at": "2025-06-02T09:00:00Z",
        "actor": {"id": "web-7", "role": "service"},
        "policy": town.policy.judged_by,
    }


def test_positions_are_told_once_there_are_any(town: Town):
    person = a_trial(town)
    town.sequence()
    positions = [row["position"] for row in town.views().history(person)]
    assert positions == sorted(positions)
    assert None not in positions


def test_who_acted_is_forgotten_with_the_person(town: Town):
    person = a_trial(town)
    town.act(person, asks_erasure())
    assert {row["actor"]["id"] for row in town.views().history(person)} == {None}
    assert {row["actor"]["role"] for row in town.views().history(person)} == {"service", "system"}


def test_without_keys_the_history_is_the_same_but_for_the_actors(town: Town):
    person = a_trial(town)
    sealed = town.views(with_keys=False).history(person)
    assert {row["actor"]["id"] for row in sealed} == {None}
    opened = [row | {"actor": {"id": None, "role": row["actor"]["role"]}} for row in town.views().history(person)]
    assert opened == sealed


@few
@given(lived=steps)
def test_nothing_that_is_told_holds_a_value_or_a_caller_s_words_and_all_of_it_is_json(town: Town, lived):
    for person in live(town, lived):
        views = town.views()
        everything = [
            views.history(person),
            views.judging.replay(person),
            views.consents(person),
            views.recipients(person),
            views.audit_trail(person),
            views.retention_due(SUMMER + timedelta(days=9_000)),
            views.holdings(person, as_of=town.clock.now()) and [],
        ]
        text = json.dumps(everything)
        assert not [said for said in SAID if said in text]


@few
@given(lived=steps)
def test_a_replay_ends_where_the_record_stands_and_is_the_same_every_time(town: Town, lived):
    for person in live(town, lived):
        replayed = town.views(with_keys=False).judging.replay(person)
        assert [row["version"] for row in replayed] == list(range(1, town.people[person].version + 1))
        assert replayed[-1]["state"] == told(town.people[person])
        assert town.views().judging.replay(person) == replayed


def test_a_replay_stops_where_it_is_told_to(town: Town):
    person = a_trial(town)
    town.clock.at += timedelta(days=1)
    town.act(person, corrects("name"))
    assert len(town.views().judging.replay(person)) == 5
    assert len(town.views().judging.replay(person, as_of=SUMMER)) == 4


def test_sets_are_told_in_one_order_in_every_process():
    program = "from lifecycle.audit.telling import told; print(told(frozenset('abcdefgh')))"
    printed = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1


def test_consents_are_told_with_their_end_only_once_it_has_come(town: Town):
    person = a_trial(town)
    town.act(person, is_held())
    town.clock.at += timedelta(days=1)
    town.act(person, withdraws("free-trial"))
    (row,) = town.views().consents(person)
    assert (row["status"], row["until"], row["because"]) == ("withdrawn", "2025-06-03T09:00:00Z", "withdrawn")
    (row,) = town.views().consents(person, as_of=SUMMER)
    assert (row["status"], row["until"], row["because"]) == ("given", None, None)


def test_recipients_are_told_as_of_a_time_too(town: Town):
    person = a_trial(town)
    town.clock.at += timedelta(days=1)
    town.act(person, is_shared("name"))
    assert town.views().recipients(person) == [
        {
            "recipient": "udesk",
            "kind": "trustee",
            "name": "Beijing Vodafone Times Data Technology Co., Ltd.",
            "holding": "h1",
            "category": "name",
            "first": "2025-06-03T09:00:00Z",
            "last": "2025-06-03T09:00:00Z",
            "times": 1,
            "gag_until": None,
        }
    ]
    assert town.views().recipients(person, as_of=SUMMER) == []


def test_what_falls_due_is_told_with_purpose_and_rule(town: Town):
    person = a_trial(town)
    town.sequence()
    town.follower().catch_up()
    rows = town.views().retention_due(SUMMER + timedelta(days=800))
    assert rows[0] == {
        "subject": str(person),
        "due": "2027-06-02T16:00:00Z",
        "what": "retention",
        "holding": "h1",
        "ground": 1,
        "purpose": "free-trial",
        "rule": "free-trial@1.0",
    }


def test_the_trail_of_everybody_has_the_policy_in_it_too(town: Town):
    a_trial(town)
    town.sequence()
    rows = town.views().audit_trail()
    assert (rows[0]["kind"], rows[0]["subject"]) == ("policy-published/1", None)
    assert len(rows) == 5
