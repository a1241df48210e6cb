"""Auditors and witnesses at the command line, from their keys to the verdict about a bundle."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cli.doors import EMAIL, WHO, Door, collect, consent
from sqlalchemy import create_engine, text
from witness.test_timestamps import Authority, authority, over_http

from lifecycle.engine.creation import create
from lifecycle.ledger.envelope import b64url
from lifecycle.ledger.note import SigningKey
from lifecycle.policy.examples import example_policy_text
from lifecycle.settings import Settings

__all__ = ["authority", "over_http"]  # fixtures

LEDGER = "keys.ledger"


@pytest.fixture(scope="module")
def lived_really(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in real time in which one person consented and gave data, and whose log is published."""
    folder = tmp_path_factory.mktemp("real")
    engine, _ = create(Settings(f"sqlite:///{folder / 'store.db'}", folder / "keys"), example_policy_text())
    with engine:
        said = engine.execute_many([consent(at=None), collect(at=None)])
        assert [each.outcome for each in said] == ["done", "done"]
        engine.publish()
    return folder


@pytest.fixture
def real(empty: Door, lived_really: Path) -> Door:
    shutil.copytree(lived_really, empty.folder, dirs_exist_ok=True)
    return empty


def verdict(door: Door, *more: str, code: int = 0) -> dict[str, Any]:
    door("audit", "bundle", *WHO, "--out", "bundle.zip")
    said = door("verify", "bundle.zip", "--key", f"{LEDGER}/log.vkey", "--json", *more, code=code).json
    assert isinstance(said, dict)
    return said


def tamper(statement: str) -> None:
    engine = create_engine("sqlite:///store.db")
    with engine.begin() as c:
        for name in c.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
            c.execute(text(f"DROP TRIGGER {name}"))
        c.execute(text(statement))
    engine.dispose()


# -- the verifier ---------------------------------------------------------------------------------------------------------


def test_the_verdict_is_the_exit_code(real: Door):
    sid = verdict(real)["streams"][0]["sid"]
    assert verdict(real, "--subject", sid)["level"] == "L1"
    assert verdict(real, "--subject", b64url(bytes(32)), code=3)["verdict"] == "invalid"
    assert verdict(real, "--subject", "-" + sid[1:], code=3)["verdict"] == "invalid"  # read as a name, not as an option
    (real.folder / "receipt").write_text(json.dumps({"sid": sid, "salt": b64url(bytes(64))}))
    assert verdict(real, "--receipt", "receipt", code=4)["verdict"] == "contradiction"
    assert verdict(real, "--max-age", "1h", code=5)["verdict"] == "stale"  # nobody has confirmed it at all
    assert real("verify", "nowhere.zip", "--key", f"{LEDGER}/log.vkey", "--json", code=1).json["verdict"] == "failed"
    assert real("verify", "bundle.zip", code=2).out == ""
    words = real("verify", "bundle.zip", "--key", f"{LEDGER}/log.vkey").out
    for said in (
        "L1: the bundle is consistent with the signed checkpoint.",
        "Not checked:",
        "L2, a full audit",
        "L3, later",
    ):
        assert said in words


def test_a_bundle_in_pieces_has_a_proof_for_each_event(real: Door):
    said = real("audit", "bundle", *WHO, "--out", "b.zip", "--explode", "--json").json
    assert len(list((real.folder / "b.proofs").glob("*.tlog-proof"))) == said["events"] > 0


# -- the full audit -------------------------------------------------------------------------------------------------------


def test_an_auditor_who_found_nothing_cosigns_and_bundles_reach_level_two(real: Door):
    vkey = real("audit", "key", "auditor.example/a1", "--out", "auditor.key", "--json").json["vkey"]
    (real.folder / "auditors").write_text(f"{vkey}\n")
    assert os.stat(real.folder / "auditor.key").st_mode & 0o777 == 0o600
    before = verdict(real, "--auditor", "auditors", code=3)
    assert (before["verdict"], before["step"]) == ("invalid", "V11")

    said = real("audit", "full", "--cosign", "auditor.key", "--json").json
    assert (said["findings"], said["cosigned"]) == ([], True)
    assert said["leaves"] > said["events"] > 4
    assert verdict(real, "--auditor", "auditors")["level"] == "L2"
    shown = (real.folder / LEDGER / "checkpoint").read_text()
    assert shown.count("auditor.example/a1") == 1

    real("audit", "full", "--cosign", "auditor.key")
    again = (real.folder / LEDGER / "checkpoint").read_text()
    assert again.count("auditor.example/a1") == 1, "the later cosignature replaces the earlier"
    real("ledger", "publish")  # nothing new: the cosigned checkpoint stays
    assert (real.folder / LEDGER / "checkpoint").read_text() == again


def test_an_auditor_who_found_something_says_what_and_where_and_signs_nothing(real: Door):
    real("audit", "key", "auditor.example/a1", "--out", "auditor.key")
    before = (real.folder / LEDGER / "checkpoint").read_bytes()
    tamper("DELETE FROM event_body")
    said = real("audit", "full", "--cosign", "auditor.key", "--json", code=3).json
    assert set(said["counts"]) == {"body-missing"}
    assert said["cosigned"] is False
    assert all({"stream", "version", "part"} == set(each["where"]) for each in said["findings"])
    assert (real.folder / LEDGER / "checkpoint").read_bytes() == before
    told = real("audit", "full", "--limit", "1", code=3)
    assert "more are not listed" in told.out
    assert EMAIL not in told.everything


def test_an_audit_knows_the_log_by_the_keys_that_the_auditor_brings(real: Door):
    real("audit", "full", "--key", f"{LEDGER}/log.vkey")
    origin = (real.folder / LEDGER / "log.vkey").read_text().partition("+")[0]
    (real.folder / "other").write_text(SigningKey.generate(origin).vkey)
    said = real("audit", "full", "--key", "other", "--json", code=3).json
    assert set(said["counts"]) == {"checkpoint-unsigned"}


def test_an_auditor_s_key_is_made_once_and_read_by_its_owner_alone(real: Door):
    real("audit", "key", "auditor.example/a1", "--out", "auditor.key")
    assert "exists already" in real("audit", "key", "auditor.example/a1", "--out", "auditor.key", code=1).err
    (real.folder / "auditor.key").chmod(0o644)
    assert "chmod 600" in real("audit", "full", "--cosign", "auditor.key", code=1).err
    (real.folder / "no.key").write_text("PRIVATE+KEY+what+00000000+AQ==\n")
    (real.folder / "no.key").chmod(0o600)
    assert "no key for cosignatures" in real("audit", "full", "--cosign", "no.key", code=1).err


def test_nothing_is_audited_before_something_is_published(empty: Door):
    empty("init", "--policy", "policy.toml", "--simulated")
    shown = empty("audit", "full", code=1)
    assert "ledger publish" in shown.err


def test_a_simulated_store_is_audited_and_cosigned_as_what_it_is(lived: Door):
    lived("audit", "key", "auditor.example/a1", "--out", "auditor.key")
    lived("ledger", "publish")
    assert lived("audit", "full", "--cosign", "auditor.key", "--json").json["cosigned"] is True


# -- witnesses ------------------------------------------------------------------------------------------------------------


def with_witness(door: Door) -> str:
    """A witness that trusts the log, and that the log asks; returns its vkey."""
    vkey: str = door("witness", "init", "w", "--name", "witness.example/w1", "--json").json["vkey"]
    door("witness", "trust", "w", f"{LEDGER}/log.vkey")
    (door.folder / "keys" / "witnesses").write_text(f"# ours\n\n{vkey} {door.folder / 'w' / 'drop'}\n")
    log = (door.folder / LEDGER / "log.vkey").read_text().strip()
    policy = f"log {log}\nwitness w1 {vkey}\nquorum w1\n"
    (door.folder / "policy.trust").write_text(policy)
    return vkey


def trusted(door: Door, code: int = 0) -> dict[str, Any]:
    door("audit", "bundle", *WHO, "--out", "bundle.zip")
    said = door("verify", "bundle.zip", "--key", "policy.trust", "--json", code=code).json
    assert isinstance(said, dict)
    return said


def test_a_witness_cosigns_through_a_folder_until_the_quorum_is_there(real: Door):
    with_witness(real)
    assert trusted(real, code=3)["step"] == "V1"
    asked = real("ledger", "witness", "--json", code=1).json
    assert (asked["cosigned"], asked["silent"][0]["witness"]) == ([], "witness.example/w1")
    assert real("witness", "once", "w", "--json").json["status"] == 200
    asked = real("ledger", "witness", "--json").json
    assert [each["witness"] for each in asked["cosigned"]] == ["witness.example/w1"]
    assert trusted(real)["verdict"] == "ok"


def test_a_witness_is_asked_from_where_it_cosigned_last(real: Door):
    with_witness(real)
    for number in range(3):
        someone = {"email": f"p{number}@example.com"}
        real("apply", "-", stdin=json.dumps(consent(f"c-p{number}", at=None, subject=someone)) + "\n")
        real("ledger", "publish")
        real("ledger", "witness", code=1)
        assert real("witness", "once", "w", "--json").json["status"] == 200, number
    assert real("ledger", "witness", "--json").json["cosigned"]
    assert trusted(real)["verdict"] == "ok"


def test_an_authority_s_token_goes_beside_the_checkpoint_and_into_bundles_of_it_alone(
    real: Door, authority: Authority, over_http: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    said = real("ledger", "timestamp", "--tsa", over_http(), "--trust", str(authority.root), "--json").json
    assert said["size"] > 4
    assert verdict(real, "--tsa", str(authority.root))["verdict"] == "ok"
    with zipfile.ZipFile(real.folder / "bundle.zip") as bundle:
        assert "checkpoint.tsr" in bundle.namelist()
    someone = {"email": "p1@example.com"}
    real("apply", "-", stdin=json.dumps(consent("c-p1", at=None, subject=someone)) + "\n")
    real("ledger", "publish")
    verdict(real)
    with zipfile.ZipFile(real.folder / "bundle.zip") as bundle:
        assert "checkpoint.tsr" not in bundle.namelist(), "it is over an earlier checkpoint"


def test_a_witness_cosigns_over_http(real: Door, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    vkey = with_witness(real)
    serving = real.process("witness", "serve", "w", "--port", "0", "--json", stdout=subprocess.PIPE)
    try:
        assert serving.stdout is not None
        port = json.loads(serving.stdout.readline())["port"]
        (real.folder / "keys" / "witnesses").write_text(f"{vkey} http://127.0.0.1:{port}/\n")
        asked = real("ledger", "witness")
        assert "witness.example/w1 has cosigned" in asked.out
    finally:
        serving.terminate()
        serving.communicate(timeout=20)
    assert trusted(real)["verdict"] == "ok"
    again = real("ledger", "witness", "--json").json
    assert (len(again["cosigned"]), again["silent"]) == (1, []), (
        "it has cosigned this; that it is gone now is no matter"
    )


def test_a_witness_that_is_told_what_the_log_is_refuses_a_simulated_one(real: Door):
    real("witness", "init", "w", "--name", "witness.example/w1")
    real("ledger", "genesis", "--out", "proof")
    assert "cosigned from now on" in real("witness", "trust", "w", f"{LEDGER}/log.vkey", "--genesis", "proof").out


def test_a_simulated_log_is_refused_by_a_witness_that_sees_its_genesis(lived: Door):
    lived("ledger", "publish")
    lived("witness", "init", "w", "--name", "witness.example/w1")
    lived("ledger", "genesis", "--out", "proof")
    assert "simulated" in lived("witness", "trust", "w", f"{LEDGER}/log.vkey", "--genesis", "proof", code=1).err


def test_a_simulated_store_asks_no_witness_and_no_authority(lived: Door):
    lived("ledger", "publish")
    for command in (("witness",), ("timestamp", "--tsa", "http://127.0.0.1:9/", "--trust", "nothing.pem")):
        refused = lived("ledger", *command, code=1)
        assert "simulated" in refused.err


def test_without_a_list_of_witnesses_it_is_said_how_to_make_one(real: Door):
    assert "VKEY URL-or-folder" in real("ledger", "witness", code=1).err


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("only-one-word", "two words"),
        ("{vkey} relative/folder", "neither a URL nor an absolute folder"),
        ("{vkey} ftp://witness.example/", "neither a URL nor an absolute folder"),
        ("{vkey} /a /b", "two words"),
        ("witness.example/w1+00000000+BAAA /a", "not a key of Ed25519"),
        ("{log} /a", "key of a log"),
        ("{vkey} /a\n{vkey} /b", "named twice"),
    ],
    ids=["one word", "relative", "ftp", "three words", "bad key", "a log's key", "twice"],
)
def test_a_list_of_witnesses_is_read_strictly(real: Door, line: str, fault: str):
    vkey = with_witness(real)
    log = (real.folder / LEDGER / "log.vkey").read_text().strip()
    said = line.format(vkey=vkey, log=log)
    (real.folder / "keys" / "witnesses").write_text(f"# a list\n{said}\n")
    shown = real("ledger", "witness", code=1).err
    assert fault in shown
    assert f"Line {3 if 'twice' in fault else 2} of the file `witnesses`" in shown


# -- mirrors --------------------------------------------------------------------------------------------------------------


def test_a_mirror_takes_what_is_new_and_gives_level_three(real: Door):
    first = real("audit", "mirror", LEDGER, "copy", "--key", f"{LEDGER}/log.vkey", "--json").json
    assert (first["before"], first["files"] > 2) == (0, True)
    assert verdict(real, "--mirror", "copy")["level"] == "L3"
    again = real("audit", "mirror", LEDGER, "copy", "--key", f"{LEDGER}/log.vkey", "--json").json
    assert (again["before"], again["files"]) == (first["size"], 0)
    (real.folder / "empty.vkey").write_text("# none\n")
    assert "keys of a log" in real("audit", "mirror", LEDGER, "copy", "--key", "empty.vkey", code=1).err
