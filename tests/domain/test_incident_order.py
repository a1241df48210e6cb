"""Every command about an incident in every state: it has a place there, or it is refused and nothing follows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.incident import deciding
from lifecycle.domain.incident import refusals as r
from lifecycle.domain.incident.deciding import TABLE
from lifecycle.domain.incident.events import Scope
from lifecycle.domain.incident.incident import Incident, Status
from lifecycle.domain.incident.tally import Counted
from lifecycle.policy.examples import example_policy_text
from lifecycle.policy.loading import parse_policy

NOW = datetime(2025, 3, 1, 2, tzinfo=UTC)
ASKED = Asked(NOW, NOW, parse_policy(example_policy_text()))
CONTENTS = dict.fromkeys(
    ("became-aware", "chronology", "cause", "people", "categories", "consequences", "measures", "contact",
     "what-people-can-do"), "as it was",
)  # fmt: skip
COUNTED = Counted(people=2, holdings=2, untold=2, digest="ab" * 32)

COMMANDS: dict[str, Any] = {
    "detect-incident": lambda i: deciding.detect(
        i, ASKED, nature="leak", starts=NOW, ends=None, scope=Scope(store="engine"), description=None
    ),
    "assess-incident": lambda i: deciding.assess(
        i, ASKED, severity="high", risk="possible", cause="theft", starts=None, ends=None, scope=None
    ),
    "take-remedy": lambda i: deciding.remedy(i, ASKED, measure="wiped"),
    "notify-authority": lambda i: deciding.notify_authority(
        i, ASKED, jurisdictions=(), authority="PDPC", reference=None, contents=CONTENTS
    ),
    "notify-subjects": lambda i: deciding.notify_subjects(i, ASKED, channel="email", contents=CONTENTS),
    "waive-subject-notice": lambda i: deciding.waive(i, ASKED, measures="wiped", evidence="log"),
    "reopen-incident": lambda i: deciding.reopen(
        i, ASKED, reason="order", authority="PDPC", reference="7", ordered=True
    ),
    "close-incident": lambda i: deciding.close(i, ASKED, conclusion="over"),
}


def after(*decide: Any, incident: Incident | None = None) -> Incident:
    incident = incident or Incident("laptop")
    for each in decide:
        decision: Decision = each(incident)
        for event in decision.events:
            incident = incident.fold(event)
    return incident


def counted(incident: Incident) -> Decision:
    return deciding.count(incident, ASKED, COUNTED, NOW)


DETECTED = after(COMMANDS["detect-incident"])
READY = after(
    COMMANDS["assess-incident"], counted, COMMANDS["take-remedy"], COMMANDS["notify-authority"], incident=DETECTED
)
WAIVED = after(COMMANDS["waive-subject-notice"], incident=READY)
STATES = {
    Status.UNKNOWN: Incident("laptop"),
    Status.DETECTED: DETECTED,
    Status.ASSESSED: READY,
    Status.WAIVED: WAIVED,
    Status.CLOSED: after(COMMANDS["close-incident"], incident=WAIVED),
}
CONDITIONS = (r.IncidentNoticeMissing, r.OrderedByAuthority)  # not of order, but of what was done before


def test_the_states_of_this_test_are_what_they_are_called():
    assert {status: incident.status for status, incident in STATES.items()} == {each: each for each in Status}
    assert TABLE.keys() == set(Status)
    assert set().union(*TABLE.values()) == set(COMMANDS)


@pytest.mark.parametrize(("status", "command"), list(product(Status, COMMANDS)))
def test_a_command_is_taken_where_the_table_says_and_refused_everywhere_else(status: Status, command: str):
    incident = STATES[status]
    if command in TABLE[status]:
        try:
            COMMANDS[command](incident)
        except CONDITIONS:
            assert (status, command) == (Status.ASSESSED, "close-incident")
        return
    if command == "detect-incident":  # the same again is nothing new, in every state
        assert not COMMANDS[command](incident).events
        return
    expected = r.UnknownIncident if status is Status.UNKNOWN else r.IncidentOutOfOrder
    with pytest.raises(expected):
        COMMANDS[command](incident)


def test_what_time_brings_is_said_once_for_each_limit():
    late = Asked(NOW + timedelta(hours=73), NOW + timedelta(hours=73), ASKED.policy)
    missed = after(lambda i: i.fall_due(late), incident=DETECTED)
    assert missed.version == DETECTED.version + 2
    assert not missed.fall_due(late).events
    assert not missed.calendar(ASKED.policy)


def test_nothing_is_due_a_moment_before_the_limit():
    early = NOW + timedelta(hours=72) - timedelta(microseconds=1)
    assert not DETECTED.fall_due(Asked(early, early, ASKED.policy)).events
    assert {at for at, _ in DETECTED.calendar(ASKED.policy)} == {NOW + timedelta(hours=72)}


def test_from_five_hundred_people_on_singapore_is_told_whatever_the_risk():
    many = COUNTED.model_copy(update={"people": 500, "untold": 500})
    few = COUNTED.model_copy(update={"people": 499, "untold": 499})
    reached = [deciding.count(DETECTED_AND_ASSESSED, ASKED, each, NOW).events[0] for each in (many, few)]
    assert [event.thresholds for event in reached] == [("SG.significant-scale",), ()]  # type: ignore[attr-defined]
    assert [[due.rule for due in event.dues] for event in reached] == [["SG.commission-told"], []]  # type: ignore[attr-defined]


DETECTED_AND_ASSESSED = after(COMMANDS["assess-incident"], incident=DETECTED)


def test_the_same_count_again_is_nothing_new():
    assert not deciding.count(READY, ASKED, COUNTED, NOW).events


def test_a_count_of_fewer_people_says_by_how_many():
    (event,) = deciding.count(READY, ASKED, Counted(people=1, digest="cd" * 32), NOW).events
    assert event.fewer == 1  # type: ignore[attr-defined]
