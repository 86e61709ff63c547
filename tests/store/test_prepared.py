"""Prepared statements bind and give exactly what SQLAlchemy's own execution does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import bindparam, func, insert, literal, select, text, update

from teleclaude.errors import InvalidValueError
from teleclaude.store.models import metadata
from teleclaude.store.prepared import Preparer
from teleclaude.testing.fixtures import async_fixture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy import Executable
    from sqlalchemy.ext.asyncio import AsyncConnection

    from teleclaude.store import Db
    from teleclaude.store.prepared import Prepared

SESSIONS = metadata.tables["sessions"]
SETTINGS = metadata.tables["system_settings"]
OUTBOX = metadata.tables["hook_outbox"]
DEFAULTS = metadata.tables["webhook_contracts"]
NOW = datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)
EVENT = {
    "session_id": "1",
    "event_type": "stop",
    "payload": {"a": [1, None, "\N{SNOWMAN}"]},
    "created_at": NOW,
    "next_attempt_at": NOW,
}


@async_fixture
async def connection(db: Db) -> AsyncIterator[AsyncConnection]:
    """A connection whose changes are undone."""
    async with db._engine.connect() as connection:
        yield connection


@pytest.fixture
def preparer(db: Db) -> Preparer:
    return Preparer(db._engine.dialect)


@pytest.fixture
def run(connection: AsyncConnection, preparer: Preparer) -> Callable[..., Any]:
    """Run a statement as it is prepared, and give its rows."""

    async def run(statement: Executable, **parameters: object) -> list[tuple[object, ...]]:
        prepared = prepare(preparer, statement, **parameters)
        sql, values = prepared.statement.sql, tuple(prepared.bind(parameters))
        result = await connection.exec_driver_sql(sql, values)
        if not prepared.statement.returns_rows:
            return [(result.rowcount,)]
        return [tuple(row) for row in prepared.rows([tuple(row) for row in result])]

    return run


def prepare(preparer: Preparer, statement: Executable, **parameters: object) -> Prepared:
    prepared = preparer.prepare(statement, parameters)
    assert prepared is not None
    return prepared


@pytest.mark.parametrize("count", [1, 2, 300])
async def test_rows_are_what_the_engine_gives(
    db: Db, connection: AsyncConnection, run: Callable[..., Any], count: int
) -> None:
    """Each type of column is read as through the engine: one row, a few, and many."""
    for number in range(count):
        given: dict[str, object] = {"adapter_metadata": {"n": number}} if number % 2 else {}
        await db.sessions.create("mac", None, "api", session_id=f"{number:03}", **given)
    await db.sessions.close("000")
    query = select(SESSIONS).order_by(SESSIONS.c.session_id)
    expected = [tuple(row) for row in await connection.execute(query)]
    assert len(expected) == count
    assert await run(query) == expected


async def test_values_are_bound_in_their_order(run: Callable[..., Any]) -> None:
    """What is inserted is read again; defaults of the model are filled in, constants kept."""
    statement = insert(OUTBOX).returning(OUTBOX.c.attempt_count, OUTBOX.c.payload)
    assert await run(statement, **EVENT) == [(0, EVENT["payload"])]
    backwards = dict(reversed(EVENT.items()))
    assert await run(statement, **backwards) == [(0, EVENT["payload"])]
    changed = (
        update(OUTBOX)
        .where(OUTBOX.c.session_id == bindparam("session_"), OUTBOX.c.attempt_count == 0)
        .values(event_type="end", next_attempt_at=bindparam("at_"))
    )
    assert await run(changed, session_="1", at_=NOW) == [(2,)]
    at = OUTBOX.c.next_attempt_at
    found = select(at, OUTBOX.c.event_type, at, literal("x"), at.label("again")).distinct()
    assert await run(found) == [(NOW, "end", NOW, "x", NOW)]


async def test_a_statement_is_as_good_as_new(run: Callable[..., Any]) -> None:
    """What is made from a statement that was prepared is not taken for that one."""
    plain, row = insert(SETTINGS), {"value": "", "updated_at": NOW}
    assert await run(plain, key="a", **row) == [(1,)]
    assert await run(plain.returning(SETTINGS.c.key), key="b", **row) == [("b",)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 9])
async def test_lists_of_any_length(run: Callable[..., Any], count: int) -> None:
    """An IN takes none, one or many values, and finds what is among them."""
    for key in "abcdefghijk":
        await run(insert(SETTINGS), key=key, value="", updated_at=NOW)
    wanted = list("abcdefghijk"[:count])
    found = select(SETTINGS.c.key).where(
        SETTINGS.c.key.in_(bindparam("keys_", expanding=True)), SETTINGS.c.value == bindparam("v_")
    )
    assert sorted(await run(found, keys_=wanted, v_="")) == [(key,) for key in wanted]


def test_a_statement_is_prepared_once(preparer: Preparer) -> None:
    """The same statement with the same names is the same object; a few serve all lists."""
    query = select(SETTINGS.c.value).where(SETTINGS.c.key == bindparam("key_"))
    assert prepare(preparer, query, key_="a") is prepare(preparer, query, key_="b")
    listed = select(SETTINGS.c.key).where(SETTINGS.c.key.in_(bindparam("k_", expanding=True)))
    lengths = {id(prepare(preparer, listed, k_=["x"] * length)) for length in range(1, 65)}
    assert len(lengths) == 7
    one = insert(SETTINGS)
    assert prepare(preparer, one, key="a", value="b") is not prepare(preparer, one, key="a")
    assert preparer.with_key(insert(OUTBOX)) is not None
    statement = insert(OUTBOX)
    assert preparer.with_key(statement) is preparer.with_key(statement)


def test_values_are_checked(preparer: Preparer) -> None:
    """A value that cannot be stored is refused when it is bound, by table and column."""
    statement = prepare(preparer, insert(SETTINGS), key="a", value="b", updated_at=NOW)
    with pytest.raises(InvalidValueError, match=r"system_settings.value contains a NUL"):
        statement.bind({"key": "a", "value": "\0", "updated_at": NOW})


REFUSED: dict[str, tuple[Executable, dict[str, object]]] = {
    "a default that a function computes": (insert(SESSIONS), {"session_id": "1"}),
    "a parameter without a value": (
        select(SETTINGS).where(SETTINGS.c.key == bindparam("key_")),
        {},
    ),
    "a value that is computed when it is run": (
        select(SETTINGS).where(SETTINGS.c.key == bindparam("key_", callable_=lambda: "a")),
        {},
    ),
    "a value that is written into the text": (
        select(SETTINGS).where(SETTINGS.c.key == bindparam("key_", literal_execute=True)),
        {"key_": "a"},
    ),
    "a statement of another kind": (select(literal(1)).union_all(select(literal(2))), {}),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_what_cannot_be_prepared_is_refused(preparer: Preparer, refused: str) -> None:
    """Where preparing could mean something else than executing, the engine is left to do it."""
    statement, parameters = REFUSED[refused]
    assert preparer.prepare(statement, parameters) is None
    assert preparer.prepare(statement, parameters) is None


BY_KEY = SETTINGS.c.key == bindparam("key_")
KINDS: dict[str, tuple[Executable, bool]] = {
    "primary key": (select(SETTINGS.c.value).where(BY_KEY), True),
    "primary key and more": (select(SETTINGS).where(BY_KEY, SETTINGS.c.value == "x"), True),
    "another column": (select(SETTINGS).where(SETTINGS.c.value == bindparam("key_")), False),
    "a range": (select(SETTINGS).where(SETTINGS.c.key > bindparam("key_")), False),
    "either": (select(SETTINGS).where(BY_KEY | (SETTINGS.c.value == "x")), False),
    "not": (select(SETTINGS).where(~BY_KEY), False),
    "two tables": (select(SETTINGS, OUTBOX.c.id).where(BY_KEY), False),
    "everything": (select(func.count()).select_from(SETTINGS), False),
    "text": (text("SELECT 1"), False),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_finds_one_row_by_its_key(preparer: Preparer, kind: str) -> None:
    """Only a query that compares a whole unique key with values is said to be by key."""
    statement, by_key = KINDS[kind]
    assert prepare(preparer, statement, key_="a").statement.by_key is by_key
