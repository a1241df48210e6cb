"""The command line as a program meets it, without a process for each call; and documents with canary values."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lifecycle.cli.main import answer

CANARY = "canary5519"
EMAIL = f"{CANARY}@example.com"
ANN = {"email": EMAIL}
WHO = ("--subject", f"email={EMAIL}")
DATA = {"name": f"{CANARY} Name", "company": f"{CANARY} Ltd", "phone": "+6591235519", "email": EMAIL}
ACTOR = {"id": f"{CANARY}-clerk", "role": "service"}


@dataclass(frozen=True)
class Said:
    """What one call printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value on standard output; fails when there is anything else."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def everything(self) -> str:
        return self.out + self.err


class Door:
    """Calls `lifecycle` in a folder of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0, stdin: str | bytes = "") -> Said:
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))
        self._capsys.readouterr()
        ended = answer(list(arguments))
        printed = self._capsys.readouterr()
        assert ended == code, printed.out + printed.err
        assert "Traceback" not in printed.out + printed.err
        return Said(ended, printed.out, printed.err)

    def process(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """A process of its own, for what only a process can: be killed, have its pipe closed."""
        command = [sys.executable, "-m", "lifecycle", *arguments]
        return subprocess.Popen(command, cwd=self.folder, env=dict(os.environ), text=True, **options)

    def write(self, name: str, *documents: Any) -> str:
        (self.folder / name).write_text(jsonl(*documents), encoding="utf-8")
        return name

    def apply(self, *documents: Any, code: int = 0) -> list[dict[str, Any]]:
        return self("apply", "-", "--clock", "follow", stdin=jsonl(*documents), code=code).lines


def jsonl(*documents: Any) -> str:
    return "".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in documents)


def document(id: str, command: str, **fields: Any) -> dict[str, Any]:
    return {"command": command, "id": id, "actor": ACTOR, **fields}


def consent(id: str = "c-1", **fields: Any) -> dict[str, Any]:
    said = {"at": "2024-08-01T10:00:00+08:00", "subject": ANN, "purposes": ["free-trial"], "notice": "1.0",
            "channel": "web-form"}  # fmt: skip
    return document(id, "give-consent", **(said | fields))


def collect(id: str = "c-2", **fields: Any) -> dict[str, Any]:
    said = {"at": "2024-08-01T10:00:05+08:00", "subject": ANN, "purpose": "free-trial", "basis": "consent",
            "source": "web-form", "data": DATA}  # fmt: skip
    return document(id, "collect", **(said | fields))


def about(number: int) -> list[dict[str, Any]]:
    """A consent and a collection of somebody else."""
    someone = {"email": f"p{number}@example.com"}
    return [
        consent(f"consent-{number}", subject=someone),
        collect(f"collect-{number}", subject=someone, data={"name": f"Person {number}"}),
    ]
