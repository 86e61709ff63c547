"""The engine: what sessions it opens, where, and how its statements behave."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Column, MetaData, Table, insert, select, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from teleclaude.backends import ErrorKind, LogicalType
from teleclaude_postgres.columns import COLUMN_TYPES
from teleclaude_postgres.settings import PostgresSettings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from postgres_provisioning import PostgresProvisioner
    from teleclaude.backends import Backend

AUTOCOMMIT = {"isolation_level": "AUTOCOMMIT"}


@pytest.fixture
def things(provisioner: PostgresProvisioner, section: dict[str, Any]) -> Table:
    """A table in the fresh database."""
    provisioner.execute(
        'CREATE TABLE things (key text COLLATE "C" PRIMARY KEY, number bigint, moment timestamptz,'
        " document jsonb)",
        section=section,
    )
    return Table(
        "things",
        MetaData(),
        Column("key", COLUMN_TYPES[LogicalType.KEY], primary_key=True),
        Column("number", COLUMN_TYPES[LogicalType.INTEGER]),
        Column("moment", COLUMN_TYPES[LogicalType.INSTANT]),
        Column("document", COLUMN_TYPES[LogicalType.DOCUMENT]),
    )


async def show(engine: AsyncEngine, name: str) -> str:
    async with engine.connect() as connection:
        statement = text("SELECT current_setting(:name)")
        return str(await connection.scalar(statement, {"name": name}))


# --- sessions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [("application_name", "teleclaude"), ("TimeZone", "UTC"), ("statement_timeout", "30s")],
)
async def test_session_settings(engine: AsyncEngine, name: str, expected: str) -> None:
    """Every session has a name for the administrator, UTC and a time limit."""
    assert await show(engine, name) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(1.5, "1500ms"), (0.9991, "1s"), (0, "0"), (None, "0")]
)
@pytest.mark.parametrize("pooler", ["none", "session"])
async def test_statement_timeout(
    backend: Backend, section: dict[str, Any], pooler: str, seconds: float | None, expected: str
) -> None:
    """The limit reaches the server in milliseconds, rounded up; none is none."""
    given = section | {"pooler": pooler, "statement_timeout": seconds}
    engine = backend.create_engine(PostgresSettings.model_validate(given))
    assert await show(engine, "statement_timeout") == expected
    await engine.dispose()


async def test_a_slow_statement_is_cancelled(backend: Backend, section: dict[str, Any]) -> None:
    """A statement that runs longer than allowed ends with the right kind of error."""
    given = section | {"statement_timeout": 0.1}
    engine = backend.create_engine(PostgresSettings.model_validate(given))
    async with engine.connect() as connection:
        with pytest.raises(Exception, match="statement timeout") as failure:
            await connection.execute(text("SELECT pg_sleep(30)"))
    assert backend.classify_error(failure.value) is ErrorKind.TIMEOUT
    await engine.dispose()


async def test_autocommit(engine: AsyncEngine, things: Table) -> None:
    """A statement of an autocommit connection is there for others as soon as it has run."""
    async with engine.connect() as one, engine.connect() as other:
        await one.execution_options(**AUTOCOMMIT)
        await one.execute(insert(things).values(key="a"))
        assert await other.scalar(select(things.c.key)) == "a"


async def test_values_come_back(engine: AsyncEngine, things: Table) -> None:
    """Text, 64-bit integers, instants and documents are read as they were written."""
    moment = datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)
    row = {"key": "\N{PILE OF POO}'\\", "number": 2**63 - 1, "moment": moment}
    row["document"] = {"list": [1, 2.5, None, True], "text": "\N{SNOWMAN}\u2028"}
    async with engine.begin() as connection:
        await connection.execute(insert(things), [row])
        result = await connection.execute(select(things))
        assert result.mappings().one() == row


@pytest.mark.usefixtures("things")
async def test_documents_as_json_text(engine: AsyncEngine) -> None:
    """The driver takes a document as JSON text, and gives it parsed."""
    statement = text(
        "INSERT INTO things (key, document) VALUES ('a', :document) RETURNING document"
    )
    async with engine.begin() as connection:
        document = json.dumps({"a": [1, None]})
        assert await connection.scalar(statement, {"document": document}) == {"a": [1, None]}


async def test_text_sorts_by_code_point(engine: AsyncEngine, things: Table) -> None:
    """Text compares by code point, whatever the database's locale is."""
    keys = ["Z", "a", "\N{LATIN SMALL LETTER A WITH DIAERESIS}", "\uffee", "\U0001f600"]
    async with engine.begin() as connection:
        await connection.execute(insert(things), [{"key": key} for key in reversed(keys)])
        result = await connection.scalars(select(things.c.key).order_by(things.c.key))
        assert result.all() == keys


# --- the pool -----------------------------------------------------------------------------------


async def test_connections_the_server_ended_are_replaced(
    provisioner: PostgresProvisioner, engine: AsyncEngine, until: Any
) -> None:
    """After the server ended all idle connections, the next statements do not notice."""
    async with engine.connect() as one, engine.connect() as other:
        pids = [await each.scalar(text("SELECT pg_backend_pid()")) for each in (one, other)]
        drivers = [(await each.get_raw_connection()).driver_connection for each in (one, other)]
    provisioner.execute("SELECT pg_terminate_backend(unnest($1::int[]), 5000)", pids)
    await until(lambda: all(driver.is_closed() for driver in drivers))
    async with engine.connect() as one, engine.connect() as other:
        assert await one.scalar(text("SELECT 1")) == await other.scalar(text("SELECT 1")) == 1


async def test_pool_size_is_the_limit(backend: Backend, section: dict[str, Any]) -> None:
    """No more connections than `pool_size` are opened; who waits too long is told so."""
    settings = PostgresSettings.model_validate(section | {"pool_size": 1})
    engine = backend.create_engine(settings)
    engine.sync_engine.pool._timeout = 0.05  # type: ignore[attr-defined]
    async with engine.connect():
        with pytest.raises(PoolTimeoutError) as failure:
            await engine.connect()
    assert backend.classify_error(failure.value) is ErrorKind.UNREACHABLE
    await engine.dispose()


async def test_dispose_ends_all_sessions(
    provisioner: PostgresProvisioner, section: dict[str, Any], engine: AsyncEngine, until: Any
) -> None:
    """After the engine is disposed of, the server has no session of it."""
    async with engine.connect(), engine.connect():
        pass
    await engine.dispose()
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1"
    await until(lambda: provisioner.execute(sessions, section["dbname"]) == [(0,)])


# --- hosts --------------------------------------------------------------------------------------


async def test_the_next_host_is_tried(backend: Backend, section: dict[str, Any]) -> None:
    """A dead host, one that has no name and one without a socket do not keep from a living one."""
    hosts = ["127.0.0.1", "no-such-host.invalid", "/nonexistent", section["host"]]
    ports = [1, 5432, 5432, section["port"]]
    given = section | {"host": hosts, "port": ports, "sslmode": "prefer"}
    engine = backend.create_engine(PostgresSettings.model_validate(given))
    assert await show(engine, "application_name") == "teleclaude"
    await engine.dispose()


async def test_a_silent_host_costs_one_timeout(backend: Backend, section: dict[str, Any]) -> None:
    """The time limit is each host's own: one that never answers leaves time for the others."""
    release = asyncio.Event()

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    given = {"host": ["127.0.0.1", section["host"]], "port": [port, section["port"]]}
    settings = PostgresSettings.model_validate(section | given | {"connect_timeout": 0.5})
    engine = backend.create_engine(settings)
    assert await show(engine, "application_name") == "teleclaude"
    await engine.dispose()
    release.set()
    silent.close()


async def test_a_host_that_takes_writes_is_preferred(
    provisioner: PostgresProvisioner, backend: Backend
) -> None:
    """Of several hosts, one that only answers questions is passed over."""
    read_only = {"default_transaction_read_only": "on"}
    with (
        provisioner.start_server(settings=read_only) as standby,
        provisioner.start_server() as primary,
    ):
        hosts = (standby.host, primary.host)
        engine = backend.create_engine(
            PostgresSettings(host=hosts, dbname="postgres", user="postgres")
        )
        assert await show(engine, "default_transaction_read_only") == "off"
        await engine.dispose()


async def test_no_host_at_all(backend: Backend) -> None:
    """When no host answers, the error names each and why, and nothing was sent."""
    settings = PostgresSettings(host=("127.0.0.1", "/nonexistent"), port=(1, 5432))
    engine = backend.create_engine(settings)
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:1 .*, /nonexistent:5432 ") as failure:
        await engine.connect()
    assert backend.classify_error(failure.value) is ErrorKind.UNREACHABLE


# --- upserts ------------------------------------------------------------------------------------


async def test_upsert_updates_what_it_names(
    backend: Backend, engine: AsyncEngine, things: Table
) -> None:
    """On a conflict the named columns take the new values, and the others stay."""
    upsert = backend.upsert(things, ["key"], ["number"])
    async with engine.begin() as connection:
        await connection.execute(upsert, {"key": "a", "number": 1, "document": [1]})
        await connection.execute(upsert, {"key": "a", "number": 2, "document": [2]})
        row = (await connection.execute(select(things))).one()
    assert (row.number, row.document) == (2, [1])


async def test_upsert_of_nothing_keeps_the_row(
    backend: Backend, engine: AsyncEngine, things: Table
) -> None:
    """Without columns to update, an existing row stays as it is."""
    upsert = backend.upsert(things, ["key"], [])
    async with engine.begin() as connection:
        await connection.execute(upsert, {"key": "a", "number": 1})
        await connection.execute(upsert, {"key": "a", "number": 2})
        assert await connection.scalar(select(things.c.number)) == 1


async def test_upsert_of_many_last_wins(
    backend: Backend, engine: AsyncEngine, things: Table
) -> None:
    """The same key twice in one batch is no error: the last one wins."""
    upsert = backend.upsert(things, ["key"], ["number"])
    rows = [{"key": key, "number": number} for number, key in enumerate("abab")]
    async with engine.connect() as connection:
        await connection.execution_options(**AUTOCOMMIT)
        await connection.execute(upsert, rows)
        result = await connection.execute(select(things.c.key, things.c.number))
        assert sorted(tuple(row) for row in result) == [("a", 2), ("b", 3)]
