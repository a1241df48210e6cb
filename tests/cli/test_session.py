"""One terminal session from nothing to an erasure, as the README shows it, on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.doors import CANARY, WHO, Door, about, collect, consent, document


def test_a_whole_life_at_the_command_line(
    empty: Door, empty_database_url: str, keys: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LIFECYCLE_DB", empty_database_url)
    monkeypatch.setenv("LIFECYCLE_KEYS", str(keys))
    empty("projections", "status", code=1)
    empty("init", "--policy", "policy.toml", "--simulated")
    empty("migrate")
    over = collect("o-1", data={"ip-address": "203.0.113.9"})
    done = empty.apply(consent(), collect(), over, *about(1))
    assert [each["code"] or each["outcome"] for each in done] == ["done", "done", "more-than-necessary", "done", "done"]
    assert {row["state"] for row in empty("subject", "holdings", *WHO, "--json").json} == {"held"}
    empty.write("bulk.jsonl", *about(1), *about(2))
    assert empty("import", "bulk.jsonl", "--json").json["done"] == 4
    empty("projections", "rebuild")
    erase = document("e-1", "erase", subject={"email": WHO[1].partition("=")[2]}, ground="7.3c",
                     at="2024-09-01T10:00:00+08:00")  # fmt: skip
    (erased,) = empty.apply(erase)
    assert set(erased["receipt"]) == {"sid", "salt"}
    assert {effect["result"] for effect in erased["effects"]} == {"erased"}
    ended = empty("vault", "rotate", "--json").json
    assert ended == {"ended": 1, "finalised": 2, "people": 1}  # her second stream says what was refused
    assert "Nobody on record" in empty("subject", "show", *WHO, code=1).err
    by_id = ("--subject", f"id={erased['subject']}")
    assert {row["state"] for row in empty("subject", "holdings", *by_id, "--json").json} == {"erased"}
    assert "erasure finalised" in empty("audit", "replay", *by_id).out
    assert CANARY not in empty("subject", "history", *by_id).everything
    assert empty("vault", "status", "--json").json["people"] == 2
    empty.apply({"command": "advance-clock", "to": "2027-01-01T00:00:00Z"})
    held = empty("subject", "holdings", "--subject", "email=p2@example.com", "--json").json
    assert {row["state"] for row in held} == {"erased"}
    assert empty("vault", "rotate").out == "Epoch 2 ended; erasures are final for 2 people, on 2 streams.\n"
