"""Behind a real PgBouncer, in transaction and in session mode."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, func, select, text

from teleclaude.backends import ErrorKind
from teleclaude.errors import ConfigError, InstanceLockedError
from teleclaude_postgres.settings import PostgresSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from postgres_provisioning import PostgresProvisioner
    from teleclaude.backends import Backend

pytestmark = pytest.mark.pgbouncer

CLIENTS = 24
SERVER_SESSIONS = 3
THINGS = Table(
    "things",
    MetaData(),
    Column("key", Text, primary_key=True),
    Column("number", BigInteger),
)


@pytest.fixture
def pooled(section: dict[str, Any], pgbouncer: Any) -> dict[str, Any]:
    """A section that leads through a transaction pooler with few server sessions."""
    address = pgbouncer(section, "transaction", default_pool_size=SERVER_SESSIONS)
    return {**address, "pooler": "transaction", "pool_size": CLIENTS}


@pytest.fixture
async def engine(backend: Backend, pooled: dict[str, Any]) -> AsyncIterator[AsyncEngine]:
    engine = backend.create_engine(PostgresSettings.model_validate(pooled))
    yield engine
    await engine.dispose()


def lock_at(section: dict[str, Any]) -> dict[str, Any]:
    return {"lock_host": section["host"], "lock_port": section["port"]}


async def acquire(backend: Backend, section: dict[str, Any]) -> None:
    async with backend.instance_lock(PostgresSettings.model_validate(section), "daemon"):
        pass


# --- statements ---------------------------------------------------------------------------------


@pytest.mark.parametrize("autocommit", [False, True])
async def test_concurrent_statements_get_their_own_results(
    engine: AsyncEngine,
    *,
    autocommit: bool,
) -> None:
    """Many clients with different statements on few server sessions all get what they asked for."""

    async def ask(client: int) -> list[bool]:
        async with engine.connect() as connection:
            if autocommit:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
            return [await right(connection, client, number) for number in range(20)]

    async def right(connection: AsyncConnection, client: int, number: int) -> bool:
        statement = text(f"SELECT {client}, CAST(:number AS int), CAST(:word AS text)")
        values = {"number": number, "word": f"{client}-{number}"}
        row = (await connection.execute(statement, values)).one()
        if not autocommit:
            await connection.rollback()
        return tuple(row) == (client, number, f"{client}-{number}")

    answers = await asyncio.gather(*(ask(client) for client in range(CLIENTS)))
    assert [all(answer) for answer in answers] == [True] * CLIENTS


async def test_concurrent_batches(backend: Backend, engine: AsyncEngine) -> None:
    """Batches of upserts arrive complete, in autocommit and in transactions."""
    upsert = backend.upsert(THINGS, ["key"], ["number"])

    async def write(client: int) -> None:
        rows = [{"key": f"{client}-{n % 10}", "number": n} for n in range(20)]
        async with engine.connect() as connection:
            if client % 2:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(upsert, rows)
            await connection.commit()

    async with engine.begin() as connection:
        await connection.run_sync(THINGS.create)
    await asyncio.gather(*(write(client) for client in range(CLIENTS)))
    async with engine.connect() as connection:
        total = select(func.count(), func.sum(THINGS.c.number))
        assert (await connection.execute(total)).one() == (10 * CLIENTS, 145 * CLIENTS)


async def test_statement_timeout(backend: Backend, pooled: dict[str, Any]) -> None:
    """A statement is cancelled in time, on the server too, and the connection goes on."""
    given = pooled | {"statement_timeout": 0.2, "pool_size": 1}
    engine = backend.create_engine(PostgresSettings.model_validate(given))
    running = text(
        "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_slee[p]'"
        " AND state = 'active' AND datname = current_database()"
    )
    for autocommit in (False, True):
        async with engine.connect() as connection:
            if autocommit:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
            with pytest.raises(TimeoutError) as failure:
                await connection.execute(text("SELECT pg_sleep(30)"))
        assert backend.classify_error(failure.value) is ErrorKind.TIMEOUT
        async with engine.connect() as connection:
            assert await connection.scalar(running) == 0
    await engine.dispose()


async def test_schema_changes_of_others(
    provisioner: PostgresProvisioner, section: dict[str, Any], engine: AsyncEngine
) -> None:
    """Nothing about a statement is remembered, so another process's DDL does not matter."""
    provisioner.execute("CREATE TABLE t (a int)", section=section)
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT * FROM t"))).keys() == ["a"]
        await connection.rollback()
        provisioner.execute("ALTER TABLE t ADD COLUMN b text", section=section)
        assert (await connection.execute(text("SELECT * FROM t"))).keys() == ["a", "b"]


async def test_session_settings(engine: AsyncEngine) -> None:
    """The two settings that a pooler keeps apart are those of every client."""
    async with engine.connect() as connection:
        for name, expected in (("application_name", "teleclaude"), ("TimeZone", "UTC")):
            statement = text("SELECT current_setting(:name)")
            assert await connection.scalar(statement, {"name": name}) == expected


async def test_a_pooler_that_is_not_configured_is_found(
    backend: Backend, pooled: dict[str, Any]
) -> None:
    """Without `pooler` the first connection fails, with an error that says what to set."""
    engine = backend.create_engine(PostgresSettings.model_validate(pooled | {"pooler": "none"}))
    with pytest.raises(ConfigError, match="`pooler: transaction`") as refusal:
        await engine.connect()
    assert refusal.value.key == "database.pooler"
    await engine.dispose()


async def test_session_pooler(backend: Backend, section: dict[str, Any], pgbouncer: Any) -> None:
    """Behind a session pooler everything is as without one, statement timeout included."""
    address = pgbouncer(section, "session")
    given = {**address, "pooler": "session", "statement_timeout": 0.2}
    engine = backend.create_engine(PostgresSettings.model_validate(given))
    async with engine.connect() as connection:
        assert await connection.scalar(text("SHOW statement_timeout")) == "200ms"
        with pytest.raises(Exception, match="statement timeout"):
            await connection.execute(text("SELECT pg_sleep(30)"))
    await engine.dispose()


# --- the instance lock --------------------------------------------------------------------------


async def test_lock_needs_an_address(backend: Backend, pooled: dict[str, Any]) -> None:
    """With a transaction pooler and no address for the lock, it is refused before connecting."""
    with pytest.raises(ConfigError, match="lock_host") as refusal:
        await acquire(backend, pooled | {"host": "no-such-host.invalid"})
    assert refusal.value.key == "database.lock_host"


async def test_lock_with_an_address(
    backend: Backend, section: dict[str, Any], pooled: dict[str, Any]
) -> None:
    """At the server's own address the lock is as good as without a pooler."""
    given = pooled | lock_at(section)
    settings = PostgresSettings.model_validate(given)
    async with backend.instance_lock(settings, "daemon") as lock:
        with pytest.raises(InstanceLockedError):
            await acquire(backend, section)
        assert await backend.lock_holder(settings, "daemon") == lock.holder
        through_the_pooler = PostgresSettings.model_validate(pooled)
        assert await backend.lock_holder(through_the_pooler, "daemon") == lock.holder
    await acquire(backend, section)


@pytest.mark.parametrize(
    "claim",
    [
        {"pooler": "none"},
        {"pooler": "session"},
        {"pooler": "transaction", "lock_port": True},
        {"pooler": "session", "lock_port": True},
    ],
    ids=["none", "session", "lock address", "session and lock address"],
)
@pytest.mark.parametrize("round_robin", [0, 1])
async def test_lock_through_a_transaction_pooler(
    backend: Backend,
    section: dict[str, Any],
    pgbouncer: Any,
    claim: dict[str, Any],
    round_robin: int,
) -> None:
    """Whatever the settings claim, a pooler that voids the lock is found, and none is taken."""
    options = {"server_round_robin": round_robin, "min_pool_size": 2}
    address = pgbouncer(section, "transaction", **options)
    given = {**address, **claim}
    if "lock_port" in claim:
        given["lock_port"] = address["port"]
    for _ in range(3):
        with pytest.raises(ConfigError, match="`lock_host` and `lock_port`"):
            await acquire(backend, given)
    assert await backend.lock_holder(PostgresSettings.model_validate(section), "daemon") is None


@pytest.mark.parametrize("pool_size", [1, 2, 10])
async def test_lock_through_a_session_pooler(
    backend: Backend, section: dict[str, Any], pgbouncer: Any, pool_size: int
) -> None:
    """A session pooler keeps the lock, even one that has no more than the one session."""
    address = pgbouncer(section, "session", default_pool_size=pool_size)
    given = PostgresSettings.model_validate({**address, "pooler": "session"})
    async with backend.instance_lock(given, "daemon") as lock:
        with pytest.raises(InstanceLockedError, match=f"process {lock.holder.pid} on"):
            await acquire(backend, section)
    await acquire(backend, section)


async def test_lock_does_not_stay_with_the_pooler(
    backend: Backend, section: dict[str, Any], pgbouncer: Any
) -> None:
    """The lock ends with the context even where the pooler keeps the server session as it is."""
    given = {**pgbouncer(section, "session", server_reset_query=""), "pooler": "session"}
    await acquire(backend, given)
    assert await backend.lock_holder(PostgresSettings.model_validate(section), "daemon") is None


async def test_lock_through_an_unknown_session_pooler(
    backend: Backend, section: dict[str, Any], pgbouncer: Any
) -> None:
    """A pooler the settings do not know of is refused: only its owner knows what it pools by."""
    with pytest.raises(ConfigError, match="is a connection pooler"):
        await acquire(backend, pgbouncer(section, "session"))
