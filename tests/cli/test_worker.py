"""The worker: leads, does what is due, says so without naming anybody, and stops when asked."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest
from cli.doors import CANARY, WHO, Door, collect, consent, jsonl

from lifecycle.clock import SystemClock
from lifecycle.engine import Engine


def test_each_duty_is_done_once_when_asked_so(empty: Door):
    empty("init", "--policy", "policy.toml")
    empty("apply", "-", stdin=jsonl(consent(at=None), collect(at=None)))
    assert empty("worker", "--once").out == ""
    assert empty("worker", "--once", "--json").json == {"failed": []}


def test_after_two_years_of_silence_it_catches_up(empty: Door, monkeypatch: pytest.MonkeyPatch):
    empty("init", "--policy", "policy.toml")
    empty("apply", "-", stdin=jsonl(consent(at=None), collect(at=None)))
    later = datetime.now(UTC) + timedelta(days=800)
    monkeypatch.setattr(SystemClock, "now", lambda _: later)
    said = empty("worker", "--once").err
    assert "duty=sweep people=1 expired=4 erased=1" in said
    assert CANARY not in said
    held = empty("subject", "holdings", *WHO, "--json").json
    assert {row["state"] for row in held} == {"erased"}
    assert empty("worker", "--once").err == ""


def test_a_duty_that_fails_is_named_without_its_message_and_the_others_are_done(
    empty: Door, monkeypatch: pytest.MonkeyPatch
):
    empty("init", "--policy", "policy.toml")

    def broken(*_: object) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(Engine, "sweep", broken)
    failed = empty("worker", "--once", "--json", code=1)
    assert failed.json == {"failed": ["sweep"]}
    assert "duty=sweep failed=RuntimeError code=bug" in failed.err
    assert CANARY not in failed.everything


def test_it_runs_until_it_is_asked_to_stop_and_logs_nothing_about_anybody(empty: Door):
    empty("init", "--policy", "policy.toml")
    running = empty.process("worker", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stderr is not None
    first = running.stderr.readline()
    assert re.search(r"lifecycle\.worker started", first)
    empty("apply", "-", stdin=jsonl(consent(at=None), collect(at=None)))
    id = empty("subject", "show", *WHO, "--json").json["subject"]
    time.sleep(1.5)  # some ticks
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0
    assert out == ""
    assert err.splitlines()[-1].endswith("lifecycle.worker stopped")
    assert not {CANARY, id} & set(re.findall(r"[\w-]+", first + err))
    assert all(re.match(r"\d{4}-\d\d-\d\d \S+ lifecycle\.worker ", line) for line in (first + err).splitlines())
