"""A simulated store's clock stands still, only moves forward, and brings what falls due when it is advanced."""

from __future__ import annotations

from cli.doors import ANN, WHO, Door, about, collect, consent, document, jsonl

ADVANCE = "advance-clock"


def test_the_clock_stands_still_between_calls_and_only_moves_forward(door: Door):
    door("projections", "status", "--now", "2024-09-01T00:00:00+08:00")
    back = door("--now", "2024-08-31T23:59:59+08:00", "subject", "show", *WHO, code=1)
    assert "stands at 2024-08-31T16:00:00" in back.err
    assert "only moves forward" in back.err
    (late,) = door.apply(consent())
    assert late["outcome"] == "done"
    (future,) = door("apply", "-", stdin=jsonl(consent("c-9", at="2024-09-01T00:00:01+08:00"))).lines
    assert future["code"] == "in-the-future"


def test_an_ordinary_store_refuses_to_have_its_clock_set_in_any_way(empty: Door):
    empty("init", "--policy", "policy.toml")
    assert "real time" in empty("--now", "2030-01-01T00:00:00Z", "projections", "status", code=1).err
    assert empty.apply(consent())[0]["code"] == "not-simulated"
    assert empty.apply({"command": ADVANCE, "to": "2030-01-01T00:00:00Z"})[0]["code"] == "not-simulated"


def test_a_simulated_store_begins_when_it_is_told_to(empty: Door):
    made = empty("init", "--policy", "policy.toml", "--simulated", "--now", "2024-12-24T18:00:00+01:00", "--json").json
    assert made["simulated"] is True
    assert made["clock"].startswith("2024-12-24T17:00:00")
    assert made["policy"] == "recruiting-site/1.0"


def test_advancing_the_clock_does_in_order_what_falls_due_each_at_its_own_instant(door: Door):
    visit = [
        consent("v-1", purposes=["website-browsing"]),
        collect("v-2", purpose="website-browsing", data={"ip-address": "203.0.113.9"}),
    ]
    done = door.apply(*visit, consent(), collect(), {"command": ADVANCE, "id": "later", "to": "2027-01-01T00:00:00Z"})
    assert (done[-1]["id"], done[-1]["outcome"]) == ("later", "done")
    trail = door("audit", "trail", "--json").json
    expired = [(row["recorded_at"], row["purpose"]) for row in trail if row["kind"] == "retention-expired/1"]
    assert expired == sorted(expired)
    assert set(expired) == {("2025-01-28T16:00:00Z", "website-browsing"), ("2026-08-01T16:00:00Z", "free-trial")}
    assert door("retention", "due", "--json").json == []


def test_advancing_in_two_steps_is_advancing_in_one(door: Door):
    steps = [{"command": ADVANCE, "to": f"{year}-01-01T00:00:00Z"} for year in (2025, 2026, 2027)]
    door.apply(consent(), collect(), *steps)
    (expired,) = {
        row["recorded_at"] for row in door("audit", "trail", "--json").json if row["kind"] == "retention-expired/1"
    }
    assert expired == "2026-08-01T16:00:00Z"


def test_a_malformed_advance_is_invalid(door: Door):
    wrong = [
        {"command": ADVANCE},
        {"command": ADVANCE, "to": "tomorrow"},
        {"command": ADVANCE, "to": "2027-01-01T00:00:00"},
        {"command": ADVANCE, "to": "2027-01-01T00:00:00Z", "for": "fun"},
    ]
    assert {outcome["outcome"] for outcome in door.apply(*wrong, code=1)} == {"invalid"}


def test_what_a_dry_run_names_is_what_the_sweep_then_does(door: Door):
    people = [each for number in range(5) for each in about(number)]
    hold = document("h", "place-hold", subject={"email": "p0@example.com"}, hold="h", reason="court", authority="court",
                    at="2024-09-01T00:00:00+08:00")  # fmt: skip
    door.apply(consent(), collect(), *people, hold)
    late = ("--now", "2026-09-01T00:00:00+08:00")
    named = door(*late, "retention", "sweep", "--dry-run", "--json").json
    assert named == door("retention", "due", "--json").json
    assert door("retention", "sweep", "--dry-run", "--json").json == named  # it changed nothing
    assert "the storage period is over" in door("retention", "due").out
    swept = door("retention", "sweep", "--json").json
    assert swept["people"] == len({row["subject"] for row in named}) == 6
    assert swept["erased"] == 5
    trail = door("audit", "trail", "--json").json
    touched = {row["subject"] for row in trail if row["kind"] == "retention-expired/1"}
    assert touched == {row["subject"] for row in named}
    assert set(door("retention", "sweep", "--json").json.values()) == {0}
    assert door("subject", "holdings", "--subject", f"email={ANN['email']}", "--json").json[0]["state"] == "erased"


def test_a_sweep_expunges_and_a_dry_run_says_whom_it_would(door: Door):
    person = door.apply(consent(), collect(), document("e-1", "erase", subject=ANN, ground="7.3c",
                                                       at="2024-08-01T11:00:00+08:00"))[-1]["subject"]  # fmt: skip
    door("vault", "rotate")
    early = ("--now", "2027-08-01T23:59:59+08:00")
    assert door(*early, "retention", "sweep", "--dry-run", "--json").json == []
    late = ("--now", "2027-08-02T00:00:00+08:00")
    (named,) = door(*late, "retention", "sweep", "--dry-run", "--json").json
    assert (named["subject"], named["what"], named["due"]) == (person, "evidence", "2027-08-01T16:00:00Z")
    assert "the evidence of it need not be kept" in door("retention", "due").out.replace("\n", " ")
    swept = door("retention", "sweep", "--json").json
    assert swept == {"people": 0, "expired": 0, "erased": 0, "expunged": 1, "records": 0, "busy": 0}
    assert door("retention", "sweep", "--dry-run", "--json").json == []
    door("subject", "history", "--subject", f"id={person}", code=1)
