"""`teleclaude_upsert` in all the shapes that the store uses and may come to use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Table, func, select
from sqlalchemy.exc import IntegrityError

from teleclaude.store.models import metadata
from teleclaude.testing.fixtures import async_fixture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from teleclaude.backends import Backend
    from teleclaude.testing.clock import MutableClock

LISTENERS = metadata.tables["session_listeners"]
MANUAL = metadata.tables["memory_manual_sessions"]
OUTBOX = metadata.tables["notification_outbox"]
VOICES = metadata.tables["voice_assignments"]


@async_fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection in a transaction."""
    async with engine.begin() as connection:
        yield connection


async def rows(connection: AsyncConnection, table: Table) -> list[dict[str, Any]]:
    result = await connection.execute(select(table).order_by(*table.primary_key.columns))
    return [dict(row) for row in result.mappings()]


def listener(clock: MutableClock, target: str, caller: str, tmux: str = "tmux") -> dict[str, Any]:
    return {
        "target_session_id": target,
        "caller_session_id": caller,
        "caller_tmux_session": tmux,
        "registered_at": clock.now,
    }


async def test_inserting_and_updating(
    connection: AsyncConnection, backend: Backend, clock: MutableClock
) -> None:
    """A new key is inserted; of an existing one the named columns take the new values."""
    upsert = backend.upsert(VOICES, ["id"], ["voice"])
    first = {"id": "1", "service_name": "a", "voice": "a", "assigned_at": clock.now}
    assert (await connection.execute(upsert, first)).rowcount == 1
    clock.advance()
    second = {"id": "1", "service_name": "b", "voice": "b", "assigned_at": clock.now}
    await connection.execute(upsert, second)
    assert await rows(connection, VOICES) == [{**first, "voice": "b"}]


async def test_a_key_of_several_columns(
    connection: AsyncConnection, backend: Backend, clock: MutableClock
) -> None:
    """All columns of the index decide what a conflict is."""
    upsert = backend.upsert(
        LISTENERS, ["target_session_id", "caller_session_id"], ["caller_tmux_session"]
    )
    for one in (("a", "1", "x"), ("a", "2", "x"), ("b", "1", "x"), ("a", "1", "y")):
        await connection.execute(upsert, listener(clock, *one))
    assert [tuple(row.values())[:3] for row in await rows(connection, LISTENERS)] == [
        ("a", "1", "y"),
        ("a", "2", "x"),
        ("b", "1", "x"),
    ]


async def test_a_unique_index_that_is_not_the_primary_key(
    connection: AsyncConnection, backend: Backend
) -> None:
    """Any unique index can decide; a conflict with another one is still an error."""
    upsert = backend.upsert(MANUAL, ["project"], ["created_at_epoch"])
    for session, project, epoch in (("a", "p", 1), ("b", "p", 2), ("c", "q", 3)):
        values = {"memory_session_id": session, "project": project, "created_at_epoch": epoch}
        await connection.execute(upsert, values)
    assert [tuple(row.values()) for row in await rows(connection, MANUAL)] == [
        ("a", "p", 2),
        ("c", "q", 3),
    ]
    conflict = {"memory_session_id": "a", "project": "r", "created_at_epoch": 4}
    with pytest.raises(IntegrityError):
        await connection.execute(upsert, conflict)


async def test_doing_nothing(
    connection: AsyncConnection, backend: Backend, clock: MutableClock
) -> None:
    """Without columns to update the existing row stays, and no row is counted."""
    upsert = backend.upsert(VOICES, ["id"], [])
    values = {"id": "1", "service_name": "a", "voice": "a", "assigned_at": clock.now}
    assert (await connection.execute(upsert, values)).rowcount == 1
    assert (await connection.execute(upsert, {**values, "voice": "b"})).rowcount == 0
    assert await rows(connection, VOICES) == [values]


async def test_setting_null(
    connection: AsyncConnection, backend: Backend, clock: MutableClock
) -> None:
    """Null replaces a value, and a value null."""
    upsert = backend.upsert(VOICES, ["id"], ["service_name"])
    for service in ("a", None, None, "b", None):
        values = {"id": "1", "service_name": service, "voice": "", "assigned_at": clock.now}
        await connection.execute(upsert, values)
        assert (await rows(connection, VOICES))[0]["service_name"] == service


async def test_columns_that_are_left_out(
    connection: AsyncConnection, backend: Backend, clock: MutableClock
) -> None:
    """A new row gets the defaults of columns nobody names; an existing one keeps what it has."""
    upsert = backend.upsert(VOICES, ["id"], ["assigned_at"])
    await connection.execute(upsert, {"id": "1", "assigned_at": clock.now})
    [row] = await rows(connection, VOICES)
    assert (row["service_name"], row["voice"]) == (None, "")
    full = {"id": "2", "service_name": "a", "voice": "a", "assigned_at": clock.now}
    await connection.execute(upsert, full)
    later = clock.advance()
    await connection.execute(upsert, {"id": "2", "assigned_at": later})
    assert (await rows(connection, VOICES))[1] == {**full, "assigned_at": later}


@pytest.mark.parametrize("count", [0, 1, 7, 2000])
async def test_several_parameter_sets(
    connection: AsyncConnection, backend: Backend, clock: MutableClock, count: int
) -> None:
    """One statement is run with any number of sets, of which some are new and some are not."""
    upsert = backend.upsert(VOICES, ["id"], ["voice"])
    old = [_voice(clock, number, "old") for number in range(0, count, 2)]
    new = [_voice(clock, number, "new") for number in range(count)]
    await _each(connection, upsert, old)
    await _each(connection, upsert, new)
    assert await connection.scalar(select(func.count()).select_from(VOICES)) == count
    assert {row["voice"] for row in await rows(connection, VOICES)} <= {"new"}


async def test_the_same_key_twice_in_one_call(
    connection: AsyncConnection, backend: Backend, clock: MutableClock
) -> None:
    """The last of several sets with one key wins; with nothing to update, the first."""
    last = backend.upsert(VOICES, ["id"], ["voice"])
    await _each(connection, last, [_voice(clock, 1, voice) for voice in "abc"])
    first = backend.upsert(VOICES, ["id"], [])
    await _each(connection, first, [_voice(clock, 2, voice) for voice in "abc"])
    assert [row["voice"] for row in await rows(connection, VOICES)] == ["c", "a"]


async def test_a_table_with_a_surrogate_key(
    connection: AsyncConnection, backend: Backend, clock: MutableClock
) -> None:
    """A row is replaced by its id; one without an id gets a new one."""
    upsert = backend.upsert(OUTBOX, ["id"], ["content"])
    values = {
        "channel": "mail",
        "recipient_email": "a@b",
        "content": "old",
        "status": "pending",
        "attempt_count": 0,
        "created_at": clock.now,
    }
    await connection.execute(upsert, {"id": 1_000_000, **values})
    await connection.execute(upsert, {"id": 1_000_000, **values, "content": "new"})
    await connection.execute(upsert, values)
    found = await rows(connection, OUTBOX)
    assert sorted(row["content"] for row in found) == ["new", "old"]
    assert len({row["id"] for row in found}) == 2


def _voice(clock: MutableClock, number: int, voice: str) -> dict[str, Any]:
    return {"id": f"{number}", "service_name": None, "voice": voice, "assigned_at": clock.now}


async def _each(
    connection: AsyncConnection, statement: Any, sets: Sequence[Mapping[str, Any]]
) -> None:
    if sets:
        await connection.execute(statement, sets)
