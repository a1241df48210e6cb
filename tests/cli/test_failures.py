"""Every failure is one clear line, with its exit code, without a traceback and without a value."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli.doors import ANN, CANARY, EMAIL, WHO, Door, collect, consent, document, jsonl

from lifecycle.cli.main import answer
from lifecycle.engine import Engine

FAILS = [
    (("subject", "show", "--subject", f"email=x{EMAIL}"), "Nobody on record"),
    (("subject", "holdings", "--subject", CANARY), "--subject does not say whom"),
    (("subject", "history", "--subject", f"email={CANARY}"), "email"),
    (("subject", "history", "--subject", f"id={CANARY}"), "Nobody on record"),
    (("subject", "holdings", *WHO, "--as-of", CANARY), "--as-of is not a time"),
    (("subject", "holdings", *WHO, "--as-of", "2024-08-01"), "--as-of is not a time"),
    (("subject", "holdings", *WHO, "--clear", "--purpose", "free-trial", "--role", CANARY), "role"),
    (("subject", "holdings", *WHO, "--clear", "--purpose", f"{CANARY} x"), "declares no purpose"),
    (("subject", "holdings", *WHO, "--clear", "--purpose", "quotation"), "No live ground"),
    (("subject", "show", *WHO, "--now", CANARY), "--now is not a time"),
    (("--db", f"mysql://{CANARY}", "projections", "status"), "Only SQLite and PostgreSQL"),
    (("--db", CANARY, "projections", "status"), "URL cannot be read"),
    (("--db", f"postgresql://u:{CANARY}@127.0.0.1:1/x", "projections", "status"), "cannot be reached"),
    (("--db", f"sqlite:///{CANARY}.db", "projections", "status"), "lifecycle init"),
    (("--keys", CANARY, "subject", "show", *WHO), "LIFECYCLE_KEYS"),
    (("apply", CANARY), "cannot be read"),
    (("apply", "."), "cannot be read"),
    (("import", CANARY), "cannot be read"),
    (("import", "policy.toml", "--rejects", f"{CANARY}/x"), "cannot be used"),
    (("vault", "backup", "policy.toml"), "exists already"),
    (("vault", "backup", f"{CANARY}/x"), "cannot be used"),
    (("policy", "show", "--version", CANARY), "No such version"),
    (("projections", "rebuild", "NOPE"), "There is no projection 'NOPE'; there are holdings, "),
    (("trustee", "show", CANARY), "No trustee of this id"),
    (("init", "--policy", "policy.toml"), "is a store already"),
    (("init", "--policy", "policy.toml", "--now", "2030-01-01T00:00:00Z"), "real time"),
    (("demo", "--dir", "policy.toml"), "cannot be used"),
    (("worker", "--once"), "simulated store has no worker"),
]


@pytest.mark.parametrize(
    ("arguments", "said"), FAILS, ids=lambda each: " ".join(each) if isinstance(each, tuple) else ""
)
def test_what_cannot_be_done_is_said_in_one_line_with_what_to_try(lived: Door, arguments: tuple[str, ...], said: str):
    failed = lived(*arguments, code=1)
    assert failed.out == ""
    assert said in failed.err
    assert failed.err.count("\n") == 1
    assert "Try: " in failed.err
    assert CANARY not in failed.err
    problem = lived("--json", *arguments, code=1)
    assert set(problem.json["error"]) == {"code", "clause", "message", "remedy"}
    assert problem.json["error"]["remedy"]
    assert CANARY not in problem.everything


MISUSED = [
    (CANARY + "@example.com",),
    ("subject",),
    ("subject", "show", EMAIL),
    ("subject", "show", *WHO, CANARY),
    ("subject", "show", *WHO, f"--name={CANARY}"),
    ("subject", "holdings", *WHO, "--clear"),
    ("subject", "holdings", *WHO, "--purpose", CANARY),
    ("audit", "trail", "--limit", CANARY),
    ("apply", "-", f"--clock={CANARY}"),
    ("schema", CANARY),
    ("schema", "commands", CANARY),
    ("policy", "check"),
    ("--now",),
]


@pytest.mark.parametrize("arguments", MISUSED, ids=" ".join)
def test_a_wrong_way_of_asking_ends_with_two_and_does_not_repeat_what_was_typed(door: Door, arguments: tuple[str, ...]):
    wrong = door(*arguments, code=2)
    assert wrong.out == ""
    assert wrong.err
    assert CANARY not in wrong.err
    problem = door("--json", *arguments, code=2)
    assert problem.json["error"]["code"] == "usage"
    assert CANARY not in problem.everything


def test_a_bug_is_called_one_and_tells_where_but_not_what(door: Door, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise RuntimeError(f"cannot serve {EMAIL}")

    monkeypatch.setattr(Engine, "vault_status", broken)
    failed = door("vault", "status", code=1)
    assert failed.err.startswith("lifecycle: This is a bug in lifecycle: RuntimeError at operations.py:")
    assert CANARY not in failed.err
    assert door("vault", "status", "--json", code=1).json["error"]["code"] == "bug"


def test_who_wants_to_see_more_of_a_bug_can(
    door: Door, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(Engine, "vault_status", None)
    monkeypatch.setenv("LIFECYCLE_DEBUG", "1")
    assert answer(["vault", "status"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_malformed_lines_are_answered_where_they_stand_and_the_rest_goes_on(door: Door):
    cut = '{"command": "collect", "id": "x", "data": {"name": "' + CANARY
    twice = '{"command": "collect", "command": "' + CANARY + '"}'
    done = door.apply(consent(), cut, "[1]", "", twice, '"' + CANARY + '"', collect(), code=1)
    assert [each["outcome"] for each in done] == ["done", "invalid", "invalid", "invalid", "invalid", "done"]
    assert CANARY not in json.dumps(done)


def test_bytes_that_are_not_text_are_malformed(door: Door):
    done = door("apply", "-", stdin=b'{"command": "\xff"}\n\x00\x01\n' + jsonl({}).encode(), code=1)
    assert {each["outcome"] for each in done.lines} == {"invalid"}
    assert len(done.lines) == 3


def test_no_value_is_printed_about_malformed_and_refused_documents(door: Door):
    hostile = [
        consent("1") | {"command": f"{CANARY} x"},
        consent("2", **{f"{CANARY} x": 1}),
        consent("3", purposes=[f"{CANARY} x"]),
        consent("4", channel=f"{CANARY} x"),
        consent("5", at=CANARY),
        consent("6", subject={"email": f"{CANARY} at nowhere"}),
        consent("7", subject={"phone": CANARY}),
        consent("8", expected_version=CANARY),
        collect("9", data={f"{CANARY} x": CANARY}),
        collect("10", data={"email": f"{CANARY} at nowhere"}),
        collect("11", data={"name": {"first": CANARY}}),
        collect("12", basis=f"{CANARY} x"),
        collect("13", actor={"id": "web", "role": f"{CANARY} x"}),
        collect("14"),
        document("15", "share", subject=ANN, trustee="t", purpose=f"{CANARY} x", categories=["name"], method="api"),
        {"command": "advance-clock", "to": CANARY},
    ]
    done = door("apply", "-", "--clock", "follow", stdin=jsonl(*hostile), code=1)
    assert len(done.lines) == len(hostile)
    assert {each["outcome"] for each in done.lines} == {"invalid", "refused"}
    assert CANARY not in done.everything
    door.write("hostile.jsonl", *hostile)
    imported = door("import", "hostile.jsonl", "--rejects", "rejects.jsonl", code=1)
    assert CANARY not in imported.everything + (door.folder / "rejects.jsonl").read_text()
    assert CANARY not in door("audit", "trail", "--json").everything + door("audit", "trail").everything


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_read_only_store_says_so(door: Door, what: str):
    door.apply(consent())
    closed = door.folder / "store.db" if what == "file" else door.folder
    closed.chmod(0o444 if what == "file" else 0o555)
    try:
        with without_root(door.folder):
            for arguments in (("apply", "-"), ("retention", "sweep"), ("vault", "rotate")):
                failed = door(*arguments, stdin=jsonl(collect(at=None)), code=1)
                assert "read-only" in failed.err
                assert "Try: " in failed.err
                assert CANARY not in failed.everything
    finally:
        closed.chmod(0o755)


@contextmanager
def without_root(folder: Path) -> Iterator[None]:
    """Root may write anything, so for a moment we are somebody else, who may read all that is in `folder`."""
    if os.geteuid() != 0:
        yield
        return
    for path in (*folder.rglob("*"), *folder.parents[:3]):  # up to the run's own folder; the rest is open to all
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_newer_store_is_refused_by_every_command_that_opens_it(door: Door):
    with sqlite3.connect("store.db") as c:
        c.execute("UPDATE alembic_version SET version_num = '9999'")
    c.close()
    for arguments in (("subject", "show", *WHO), ("apply", "-"), ("retention", "sweep"), ("migrate",)):
        assert "newer than this program" in door(*arguments, code=1).err


def test_a_store_without_its_key_is_refused(door: Door):
    (door.folder / "keys" / "epoch-000001.key").rename(door.folder / "elsewhere.key")
    failed = door("subject", "show", *WHO, code=1)
    assert "key" in failed.err
    assert "Try: " in failed.err


def test_a_reader_that_goes_away_ends_the_program_quietly(door: Door):
    door.write("many.jsonl", *[consent(f"c-{number}") for number in range(300)])
    running = door.process("apply", "many.jsonl", "--clock", "follow", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.readline()
    running.stdout.close()
    said = running.stderr.read()
    running.stderr.close()
    assert running.wait(timeout=60) == 1
    assert said == ""


def _hear_interruptions() -> None:
    """A shell has what it starts in the background ignore them, and so whatever that starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interruption_by_the_keyboard_ends_quietly(door: Door):
    running = door.process(
        "apply",
        "-",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_hear_interruptions,
    )
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write(jsonl(consent(at=None)))
    running.stdin.flush()
    assert json.loads(running.stdout.readline())["outcome"]
    time.sleep(1.5)  # by now it waits for the next line
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert out + err == ""
