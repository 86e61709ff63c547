"""What surrounds a migration: all or nothing, one at a time, and no time limit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from teleclaude_postgres.settings import PostgresSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

    from postgres_provisioning import PostgresProvisioner
    from teleclaude.backends import Backend

TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


async def migrate(backend: Backend, engine: AsyncEngine, *statements: str) -> Mapping[str, object]:
    def run(connection: Connection) -> Mapping[str, object]:
        with backend.migration_context(connection) as options:
            for statement in statements:
                connection.execute(text(statement))
        return options

    async with engine.connect() as connection:
        return await connection.run_sync(run)


async def test_commits(
    provisioner: PostgresProvisioner,
    section: dict[str, Any],
    backend: Backend,
    engine: AsyncEngine,
) -> None:
    """What a migration did is there afterwards, and Alembic is told how it was done."""
    options = await migrate(backend, engine, "CREATE TABLE a ()")
    assert options == {"transactional_ddl": True}
    assert provisioner.execute(TABLES, section=section) == [(1,)]


async def test_failure_leaves_no_trace(
    provisioner: PostgresProvisioner,
    section: dict[str, Any],
    backend: Backend,
    engine: AsyncEngine,
) -> None:
    """A migration that fails half-way leaves neither its tables nor its guard behind."""
    with pytest.raises(Exception, match="division by zero"):
        await migrate(backend, engine, "CREATE TABLE a ()", "SELECT 1 / 0")
    assert provisioner.execute(TABLES, section=section) == [(0,)]
    await migrate(backend, engine, "CREATE TABLE a ()")


async def test_one_at_a_time(
    provisioner: PostgresProvisioner,
    section: dict[str, Any],
    backend: Backend,
    engine: AsyncEngine,
    until: Any,
) -> None:
    """A second migration begins when the first has ended, and sees what it did."""
    async with engine.connect() as first:

        def hold(connection: Connection) -> Any:
            context = backend.migration_context(connection)
            context.__enter__()
            connection.execute(text("CREATE TABLE a ()"))
            return context

        context = await first.run_sync(hold)
        second = asyncio.create_task(migrate(backend, engine, "DROP TABLE a"))
        await until(lambda: provisioner.execute(WAITING, section=section) == [(1,)])
        assert not second.done()
        await first.run_sync(lambda _: context.__exit__(None, None, None))
    await second


@pytest.mark.parametrize("pooler", ["none", "transaction"])
async def test_no_time_limit(backend: Backend, section: dict[str, Any], pooler: str) -> None:
    """A migration may take longer than a statement; afterwards the limit holds again."""
    given = section | {"statement_timeout": 0.2, "pooler": pooler, "pool_size": 1}
    engine = backend.create_engine(PostgresSettings.model_validate(given))
    await migrate(backend, engine, "SELECT pg_sleep(0.4)")
    async with engine.connect() as connection:
        with pytest.raises(Exception) as failure:  # noqa: PT011
            await connection.execute(text("SELECT pg_sleep(30)"))
    assert backend.classify_error(failure.value).value == "timeout"
    await engine.dispose()
