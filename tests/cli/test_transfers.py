"""transfer …: the whole way on two command lines, and what is told on it."""

from __future__ import annotations

import shutil
from pathlib import Path

from cli.doors import CANARY, WHO, Door

NEWCO = ("--cause", "merger", "--name", "Newco", "--contact", "dpo@newco.example", "--country", "SG")


def here(folder: Path) -> tuple[str, ...]:
    return ("--db", f"sqlite:///{folder / 'store.db'}", "--keys", str(folder / "keys"))


def test_a_transfer_is_announced_told_run_written_accepted_and_confirmed(
    lived: Door, simulated_store: Path, tmp_path: Path
):
    public = tmp_path / "newco.pub"
    public.write_text(lived("transfer", "key", "newco.pem").out)
    assert lived("transfer", "key", "newco.pem", code=1).err
    assert lived("--json", "transfer", "announce", "newco", *NEWCO).json["outcome"] == "done"
    assert lived("--json", "transfer", "show", "newco").json["contact"] == "dpo@newco.example"
    telling = ("--json", "transfer", "notify", "newco", "--channel", "email")
    assert lived(*telling, "--dry-run").json == {"done": 1, "skipped": 0, "refused": 0, "dry_run": True}
    assert lived(*telling).json["done"] == 1
    assert lived(*telling).json["done"] == 0
    assert lived("--json", "transfer", "run", "newco").json["done"] == 1
    assert lived("--json", "transfer", "list").json[0]["status"] == "begun"
    written = lived("--json", "transfer", "export", "newco", "--recipient", str(public), "--out", "archive.zip").json
    assert written["people"] == 1

    theirs = shutil.copytree(simulated_store, tmp_path / "theirs")
    log_key = lived.folder / "log.vkey"
    log_key.write_text(vkeys(lived))
    accept = ("transfer", "accept", "archive.zip", "--key", "newco.pem", "--log-key", str(log_key))
    taken = lived(*here(theirs), "--now", "2024-08-01T10:00:06+08:00", "--json", *accept).json
    assert (taken["received"], taken["refused"]) == (1, {})
    assert "1 were here already" in lived(*here(theirs), *accept).out
    held = lived(*here(theirs), "--json", "subject", "holdings", *WHO).json
    assert {row["state"] for row in held} == {"held"}

    assert "confirmation-wrong" in lived("--json", "transfer", "confirm", "newco", "--token", "x", code=1).out
    assert lived("--json", "transfer", "confirm", "newco", "--token", taken["token"]).json["outcome"] == "done"
    status = lived("transfer", "status", "newco")
    assert "completed" in status.out
    assert CANARY not in status.everything


def test_who_still_has_to_be_told_is_said_when_nobody_could_be_transferred(lived: Door):
    lived("transfer", "announce", "newco", *NEWCO)
    run = lived("transfer", "run", "newco").out
    assert "0 transferred" in run
    assert "To be told before: 1. Try: lifecycle transfer notify newco" in run


def vkeys(door: Door) -> str:
    from lifecycle.engine import open_engine  # noqa: PLC0415

    with open_engine(f"sqlite:///{door.folder / 'store.db'}", keys=door.folder / "keys") as engine:
        return "".join(f"{key.vkey}\n" for key in engine.log.known_keys())


def test_what_is_missing_or_out_of_order_is_told_with_what_to_do(lived: Door):
    assert "transfer announce" in lived("transfer", "status", "newco", code=1).err
    lacking = lived("transfer", "announce", "newco", "--cause", "merger", "--country", "SG", code=1)
    assert "contact" in lacking.out
    lived("transfer", "announce", "newco", *NEWCO)
    for recipient in ("missing.pub", "policy.toml"):
        assert lived("transfer", "export", "newco", "--recipient", recipient, "--out", "a.zip", code=1).err
    assert lived("transfer", "cancel", "newco", "--reason", "forbidden").code == 0
    assert "cancelled" in lived("transfer", "run", "newco", code=1).err
    for key in ("missing.pem", "policy.toml"):
        assert lived("transfer", "accept", "a.zip", "--key", key, "--log-key", "policy.toml", code=1).err
