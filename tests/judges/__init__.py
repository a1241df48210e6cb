"""Judges that we did not write: Go's x/mod and the openssl command. Where one is missing its tests say so by name."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path

import pytest

REQUIRED = "LIFECYCLE_JUDGES"  # "required": a missing judge fails the run, as in CI
GO_MISSING = "Go judge missing: apt install golang-go golang-golang-x-mod-dev"
OPENSSL_MISSING = "openssl judge missing: apt install openssl"
_SOURCE = Path(__file__).with_name("judge.go")
_LIBRARIES = Path("/usr/share/gocode")  # where Debian's packages of Go libraries live


class Go:
    """Go's golang.org/x/mod/sumdb, asked in lines of JSON; bytes go and come as base64."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, op: str, **fields: object) -> dict:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"Op": op} | fields, default=_as_base64).encode() + b"\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline())
        assert not said["Error"].startswith(("panic", "question")), said
        return said

    def agrees(self, op: str, **fields: object) -> bool:
        return self.ask(op, **fields)["OK"]

    def hashes(self, op: str, **fields: object) -> list[bytes]:
        said = self.ask(op, **fields)
        assert said["OK"], said
        return [b64decode(each) for each in said.get("Proof", [])]

    def close(self) -> None:
        self._process.communicate()


def go_judge(run_folder: Path) -> Go:
    """The judge, built once a run; with xdist the workers share `run_folder`."""
    if not shutil.which("go") or not (_LIBRARIES / "src/golang.org/x/mod/sumdb").is_dir():
        missing(GO_MISSING)
    program = run_folder / "go-judge"
    with (run_folder / "go-judge.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _build(program, run_folder / "go-cache")
    return Go(program)


def openssl() -> str:
    """The command; it must know Ed25519 over raw input, so be at least version 3."""
    command = shutil.which("openssl")
    if command is None:
        missing(OPENSSL_MISSING)
    assert command
    said = subprocess.run([command, "version"], capture_output=True, text=True, check=True).stdout
    if int(said.split()[1].split(".")[0]) < 3:
        missing(OPENSSL_MISSING)
    return command


def missing(reason: str) -> None:
    if os.environ.get(REQUIRED) == "required":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _build(program: Path, cache: Path) -> None:
    # Offline, from Debian's sources alone: no modules, no other toolchain, nothing of the user's settings.
    env = os.environ | {"GO111MODULE": "off", "GOPATH": str(_LIBRARIES), "GOCACHE": str(cache), "GOFLAGS": "", "GOENV": "off",
                        "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}  # fmt: skip
    done = subprocess.run(["go", "build", "-o", program, _SOURCE], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(cache, ignore_errors=True)


def _as_base64(value: object) -> str:
    assert isinstance(value, bytes)
    return b64encode(value).decode("ascii")
