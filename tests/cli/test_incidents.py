"""incident …: from the detection to the end, for people and for programs."""

from __future__ import annotations

from cli.doors import CANARY, WHO, Door

SAID = ("became-aware", "chronology", "cause", "people", "categories", "consequences", "measures", "contact",
        "what-people-can-do")  # fmt: skip
CONTENTS = [word for key in SAID for word in ("--say", f"{key}=as it was")]
WINDOW = ("--from", "2024-08-01T10:00:00+08:00", "--to", "2024-08-02T10:00:00+08:00")


def begun(lived: Door) -> Door:
    lived("--now", "2024-08-03T10:00:00+08:00", "incident", "detect", "laptop", "--nature", "leak", *WINDOW,
          "--store", "engine")  # fmt: skip
    lived("incident", "assess", "laptop", "--severity", "high", "--risk", "significant", "--cause", "stolen")
    return lived


def test_an_incident_is_taken_from_its_detection_to_its_end(lived: Door):
    begun(lived)
    assert lived("--json", "incident", "notify", "laptop", "--dry-run").json["to_tell"] == 1
    lived("incident", "remedy", "laptop", "--measure", "wiped")
    lived("incident", "authority", "laptop", "--name", "PDPC", *CONTENTS)
    told = lived("--json", "incident", "notify", "laptop", "--channel", "email", *CONTENTS).json
    assert (told["told"], told["untold"]) == (1, 0)
    lived("incident", "close", "laptop", "--conclusion", "over")
    (row,) = lived("--json", "incident", "list").json
    assert (row["name"], row["status"], row["people"], row["told"]) == ("laptop", "closed", 1, 1)
    kinds = [event["kind"] for event in lived("--json", "subject", "history", *WHO).json]
    assert "subject-told-of-incident/1" in kinds


def test_who_was_hit_is_told_in_numbers_and_without_a_value(lived: Door):
    begun(lived)
    counted = lived("--json", "incident", "affected", "laptop").json
    assert counted["people"] == 1
    shown = lived("incident", "show", "laptop")
    assert "policy@1.0" in shown.out
    assert CANARY not in shown.everything + lived("incident", "affected", "laptop").everything


def test_a_dry_run_puts_nothing_on_record(lived: Door):
    version = begun(lived)("--json", "incident", "show", "laptop").json["version"]
    assert "Would be told: 1 people" in lived("incident", "notify", "laptop", "--dry-run").out
    lived("incident", "affected", "laptop")
    assert lived("--json", "incident", "show", "laptop").json["version"] == version


def test_a_refusal_and_an_unknown_incident_end_with_an_error(lived: Door):
    begun(lived)
    assert "measures" in lived("incident", "waive", "laptop", code=1).out
    assert "No incident" in lived("incident", "show", "desk", code=1).err
    assert "--say" in lived("incident", "notify", "laptop", "--channel", "email", "--say", "x", code=1).err
