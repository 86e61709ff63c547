"""The old databases that the tests use are what their script makes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .conftest import DATA, FILES, ROOT, content

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them, made anew."""
    directory = tmp_path_factory.mktemp("legacy")
    script = ROOT / "scripts" / "legacy_databases.py"
    subprocess.run([sys.executable, script, directory], check=True, timeout=60)
    return directory


def test_there_is_one_for_each_history(made: Path) -> None:
    """No file is missing, and none is left over."""
    assert sorted(path.stem for path in made.glob("*.db")) == FILES
    assert len(FILES) >= 18


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_what_the_script_makes(made: Path, name: str) -> None:
    """Tables and rows of a kept file are those of a new one, and the file is small."""
    kept = DATA / "legacy" / f"{name}.db"
    assert content(kept) == content(made / f"{name}.db")
    assert kept.stat().st_size < 60_000
