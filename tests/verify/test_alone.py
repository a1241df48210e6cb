"""The verifier is one file that runs alone, and shares nothing with the program that writes bundles."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from verify.book import Book, Draft, policy
from verify.checking import accepted, refused, run

from lifecycle import verify

SOURCE = Path(verify.__file__)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def draft(book: Book) -> Draft:
    person = book.register()
    book.collect(person, "h1", "Ada Example")
    return book.close().of(person)


def alone(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The copied file in a process of its own, which finds no module of ours."""
    copied = Path(shutil.copy(SOURCE, folder / "verify.py"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [sys.executable, "-I", copied, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_copied_away_it_accepts_and_refuses(book: Book, draft: Draft, tmp_path: Path) -> None:
    (tmp_path / "policy").write_text(policy(book.log, book.witnesses))
    done = alone(tmp_path, draft.zip(tmp_path / "b.zip"), "--key", "policy")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ok\nL1: the bundle is consistent with the signed checkpoint.\n")
    draft.events.pop()
    done = alone(tmp_path, draft.zip(tmp_path / "b.zip"), "--key", "policy", "--json")
    assert (done.returncode, done.stderr, json.loads(done.stdout)["step"]) == (3, "", "V5")
    done = alone(tmp_path)
    assert done.returncode == 2


def test_without_the_signature_check_it_says_what_is_missing(book: Book, draft: Draft, tmp_path: Path) -> None:
    (tmp_path / "policy").write_text(policy(book.log, book.witnesses))
    bundle = draft.zip(tmp_path / "b.zip")
    copied = str(shutil.copy(SOURCE, tmp_path / "verify.py"))
    program = (
        "import sys, runpy; sys.modules['cryptography'] = None; "
        f"sys.argv = ['verify.py', {str(bundle)!r}, '--key', {str(tmp_path / 'policy')!r}]; "
        f"runpy.run_path({copied!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "install the package `cryptography`" in done.stdout
    assert done.stderr == ""


def test_it_imports_the_standard_library_and_one_signature_check() -> None:
    tree = ast.parse(SOURCE.read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [
        (name.partition(".")[0], node.col_offset)
        for node in imports
        for name in ([each.name for each in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    ]
    foreign = [(name, column) for name, column in names if name not in sys.stdlib_module_names]
    assert {name for name, _ in foreign} == {"cryptography"}
    assert all(column > 0 for _, column in foreign)


# -- RFC 3161, by the local program ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("NOT CHECKED: RFC 3161 tokens, because `openssl` is not on this machine")
    folder = tmp_path_factory.mktemp("authority")
    (folder / "config").write_text(
        "[req]\ndistinguished_name=dn\nx509_extensions=ext\nprompt=no\n[dn]\nCN=Test authority\n"
        "[ext]\nextendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n"
        "[tsa]\ndefault_tsa=ours\n[ours]\nserial=serial\nsigner_cert=tsa.pem\nsigner_key=tsa.key\n"
        "signer_digest=sha256\ndefault_policy=1.2.3.4\ndigests=sha256\nclock_precision_digits=0\n"
        "accuracy=secs:1\nordering=yes\n"
    )
    (folder / "serial").write_text("01\n")
    openssl(
        folder,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-config",
        "config",
        "-days",
        "2",
        "-keyout",
        "tsa.key",
        "-out",
        "tsa.pem",
    )
    return folder


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def token(authority: Path, stamped: bytes) -> bytes:
    (authority / "data").write_bytes(stamped)
    openssl(authority, "ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "query")
    openssl(authority, "ts", "-reply", "-config", "config", "-section", "ours", "-queryfile", "query", "-out", "reply")
    return (authority / "reply").read_bytes()


def stamped(draft: Draft) -> bytes:
    """The note with the log's own line only: witnesses may cosign later."""
    text, _, lines = draft.checkpoint.decode().rpartition("\n\n")
    return f"{text}\n\n{lines.splitlines(keepends=True)[0]}".encode()


def test_a_timestamp_is_checked_when_its_authority_is_trusted(
    book: Book, draft: Draft, authority: Path, tmp_path: Path
) -> None:
    draft.others["checkpoint.tsr"] = token(authority, stamped(draft))
    found = accepted(book, draft, tmp_path, tsa=authority / "tsa.pem")
    assert found.stamped is not None
    untold = accepted(book, draft, tmp_path)
    assert any("timestamp token" in each for each in untold.not_checked)


def test_a_timestamp_bounds_the_time_without_a_witness(
    book: Book, draft: Draft, authority: Path, tmp_path: Path
) -> None:
    draft.others["checkpoint.tsr"] = token(authority, stamped(draft))
    found = accepted(book, draft, tmp_path, witnesses=[], tsa=authority / "tsa.pem")
    assert found.stamped is not None
    assert found.time_bound == verify._written(found.stamped + verify.SKEW)
    late = Book()
    person = late.register()
    later = (found.stamped + timedelta(days=1)).isoformat(timespec="microseconds")[:-6] + "Z"
    late.record(person.record, "consent-given", at=later)
    draft = late.close().of(person)
    draft.others["checkpoint.tsr"] = token(authority, stamped(draft))
    verdict = refused(late, draft, tmp_path, witnesses=[], tsa=authority / "tsa.pem")
    assert verdict.step == "V6"


def test_a_timestamp_over_something_else_or_by_somebody_else_or_none(
    book: Book, draft: Draft, authority: Path, tmp_path: Path
) -> None:
    assert refused(book, draft, tmp_path, tsa=authority / "tsa.pem").step == "V1"
    for wrong in (token(authority, b"something else"), b"", b"\x30\x03\x02\x01\x00"):
        draft.others["checkpoint.tsr"] = wrong
        assert refused(book, draft, tmp_path, tsa=authority / "tsa.pem").step == "V1"
    draft.others["checkpoint.tsr"] = token(authority, stamped(draft))
    stranger = tmp_path / "stranger.pem"
    key = tmp_path / "stranger.key"
    openssl(
        authority,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-config",
        "config",
        "-days",
        "2",
        "-keyout",
        str(key),
        "-out",
        str(stranger),
    )
    assert refused(book, draft, tmp_path, tsa=stranger).step == "V1"


def test_without_openssl_the_timestamp_is_said_to_be_unchecked(
    book: Book,
    draft: Draft,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draft.others["checkpoint.tsr"] = b"token"
    (tmp_path / "policy").write_text(policy(book.log, book.witnesses))
    monkeypatch.setenv("PATH", str(tmp_path))
    code, said = run(capsys, draft.zip(tmp_path / "b.zip"), "--key", tmp_path / "policy", "--tsa", tmp_path / "policy")
    assert code == 0
    assert any("`openssl` is not on this machine" in each for each in said["not_checked"])
