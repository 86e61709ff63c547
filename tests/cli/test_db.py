"""`teleclaude db` on every installed backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from conftest import Run
    from provisioning import Provisioner, Section
    from teleclaude.config import Config


def test_upgrade_twice(run: Run, config: Config) -> None:
    """The first upgrade makes the schema, the second says that there is nothing to do."""
    first, second = run("db", "upgrade", config=config), run("db", "upgrade", config=config)
    assert (first.code, second.code) == (0, 0)
    assert first.output == f"Migrated {config.database.location} from base to 0001.\n"
    assert second.output == f"Nothing to do: {config.database.location} is at 0001.\n"


def test_current(run: Run, migrated_config: Config) -> None:
    """The revision is shown with what it means."""
    assert run("db", "current", config=migrated_config).output.startswith("0001 (up to date) ")


def test_check_agrees(run: Run, migrated_config: Config) -> None:
    """A fresh schema is what the models say."""
    outcome = run("db", "check", config=migrated_config)
    assert (outcome.code, outcome.output[:3]) == (0, "OK:")


def test_check_differs(
    run: Run, migrated_config: Config, database_settings: Section, provisioner: Provisioner
) -> None:
    """Differences are listed, and the exit code says that there are some."""
    provisioner.execute("ALTER TABLE sessions ADD COLUMN extra TEXT", section=database_settings)
    provisioner.execute("DROP INDEX ix_voice_assignments_assigned_at", section=database_settings)
    outcome = run("db", "check", config=migrated_config)
    assert outcome.code == 6
    assert set(outcome.output.splitlines()) == {
        "unknown column: sessions.extra",
        "missing index: voice_assignments.ix_voice_assignments_assigned_at",
    }
    assert "2 places" in outcome.complaint


def test_downgrade_asks_first(
    run: Run, migrated_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a yes nothing happens."""
    monkeypatch.setattr("typer.confirm", lambda _question: False)
    assert run("db", "downgrade", "base", config=migrated_config).code == 1
    assert run("db", "current", config=migrated_config).output.startswith("0001 ")


def test_downgrade_and_up_again(run: Run, migrated_config: Config) -> None:
    """With `--yes` it goes back, and forward again."""
    location = migrated_config.database.location
    down = run("db", "downgrade", "base", "--yes", config=migrated_config)
    assert f"Migrated {location} from 0001 to base.\n" in down.output
    assert run("db", "upgrade", config=migrated_config).code == 0
    assert run("db", "check", config=migrated_config).code == 0


def test_unknown_revision(run: Run, migrated_config: Config) -> None:
    """A revision that does not exist is an error that lists those that do."""
    outcome = run("db", "upgrade", "0815", config=migrated_config)
    assert outcome.code == 6
    assert outcome.complaint == "error: There is no revision '0815' (known: 0001).\n"


def test_wrong_direction(run: Run, migrated_config: Config) -> None:
    """An upgrade does not go back."""
    outcome = run("db", "upgrade", "base", config=migrated_config)
    assert outcome.code == 6
    assert "teleclaude db downgrade base" in outcome.complaint


def test_history(run: Run, config: Config) -> None:
    """The revisions are listed with their titles; no database is needed."""
    assert run("db", "history", config=config).output.startswith("base -> 0001: The canonical")


def test_sql_needs_no_database(run: Run, provisioner: Provisioner, config: Config) -> None:
    """The DDL of any installed engine is printed, for the configured one and by name."""
    del provisioner
    configured = run("db", "sql", config=config)
    named = run("db", "sql", "--engine", config.backend.engine)
    assert configured.output == named.output
    assert "CREATE TABLE sessions (" in configured.output
    assert "INSERT INTO alembic_version" in configured.output
