"""What holds for every command: help, version, errors and their codes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import teleclaude
from daemon_process import COMMAND
from teleclaude.cli import app

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run


def test_version(run: Run) -> None:
    """`--version` gives the distribution's version."""
    assert run("--version").output == f"teleclaude {teleclaude.__version__}\n"


@pytest.mark.parametrize("command", [[str(COMMAND)], [sys.executable, "-m", "teleclaude"]])
def test_ways_to_start_it(command: list[str]) -> None:
    """The console script and `python -m` are the same program."""
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"teleclaude {teleclaude.__version__}\n"


@pytest.mark.parametrize(
    "words",
    [["run"], ["status"], ["backends"], ["config", "show"], ["db", "upgrade"], ["db", "sql"]],
)
def test_every_command_has_help(run: Run, words: list[str]) -> None:
    """`--help` explains each command and exits with 0."""
    outcome = run(*words, "--help")
    assert outcome.code == 0
    assert "Usage: teleclaude" in outcome.output


def test_help_does_not_wait_for_what_commands_need() -> None:
    """Showing help imports neither the database layer nor what logs or waits."""
    script = (
        "import sys; from teleclaude.cli.app import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "heavy = {'sqlalchemy', 'pydantic', 'alembic', 'yaml', 'asyncio', 'structlog', 'rich'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "Usage:" in done.stdout
    assert done.stdout.endswith("\n[]\n")


def test_unknown_command(run: Run) -> None:
    """A command that does not exist is a usage error."""
    assert run("frobnicate").code == 2


def test_error_without_traceback(run: Run, tmp_path: Path) -> None:
    """An error is a sentence and the family's code."""
    outcome = run("status", "--config", str(tmp_path / "missing.yml"))
    assert outcome.code == 3
    assert outcome.complaint.startswith("error: ")
    assert "Traceback" not in outcome.complaint


def test_error_with_traceback(run: Run, tmp_path: Path) -> None:
    """`--debug` shows where an error came from, and the sentence after it."""
    outcome = run("--debug", "status", "--config", str(tmp_path / "missing.yml"))
    assert outcome.complaint.startswith("Traceback")
    assert outcome.complaint.splitlines()[-1].startswith("error: ")


def test_defect_is_called_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw does not look like the user's mistake."""

    def fail(**_options: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(app, "app", fail)
    outcome = run("status")
    assert outcome.code == 1
    assert "defect" in outcome.complaint
    assert "secret detail" not in outcome.complaint


def test_backends(run: Run) -> None:
    """The installed engines are listed with their distributions and whether they load."""
    found = {row["engine"]: row for row in json.loads(run("backends", "--json").output)}
    assert found["sqlite"]["distribution"] == "teleclaude-sqlite"
    assert all(row["problem"] is None for row in found.values())
    assert "loads" in run("backends").output
