"""A hook's row in a SQLite file: whoever keeps it locked, and wherever it is."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from hook_process import complaint, environment, loaded_by_hook, manifest_path, prepare, run_hook
from teleclaude.hook import manifest
from teleclaude.hook.writing import write_manifest
from teleclaude.testing.databases import apart

if TYPE_CHECKING:
    from pathlib import Path

    from store_fixtures import Configure
    from teleclaude.config import Config


@pytest.fixture
def config(configure: Configure, migrated_file: Path, path: Path) -> Config:
    shutil.copy(migrated_file, path)
    path.chmod(0o600)
    return configure({"engine": "sqlite", "path": str(path)})


def test_locked_by_another_process(config: Config, path: Path) -> None:
    """It is waited for no longer than an agent waits, and then said; nothing is stored."""
    prepare(config)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "is locked by another process" in complaint(run_hook(config))
        other.execute("ROLLBACK")
        assert other.execute("SELECT count(*) FROM hook_outbox").fetchone() == (0,)


def test_locked_without_a_manifest(config: Config, path: Path) -> None:
    """The long way ends in time, too, though the driver would wait for longer."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "did not answer in time" in complaint(run_hook(config))
    assert not manifest_path(config).exists()


def test_files_stay_private(config: Config, path: Path) -> None:
    """Neither the database nor the files SQLite puts beside it can be read by others."""
    prepare(config)
    with closing(sqlite3.connect(path)) as other:
        other.execute("SELECT count(*) FROM hook_outbox")
        assert run_hook(config).code == 0
        modes = {
            file.name: file.stat().st_mode & 0o777 for file in path.parent.glob(f"{path.name}*")
        }
    assert modes == dict.fromkeys([path.name, f"{path.name}-wal", f"{path.name}-shm"], 0o600)


def test_no_file_is_made(config: Config, path: Path) -> None:
    """A database that was removed is not made anew, empty."""
    prepare(config)
    path.unlink()
    assert "teleclaude db upgrade" in complaint(run_hook(config))
    assert not path.exists()


def test_relative_path_in_the_environment(
    own_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It means another file in another directory, so a manifest holds for one directory."""
    del own_environment
    variables = environment(None, TELECLAUDE_DB_PATH="data/teleclaude.db")
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert manifest.load(None, variables) is None
        assert apart(lambda: write_manifest(None, variables))
        found = manifest.load(None, variables)
        assert found is not None
        assert found["arguments"]["location"] == str(tmp_path / name / "data/teleclaude.db")


def test_awkward_path(configure: Configure, migrated_file: Path, tmp_path: Path) -> None:
    """Whatever a path can have in it is part of the path."""
    path = tmp_path / "100 % ?mode=ro#'x'.db"
    shutil.copy(migrated_file, path)
    config = configure({"engine": "sqlite", "path": str(path)})
    prepare(config)
    assert "sqlalchemy" not in loaded_by_hook(config)
