"""`teleclaude db adopt`, and what the other commands do with a database of an earlier version."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from teleclaude.backends import AdoptionReport, Quarantined
from teleclaude.cli.adoption import describe

if TYPE_CHECKING:
    from conftest import Run
    from store_fixtures import Configure
    from teleclaude.config import Config

LEGACY = Path(__file__).parents[1] / "data" / "legacy"
LAST = "017_add_session_visibility"


class Old:
    """An old database with its configuration."""

    def __init__(self, path: Path, config: Config) -> None:
        self.path = path
        self.config = config

    def tables(self) -> set[str]:
        with closing(sqlite3.connect(self.path)) as connection:
            return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}

    def backups(self) -> list[Path]:
        return list(self.path.parent.glob("*.backup-*"))


@pytest.fixture
def old(tmp_path: Path, configure: Configure) -> Old:
    path = tmp_path / "old.db"
    shutil.copy(LEGACY / "strange-017.db", path)
    # No configuration says which engine: an old database is one of the engine without any.
    return Old(path, configure({"path": str(path)}))


def test_dry_run(run: Run, old: Old) -> None:
    """What would be done is shown, and nothing is changed."""
    before = old.tables()
    outcome = run("db", "adopt", "--dry-run", config=old.config)
    assert (outcome.code, outcome.complaint) == (0, "")
    first, left, quarantined, *listed, last = outcome.output.splitlines()
    assert first.startswith(f"Would adopt a database of an earlier TeleClaude at level {LAST}, ")
    assert "48 rows" in first
    assert "sessions 8" in first
    assert left.endswith(": notes.")
    assert quarantined.startswith("No place for 27 values or rows; they would be in `quarantine`")
    assert len(listed) == 21
    assert listed[1] == (
        "  agent_availability 'words', unavailable_until: \"tomorrow 9am\" is not a date and time"
    )
    assert listed[-1] == "  and 7 more"
    assert last == f"Nothing was changed: {old.path} is as it was."
    assert old.tables() == before
    assert old.backups() == []


@pytest.mark.parametrize("command", ["adopt", "upgrade"])
def test_adopting(run: Run, old: Old, command: str) -> None:
    """The path of the copy is printed, what was converted, and the revision it is at now."""
    outcome = run("db", command, config=old.config)
    assert (outcome.code, outcome.complaint) == (0, "")
    first, second, *_, last = outcome.output.splitlines()
    assert first == f"Backup: {old.backups()[0]}"
    assert second.startswith("Adopted a database of an earlier TeleClaude")
    assert last == f"Migrated {old.path} from base to 0001."
    assert run("db", "current", config=old.config).output.startswith("0001 (up to date)")
    assert run("db", "upgrade", config=old.config).output.startswith("Nothing to do")


@pytest.mark.parametrize("command", ["adopt", "upgrade"])
def test_strict(run: Run, old: Old, command: str) -> None:
    """With `--strict`, a database of which something has no place is refused untouched."""
    before = old.tables()
    outcome = run("db", command, "--strict", config=old.config)
    assert (outcome.code, outcome.output) == (6, "")
    assert re.search(r"has 27 values or rows .* nothing was changed", outcome.complaint)
    assert (old.tables(), old.backups()) == (before, [])


def test_nothing_to_adopt(run: Run, migrated_config: Config) -> None:
    """On every engine, a database of ours is not adopted."""
    outcome = run("db", "adopt", config=migrated_config)
    assert outcome.code == 6
    assert "is at revision 0001: nothing to adopt" in outcome.complaint


def test_an_empty_database_is_not_adopted(run: Run, config: Config) -> None:
    """On every engine, an empty database, or none at all, is no old one."""
    assert run("db", "adopt", config=config).code in (5, 6)
    assert not run("db", "current", config=config).output.startswith("0001")


def test_a_report_without_anything_special() -> None:
    """Where everything has its place, one line is all."""
    report = AdoptionReport("an old one", {"sessions": 1234, "hook_outbox": 0}, 0, [], [])
    assert list(describe(report)) == ["Adopted an old one, with 1,234 rows (sessions 1,234)."]


def test_a_whole_row_in_the_report() -> None:
    """A row that is in quarantine as a whole has no column."""
    one = Quarantined("sessions", "7", None, "{}", "is odd")
    report = AdoptionReport("an old one", {}, 1, [one], [])
    assert list(describe(report))[-1] == "  sessions '7': {} is odd"
