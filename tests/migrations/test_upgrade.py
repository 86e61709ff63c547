"""Upgrading and downgrading, and what the runner refuses to do."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from processes import store_process
from schema_dump import dump
from teleclaude.errors import (
    AdoptionError,
    InstanceLockedError,
    MigrationError,
    SchemaOutdatedError,
    SchemaTooNewError,
    StoreUnavailableError,
)
from teleclaude.store import Db
from teleclaude.store.models import metadata

if TYPE_CHECKING:
    from provisioning import Provisioner, Section
    from store_fixtures import Configure
    from teleclaude.config import Config

    from .conftest import OpenSchema, Revisions, Schema

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


async def test_two_databases_at_once(
    provisioner: Provisioner, configure: Configure, open_schema: OpenSchema
) -> None:
    """One process can upgrade several databases at the same time without mixing them up."""
    schemas = [open_schema(configure(provisioner.section())) for _ in range(3)]
    await asyncio.gather(*(schema.migrator.upgrade() for schema in schemas))
    for schema in schemas:
        assert await schema.migrator.check() == []
    await asyncio.gather(*(schema.migrator.downgrade("base") for schema in schemas))
    assert [await schema.migrator.current() for schema in schemas] == [None] * 3


async def test_awkward_names(
    provisioner: Provisioner,
    database_section: Section,
    configure: Configure,
    open_schema: OpenSchema,
    revisions: Revisions,
) -> None:
    """Quotes, spaces and % in a path or a password reach nobody's configuration file."""
    revisions.add(MORE, LESS)
    config = configure(provisioner.awkward(database_section))
    migrator = open_schema(config, revisions.directory).migrator
    assert (await migrator.upgrade()).after == "test2"
    assert (await migrator.downgrade("0001")).after == "0001"
    async with Db(config) as db:
        await db.settings.set("key", "value")
    await migrator.downgrade("base")
    assert migrator.sql()


# --- the SQL ------------------------------------------------------------------------------------


async def test_the_sql_can_be_executed_by_hand(
    empty: Schema, provisioner: Provisioner, database_section: Section
) -> None:
    """The printed script makes the schema and its revision without TeleClaude."""
    script = re.sub("(?m)^--.*$", "", empty.migrator.sql())
    for statement in re.split(r";\s*\n", script):  # bodies of triggers have semicolons inside
        if statement.strip() not in ("", "BEGIN", "COMMIT"):
            provisioner.execute(statement, section=database_section)
    assert await empty.migrator.check() == []
    await empty.migrator.require_head()


async def test_the_sql_connects_to_nothing(
    provisioner: Provisioner,
    database_section: Section,
    configure: Configure,
    open_schema: OpenSchema,
) -> None:
    """The script can be printed where there is no database, and is the same there."""
    nowhere = open_schema(configure(provisioner.unreachable(database_section)))
    here = open_schema(configure(database_section))
    assert nowhere.migrator.sql() == here.migrator.sql()
    script = here.migrator.sql()
    assert script.lstrip().startswith("BEGIN;")
    assert script.rstrip().endswith("COMMIT;")
    assert all(f"CREATE TABLE {name} (" in script for name in metadata.tables)


# --- differences --------------------------------------------------------------------------------


DIFFERENCES = {
    "DROP TABLE voice_assignments": "missing table: voice_assignments",
    "CREATE TABLE stranger (id INTEGER)": "unknown table: stranger",
    "ALTER TABLE sessions ADD COLUMN stranger TEXT": "unknown column: sessions.stranger",
    "ALTER TABLE sessions DROP COLUMN subdir": "missing column: sessions.subdir",
    "DROP INDEX ix_sessions_native_session_id": "missing index: sessions.ix_sessions_native_",
    "CREATE INDEX ix_x ON sessions (title)": "unknown index: sessions.ix_x",
}


async def test_differences_are_named(
    migrated: Schema, provisioner: Provisioner, migrated_section: Section
) -> None:
    """What differs between database and models is said in words, one line each."""
    for sql in DIFFERENCES:
        provisioner.execute(sql, section=migrated_section)
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
    migrated_config: Config, open_schema: OpenSchema, revisions: Revisions, empty: Schema
) -> None:
    """A database that needs an upgrade is refused, with both revisions and the command."""
    revisions.add(MORE, LESS)
    older = open_schema(migrated_config, revisions.directory).migrator
    with pytest.raises(SchemaOutdatedError, match=r"revision 0001; .* needs test2\..*db upgrade"):
        await older.require_head()
    with pytest.raises((SchemaOutdatedError, StoreUnavailableError), match="db upgrade"):
        await empty.migrator.require_head()


async def test_a_newer_schema_is_left_alone(
    migrated: Schema, migrated_config: Config, provisioner: Provisioner, migrated_section: Section
) -> None:
    """A database of a later TeleClaude is neither opened nor upgraded nor downgraded."""
    provisioner.execute("UPDATE alembic_version SET version_num = 'f00d'", section=migrated_section)
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


async def test_tables_of_somebody_else(
    empty: Schema, provisioner: Provisioner, database_section: Section
) -> None:
    """Tables with our names that no revision made stop the upgrade; nothing is changed."""
    for sql in (
        "CREATE TABLE sessions (session_id TEXT)",
        "INSERT INTO sessions VALUES ('precious')",
        "CREATE TABLE unrelated (id INTEGER)",
    ):
        provisioner.execute(sql, section=database_section)
    before = await dump(empty.engine)
    with pytest.raises(AdoptionError, match=r"tables of TeleClaude \(sessions\) but no revision"):
        await empty.migrator.upgrade()
    assert await dump(empty.engine) == before


async def test_unrelated_tables_are_nobodys_business(
    empty: Schema, provisioner: Provisioner, database_section: Section
) -> None:
    """Tables with other names stay as they are, there and back."""
    provisioner.execute("CREATE TABLE unrelated (id INTEGER)", section=database_section)
    provisioner.execute("INSERT INTO unrelated VALUES (7)", section=database_section)
    await empty.migrator.upgrade()
    await empty.migrator.downgrade("base")
    assert provisioner.execute("SELECT * FROM unrelated", section=database_section) == [(7,)]


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


async def test_an_unreachable_database(
    provisioner: Provisioner,
    database_section: Section,
    configure: Configure,
    open_schema: OpenSchema,
) -> None:
    """Every question about the schema of a database that is not there is the same clear error."""
    config = configure(provisioner.unreachable(database_section))
    migrator = open_schema(config).migrator
    for attempt in (migrator.current(), migrator.require_head(), migrator.check()):
        with pytest.raises(StoreUnavailableError) as failure:
            await attempt
        assert config.database.location in failure.value.message
        assert failure.value.hint
