"""`teleclaude config show` and `teleclaude config check`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from teleclaude.cli.config import app
from teleclaude.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
database:
  engine: fake
  password: hunter2
  host: "[bold]a"
daemon:
  startup_timeout: 5
"""


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


@pytest.fixture
def file(place: Path) -> Path:
    path = place / "teleclaude.yml"
    path.write_text(TEXT)
    return path


def row(table: str, key: str) -> list[str]:
    return next(line for line in table.splitlines() if line.split()[:1] == [key]).split()[1:]


def test_show_prints_values_and_sources(file: Path) -> None:
    """Each setting has a row, the secret is masked, values are not read as markup."""
    shown = run("show")
    assert f"config file: {file}\n" in shown
    assert "backend: fake (fake-fake 2.5)" in shown
    assert row(shown, "database.engine") == ["fake", "teleclaude.yml:2"]
    assert row(shown, "database.password") == ["********", "teleclaude.yml:3"]
    assert row(shown, "database.host") == ["[bold]a", "teleclaude.yml:4"]
    assert row(shown, "database.user") == ["not", "set", "default"]
    assert row(shown, "daemon.startup_timeout") == ["5.0", "teleclaude.yml:6"]
    assert "hunter2" not in shown


def test_show_prints_a_setting_on_one_line_for_a_pipe(file: Path) -> None:
    """However long a value is, a program that reads lines gets all of it."""
    file.write_text(f"database:\n  engine: fake\n  host: {'x' * 300}\n")
    assert row(run("show"), "database.host") == ["x" * 300, "teleclaude.yml:3"]


def test_show_without_a_file_says_so() -> None:
    """No file is not an error."""
    assert "config file: none" in run("show")


def test_show_prints_json(file: Path) -> None:
    """Programs get the same as an object, secrets masked."""
    shown = json.loads(run("show", "--json", "--config", str(file)))
    assert shown["config_file"] == str(file)
    assert shown["backend"] == {"engine": "fake", "distribution": "fake-fake", "version": "2.5"}
    settings = shown["settings"]
    assert settings["database.port"] == {"value": 7000, "source": "default"}
    assert settings["database.password"] == {"value": "********", "source": "teleclaude.yml:3"}
    assert settings["database.user"] == {"value": None, "source": "default"}


def test_check_says_ok(file: Path) -> None:
    """A valid configuration is confirmed with its file and engine."""
    assert run("check", "-c", str(file)) == f"OK: {file}, engine fake (fake-fake 2.5)\n"
    assert run("check", "--config", str(file)).startswith("OK")


def test_check_lets_the_error_through(place: Path) -> None:
    """The command that wraps all commands prints it; nothing is caught here."""
    with pytest.raises(ConfigError, match="does not exist"):
        CliRunner().invoke(app, ["check", "-c", str(place / "no")], catch_exceptions=False)


@pytest.mark.parametrize("command", ["show", "check"])
def test_help_explains_the_option(command: str) -> None:
    """Help names the places a file is looked for."""
    assert "TELECLAUDE_CONFIG_PATH" in run(command, "--help")
