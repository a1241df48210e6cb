"""Killed at any moment: nothing acknowledged is lost, nothing is doubled, and the next run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from whole.stores import ACTOR, Store

from lifecycle.engine.archive_reading import opened_archive
from lifecycle.storage.tables import event_header, pending_erasure
from lifecycle.vault.handing_over import create_key, read_private
from lifecycle.vault.tables import subject_key

PEOPLE = 60


def lifecycle(store: Store, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "LIFECYCLE_DB": store.settings.db, "LIFECYCLE_KEYS": str(store.settings.keys)}
    return subprocess.Popen([sys.executable, "-m", "lifecycle", *arguments], env=environment, **options)


def documents(people: int) -> list[dict[str, Any]]:
    return [
        {"command": command, "id": f"{command}-{number}", "actor": ACTOR,
         "subject": {"email": f"p{number}@example.com"}, **fields}
        for number in range(people)
        for command, fields in (
            ("give-consent", {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form"}),
            ("collect", {"purpose": "free-trial", "basis": "consent", "source": "web-form", "data": {"name": "Ann"}}),
        )
    ]  # fmt: skip


def written(store: Store, folder: Path, people: int = PEOPLE) -> Path:
    path = folder / "documents.jsonl"
    path.write_text("".join(json.dumps(document) + "\n" for document in documents(people)), encoding="utf-8")
    store.engine.move_clock(datetime.fromisoformat("2024-08-01T10:00:00+08:00"))
    return path


def kinds(store: Store) -> Counter[str]:
    with store.engine.database.read() as c:
        rows = c.execute(select(event_header.c.kind, func.count()).group_by(event_header.c.kind))
        return Counter({kind.partition("/")[0]: count for kind, count in rows})


@pytest.mark.parametrize("acknowledged", [1, 17])
def test_an_apply_that_is_killed_has_kept_what_it_acknowledged(store: Store, tmp_path: Path, acknowledged: int):
    path = written(store, tmp_path)
    running = lifecycle(store, "apply", str(path), stdout=subprocess.PIPE)
    assert running.stdout is not None
    said = [json.loads(running.stdout.readline()) for _ in range(acknowledged)]
    running.send_signal(signal.SIGKILL)
    running.wait()
    running.stdout.close()
    store.reopen()
    by_id = {document["id"]: document for document in documents(PEOPLE)}
    for outcome in said:
        assert store.engine.execute(by_id[outcome["id"]]).model_dump(mode="json") == outcome
    again = subprocess.run(
        lifecycle_command("apply", str(path)), env=environment(store), capture_output=True, check=True
    )
    assert {json.loads(line)["outcome"] for line in again.stdout.splitlines()} == {"done"}
    assert kinds(store)["personal-data-collected"] == PEOPLE
    assert kinds(store)["subject-registered"] == PEOPLE


def lifecycle_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "lifecycle", *arguments]


def environment(store: Store) -> dict[str, str]:
    return {**os.environ, "LIFECYCLE_DB": store.settings.db, "LIFECYCLE_KEYS": str(store.settings.keys)}


def wait_until(condition: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come so far"
        time.sleep(0.005)


def test_an_import_that_is_killed_is_gone_on_with_and_doubles_nothing(store: Store, tmp_path: Path):
    people = 700  # more than one transaction
    path = written(store, tmp_path, people)
    running = lifecycle(store, "import", str(path), stdout=subprocess.DEVNULL)
    wait_until(lambda: kinds(store)["subject-registered"] > 0)
    running.send_signal(signal.SIGKILL)
    running.wait()
    killed_at = kinds(store)["personal-data-collected"]
    again = subprocess.run(
        lifecycle_command("import", str(path), "--json"), env=environment(store), capture_output=True, check=True
    )
    assert json.loads(again.stdout)["done"] == 2 * people
    assert killed_at < people
    assert kinds(store)["personal-data-collected"] == kinds(store)["subject-registered"] == people


def test_a_sweep_that_is_killed_is_gone_on_with_and_expires_nothing_twice(store: Store):
    people = 520  # more than one batch of the sweep
    store.engine.move_clock(datetime.fromisoformat("2024-08-01T10:00:00+08:00"))
    store.engine.execute_many(documents(people))
    store.engine.drain()
    store.engine.move_clock(datetime.fromisoformat("2027-01-01T00:00:00+08:00"))
    running = lifecycle(store, "retention", "sweep", stdout=subprocess.DEVNULL)
    wait_until(lambda: kinds(store)["retention-expired"] > 0)
    running.send_signal(signal.SIGKILL)
    running.wait()
    store.reopen()
    store.engine.sweep()
    counted = kinds(store)
    assert counted["retention-expired"] == counted["erasure-ordered"] == counted["erasure-completed"] == people
    with store.engine.database.read() as c:
        assert c.execute(select(func.count()).select_from(pending_erasure)).scalar_one() == 0
        assert c.execute(select(func.count()).select_from(subject_key)).scalar_one() == people
    assert store.engine.due() == []


def test_a_transfer_that_is_killed_goes_on_and_tells_and_transfers_nobody_twice(store: Store, tmp_path: Path):
    path = written(store, tmp_path)
    subprocess.run(lifecycle_command("import", str(path)), env=environment(store), capture_output=True, check=True)
    recipient = {"name": "Newco", "contact": "dpo@newco.example", "country": "SG"}
    announced = store.do("announce-transfer", transfer="newco", cause="merger", recipient=recipient)
    assert announced.outcome == "done"
    code = (
        "import sys, lifecycle.engine.transferring as t; t.BATCH = 4; "
        "from lifecycle.cli.main import run; sys.argv = ['lifecycle', *sys.argv[1:]]; run()"
    )
    for arguments, kind in (
        (("transfer", "notify", "newco", "--channel", "email"), "subject-transfer-notified"),
        (("transfer", "run", "newco"), "subject-transferred"),
    ):
        running = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], env=environment(store), stdout=subprocess.DEVNULL
        )
        until = time.monotonic() + 60
        while kinds(store)[kind] == 0 and running.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
        running.wait()
        assert kinds(store)[kind] > 0
        subprocess.run(lifecycle_command(*arguments), env=environment(store), capture_output=True, check=True)
        assert kinds(store)[kind] == PEOPLE
    written_and_killed(store, tmp_path, code)


def written_and_killed(store: Store, folder: Path, code: str) -> None:
    """The archive too: finished files are kept, and everybody is in it once."""
    archive, key = folder / "archive.zip", folder / "key.pem"
    (folder / "key.pub").write_text(create_key(key))
    arguments = ("transfer", "export", "newco", "--recipient", str(folder / "key.pub"), "--out", str(archive))
    running = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env=environment(store), stdout=subprocess.DEVNULL
    )
    parts = folder / ".archive.zip.parts"
    wait_until(lambda: (parts / "people-000003.jsonl").exists() or running.poll() is not None)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not archive.exists()
    kept = (parts / "people-000002.jsonl").read_bytes()
    subprocess.run(lifecycle_command(*arguments), env=environment(store), capture_output=True, check=True)
    with opened_archive(archive, read_private(key.read_bytes()), store.engine.log.known_keys()) as written:
        assert len({each.subject for each, _ in written.people()}) == written.manifest["people"] == PEOPLE
        assert written.file.read("people-000002.jsonl") == kept
