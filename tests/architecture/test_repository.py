"""The repository speaks of the product alone, and what its papers point at exists."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAPERS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "PROOFS.md", "CHANGELOG.md")
# Written in pieces, so that this file does not contain what it forbids.
REGISTRIES = re.compile("|".join(["py" + "pi", "python" + "hosted", "npm" + "js", "index" + "-url"]), re.IGNORECASE)
MACHINES = re.compile("/(" + "|".join(["wo" + "rk", "ro" + "ot", "ho" + "me"]) + ")/")


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    files = [ROOT / name for name in listed]
    return [path for path in files if path.is_file() and path.suffix not in {".png", ".db"}]


def test_no_file_names_a_registry_or_a_path_of_a_machine():
    for path in _tracked():
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.name != "Makefile":
            assert not REGISTRIES.search(text), path
        assert not MACHINES.search(text), path


@pytest.mark.parametrize("paper", PAPERS)
def test_every_path_that_a_paper_names_exists(paper):
    text = (ROOT / paper).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:src|tests|docs|examples)/[A-Za-z0-9_./-]+)`", text))
    named |= {link for link in re.findall(r"\]\(([A-Za-z0-9_./-]+)\)", text) if "://" not in link}
    missing = sorted(name for name in named if not (ROOT / name).exists())
    assert not missing


def test_every_test_that_proofs_names_exists():
    text = (ROOT / "PROOFS.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[A-Za-z0-9_/.-]+\.py)::([A-Za-z0-9_]+)`", text)
    assert named, "PROOFS.md names no test"
    for path, test in named:
        assert re.search(rf"\b(def|class) {test}\b", (ROOT / path).read_text(encoding="utf-8")), f"{path}::{test}"


def test_the_architecture_fits_on_a_few_screens():
    lines = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 160


def test_every_room_stands_in_the_architecture():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = [path.parent.name for path in (ROOT / "src" / "lifecycle").glob("*/__init__.py")]
    assert [room for room in rooms if f"{room}/" not in text] == []
