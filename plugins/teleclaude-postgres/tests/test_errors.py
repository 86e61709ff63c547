"""The classification of failures, each caused on a real server."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from teleclaude.backends import ErrorKind
from teleclaude_postgres.settings import PostgresSettings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from postgres_provisioning import PostgresProvisioner
    from teleclaude.backends import Backend

SETUP = """
DO $$ BEGIN
CREATE TABLE parent (id int PRIMARY KEY, label text NOT NULL UNIQUE CHECK (label <> 'bad'));
CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent ON DELETE RESTRICT);
INSERT INTO parent VALUES (1, 'one'), (2, 'two');
INSERT INTO child VALUES (1, 1);
END $$
"""

WITHOUT_PERMISSION = "DO $$ BEGIN SET LOCAL ROLE pg_monitor; DELETE FROM child; END $$"
ASLEEP = "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1"


@pytest.fixture
def tables(provisioner: PostgresProvisioner, section: dict[str, Any]) -> None:
    provisioner.execute(SETUP, section=section)


async def failure(connection: AsyncConnection, *statements: str) -> BaseException:
    """Run statements in one transaction and give the exception of the last."""
    *before, last = statements
    for statement in before:
        await connection.execute(text(statement))
    with pytest.raises(Exception) as caught:  # noqa: PT011
        await connection.execute(text(last))
    return caught.value


async def backend_pid(connection: AsyncConnection) -> int:
    return int(await connection.scalar(text("SELECT pg_backend_pid()")) or 0)


async def kind_of_connecting(backend: Backend, settings: PostgresSettings) -> ErrorKind:
    engine = backend.create_engine(settings)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        await engine.connect()
    await engine.dispose()
    return backend.classify_error(caught.value)


@pytest.mark.parametrize(
    ("statements", "kind"),
    [
        (["INSERT INTO parent VALUES (1, 'x')"], ErrorKind.INTEGRITY),
        (["INSERT INTO parent VALUES (3, 'one')"], ErrorKind.INTEGRITY),
        (["INSERT INTO parent VALUES (3, NULL)"], ErrorKind.INTEGRITY),
        (["INSERT INTO parent VALUES (3, 'bad')"], ErrorKind.INTEGRITY),
        (["INSERT INTO child VALUES (2, 9)"], ErrorKind.INTEGRITY),
        (["DELETE FROM parent WHERE id = 1"], ErrorKind.INTEGRITY),
        (["SELECT * FROM nonexistent"], ErrorKind.MISSING_TABLE),
        (["SELECT nonexistent FROM parent"], ErrorKind.MISSING_TABLE),
        (["CREATE TABLE nonexistent.x ()"], ErrorKind.MISSING_TABLE),
        (["SET TRANSACTION READ ONLY", "DELETE FROM child"], ErrorKind.READ_ONLY),
        ([WITHOUT_PERMISSION], ErrorKind.DENIED),
        (["SET LOCAL statement_timeout = 50", "SELECT pg_sleep(30)"], ErrorKind.TIMEOUT),
        (["SELECT 1 / 0"], ErrorKind.OTHER),
        (["SEL"], ErrorKind.OTHER),
    ],
)
@pytest.mark.usefixtures("tables")
async def test_statements(
    backend: Backend, engine: AsyncEngine, statements: list[str], kind: ErrorKind
) -> None:
    """What a statement can do wrong by itself."""
    async with engine.connect() as connection:
        assert backend.classify_error(await failure(connection, *statements)) is kind


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("53100", ErrorKind.FULL),
        ("53300", ErrorKind.UNREACHABLE),
        ("55P03", ErrorKind.BUSY),
        ("XX001", ErrorKind.CORRUPT),
        ("40001", ErrorKind.SERIALIZATION),
    ],
)
async def test_states_that_a_server_reports(
    backend: Backend, engine: AsyncEngine, state: str, kind: ErrorKind
) -> None:
    """Conditions that cannot be caused in a test, as the server words them."""
    statement = f"DO $$ BEGIN RAISE EXCEPTION 'simulated' USING ERRCODE = '{state}'; END $$"
    async with engine.connect() as connection:
        assert backend.classify_error(await failure(connection, statement)) is kind


@pytest.mark.usefixtures("tables")
async def test_a_lock_that_is_not_waited_for(backend: Backend, engine: AsyncEngine) -> None:
    """Somebody else's row lock is BUSY for who does not wait."""
    row = "SELECT * FROM parent WHERE id = 1 FOR UPDATE"
    async with engine.connect() as one, engine.connect() as other:
        await one.execute(text(row))
        error = await failure(other, f"{row} NOWAIT")
    assert backend.classify_error(error) is ErrorKind.BUSY


@pytest.mark.usefixtures("tables")
async def test_deadlock(backend: Backend, engine: AsyncEngine) -> None:
    """One of two transactions that wait for each other is rolled back as SERIALIZATION."""
    lock = "SELECT * FROM parent WHERE id = {} FOR UPDATE"

    async def cross(connection: AsyncConnection, row: int) -> BaseException | None:
        try:
            await connection.execute(text(lock.format(row)))
        except Exception as error:  # noqa: BLE001 - either of the two may be the victim
            return error
        await connection.rollback()
        return None

    async with engine.connect() as one, engine.connect() as other:
        for connection, row in ((one, 1), (other, 2)):
            await connection.execute(text(lock.format(row)))
        results = await asyncio.gather(cross(one, 2), cross(other, 1))
    kinds = [backend.classify_error(error) for error in results if error]
    assert kinds == [ErrorKind.SERIALIZATION]


@pytest.mark.usefixtures("tables")
async def test_serialization_failure(backend: Backend, engine: AsyncEngine) -> None:
    """An update of a row that changed since the snapshot is SERIALIZATION."""
    level = {"isolation_level": "REPEATABLE READ"}
    async with engine.connect() as one, engine.connect() as other:
        await one.execution_options(**level)
        await one.execute(text("SELECT * FROM parent"))
        await other.execute(text("UPDATE parent SET label = 'uno' WHERE id = 1"))
        await other.commit()
        error = await failure(one, "UPDATE parent SET label = 'eins' WHERE id = 1")
    assert backend.classify_error(error) is ErrorKind.SERIALIZATION


@pytest.mark.usefixtures("tables")
async def test_stale_plan(
    backend: Backend,
    engine: AsyncEngine,
    provisioner: PostgresProvisioner,
    section: dict[str, Any],
) -> None:
    """A prepared statement that another process's DDL made invalid is STALE_PLAN, once."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT * FROM child"))
        await connection.rollback()
        provisioner.execute("ALTER TABLE child ADD COLUMN extra text", section=section)
        error = await failure(connection, "SELECT * FROM child")
        await connection.rollback()
        assert len((await connection.execute(text("SELECT * FROM child"))).keys()) == 3
    assert backend.classify_error(error) is ErrorKind.STALE_PLAN


async def test_ended_while_idle(
    backend: Backend, engine: AsyncEngine, provisioner: PostgresProvisioner, until: Any
) -> None:
    """On a connection that had ended before, nothing was sent: UNREACHABLE."""
    async with engine.connect() as connection:
        pid = await backend_pid(connection)
        driver: Any = (await connection.get_raw_connection()).driver_connection
        provisioner.execute("SELECT pg_terminate_backend($1)", pid)
        await until(driver.is_closed)
        error = await failure(connection, "SELECT 1")
    assert backend.classify_error(error) is ErrorKind.UNREACHABLE


@pytest.mark.parametrize("autocommit", [False, True])
async def test_ended_while_running(
    backend: Backend,
    engine: AsyncEngine,
    provisioner: PostgresProvisioner,
    until: Any,
    *,
    autocommit: bool,
) -> None:
    """Of a statement whose connection ends meanwhile, nobody knows what became: DISCONNECTED."""
    async with engine.connect() as connection:
        if autocommit:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
        pid = await backend_pid(connection)
        sleeping = asyncio.create_task(failure(connection, "SELECT pg_sleep(30)"))
        await until(lambda: provisioner.execute(ASLEEP, pid) == [(True,)])
        provisioner.execute("SELECT pg_terminate_backend($1)", pid)
        assert backend.classify_error(await sleeping) is ErrorKind.DISCONNECTED


async def test_server_that_comes_and_goes(
    backend: Backend, provisioner: PostgresProvisioner, until: Any
) -> None:
    """A crash is DISCONNECTED, a stopped server UNREACHABLE, one that shuts down STARTING."""
    with provisioner.start_server() as server:
        settings = PostgresSettings(host=server.host, dbname="postgres", user="postgres")
        engine = backend.create_engine(settings)
        async with engine.connect() as connection:
            pid = await backend_pid(connection)
            sleeping = asyncio.create_task(failure(connection, "SELECT pg_sleep(30)"))
            await asyncio.sleep(0)
            os.kill(pid, signal.SIGKILL)
            assert backend.classify_error(await sleeping) is ErrorKind.DISCONNECTED
        await engine.dispose()
        server.stop()
        assert await kind_of_connecting(backend, settings) is ErrorKind.UNREACHABLE
        server.start()
        async with engine.connect():
            # With a client connected, the server waits for it and turns new ones away.
            os.kill(server.pid, signal.SIGTERM)
            await until(lambda: "shutdown request" in server.log.rsplit("ready to accept", 1)[-1])
            assert await kind_of_connecting(backend, settings) is ErrorKind.STARTING
        await engine.dispose()


async def test_missing_database(backend: Backend, section: dict[str, Any]) -> None:
    """A server without the database says so."""
    settings = PostgresSettings.model_validate(section | {"dbname": "nonexistent"})
    assert await kind_of_connecting(backend, settings) is ErrorKind.MISSING_DATABASE


async def test_missing_role(backend: Backend, section: dict[str, Any]) -> None:
    """An unknown role is DENIED."""
    settings = PostgresSettings.model_validate(section | {"user": "nonexistent"})
    assert await kind_of_connecting(backend, settings) is ErrorKind.DENIED


async def test_too_many_connections(backend: Backend, provisioner: PostgresProvisioner) -> None:
    """A server that has no connection left is UNREACHABLE for now."""
    limits = {"max_connections": "1", "superuser_reserved_connections": "0"}
    limits |= {"reserved_connections": "0", "max_wal_senders": "0"}
    with provisioner.start_server(settings=limits) as server:
        settings = PostgresSettings(host=server.host, dbname="postgres", user="postgres")
        engine = backend.create_engine(settings)
        async with engine.connect():
            assert await kind_of_connecting(backend, settings) is ErrorKind.UNREACHABLE
        await engine.dispose()


@pytest.mark.parametrize("turns", range(6))
async def test_a_connection_between_farewell_and_end(
    backend: Backend,
    engine: AsyncEngine,
    provisioner: PostgresProvisioner,
    section: dict[str, Any],
    turns: int,
) -> None:
    """An idle connection that the server closed is known as such, whatever of it was read."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    provisioner.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
        section["dbname"],
    )
    for _ in range(turns):
        await asyncio.sleep(0)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except Exception as error:  # noqa: BLE001 - its kind is what matters
        kind = backend.classify_error(error)
        assert kind in {ErrorKind.UNREACHABLE, ErrorKind.DISCONNECTED}
