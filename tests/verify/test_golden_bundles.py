"""Bundles that version 1 wrote are verified for ever, with the same verdicts; the golden files are never changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lifecycle import verify

GOLDEN = Path(__file__).parent.parent / "golden" / "bundles"
MORE = {
    "disclosed": ("--previous",),
    "erased": ("--receipt",),
    "final": ("--previous", "--receipt"),
    "part": ("--previous",),
}
BROUGHT = {"--previous": GOLDEN / "previous", "--receipt": GOLDEN / "receipt.json"}


@pytest.mark.parametrize("bundle", sorted(path.stem for path in GOLDEN.glob("*.zip")))
def test_a_golden_bundle_is_verified_as_ever(bundle: str, capsys: Any):
    brought = [word for option in MORE.get(bundle, ()) for word in (option, str(BROUGHT[option]))]
    code = verify.main([str(GOLDEN / f"{bundle}.zip"), "--key", str(GOLDEN / "log.vkey"), "--json", *brought])
    said = json.loads(capsys.readouterr().out)
    expected = json.loads((GOLDEN / "verdicts.json").read_text())[bundle]
    assert {"code": code, "level": said["level"], "streams": said["streams"]} == expected


def test_there_is_a_golden_bundle_of_every_sort():
    assert {path.stem for path in GOLDEN.glob("*.zip")} == {"alive", "disclosed", "erased", "final", "part", "absent"}
