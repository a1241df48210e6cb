"""The rule of rooms, run as a test: a new room that nobody placed fails too."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINT = "lint_imports_command"


def test_a_room_imports_only_rooms_below_it():
    found = subprocess.run(
        [sys.executable, "-c", f"from importlinter.cli import {LINT}; {LINT}()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "0 broken" in found.stdout
