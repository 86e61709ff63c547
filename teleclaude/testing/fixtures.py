"""The fixtures of the conformance tests; all of them build on `database_settings`.

`database_settings` is the author's: the `database:` section of an empty database. Its scope is up
to him. With the scope of a session, one database serves all tests.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import pytest_asyncio

from teleclaude.store import Db
from teleclaude.testing import databases as databases_
from teleclaude.testing import stores as stores_
from teleclaude.testing.clock import MutableClock
from teleclaude.testing.declared import absent, left_out
from teleclaude.testing.outboxes import OUTBOXES
from teleclaude.testing.plugin import declare
from teleclaude.testing.schemas import Revisions, Schema, schema_of
from teleclaude.testing.sockets import break_connections, connected_sockets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from sqlalchemy import Executable
    from sqlalchemy.ext.asyncio import AsyncEngine

    from teleclaude.backends import Backend
    from teleclaude.config import Config
    from teleclaude.store import RetryPolicy, Stores
    from teleclaude.testing.databases import Databases, Section
    from teleclaude.testing.outboxes import AnyOutbox

async_fixture = partial(pytest_asyncio.fixture, loop_scope="function")
"""A fixture that needs no particular mode of pytest-asyncio."""


class OpenDb(Protocol):
    """Opens a store that is closed at the end of the test."""

    async def __call__(
        self, config: Config | None = None, *, retry: RetryPolicy = stores_.IMPATIENT
    ) -> Db: ...


class OpenSchema(Protocol):
    """Makes a migrator, with more directories of revisions beside TeleClaude's own."""

    def __call__(self, config: Config, *versions: Path) -> Schema: ...


class Execute(Protocol):
    """Runs a statement beside the store, and gives its rows."""

    def __call__(self, statement: Executable | str) -> list[tuple[Any, ...]]: ...


class BreakConnections(Protocol):
    """Breaks every connection that the test has opened, as a server that dies does."""

    def __call__(self) -> None: ...


# --- the database -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """What brings databases into the state a test asks for."""
    return databases_.Databases(tmp_path_factory.mktemp("databases"))


@pytest.fixture(autouse=True)
def conformance(request: pytest.FixtureRequest, backend: Backend) -> None:
    """Skip what the backend declares that it cannot do, and note down who was tested."""
    marker = request.node.get_closest_marker("teleclaude_needs")
    missing = absent(backend, marker.args) if marker else None
    declare(request.node, backend, missing, left_out(backend))
    if missing is not None:
        pytest.skip(f"declared absent: {missing}")


@pytest.fixture
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the home directory and the variables of whoever runs the tests out of them."""
    for name in tuple(os.environ):
        # What configures TeleClaude: TELECLAUDE_DATABASE__*, _DB_PATH, _DAEMON__*; not the tests'.
        if name.startswith(("TELECLAUDE_D", "TELECLAUDE_CONFIG")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture
def backend(databases: Databases, database_settings: Section) -> Backend:
    """The backend, as the configuration finds it."""
    return databases.load(database_settings).backend


@pytest.fixture
def config(
    databases: Databases,
    database_settings: Section,
    own_environment: None,  # noqa: ARG001
) -> Config:
    """The configuration of an empty database."""
    return databases.empty(database_settings)


@pytest.fixture
def migrated_config(
    databases: Databases,
    database_settings: Section,
    own_environment: None,  # noqa: ARG001
) -> Config:
    """The configuration of a database at the newest revision, without rows."""
    return databases.migrated(database_settings)


@pytest.fixture
def execute(databases: Databases, database_settings: Section) -> Execute:
    """Give a function that runs statements beside the store."""
    return partial(databases_.execute, databases.load(database_settings))


@async_fixture
async def engine(migrated_config: Config) -> AsyncIterator[AsyncEngine]:
    """An engine of the backend for a database at the newest revision, beside any store."""
    engine = migrated_config.backend.create_engine(migrated_config.database)
    yield engine
    await stores_.dispose(engine)


# --- the store ----------------------------------------------------------------------------------


@pytest.fixture
def clock() -> MutableClock:
    """The clock of the stores."""
    return MutableClock()


@pytest.fixture
def break_all() -> BreakConnections:
    """Give a function that breaks all connections made since the beginning of the test."""
    before = connected_sockets()

    def break_all() -> None:
        broken = break_connections(except_for=before)
        assert broken, "there is no connection: does the engine run `in_process`?"

    return break_all


@pytest.fixture
def uses_lane() -> bool:
    """Whether stores use the backend's statement lane, if it has one.

    Define it as `False` to test that statements mean the same through the engine.
    """
    return True


@async_fixture
async def open_db(
    migrated_config: Config,
    clock: MutableClock,
    uses_lane: bool,  # noqa: FBT001 - a fixture
    break_all: BreakConnections,  # noqa: ARG001 - it must know what was connected before
) -> AsyncIterator[OpenDb]:
    """Give a function that opens a store; afterwards no connection of it may be in use."""
    async with AsyncExitStack() as stack:

        async def open_db(
            config: Config | None = None, *, retry: RetryPolicy = stores_.IMPATIENT
        ) -> Db:
            db = Db(config or migrated_config, clock=clock, retry=retry, lane=uses_lane)
            stack.push_async_callback(stores_.close, db)
            await db.open()
            return db

        yield open_db


@async_fixture
async def db(open_db: OpenDb) -> Db:
    """An open store."""
    return await open_db()


@pytest.fixture
def statements(db: Db) -> list[str]:
    """What the store sends, as it sends it: statements, and BEGIN, COMMIT, ROLLBACK if explicit."""
    return stores_.record_statements(db)


@async_fixture(params=["by itself", "in a transaction"])
async def stores(request: pytest.FixtureRequest, db: Db) -> AsyncIterator[Stores]:
    """The stores: those whose operations run by themselves, and those of an open transaction."""
    if request.param == "by itself":
        yield db
        return
    async with db.transaction() as tx:
        yield tx


@pytest.fixture(params=list(OUTBOXES.values()), ids=list(OUTBOXES))
def outbox(request: pytest.FixtureRequest) -> AnyOutbox:
    """Each of the outboxes."""
    kind: AnyOutbox = request.param
    return kind


# --- the schema ---------------------------------------------------------------------------------


@pytest.fixture
def revisions(
    tmp_path: Path, databases: Databases, database_settings: Section
) -> Iterator[Revisions]:
    """More revisions, in a directory whose name tries the quoting of Alembic's configuration."""
    yield Revisions(tmp_path / "100 % more %(here)s 'revisions'")
    databases.distrust(databases.load(database_settings))


@async_fixture
async def open_schema(databases: Databases) -> AsyncIterator[OpenSchema]:
    """Give a function that makes migrators."""
    async with AsyncExitStack() as stack:

        def open_schema(config: Config, *versions: Path) -> Schema:
            databases.distrust(config)
            schema = schema_of(config, *versions)
            stack.push_async_callback(stores_.dispose, schema.engine)
            return schema

        yield open_schema


@async_fixture
async def empty(config: Config, open_schema: OpenSchema) -> Schema:
    """An empty database."""
    return open_schema(config)


@async_fixture
async def migrated(migrated_config: Config, open_schema: OpenSchema) -> Schema:
    """A database at the newest revision."""
    return open_schema(migrated_config)
