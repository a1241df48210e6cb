"""What is built is what is tested: the wheel, made from the sdist, holds every room and the example policy."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "lifecycle"


def _build(target: str, source: Path, into: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(into)],
        cwd=source,
        check=True,
        capture_output=True,
    )
    return next(into.glob("*.whl" if target == "wheel" else "*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    work = tmp_path_factory.mktemp("build")
    sdist = _build("sdist", ROOT, work / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(work / "unpacked", filter="data")
    (unpacked,) = (work / "unpacked").iterdir()
    return _build("wheel", unpacked, work / "wheel")


def test_the_wheel_built_from_the_sdist_holds_every_file_of_every_room(wheel):
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("lifecycle/")}
    written = {
        f"lifecycle/{path.relative_to(PACKAGE).as_posix()}"
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert written - shipped == set()


def test_the_wheel_holds_the_example_policy(wheel):
    assert "lifecycle/examples/recruiting-site/policy.toml" in zipfile.ZipFile(wheel).namelist()


def test_every_room_can_be_imported_from_the_wheel_alone(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    rooms = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
    code = (
        "import sys, importlib; sys.path.insert(0, sys.argv[1]);"
        "import lifecycle; assert lifecycle.__file__.startswith(sys.argv[1]), lifecycle.__file__;"
        "[importlib.import_module(f'lifecycle.{room}') for room in sys.argv[2:]];"
        "from lifecycle.policy.examples import example_policy_text; assert example_policy_text()"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "site"), *rooms], check=True, cwd=tmp_path)
