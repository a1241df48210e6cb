import shutil
from datetime import datetime
from pathlib import Path

import pytest
from cli.doors import Door, collect, consent

from lifecycle.engine import open_engine
from lifecycle.engine.creation import create
from lifecycle.policy.examples import example_policy_text
from lifecycle.settings import Settings


@pytest.fixture(scope="session")
def simulated_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a simulated store under the example policy: store.db and keys."""
    folder = tmp_path_factory.mktemp("simulated")
    engine, _ = create(
        Settings(f"sqlite:///{folder / 'store.db'}", folder / "keys"), example_policy_text(), simulated_clock=True
    )
    engine.close()
    return folder


@pytest.fixture(scope="session")
def lived_store(simulated_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with one person who consented to a trial and gave what it needs."""
    folder = shutil.copytree(simulated_store, tmp_path_factory.mktemp("lived"), dirs_exist_ok=True)
    with open_engine(f"sqlite:///{folder / 'store.db'}", keys=folder / "keys") as engine:
        engine.move_clock(datetime.fromisoformat("2024-08-01T10:00:05+08:00"))
        assert [outcome.outcome for outcome in engine.execute_many([consent(), collect()])] == ["done", "done"]
    return folder


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Door:
    """A folder with the example policy in it, and no store."""
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "policy.toml").write_text(example_policy_text(), encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LIFECYCLE_DB", "sqlite:///store.db")
    monkeypatch.setenv("LIFECYCLE_KEYS", "keys")
    return Door(folder, monkeypatch, capsys)


@pytest.fixture
def door(empty: Door, simulated_store: Path) -> Door:
    """A simulated store that nobody has written to."""
    shutil.copytree(simulated_store, empty.folder, dirs_exist_ok=True)
    return empty


@pytest.fixture
def lived(empty: Door, lived_store: Path) -> Door:
    shutil.copytree(lived_store, empty.folder, dirs_exist_ok=True)
    return empty
