"""`teleclaude db backup` and `db restore` on the command line."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from daemon_process import daemon
from stores import read_all
from teleclaude.store.models import metadata

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from conftest import Run
    from teleclaude.config import Config

TABLES = metadata.sorted_tables
ROWS = 3 * len(TABLES)


def test_there_and_back(run: Run, source: Config, target: Config, tmp_path: Path) -> None:
    """Both commands say what they did, and the second once more that there is nothing to do."""
    file = tmp_path / "archive"
    outcome = run("db", "backup", str(file), "--portable", config=source)
    assert (outcome.code, outcome.complaint) == (0, "")
    lines = outcome.output.splitlines()
    assert lines[0] == "back up agent_availability: 3 rows"
    size = f"{file.stat().st_size:,} bytes"
    location = source.database.location
    assert lines[-1] == f"Backed up {ROWS} rows of {location} to {file} ({size})."
    outcome = run("db", "restore", str(file), config=target)
    assert (outcome.code, outcome.complaint) == (0, "")
    assert outcome.output.startswith("check agent_availability: 3 rows\n")
    restored = f"Restored {ROWS} rows from {file} into {target.database.location} in "
    assert restored in outcome.output.splitlines()[-1]
    assert asyncio.run(read_all(target)) == asyncio.run(read_all(source))
    again = run("db", "restore", str(file), config=target).output
    assert f"Nothing to do: {target.database.location} holds the same {ROWS} rows" in again


def test_a_copy_by_the_engine(run: Run, source: Config, tmp_path: Path) -> None:
    """It is made where the engine can, and otherwise it is said what to do."""
    file = tmp_path / "copy"
    outcome = run("db", "backup", str(file), config=source)
    if source.backend.implements("teleclaude_backup"):
        assert outcome.output.startswith(f"Copied {source.database.location} to {file} (")
        assert file.stat().st_mode & 0o777 == 0o600
    else:
        assert outcome.code == 5
        assert outcome.complaint.count("\n") == 1
        assert "add --portable" in outcome.complaint
        assert not file.exists()


def test_json(run: Run, source: Config, target: Config, tmp_path: Path) -> None:
    """Standard output is one document, with nothing else before or after."""
    file = str(tmp_path / "archive")
    document = json.loads(run("db", "backup", file, "--portable", "--json", config=source).output)
    assert (document["file"], document["portable"]) == (file, True)
    assert document["rows"]["sessions"] == 3
    document = json.loads(run("db", "restore", file, "--json", config=target).output)
    assert (document["outcome"], document["rows_copied"]) == ("copied", ROWS)
    assert document["tables"]["hook_outbox"]["agrees"]


def test_a_dry_run(run: Run, source: Config, target: Config, tmp_path: Path) -> None:
    """It checks the archive and says that nothing was done."""
    file = str(tmp_path / "archive")
    run("db", "backup", file, "--portable", config=source)
    outcome = run("db", "restore", file, "--dry-run", config=target)
    assert f"OK: {ROWS} rows can be restored from {file}" in outcome.output
    assert run("db", "current", config=target).output[:4] != "0001"


def test_replacing_asks_first(
    run: Run, source: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a yes nothing is deleted."""
    file = str(tmp_path / "archive")
    run("db", "backup", file, "--portable", config=source)
    asked: list[str] = []

    def confirm(question: str, **_: object) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr("typer.confirm", confirm)
    before = asyncio.run(read_all(source))
    assert run("db", "restore", file, "--replace", config=source).code == 1
    location = source.database.location
    assert asked == [f"All {ROWS} rows of {location} will be deleted. Go on?"]
    assert asyncio.run(read_all(source)) == before
    assert run("db", "restore", file, "--replace", "--yes", config=source).code == 0


def test_an_error_is_one_sentence(run: Run, source: Config, tmp_path: Path) -> None:
    """A file that cannot be used is named, with what to do, in one line."""
    outcome = run("db", "restore", str(tmp_path / "missing"), config=source)
    assert (outcome.code, outcome.complaint.count("\n")) == (5, 1)
    outcome = run("db", "backup", str(tmp_path), "--portable", config=source)
    assert (outcome.code, outcome.complaint.count("\n")) == (5, 1)


async def test_beside_a_daemon(run: Run, source: Config, tmp_path: Path) -> None:
    """A backup is made while the daemon runs, and it goes on."""
    async with daemon(source.path, home=tmp_path) as process:
        await process.until("ready")
        words = ("db", "backup", str(tmp_path / "archive"), "--portable")
        assert (await asyncio.to_thread(run, *words, config=source)).code == 0
        assert (await process.stop()).code == 0
