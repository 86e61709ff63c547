"""Upgrading and downgrading, and what the runner refuses to do."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.schema import DropIndex

from teleclaude.errors import (
    AdoptionError,
    InstanceLockedError,
    MigrationError,
    SchemaOutdatedError,
    SchemaTooNewError,
    StoreError,
    StoreUnavailableError,
)
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.testing.processes import store_process
from teleclaude.testing.schema_dump import dump

if TYPE_CHECKING:
    from teleclaude.config import Config
    from teleclaude.testing.fixtures import Execute, OpenSchema
    from teleclaude.testing.schemas import Revisions, Schema

MORE = 'op.create_table("more", sa.Column("id", types.Key(), primary_key=True))'
LESS = 'op.drop_table("more")'


# --- there and back -----------------------------------------------------------------------------


async def test_a_fresh_upgrade_is_what_the_models_say(empty: Schema) -> None:
    """After an upgrade from nothing, models and database agree, and the store opens."""
    done = await empty.migrator.upgrade()
    assert (done.before, done.after, done.changed) == (None, "0001", True)
    assert done.backup is None
    assert await empty.migrator.current() == empty.migrator.head == "0001"
    assert await empty.migrator.check() == []
    await empty.migrator.require_head()


async def test_down_and_up_again(empty: Schema) -> None:
    """Downgrading to base leaves nothing; upgrading again gives the same schema."""
    await empty.migrator.upgrade()
    first = await dump(empty.engine)
    done = await empty.migrator.downgrade("base")
    assert (done.before, done.after, done.changed) == ("0001", None, True)
    assert await empty.migrator.current() is None
    left = await dump(empty.engine)
    assert re.findall("TABLE (.*)", left) == ["alembic_version"]
    assert "ROW" not in left
    await empty.migrator.upgrade()
    assert await dump(empty.engine) == first
    assert await empty.migrator.check() == []


async def test_at_head_there_is_nothing_to_do(migrated: Schema) -> None:
    """A second upgrade changes nothing and says so."""
    before = await dump(migrated.engine)
    done = await migrated.migrator.upgrade()
    assert (done.before, done.after, done.changed, done.backup) == ("0001", "0001", False, None)
    assert await dump(migrated.engine) == before


async def test_at_head_nobody_is_waited_for(migrated: Schema, migrated_config: Config) -> None:
    """An upgrade that has nothing to do takes no lock: not behind a writer, not beside a daemon."""
    async with (
        store_process("hold_transaction", migrated_config.path, "key") as writer,
        store_process("hold_lock", migrated_config.path, "daemon") as daemon,
    ):
        await writer.said()
        await daemon.said()
        async with asyncio.timeout(3):
            assert not (await migrated.migrator.upgrade()).changed


async def test_steps(
    migrated_config: Config, open_schema: OpenSchema, revisions: Revisions
) -> None:
    """A downgrade may name a revision or count back; an upgrade may stop before the head."""
    for _ in range(3):
        revisions.add("pass")
    migrator = open_schema(migrated_config, revisions.directory).migrator
    assert migrator.head == "test4"
    assert [revision.id for revision in migrator.history()] == ["0001", "test2", "test3", "test4"]
    assert (await migrator.upgrade("test2")).after == "test2"
    assert (await migrator.upgrade()).after == "test4"
    assert (await migrator.downgrade("-2")).after == "test2"
    assert (await migrator.downgrade("0001")).after == "0001"
    assert await migrator.current() == "0001"


def test_the_history_is_readable(migrated: Schema) -> None:
    """Every revision has a one-line title and names the one before."""
    first, *_ = migrated.migrator.history()
    assert first.down is None
    assert all("\n" not in one.title and one.title for one in migrated.migrator.history())


# --- the SQL ------------------------------------------------------------------------------------


async def test_the_sql_can_be_executed_by_hand(empty: Schema, execute: Execute) -> None:
    """The printed script makes the schema and its revision without TeleClaude."""
    script = re.sub("(?m)^--.*$", "", empty.migrator.sql())
    for statement in re.split(r";\s*\n", script):  # bodies of triggers have semicolons inside
        if statement.strip() not in ("", "BEGIN", "COMMIT"):
            execute(statement)
    assert await empty.migrator.check() == []
    await empty.migrator.require_head()


# --- differences --------------------------------------------------------------------------------


NATIVE_INDEX = next(
    index
    for index in metadata.tables["sessions"].indexes
    if index.name == "ix_sessions_native_session_id"
)

DIFFERENCES: dict[str | DropIndex, str] = {
    "DROP TABLE voice_assignments": "missing table: voice_assignments",
    "CREATE TABLE stranger (id INTEGER)": "unknown table: stranger",
    "ALTER TABLE sessions ADD COLUMN stranger TEXT": "unknown column: sessions.stranger",
    "ALTER TABLE sessions DROP COLUMN subdir": "missing column: sessions.subdir",
    DropIndex(NATIVE_INDEX): "missing index: sessions.ix_sessions_native_",
    "CREATE INDEX ix_x ON sessions (title)": "unknown index: sessions.ix_x",
}


async def test_differences_are_named(migrated: Schema, execute: Execute) -> None:
    """What differs between database and models is said in words, one line each."""
    for sql in DIFFERENCES:
        execute(sql)
    found = await migrated.migrator.check()
    for difference in DIFFERENCES.values():
        assert any(line.startswith(difference) for line in found), found
    assert len(found) == len(DIFFERENCES) + 1  # with the table went its index
    assert not any("\n" in line for line in found)


# --- refusals -----------------------------------------------------------------------------------


SENSELESS = (
    ("upgrade", "nonsense", r"There is no revision 'nonsense' \(known: 0001, test2\)"),
    ("upgrade", "", "There is no revision ''"),
    ("upgrade", "base", "Revision base is older than the database's, 0001"),
    ("upgrade", "-1", "Revision base is older than the database's, 0001"),
    ("downgrade", "test2", "Revision test2 is newer than the database's, 0001"),
    ("downgrade", "head", "Revision test2 is newer than the database's, 0001"),
    ("downgrade", "-2", "There is no revision '-2'"),
    ("downgrade", "-x", "There is no revision '-x'"),
)


async def test_targets_that_make_no_sense(
    migrated_config: Config, open_schema: OpenSchema, revisions: Revisions
) -> None:
    """An unknown revision, or one in the wrong direction, is refused and nothing is changed."""
    revisions.add(MORE, LESS)
    schema = open_schema(migrated_config, revisions.directory)
    before = await dump(schema.engine)
    for method, target, message in SENSELESS:
        with pytest.raises(MigrationError, match=message):
            await getattr(schema.migrator, method)(target)
    assert await dump(schema.engine) == before


async def test_an_older_schema_is_not_opened(
    migrated_config: Config, open_schema: OpenSchema, revisions: Revisions
) -> None:
    """A database that needs an upgrade is refused, with both revisions and the command."""
    revisions.add(MORE, LESS)
    older = open_schema(migrated_config, revisions.directory).migrator
    with pytest.raises(SchemaOutdatedError, match=r"revision 0001; .* needs test2\..*db upgrade"):
        await older.require_head()


async def test_an_empty_database_is_not_opened(config: Config) -> None:
    """A database that was never upgraded is refused, and the command is named."""
    db = Db(config)
    with pytest.raises((SchemaOutdatedError, StoreUnavailableError), match="db upgrade"):
        await db.open()
    with pytest.raises(StoreError, match="is closed"):
        await db.settings.all()
    await db.close()


async def test_a_newer_schema_is_left_alone(
    migrated: Schema, migrated_config: Config, execute: Execute
) -> None:
    """A database of a later TeleClaude is neither opened nor upgraded nor downgraded."""
    execute("UPDATE alembic_version SET version_num = 'f00d'")
    before = await dump(migrated.engine)
    for attempt in (
        migrated.migrator.upgrade,
        migrated.migrator.require_head,
        lambda: migrated.migrator.downgrade("base"),
        Db(migrated_config).open,
    ):
        with pytest.raises(
            SchemaTooNewError, match=r"revision f00d.*knows up to 0001.*pip install"
        ):
            await attempt()
    assert await dump(migrated.engine) == before


async def test_tables_of_somebody_else(empty: Schema, execute: Execute) -> None:
    """Tables with our names that no revision made stop the upgrade; nothing is changed."""
    for sql in (
        "CREATE TABLE sessions (session_id TEXT)",
        "INSERT INTO sessions VALUES ('precious')",
        "CREATE TABLE unrelated (id INTEGER)",
    ):
        execute(sql)
    before = await dump(empty.engine)
    with pytest.raises(AdoptionError, match=r"tables of TeleClaude \(sessions\) but no revision"):
        await empty.migrator.upgrade()
    assert await dump(empty.engine) == before


async def test_unrelated_tables_are_nobodys_business(empty: Schema, execute: Execute) -> None:
    """Tables with other names stay as they are, there and back."""
    execute("CREATE TABLE unrelated (id INTEGER)")
    execute("INSERT INTO unrelated VALUES (7)")
    await empty.migrator.upgrade()
    await empty.migrator.downgrade("base")
    assert execute("SELECT * FROM unrelated") == [(7,)]


async def test_not_under_a_running_daemon(
    migrated_config: Config, open_schema: OpenSchema, revisions: Revisions
) -> None:
    """While a daemon has the database, nobody else migrates it; the daemon itself does."""
    revisions.add(MORE, LESS)
    schema = open_schema(migrated_config, revisions.directory)
    before = await dump(schema.engine)
    async with store_process("hold_lock", migrated_config.path, "daemon") as daemon:
        await daemon.said()
        for attempt in (schema.migrator.upgrade(), schema.migrator.downgrade("base")):
            with pytest.raises(InstanceLockedError, match=f"process {daemon.pid} on .* since"):
                await attempt
        assert await dump(schema.engine) == before
        await daemon.finish()
    backend, settings = migrated_config.backend, migrated_config.database
    async with backend.instance_lock(settings, "daemon"):
        assert (await schema.migrator.upgrade(own_lock=True)).after == "test2"
