"""What an executor does with statements, and when it refuses to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import bindparam, insert, select

from teleclaude.errors import ConflictError, InvalidValueError, NotFoundError, StoreError
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.testing.stores import checked_out

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from teleclaude.config import Config
    from teleclaude.store.executor import StoreExecutor
    from teleclaude.testing.clock import MutableClock

SETTINGS = metadata.tables["system_settings"]
INSERT = insert(SETTINGS)
KEYS = select(SETTINGS.c.key).order_by(SETTINGS.c.key)


@pytest.fixture
def executor(db: Db) -> StoreExecutor:
    """What the stores of an open `Db` run their statements with."""
    return db._executor


@pytest.fixture
def row(clock: MutableClock) -> Callable[..., dict[str, object]]:
    """Make a row of the settings."""
    return lambda key, value="": {"key": key, "value": value, "updated_at": clock.now}


SINGLE: dict[str, Callable[[Db], Awaitable[object]]] = {
    "create": lambda db: db.sessions.create("mac", None, "api"),
    "create_headless": lambda db: db.sessions.create_headless("mac", "api"),
    "get": lambda db: db.sessions.get("1"),
    "get_field": lambda db: db.sessions.get_field("1", "title"),
    "find_by_field": lambda db: db.sessions.find_by_field("tmux_session_name", "tmux"),
    "find_by_title_prefix": lambda db: db.sessions.find_by_title_prefix("["),
    "list": lambda db: db.sessions.list(computer_name="mac"),
    "list_all": lambda db: db.sessions.list_all(),
    "count": lambda db: db.sessions.count(),
    "touch": lambda db: db.sessions.touch("1"),
    "close": lambda db: db.sessions.close("1"),
    "delete": lambda db: db.sessions.delete("1"),
    "settings.get": lambda db: db.settings.get("key"),
    "settings.set": lambda db: db.settings.set("key", "value"),
    "settings.all": lambda db: db.settings.all(),
    "settings.delete": lambda db: db.settings.delete("key"),
}


async def test_write_many_is_all_or_nothing(
    executor: StoreExecutor, row: Callable[..., dict[str, object]]
) -> None:
    """One parameter set that contradicts a constraint, and none of them is written."""
    await executor.write_many(INSERT, [row("a"), row("b")])
    with pytest.raises(ConflictError):
        await executor.write_many(INSERT, [row("c"), row("a"), row("d")])
    assert [tuple(one) for one in await executor.read(KEYS)] == [("a",), ("b",)]


async def test_write_many_refuses_before_it_writes(
    executor: StoreExecutor, row: Callable[..., dict[str, object]]
) -> None:
    """One value that cannot be stored, and nothing is written."""
    with pytest.raises(InvalidValueError, match=r"system_settings.value contains a NUL"):
        await executor.write_many(INSERT, [row("a"), row("b", "\0")])
    assert await executor.read(KEYS) == []


async def test_write_many_of_nothing(executor: StoreExecutor) -> None:
    """Without a parameter set there is nothing to do."""
    await executor.write_many(INSERT, [])
    assert await executor.read(KEYS) == []


async def test_write_many_takes_any_iterable_and_many_sets(
    executor: StoreExecutor, row: Callable[..., dict[str, object]]
) -> None:
    """Thousands of parameter sets, from a generator, are all written."""
    await executor.write_many(INSERT, (row(f"{number:05}") for number in range(3000)))
    assert len(await executor.read(KEYS)) == 3000


async def test_the_last_of_a_batch_wins(
    db: Db, executor: StoreExecutor, row: Callable[..., dict[str, object]]
) -> None:
    """An upsert that has the same key several times in a batch leaves the last value."""
    upsert = db._backend.upsert(SETTINGS, ("key",), ("value", "updated_at"))
    sets = [row(key, str(number)) for number, key in enumerate("abaab")]
    await executor.write_many(upsert, sets)
    assert await db.settings.all() == {"a": "3", "b": "4"}
    await executor.write_many(upsert, sets[:1])
    assert await db.settings.all() == {"a": "0", "b": "4"}


async def test_an_upsert_of_nothing_keeps_what_is_there(
    db: Db, executor: StoreExecutor, row: Callable[..., dict[str, object]]
) -> None:
    """Without columns to update, the existing row stays and is not counted."""
    keep = db._backend.upsert(SETTINGS, ("key",), ())
    assert (await executor.write(keep, row("a", "1"))).rowcount == 1
    assert (await executor.write(keep, row("a", "2"))).rowcount == 0
    await executor.write_many(keep, [row("a", "3"), row("b", "3"), row("b", "4")])
    assert await db.settings.all() == {"a": "1", "b": "3"}


async def test_returning_gives_rows(
    executor: StoreExecutor, row: Callable[..., dict[str, object]]
) -> None:
    """A changing statement gives the rows of its RETURNING clause and how many there were."""
    statement = INSERT.returning(SETTINGS.c.key, SETTINGS.c.updated_at)
    given = row("a")
    written = await executor.write(statement, given)
    assert [tuple(one) for one in written.rows] == [("a", given["updated_at"])]


async def test_a_constraint_is_a_conflict(
    executor: StoreExecutor, row: Callable[..., dict[str, object]]
) -> None:
    """What contradicts the tables is a ConflictError that quotes no value."""
    await executor.write(INSERT, row("secret-key"))
    with pytest.raises(ConflictError) as failure:
        await executor.write(INSERT, row("secret-key"))
    assert "secret-key" not in str(failure.value)
    assert failure.value.__cause__ is not None


async def test_a_unit_of_work_is_one_transaction(
    db: Db, executor: StoreExecutor, row: Callable[..., dict[str, object]]
) -> None:
    """What a unit wrote before it failed is undone."""

    async def unit(tx: Any) -> None:
        await tx.write(INSERT, row("a"))
        raise NotFoundError

    with pytest.raises(NotFoundError):
        await executor.run(unit)
    assert await db.settings.all() == {}


# --- before, between and after ------------------------------------------------------------------


async def test_not_before_open(migrated_config: Config) -> None:
    """A store that is not open refuses everything and says so."""
    db = Db(migrated_config)
    for operation in SINGLE.values():
        with pytest.raises(StoreError, match="The store is not open"):
            await operation(db)
    with pytest.raises(StoreError, match="The store is not open"):
        async with db.transaction():
            pass
    assert checked_out(db) == 0
    await db.close()


async def test_not_after_close(migrated_config: Config) -> None:
    """A closed store refuses everything and says so; closing it again is no error."""
    async with Db(migrated_config) as db:
        await db.settings.set("key", "value")
    for operation in SINGLE.values():
        with pytest.raises(StoreError, match="The store is closed"):
            await operation(db)
    with pytest.raises(StoreError, match="The store is closed"):
        await db.sessions.update("1", title="x")
    await db.close()


async def test_a_store_can_be_opened_again(migrated_config: Config) -> None:
    """After `close` comes `open`, and what was written is there."""
    db = Db(migrated_config)
    for number in range(3):
        await db.open()
        await db.settings.set(f"key {number}", "value")
        assert len(await db.settings.all()) == number + 1
        await db.close()


async def test_an_exception_in_the_block_closes_the_store(migrated_config: Config) -> None:
    """However the block is left, the store is closed."""
    db = Db(migrated_config)
    with pytest.raises(ZeroDivisionError):
        async with db:
            raise ZeroDivisionError
    with pytest.raises(StoreError, match="closed"):
        await db.settings.get("key")


async def test_maintenance_is_safe_at_any_time(db: Db) -> None:
    """Housekeeping says in short phrases what it did, also beside an open transaction."""
    async with db.transaction() as tx:
        await tx.settings.set("key", "value")
        done = await db.maintain()
    assert all(done)
    assert await db.settings.get("key") == "value"


def test_a_bindparam_of_an_update_cannot_be_mistaken() -> None:
    """The parameter that names the session is no column, so no field can take its place."""
    assert "id_" not in metadata.tables["sessions"].columns
    assert "key_" not in SETTINGS.columns
    assert bindparam("id_").key == "id_"
