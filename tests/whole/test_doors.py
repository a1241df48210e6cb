"""The command line: shapes, exit codes, clear errors, and not one value where it does not belong."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from lifecycle.cli import main
from lifecycle.policy.examples import example_policy_text
from lifecycle.storage import schema

CANARY = "canary-5519"
ANN = {"email": f"{CANARY}@example.com"}
DATA = {"name": f"{CANARY} Name", "company": CANARY, "phone": "+6591235519", "email": f"{CANARY}@example.com"}


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, *arguments: str, code: int | None = 0, stdin: str | None = None) -> Done:
    """The line as its entry point runs it, in this process: a new one for each call would take most of the time."""
    if stdin is not None:
        (folder / "stdin.jsonl").write_text(stdin, encoding="utf-8")
        arguments = tuple("stdin.jsonl" if argument == "-" else argument for argument in arguments)
    out, err = StringIO(), StringIO()
    environment = {"LIFECYCLE_DB": "sqlite:///store.db", "LIFECYCLE_KEYS": "keys"}
    ended: object = 0
    argv = patch.object(sys, "argv", ["lifecycle", *arguments])
    with chdir(folder), argv, patch.dict(os.environ, environment), redirect_stdout(out), redirect_stderr(err):
        try:
            main.run()
        except SystemExit as end:
            ended = end.code
    done = Done(int(str(ended or 0)), out.getvalue(), err.getvalue())
    assert "Traceback" not in done.stderr + done.stdout
    assert code is None or done.returncode == code, done.stdout + done.stderr
    return done


def document(number: int, command: str, **fields: Any) -> dict[str, Any]:
    return {"command": command, "id": f"d-{number}", "actor": {"id": CANARY, "role": "service"}, **fields}


CONSENT = document(
    1,
    "give-consent",
    at="2024-08-01T10:00:00+08:00",
    subject=ANN,
    purposes=["free-trial"],
    notice="1.0",
    channel="web-form",
)
COLLECT = document(
    2,
    "collect",
    at="2024-08-01T10:00:05+08:00",
    subject=ANN,
    purpose="free-trial",
    basis="consent",
    source="web-form",
    data=DATA,
)


def lines(*documents: Any) -> str:
    return "".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in documents)


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("initialised")
    (made / "policy.toml").write_text(example_policy_text(), encoding="utf-8")
    run(made, "init", "--policy", "policy.toml", "--simulated")
    return made


@pytest.fixture
def folder(initialised: Path, tmp_path: Path) -> Path:
    return shutil.copytree(initialised, tmp_path, dirs_exist_ok=True)


def told(done: Done) -> Any:
    return json.loads(done.stdout)


def outcomes(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_documents_are_applied_and_read_back_in_the_shapes_of_the_contract(folder: Path):
    done = run(folder, "apply", "-", "--clock", "follow", stdin=lines(CONSENT, COLLECT))
    assert [outcome["outcome"] for outcome in outcomes(done)] == ["done", "done"]
    assert set(outcomes(done)[0]) == {
        "id", "outcome", "subject", "version", "events", "code", "clause", "message", "remedy", "effects", "receipt", "request",
    }  # fmt: skip
    who = ("--subject", f"email={ANN['email']}")
    held = told(run(folder, "subject", "holdings", *who, "--json"))
    assert set(held[0]) == {
        "holding", "category", "state", "value", "masked", "grounds", "recipients", "source", "restriction", "held_by",
    }  # fmt: skip
    assert set(held[0]["grounds"][0]) == {"purpose", "basis", "since", "until", "rule", "ended", "technology"}
    assert {row["value"] for row in held if row["category"] == "email"} == {"c***@example.com"}
    history = told(run(folder, "--json", "subject", "history", *who))
    assert set(history[0]) == {"version", "position", "kind", "occurred_at", "recorded_at", "actor", "policy", "data"}
    for arguments in (("show", *who), ("consents", *who), ("recipients", *who)):
        told(run(folder, "subject", *arguments, "--json"))
    for arguments in (("projections", "status"), ("vault", "status"), ("audit", "trail"), ("retention", "due")):
        told(run(folder, *arguments, "--json"))
    assert len(told(run(folder, "audit", "replay", *who, "--json"))) == len(history)


def test_advancing_the_clock_does_in_order_what_falls_due(folder: Path):
    advance = {"command": "advance-clock", "to": "2026-08-02T00:00:00+08:00"}
    run(folder, "apply", "-", "--clock", "follow", stdin=lines(CONSENT, COLLECT, advance))
    held = told(run(folder, "subject", "holdings", "--subject", f"email={ANN['email']}", "--json"))
    assert {row["state"] for row in held} == {"erased"}


def test_a_malformed_line_in_the_middle_is_answered_and_the_rest_goes_on(folder: Path):
    broken = '{"command": "collect", "id": "x", "data": {"name": "' + CANARY
    done = run(folder, "apply", "-", "--clock", "follow", code=1, stdin=lines(CONSENT, broken, "[1]", COLLECT))
    assert [outcome["outcome"] for outcome in outcomes(done)] == ["done", "invalid", "invalid", "done"]
    assert CANARY not in done.stdout + done.stderr


def test_refusals_are_answers_and_exit_zero(folder: Path):
    done = run(folder, "apply", "-", "--clock", "follow", stdin=lines(COLLECT))
    assert outcomes(done)[0]["code"] == "consent-missing"
    assert CANARY not in done.stdout + done.stderr


HOSTILE = [
    {**CONSENT, "command": CANARY},
    {**CONSENT, CANARY: 1},
    {**CONSENT, "purposes": [f"{CANARY}@x"]},
    {**CONSENT, "channel": f"{CANARY}@x"},
    {**CONSENT, "at": f"{CANARY}"},
    {**CONSENT, "subject": {"email": f"{CANARY} at nowhere"}},
    {**CONSENT, "actor": {"id": CANARY, "role": f"{CANARY}@x"}},
    {**COLLECT, "data": {f"{CANARY}@x": CANARY}},
    {**COLLECT, "data": {"email": f"{CANARY} at nowhere", "phone": CANARY}},
    {**COLLECT, "data": {"name": [CANARY]}},
    {**COLLECT, "basis": f"{CANARY}@x"},
    {**COLLECT, "evidence": 7},
]


def test_no_value_is_in_anything_that_is_printed_about_malformed_or_refused_documents(folder: Path):
    done = run(folder, "apply", "-", "--clock", "follow", code=None, stdin=lines(*HOSTILE))
    assert len(outcomes(done)) == len(HOSTILE)
    assert {outcome["outcome"] for outcome in outcomes(done)} <= {"invalid", "refused"}
    shown = [{**outcome, "id": None} for outcome in outcomes(done)]
    leaks = [
        outcome for outcome in shown if f"{CANARY}@" in json.dumps(outcome) or f"{CANARY} at" in json.dumps(outcome)
    ]
    assert leaks == []
    assert CANARY not in done.stderr
    for trail in (run(folder, "audit", "trail", "--json"), run(folder, "projections", "status")):
        assert CANARY not in trail.stdout + trail.stderr


def test_an_import_says_what_it_rejected_and_can_be_started_again(folder: Path):
    documents = [
        document(
            number,
            "give-consent",
            subject={"email": f"p{number}@example.com"},
            purposes=["free-trial"],
            notice="1.0",
            channel="web-form",
        )
        for number in range(30)
    ]
    (folder / "bulk.jsonl").write_text(lines(*documents[:15], "not json", COLLECT, *documents[15:]), encoding="utf-8")
    arguments = ("--now", "2024-08-02T00:00:00+08:00", "import", "bulk.jsonl", "--rejects", "rejects.jsonl", "--json")
    first = told(run(folder, *arguments, code=1))
    assert first == {"done": 30, "nothing": 0, "refused": 1, "invalid": 1, "conflict": 0, "rejects": 2}
    rejects = [json.loads(line) for line in (folder / "rejects.jsonl").read_text().splitlines()]
    assert [(reject["line"], reject["code"]) for reject in rejects] == [(16, "invalid"), (17, "consent-missing")]
    assert CANARY not in (folder / "rejects.jsonl").read_text()
    assert told(run(folder, *arguments, code=1)) == first
    assert told(run(folder, "vault", "status", "--json"))["people"] == 30


def test_simulated_time_only_moves_forward_and_an_ordinary_store_refuses_it(folder: Path, tmp_path: Path):
    run(folder, "--now", "2024-09-01T00:00:00+08:00", "projections", "status")
    back = run(folder, "--now", "2024-08-01T00:00:00+08:00", "projections", "status", code=1)
    assert "only moves forward" in back.stderr
    assert "simulated" in run(folder, "worker", "--once", code=1).stderr.lower()
    real = tmp_path / "real"
    real.mkdir()
    (real / "policy.toml").write_text(example_policy_text(), encoding="utf-8")
    run(real, "init", "--policy", "policy.toml")
    assert "real time" in run(real, "--now", "2030-01-01T00:00:00Z", "projections", "status", code=1).stderr
    refused = outcomes(run(real, "apply", "-", "--clock", "follow", stdin=lines(CONSENT)))
    assert refused[0]["code"] == "not-simulated"
    advance = {"command": "advance-clock", "to": "2030-01-01T00:00:00Z"}
    assert outcomes(run(real, "apply", "-", stdin=lines(advance)))[0]["code"] == "not-simulated"
    run(real, "worker", "--once")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("subject", "holdings", "--subject", f"email={CANARY}@example.com"), 1, "Nobody on record"),
        (("subject", "holdings", "--subject", CANARY), 1, "--subject"),
        (("subject", "holdings", "--subject", f"email={CANARY}"), 1, "email"),
        (("subject", "holdings", "--subject", "ref=x", "--as-of", CANARY), 1, "--as-of"),
        (("--now", CANARY, "subject", "show", "--subject", "ref=x"), 1, "--now"),
        (("policy", "check", "no-such-file.toml"), 1, "No such file"),
        (("apply", "no-such-file"), 1, "cannot be read"),
        (("projections", "rebuild", "no-such"), 1, ""),
        (("no-such-command",), 2, "No such command"),
        (("init", "--policy", "policy.toml"), 1, "store already"),
    ],
)
def test_every_failure_is_one_clear_line_with_its_exit_code(
    folder: Path, arguments: tuple[str, ...], code: int, said: str
):
    done = run(folder, *arguments, code=code)
    assert said in done.stderr + done.stdout
    if code == 1:
        assert CANARY not in done.stderr + done.stdout
        problem = run(folder, "--json", *arguments, code=1)
        assert json.loads(problem.stdout.splitlines()[-1])


def test_a_missing_a_newer_and_a_read_only_store_say_what_to_do(folder: Path, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    assert "lifecycle init" in run(tmp_path / "elsewhere", "projections", "status", code=1).stderr
    with sqlite3.connect(folder / "store.db") as c:
        c.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "newer" in run(folder, "projections", "status", code=1).stderr
    with sqlite3.connect(folder / "store.db") as c:
        c.execute("UPDATE alembic_version SET version_num = ?", (schema.HEAD,))
    (folder / "keys" / "epoch-000001.key").rename(folder / "elsewhere.key")
    missing = run(folder, "projections", "status", code=1).stderr
    assert "key" in missing
    assert "Try:" in missing


def test_a_policy_check_names_every_fault_at_once(folder: Path):
    faulty = example_policy_text().replace("effective = 2024-07-15", 'effective = "soon"')
    faulty = re.sub(r'time_zone = "[^"]*"', 'time_zone = "Mars/Olympus"', faulty)
    (folder / "faulty.toml").write_text(faulty, encoding="utf-8")
    faults = told(run(folder, "policy", "check", "faulty.toml", "--json", code=1))["faults"]
    assert {fault["place"] for fault in faults} >= {"effective", "time_zone"}
    assert all(fault["line"] for fault in faults)
    assert "well-formed" in run(folder, "policy", "check", "policy.toml").stdout


def test_schemas_of_commands_and_events_are_printed(folder: Path):
    commands = told(run(folder, "schema", "commands"))
    assert {"collect", "give-consent", "erase", "share", "publish-policy"} <= set(commands)
    assert "read-clear" not in commands
    assert "personal-data-collected/1" in told(run(folder, "schema", "events"))


def test_a_backup_of_the_vault_is_for_its_owner_alone_and_holds_no_key_in_clear(folder: Path):
    run(folder, "apply", "-", "--clock", "follow", stdin=lines(CONSENT, COLLECT))
    run(folder, "vault", "backup", "vault.jsonl")
    assert stat.S_IMODE((folder / "vault.jsonl").stat().st_mode) == 0o600
    content = (folder / "vault.jsonl").read_text()
    assert CANARY not in content
    assert (folder / "keys" / "epoch-000001.key").read_text().split()[0] not in content


def test_the_demo_tells_the_whole_story(tmp_path: Path):
    done = run(tmp_path, "demo", "--dir", "here")
    for said in ("REFUSED", "the storage period is over", "a court forbids", "What the company held about Ann",
                 "not found in any file", "the program is stopped and started again"):  # fmt: skip
        assert said in done.stdout
    assert "found in" not in done.stdout.replace("not found in", "")
    assert (tmp_path / "here" / "lifecycle.db").exists()


def test_the_command_reads_standard_input_and_answers_a_line_at_a_time(folder: Path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "lifecycle",
            "--db",
            "sqlite:///store.db",
            "--keys",
            "keys",
            "apply",
            "-",
            "--clock",
            "follow",
        ],
        cwd=folder,
        input=lines(CONSENT, COLLECT).encode(),
        capture_output=True,
        check=True,
    )
    assert [json.loads(line)["outcome"] for line in done.stdout.splitlines()] == ["done", "done"]
