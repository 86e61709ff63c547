"""The statement lane: its connections, and what the server sees of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import asyncpg
import pytest

from teleclaude.backends import CommitError, ErrorKind, LaneStatement
from teleclaude.testing.cancelling import Manner, cancel_everywhere
from teleclaude.testing.polling import until as until_
from teleclaude_postgres.errors import CannotConnectError
from teleclaude_postgres.lane import PostgresLane
from teleclaude_postgres.pool import Connections
from teleclaude_postgres.settings import PostgresSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from postgres_provisioning import PostgresProvisioner
    from teleclaude.backends import Backend
    from teleclaude_postgres.connecting import DriverConnection


class FakeConnection:
    """As much of a connection as a pool looks at."""

    def __init__(self) -> None:
        self.closed = False

    def is_closed(self) -> bool:
        return self.closed

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109 - the driver's
        assert timeout
        self.closed = True

    def terminate(self) -> None:
        self.closed = True


class Opener:
    """Opens connections, or refuses."""

    def __init__(self) -> None:
        self.opened: list[DriverConnection] = []
        self.refuses = False

    async def __call__(self) -> DriverConnection:
        await asyncio.sleep(0)
        if self.refuses:
            raise CannotConnectError("refused", ErrorKind.UNREACHABLE)
        self.opened.append(cast("DriverConnection", FakeConnection()))
        return self.opened[-1]


@pytest.fixture
def opener() -> Opener:
    return Opener()


@pytest.fixture
def pool(opener: Opener) -> Connections:
    """A pool of two connections."""
    return Connections(opener, 2)


@pytest.fixture
async def full(pool: Connections) -> list[DriverConnection]:
    """Both connections."""
    return [await pool.acquire(), await pool.acquire()]


async def start(pool: Connections, count: int) -> list[asyncio.Task[DriverConnection]]:
    tasks = [asyncio.ensure_future(pool.acquire()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


# --- the pool -----------------------------------------------------------------------------------


async def test_connections_are_opened_when_needed_and_used_again(
    pool: Connections, opener: Opener
) -> None:
    """One user after the other needs one connection."""
    for _ in range(3):
        pool.release(await pool.acquire())
    assert len(opener.opened) == 1
    assert pool.in_use == 0


async def test_who_waited_longest_is_next(
    pool: Connections, opener: Opener, full: list[DriverConnection]
) -> None:
    """A connection goes to the oldest waiter, also when somebody new comes just then."""
    first, second = await start(pool, 2)
    pool.release(full[0])
    (third,) = await start(pool, 1)
    assert await first is full[0]
    assert not second.done()
    pool.release(full[0])
    assert await second is full[0]
    pool.release(full[1])
    assert await third is full[1]
    assert len(opener.opened) == 2
    assert pool.in_use == 2


async def test_who_is_cancelled_keeps_nothing(
    pool: Connections, full: list[DriverConnection]
) -> None:
    """Cancelled while waiting, or just when it was handed a connection: others get it."""
    first, second, third = await start(pool, 3)
    first.cancel()
    await asyncio.wait([first])
    pool.release(full[0])
    second.cancel()  # it has been handed the connection, and does not know it yet
    await asyncio.wait([second])
    assert second.cancelled()
    assert await third is full[0]
    pool.release(full[0])
    pool.release(full[1])
    assert pool.in_use == 0


async def test_who_waits_too_long_is_told_so(opener: Opener) -> None:
    """When no connection becomes free, nothing was sent, and nothing is left behind."""
    pool = Connections(opener, 1, patience=0.01)
    connection = await pool.acquire()
    with pytest.raises(CannotConnectError, match="all 1 connections were in use") as failure:
        await pool.acquire()
    assert failure.value.kind is ErrorKind.UNREACHABLE
    assert pool.in_use == 1
    pool.release(connection)
    assert await pool.acquire() is connection


async def test_a_lost_connection_makes_room(
    pool: Connections, opener: Opener, full: list[DriverConnection]
) -> None:
    """Whoever waits opens a new connection in the place of one that broke."""
    (waiting,) = await start(pool, 1)
    full[0].terminate()
    pool.release(full[0])
    assert await waiting is opener.opened[2]
    pool.release(full[1])
    pool.lose()
    assert cast("Any", full[1]).closed
    assert pool.in_use == 0
    assert await pool.acquire() is opener.opened[3]


async def test_a_refusal_is_everybodys_own(
    pool: Connections, opener: Opener, full: list[DriverConnection]
) -> None:
    """Where connecting fails, each of those who wait tries, and none waits for ever."""
    opener.refuses = True
    waiting = await start(pool, 3)
    pool.lose()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(answer) for answer in answers] == [CannotConnectError] * 3
    pool.release(full[1])
    assert await pool.acquire() is full[1]


async def test_close_waits_for_goodbyes(pool: Connections, full: list[DriverConnection]) -> None:
    """Idle connections are closed, and those in use when they come back."""
    pool.release(full[0])
    await pool.close()
    assert [connection.is_closed() for connection in full] == [True, False]
    pool.release(full[1])
    await until_(full[1].is_closed)
    await until_(lambda: pool.in_use == 0)


async def test_a_goodbye_that_never_begins(pool: Connections, full: list[DriverConnection]) -> None:
    """A connection is closed even where its goodbye is cancelled before it has begun."""
    pool.retire(full[0])
    for goodbye in asyncio.all_tasks() - {asyncio.current_task()}:
        goodbye.cancel()
    await until_(full[0].is_closed)
    await pool.close()


# --- the server ---------------------------------------------------------------------------------


@pytest.fixture
async def lane(settings: PostgresSettings) -> AsyncIterator[PostgresLane]:
    lane = PostgresLane(settings.model_copy(update={"pool_size": 3}))
    yield lane
    await lane.close()


def query(sql: str) -> LaneStatement:
    return LaneStatement(sql, returns_rows=True, changes=False, by_key=False)


SESSIONS = """
SELECT state, query FROM pg_stat_activity
WHERE datname = $1 AND application_name = 'teleclaude' AND pid <> pg_backend_pid()
"""


async def test_nothing_else_is_sent(
    lane: PostgresLane, provisioner: PostgresProvisioner, section: dict[str, Any]
) -> None:
    """After a statement the session is idle, and that statement was its last: nothing is reset."""
    for _ in range(2):
        assert (await lane.run(query("SELECT 40 + 2"), ())).rows[0][0] == 42
        seen = provisioner.execute(SESSIONS, section["dbname"])
        assert seen == [("idle", "SELECT 40 + 2")]


async def test_no_more_connections_than_allowed(lane: PostgresLane) -> None:
    """However many statements run at once, they share the connections there may be."""
    statement = query("SELECT pg_backend_pid(), pg_sleep(0.01)")
    answers = await asyncio.gather(*(lane.run(statement, ()) for _ in range(30)))
    assert len({answer.rows[0][0] for answer in answers}) == 3
    assert lane.in_use == 0


async def test_a_cancelled_statement_ends(
    lane: PostgresLane, provisioner: PostgresProvisioner, section: dict[str, Any], until: Any
) -> None:
    """What nobody waits for any more is cancelled on the server, by itself and in a transaction."""
    transaction = await lane.begin()
    sleep = query("SELECT pg_sleep(300)")
    running = [asyncio.ensure_future(one.run(sleep, ())) for one in (lane, transaction)]
    sleeping = [("active", sleep.sql)] * 2
    await until(lambda: provisioner.execute(SESSIONS, section["dbname"]) == sleeping)
    for task in running:
        task.cancel()
    await asyncio.wait(running)
    await transaction.rollback()
    await until(lambda: lane.in_use == 0)
    await until(lambda: provisioner.execute(SESSIONS, section["dbname"]) == [])
    assert (await lane.run(query("SELECT 1"), ())).rows[0][0] == 1


@pytest.mark.parametrize("manner", Manner)
async def test_a_cancelled_transaction_is_not_left_open(lane: PostgresLane, manner: Manner) -> None:
    """Wherever a transaction is cancelled, nobody finds a connection that is still in it."""

    async def use() -> None:
        transaction = await lane.begin()
        try:
            await transaction.run(query("SELECT 1"), ())
        except BaseException:
            await transaction.rollback()
            raise
        await transaction.commit()
        idle = lane._connections._idle
        assert not any(connection.is_in_transaction() for connection in idle)

    assert await cancel_everywhere(use, manner) > 2
    await until_(lambda: lane.in_use == 0)


async def test_a_failed_transaction_is_not_said_to_be_committed(lane: PostgresLane) -> None:
    """COMMIT of a failed transaction is a ROLLBACK for the server, and an error here."""
    transaction = await lane.begin()
    with pytest.raises(asyncpg.UndefinedTableError):
        await transaction.run(query("SELECT * FROM nonexistent"), ())
    with pytest.raises(CommitError):
        await transaction.commit()
    assert lane.in_use == 0


async def test_the_lane_can_be_used_again_after_it_was_closed(lane: PostgresLane) -> None:
    """Closing waits for what runs; what comes afterwards opens new connections."""
    running = asyncio.ensure_future(lane.run(query("SELECT 1, pg_sleep(0.05)"), ()))
    await until_(lambda: lane.in_use == 1)
    await lane.close()
    assert running.done()
    assert (await lane.run(query("SELECT 1"), ())).rows[0][0] == 1


def test_there_is_none_behind_a_transaction_pooler(backend: Backend) -> None:
    """What is prepared in one session may run in another there, so the engine does it."""
    assert backend.statement_lane(PostgresSettings(pooler="transaction")) is None
    assert isinstance(backend.statement_lane(PostgresSettings(pooler="session")), PostgresLane)
