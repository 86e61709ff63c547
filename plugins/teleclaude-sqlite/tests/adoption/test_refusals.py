"""What is not adopted: each refusal says why, and leaves everything as it was."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from teleclaude.errors import AdoptionError, StoreError, StoreUnavailableError, TeleclaudeError
from teleclaude_sqlite.adoption.quarantine import Quarantine

from .conftest import DATA, LAST, backups, content, execute, store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import TakeOld

UPGRADE = """
import asyncio, os, sys
from teleclaude import Db, TeleclaudeError, load_config

db = Db(load_config(sys.argv[1], environ={}))
db.migrator.history()
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    asyncio.run(db.migrator.upgrade())
except TeleclaudeError as error:
    print(error)
else:
    print("adopted")
"""


async def refusal(path: Path, *, strict: bool = False) -> TeleclaudeError:
    """Try to adopt, and make sure that the attempt has left nothing behind."""
    before = path.read_bytes()
    async with store(path) as db:
        with pytest.raises(TeleclaudeError) as caught:
            await db.migrator.upgrade(strict=strict)
    assert path.read_bytes() == before
    assert {one.name for one in path.parent.iterdir()} <= {path.name, "teleclaude.yml"}
    assert caught.value.hint
    return caught.value


# --- levels -------------------------------------------------------------------------------------


async def test_a_newer_database(take: TakeOld) -> None:
    """One with migrations that nobody here knows is refused, and they are named."""
    path = take(
        LAST,
        "INSERT INTO schema_migrations (version) VALUES ('018_add_wings'), ('019_drop_legs')",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    )
    error = await refusal(path)
    assert isinstance(error, AdoptionError)
    assert "018_add_wings, 019_drop_legs" in error.message
    assert "017_add" in error.message
    assert "pip install --upgrade" in str(error.hint)


async def test_tables_that_only_look_like_it(take: TakeOld) -> None:
    """A table with a name of ours and columns of somebody else is named."""
    path = take(
        LAST,
        "ALTER TABLE hook_outbox RENAME COLUMN payload TO burden",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    )
    error = await refusal(path)
    assert isinstance(error, AdoptionError)
    assert "table hook_outbox" in error.message
    assert "no payload" in error.message


async def test_a_table_in_the_way(take: TakeOld) -> None:
    """Somebody's own table `quarantine` is not written into."""
    path = take(LAST, "CREATE TABLE quarantine (x)", "PRAGMA wal_checkpoint(TRUNCATE)")
    assert "`quarantine`" in (await refusal(path)).message


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE schema_migrations (version)", "CREATE TABLE sessions (id)"],
        ["DROP TABLE schema_migrations"],
    ],
)
async def test_a_database_of_somebody_else(
    take: TakeOld, path: Path, statements: list[str]
) -> None:
    """Without the old record, or with other sessions, it is no database of an earlier version."""
    if statements[0].startswith("DROP"):
        take(LAST)
    execute(path, "PRAGMA journal_mode = WAL", *statements, "PRAGMA wal_checkpoint(TRUNCATE)")
    error = await refusal(path)
    assert isinstance(error, AdoptionError)
    assert "tables of TeleClaude" in error.message


async def test_the_record_of_another_program(path: Path) -> None:
    """A table of that name alone is nobody's business: the schema is made beside it."""
    execute(
        path,
        "CREATE TABLE schema_migrations (version)",
        "INSERT INTO schema_migrations VALUES ('20200101')",
    )
    async with store(path) as db:
        migrated = await db.migrator.upgrade()
    assert (migrated.after, migrated.adoption) == ("0001", None)
    assert execute(path, "SELECT version FROM schema_migrations") == [("20200101",)]


async def test_not_at_all_recorded(take: TakeOld) -> None:
    """One that was made before its first migration was recorded is adopted as well."""
    path = take("old-007_split_project_path_subdir", "DELETE FROM schema_migrations")
    async with store(path) as db:
        report = (await db.migrator.upgrade()).adoption
    assert report is not None
    assert report.found.endswith("level none")
    assert report.rows["sessions"] == 8


# --- strict -------------------------------------------------------------------------------------


async def test_strict_refuses_what_has_no_place(take: TakeOld) -> None:
    """With `strict`, the first value without a place stops everything."""
    error = await refusal(take(LAST), strict=True)
    assert isinstance(error, AdoptionError)
    assert "values or rows that have no place" in error.message
    assert "sessions.created_at" in error.message
    assert "db adopt --dry-run" in str(error.hint)


async def test_strict_adopts_what_has_one(take: TakeOld) -> None:
    """With `strict`, a database in which everything has its place is adopted."""
    keys = {
        "sessions": "session_id IN ('plain', 'old', 'defaults', 'headless')",
        "hook_outbox": "id < 4",
        "notification_outbox": "id < 4",
        "webhook_contracts": "id = 'c1'",
        "agent_availability": "agent <> 'words'",
        "pending_message_deletions": "session_id = 'plain'",
        "memory_observations": "id <> 3",
    }
    path = take(
        LAST, *(f"DELETE FROM {table} WHERE ({kept}) IS NOT TRUE" for table, kept in keys.items())
    )
    async with store(path) as db:
        report = (await db.migrator.upgrade(strict=True)).adoption
    assert report is not None
    assert (report.quarantined, report.examples) == (0, [])


# --- files --------------------------------------------------------------------------------------


async def test_a_damaged_database(take: TakeOld) -> None:
    """What SQLite's integrity check finds is told, and no copy is made of it."""
    path = take(
        LAST,
        "CREATE TABLE damaged (a, b)",
        "CREATE INDEX i ON damaged (a)",
        "INSERT INTO damaged VALUES (1, 2)",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = 'CREATE INDEX i ON damaged (b)' WHERE name = 'i'",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    )
    error = await refusal(path)
    assert isinstance(error, AdoptionError)
    assert "is damaged: row 1 missing from index i" in error.message


async def test_an_overwritten_page(take: TakeOld) -> None:
    """Pages that are no pages any more are damage, too."""
    path = take(LAST)
    with path.open("r+b") as file:
        file.seek(512 * 4)
        file.write(b"\x99" * 512 * 30)
    error = await refusal(path)
    assert "is damaged" in error.message


async def test_rows_that_a_constraint_would_refuse_are_no_damage(take: TakeOld) -> None:
    """A value that its CHECK does not admit goes to quarantine with its row."""
    path = take(
        LAST,
        "PRAGMA ignore_check_constraints = ON",
        "UPDATE pending_message_deletions SET deletion_type = 'whim' WHERE id = 1",
    )
    async with store(path) as db:
        report = (await db.migrator.upgrade()).adoption
    assert report is not None
    assert report.rows["pending_message_deletions"] == 1
    reasons = {one.key: one.reason for one in report.examples if one.table.startswith("pending")}
    assert reasons["1"] == "has no deletion_type that exists"


async def test_not_a_database(path: Path) -> None:
    """A file of another kind is called that."""
    path.write_bytes(b"This is a letter to my grandmother. " * 100)
    error = await refusal(path)
    assert isinstance(error, StoreUnavailableError)
    assert "file is not a database" in error.message


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A directory that somebody without privileges owns."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)
        inner = directory / "inner"
        inner.mkdir()
        yield inner


@pytest.mark.parametrize("read_only", ["file", "directory"])
def test_a_read_only_database(nobodys: Path, read_only: str) -> None:
    """Where the file or its directory cannot be written, that is said, and nothing is done."""
    path = nobodys / "old.db"
    shutil.copy(DATA / "legacy" / f"{LAST}.db", path)
    config = nobodys.parent / "teleclaude.yml"
    config.write_text(f"database: {{path: {path}}}")
    for one in (nobodys.parent, nobodys, path):
        if os.geteuid() == 0:
            os.chown(one, 65534, 65534)
    before = path.read_bytes()
    path.chmod(0o444 if read_only == "file" else 0o644)
    nobodys.chmod(0o555 if read_only == "directory" else 0o755)
    done = subprocess.run(
        [sys.executable, "-c", UPGRADE, str(config)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd="/",
    )
    assert "refuses access: the file and its directory must be" in done.stdout
    assert path.read_bytes() == before
    assert list(nobodys.iterdir()) == [path]


async def test_no_space_for_the_copy(take: TakeOld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the copy would not fit, nothing is begun."""
    path = take(LAST)
    usage = shutil.disk_usage(path)._replace(free=path.stat().st_size - 1)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    error = await refusal(path)
    assert isinstance(error, StoreError)
    assert f"no space in {path.parent} for a copy of the database {path}" in error.message


async def test_space_that_runs_out_while_copying(
    take: TakeOld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the copy turns out not to fit, it is removed again, and the same is said."""
    path = take(LAST)
    connect = sqlite3.connect

    def small(database: object, **options: object) -> sqlite3.Connection:
        connection = connect(database, **options)  # type: ignore[call-overload]
        if str(database).endswith(".partial"):
            connection.execute("PRAGMA page_size = 512")
            connection.execute("PRAGMA max_page_count = 20")
        assert isinstance(connection, sqlite3.Connection)
        return connection

    monkeypatch.setattr("teleclaude_sqlite.upkeep.sqlite3.connect", small)
    error = await refusal(path)
    assert "no space in" in error.message


# --- dry run ------------------------------------------------------------------------------------


async def test_a_dry_run_changes_nothing(take: TakeOld) -> None:
    """It says the same as the adoption itself, and leaves neither a change nor a file."""
    path = take(LAST)
    before = content(path)
    async with store(path) as db:
        tried = await db.migrator.adopt(dry_run=True)
        assert content(path) == before
        assert backups(path) == []
        done = await db.migrator.adopt()
    assert tried.adoption == done.adoption
    assert (tried.backup, done.backup) == (None, backups(path)[0])


async def test_nothing_to_adopt(take: TakeOld, path: Path) -> None:
    """A database of ours, an empty one and none at all are no databases of an earlier version."""
    async with store(path) as db:
        with pytest.raises(StoreUnavailableError, match="There is no database"):
            await db.migrator.adopt()
        assert not path.exists()
    execute(path, "CREATE TABLE unrelated (x)")
    async with store(path) as db:
        with pytest.raises(AdoptionError, match="No earlier TeleClaude made"):
            await db.migrator.adopt()
    assert execute(path, "SELECT name FROM sqlite_master") == [("unrelated",)]
    path.unlink()
    async with store(take(LAST)) as db:
        await db.migrator.adopt()
        with pytest.raises(AdoptionError, match="revision 0001: nothing to adopt"):
            await db.migrator.adopt()


def test_secrets_are_not_shown() -> None:
    """The originals in a report are shortened, and a webhook's secret is not among them."""
    quarantine = Quarantine("now")
    quarantine.value("webhook_outbox", "1", "target_secret", "hush\0", "is odd")
    quarantine.row("webhook_outbox", "2", {"target_secret": "hush", "x": "y" * 100}, "is odd")
    assert not any("hush" in one.original for one in quarantine.examples)
    assert all(len(one.original) <= 60 for one in quarantine.examples)
    assert json.loads(quarantine.examples[0].original) == "********"
