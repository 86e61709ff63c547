"""Migrations that fail, are killed, meet each other or lose something: all or nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from teleclaude.errors import MigrationError
from teleclaude.store import Db
from teleclaude.testing.fixtures import async_fixture
from teleclaude.testing.processes import store_process
from teleclaude.testing.schema_dump import dump
from teleclaude.testing.schemas import OURS

if TYPE_CHECKING:
    from pathlib import Path

    from teleclaude.config import Config
    from teleclaude.testing.fixtures import Execute, OpenSchema
    from teleclaude.testing.schemas import Revisions, Schema

CHANGES = """
op.create_table("more", sa.Column("id", types.Key(), primary_key=True))
op.execute("INSERT INTO more VALUES ('a'), ('b')")
op.execute("UPDATE sessions SET title = 'changed'")
op.create_index("ix_more", "sessions", ["title"])
with op.batch_alter_table("sessions") as batch:
    batch.alter_column("subdir", existing_type=types.LongText(), nullable=False, server_default="x")
"""

COUNTED = """
op.execute("CREATE TABLE IF NOT EXISTS counter (n INTEGER)")
op.execute("INSERT INTO counter VALUES (1)")
"""

REBUILD = """
with op.batch_alter_table("{table}") as batch:
    batch.alter_column("{column}", existing_type=types.LongText(), nullable={nullable})
"""


async def with_rows(config: Config) -> None:
    async with Db(config) as db, db.transaction() as tx:
        for number in "123":
            await tx.sessions.create("mac", None, "api", session_id=number, subdir="x")


@pytest.mark.parametrize(
    "failure",
    [
        "raise RuntimeError('boom')",
        "raise SystemExit('boom')",
        "op.execute('INSERT INTO nonexistent VALUES (1)')",
        "op.execute(\"INSERT INTO more VALUES ('a')\")",
    ],
)
async def test_a_failing_revision_leaves_no_trace(
    migrated_config: Config, open_schema: OpenSchema, revisions: Revisions, failure: str
) -> None:
    """Whatever goes wrong in a revision, schema, rows and revision are as before."""
    await with_rows(migrated_config)
    revisions.add(COUNTED)
    revisions.add(f"{CHANGES}\n{failure}")
    schema = open_schema(migrated_config, revisions.directory)
    before = await dump(schema.engine)
    with pytest.raises((MigrationError, SystemExit)) as caught:
        await schema.migrator.upgrade()
    assert await dump(schema.engine) == before
    if isinstance(caught.value, MigrationError):
        assert "migration from 0001 to test3 failed and was undone" in caught.value.message
        assert "\n" not in caught.value.message
        assert caught.value.__cause__ is not None
    async with Db(migrated_config) as db:
        await db.sessions.touch("1")


async def test_a_failing_first_upgrade_leaves_an_empty_database(
    config: Config, empty: Schema, open_schema: OpenSchema, revisions: Revisions
) -> None:
    """When the upgrade of a new database fails, there is not a single table in it."""
    revisions.add("raise RuntimeError('boom')")
    schema = open_schema(config, revisions.directory)
    with pytest.raises(MigrationError, match=r"from base to test2 .* RuntimeError: boom"):
        await schema.migrator.upgrade()
    assert await dump(schema.engine) == ""
    await empty.migrator.upgrade()
    assert await empty.migrator.check() == []


async def test_a_failing_downgrade_leaves_no_trace(
    migrated_config: Config, open_schema: OpenSchema, revisions: Revisions
) -> None:
    """A downgrade that fails half-way is undone as a whole."""
    revisions.add(COUNTED, "op.drop_table('counter')\nraise RuntimeError('boom')")
    schema = open_schema(migrated_config, revisions.directory)
    await schema.migrator.upgrade()
    before = await dump(schema.engine)
    with pytest.raises(MigrationError, match="from test2 to base"):
        await schema.migrator.downgrade("base")
    assert await dump(schema.engine) == before


async def test_a_cancelled_migration_leaves_no_trace(
    migrated_config: Config, open_schema: OpenSchema, revisions: Revisions
) -> None:
    """Cancelled at any moment, a migration has happened as a whole or not at all."""
    await with_rows(migrated_config)
    revisions.add(CHANGES)
    schema = open_schema(migrated_config, revisions.directory)
    before = await dump(schema.engine)
    for steps in (0, 3, 10, 25, 45, 70, 100):
        task = asyncio.ensure_future(schema.migrator.upgrade())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            break
        if await schema.migrator.current() == "0001":
            assert await dump(schema.engine) == before
    async with asyncio.timeout(20):
        await schema.migrator.upgrade()
    assert await schema.migrator.current() == "test2"


async def test_two_processes_migrate_once(
    migrated_config: Config,
    revisions: Revisions,
    execute: Execute,
) -> None:
    """Two processes that upgrade at the same moment both succeed, and one of them does the work."""
    revisions.add(COUNTED)
    await upgrade_twice(migrated_config.path, OURS, revisions.directory)
    for table in ("counter", "alembic_version"):
        sql = f"SELECT count(*) FROM {table}"
        assert execute(sql) == [(1,)]


async def test_two_processes_make_one_database(config: Config, empty: Schema) -> None:
    """Two processes that meet at an empty database both end with one that is complete."""
    await upgrade_twice(config.path)
    assert await empty.migrator.check() == []


async def upgrade_twice(config: Path | None, *versions: Path) -> None:
    async with (
        store_process("upgrade", config, *versions) as one,
        store_process("upgrade", config, *versions) as other,
    ):
        await one.said()
        await other.said()
        said = await asyncio.gather(one.finish(), other.finish())
    assert sorted(said) in (["False", "True"], ["True", "True"])


async def test_a_killed_migration_leaves_no_trace(
    migrated_config: Config, open_schema: OpenSchema, revisions: Revisions, tmp_path: Path
) -> None:
    """After `kill -9` in the middle of a migration all is as before, and the next one works."""
    await with_rows(migrated_config)
    marker = tmp_path / "wait"
    marker.touch()
    wait = f"if Path({str(marker)!r}).exists():\n    print('middle', flush=True)\n    input()"
    revisions.add(f"{CHANGES}\n{wait}")
    schema = open_schema(migrated_config, revisions.directory)
    before = await dump(schema.engine)
    async with store_process("upgrade", migrated_config.path, OURS, revisions.directory) as other:
        assert await other.said() == "ready"
        await other.go_on()
        assert await other.said() == "middle"
        assert await schema.migrator.current() == "0001"
        await other.kill()
    assert await dump(schema.engine) == before
    marker.unlink()
    async with asyncio.timeout(20):
        assert (await schema.migrator.upgrade()).after == "test2"


# --- rows ---------------------------------------------------------------------------------------


async def test_lost_rows_undo_the_migration(
    migrated_config: Config, open_schema: OpenSchema, revisions: Revisions
) -> None:
    """A revision that loses rows without having said so is undone, and the table is named."""
    await with_rows(migrated_config)
    revisions.add("op.execute(\"DELETE FROM sessions WHERE session_id = '2'\")")
    schema = open_schema(migrated_config, revisions.directory)
    before = await dump(schema.engine)
    with pytest.raises(MigrationError, match=r"lose rows of sessions \(3 rows before, 2 after\)"):
        await schema.migrator.upgrade()
    assert await dump(schema.engine) == before


async def test_a_revision_may_delete_what_it_declares(
    migrated_config: Config, open_schema: OpenSchema, revisions: Revisions
) -> None:
    """A revision that says which tables it deletes from may do so, and only there."""
    await with_rows(migrated_config)
    revisions.add(
        "op.execute(\"DELETE FROM sessions WHERE session_id = '2'\")", deletes=("sessions",)
    )
    schema = open_schema(migrated_config, revisions.directory)
    assert (await schema.migrator.upgrade()).after == "test2"
    revisions.add("op.execute('DELETE FROM sessions')", deletes=("settings",))
    with pytest.raises(MigrationError, match="lose rows of sessions"):
        await open_schema(migrated_config, revisions.directory).migrator.upgrade()


@async_fixture
async def with_children(migrated_config: Config, execute: Execute) -> None:
    """Three sessions, and messages that wait to be deleted for each."""
    await with_rows(migrated_config)
    for number in "123":
        execute(
            "INSERT INTO pending_message_deletions"
            " (session_id, message_id, deletion_type, created_at)"
            f" VALUES ('{number}', 'm', 'feedback', '2024-01-01T00:00:00.000000+00:00')"
        )


@pytest.mark.usefixtures("with_children")
async def test_rebuilding_a_parent_keeps_its_children(
    migrated_config: Config,
    migrated: Schema,
    open_schema: OpenSchema,
    revisions: Revisions,
    execute: Execute,
) -> None:
    """Replacing a table that others refer to with ON DELETE CASCADE deletes nothing there."""
    change = {"table": "sessions", "column": "subdir"}
    revisions.add(REBUILD.format(**change, nullable=False), REBUILD.format(**change, nullable=True))
    schema = open_schema(migrated_config, revisions.directory)
    before = await dump(schema.engine)

    def children() -> int:
        sql = "SELECT count(*) FROM pending_message_deletions"
        ((count,),) = execute(sql)
        return int(str(count))

    await schema.migrator.upgrade()
    assert children() == 3
    await schema.migrator.downgrade("0001")
    assert children() == 3
    assert await dump(schema.engine) == before
    assert await migrated.migrator.check() == []
    execute("DELETE FROM sessions WHERE session_id = '1'")
    assert children() == 2


@pytest.mark.parametrize("survivors", [0, 1])
async def test_a_rebuilt_table_gives_no_id_twice(
    migrated_config: Config,
    open_schema: OpenSchema,
    revisions: Revisions,
    execute: Execute,
    survivors: int,
) -> None:
    """After a rebuild, ids above those that are left are not given again."""
    change = {"table": "hook_outbox", "column": "last_error"}
    revisions.add(REBUILD.format(**change, nullable=False))
    moment = "'2024-01-01T00:00:00.000000+00:00'"
    insert = (
        "INSERT INTO hook_outbox"
        " (session_id, event_type, payload, created_at, next_attempt_at, last_error)"
        f" VALUES ('1', 'x', '{{}}', {moment}, {moment}, '') RETURNING id"
    )
    for _ in range(5):
        execute(insert)
    execute(f"DELETE FROM hook_outbox WHERE id > {survivors}")
    await open_schema(migrated_config, revisions.directory).migrator.upgrade()
    assert execute(insert) == [(6,)]


@pytest.mark.usefixtures("with_children")
async def test_no_row_loses_its_parent(
    migrated_config: Config, open_schema: OpenSchema, revisions: Revisions
) -> None:
    """A revision that would leave children without their parent is undone."""
    revisions.add(
        'op.execute("UPDATE pending_message_deletions'
        " SET session_id = 'nobody' WHERE session_id = '1'\")",
    )
    schema = open_schema(migrated_config, revisions.directory)
    before = await dump(schema.engine)
    with pytest.raises(MigrationError):
        await schema.migrator.upgrade()
    assert await dump(schema.engine) == before
