"""What a witness keeps and exchanges, frozen: requests, answers, the remembered checkpoint, evidence."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from growing_log import LOG_KEY, ORIGIN, GrowingLog

from lifecycle.ledger.add_checkpoint import AddCheckpoint, Answer, origin_hash
from lifecycle.ledger.note import COSIGNATURE, SigningKey
from lifecycle.witness.cosigning import Witness
from lifecycle.witness.folder import WitnessFolder

GOLDEN = Path(__file__).parents[1] / "golden" / "witness-v1.json"


class Noon:
    def now(self):
        return datetime(2026, 11, 23, 12, tzinfo=UTC)


def written(folder: Path) -> dict[str, str]:
    its = WitnessFolder(folder)
    its.create("witness.example/w1")
    key = SigningKey.from_seed("witness.example/w1", b"w" * 32, COSIGNATURE)
    (folder / "witness.key").write_text(f"{key.secret()}\n")
    its.add_log(LOG_KEY.vkey)
    log = GrowingLog().grow(20)
    witness = Witness(its, Noon())
    said = {"request": log.request(0, 11)}
    said["answer"] = witness.add_checkpoint(said["request"]).written(said["request"])
    said["conflict"] = witness.add_checkpoint(log.request(0)).written(log.request(0))
    said["remembered"] = its.published(origin_hash(ORIGIN)) or b""
    witness.add_checkpoint(log.forked(5).request(11, 11))
    said |= {path.name: path.read_bytes() for path in its.evidence.iterdir()}
    said |= {name: (folder / name).read_bytes() for name in ("witness.key", "logs")}
    return {name: content.decode() for name, content in said.items()}


def test_golden_files_of_a_witness_never_change(tmp_path):
    assert written(tmp_path / "witness") == json.loads(GOLDEN.read_text("utf-8"))


def test_golden_files_of_a_witness_are_read_for_ever(tmp_path):
    golden = json.loads(GOLDEN.read_text("utf-8"))
    its = WitnessFolder(tmp_path / "witness")
    its.create("witness.example/other")
    for name in ("witness.key", "logs"):
        (its.folder / name).write_text(golden[name], "utf-8")
    with its.alone_with(ORIGIN) as cosigned:
        cosigned.keep(golden["remembered"].encode())
    log = GrowingLog().grow(20)
    assert Witness(its).add_checkpoint(log.request(0)) == (409, b"11\n")
    assert Witness(its).add_checkpoint(log.request(11)).status == 200
    request = golden["request"].encode()
    assert AddCheckpoint.parse(request).written() == request
    answer = Answer.parse(golden["answer"].encode(), request)
    assert answer
    assert answer.status == 200
