"""`audit replay --re-decide`: quiet where all is as it was decided, an alarm where it cannot have been."""

from __future__ import annotations

import os

from cli.doors import ANN, CANARY, WHO, Door

from lifecycle.domain.event import Judged
from lifecycle.domain.subject.events import ActivityRecorded
from lifecycle.engine import open_engine
from lifecycle.storage.appending import Appending, load_heads

AGAIN = ("audit", "replay", "--re-decide", *WHO)


def forge(door: Door) -> None:
    """An activity that nothing was collected for, appended below the engine."""
    with open_engine(f"sqlite:///{door.folder / 'store.db'}", keys=door.folder / "keys") as engine:
        person = engine.read.subject_id(ANN)
        with engine.database.read() as c:
            head, keys = load_heads(c, [person])[person], engine.vault.keys_of(c, [person])[person]
        policy = engine.policies.newest()
        assert policy is not None
        appending = Appending()
        judged = Judged(os.urandom(32).hex(), "service", policy.judged_by, actor=CANARY)
        fact = ActivityRecorded(occurred_at=engine.clock.now(), purpose="quotation")
        appending.append(head, keys, fact, judged, engine.clock.now())
        engine.streams.save(*appending.recorded, rows=appending.rows)


def test_what_was_decided_comes_out_the_same(lived: Door):
    rows = lived(*AGAIN, "--json").json
    assert [(row["versions"], row["command"], row["verdict"], row["because"]) for row in rows] == [
        ([1, 3], "give-consent", "same", None),
        ([4, 4], "collect", "same", None),
    ]
    assert set(rows[0]) == {"versions", "command", "policy", "recorded_at", "verdict", "because"}
    said = lived(*AGAIN).out
    assert "1 to 3" in said
    assert "give consent" in said


def test_what_cannot_have_been_decided_is_an_alarm(lived: Door):
    forge(lived)
    for json in ((), ("--json",)):
        said = lived(*AGAIN, *json, code=1)
        assert said.err == "Alarm: 5 cannot have been decided as recorded: what follows is nothing.\n"
        assert CANARY not in said.everything
    assert [row["verdict"] for row in lived(*AGAIN, "--json", code=1).json] == ["same", "same", "different"]


def test_until_then_there_was_no_alarm(lived: Door):
    until = "2024-08-01T10:00:06+08:00"
    lived("projections", "status", "--now", "2024-08-01T12:00:00+08:00")
    forge(lived)
    assert len(lived(*AGAIN, "--as-of", until, "--json").json) == 2
    lived(*AGAIN, code=1)
