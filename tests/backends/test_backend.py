"""The typed facade: what it passes on, and its answers where a backend is silent."""

from __future__ import annotations

import sqlite3
from contextlib import nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from sqlalchemy import Column, MetaData, Table, Text, text
from sqlalchemy.ext.asyncio import create_async_engine

from fake_backends import InstallBackend, plugin_source
from teleclaude.backends import (
    CONTRACT_VERSION,
    Backend,
    BackendSettings,
    Capabilities,
    ErrorKind,
    LockHolder,
    LogicalType,
    hookimpl,
    load_backend,
)
from teleclaude.backends.backend import column_type

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from sqlalchemy import Connection

TABLE = Table("things", MetaData(), Column("id", Text, primary_key=True))


class Settings(BackendSettings):
    @property
    def location(self) -> str:
        return "nowhere"


def lock(name: str) -> AbstractAsyncContextManager[str]:
    return nullcontext(name)


def minimal(**hooks: Callable[..., Any]) -> Backend:
    """A backend of plain functions: the required ones, and `hooks` on top."""
    functions: dict[str, Callable[..., Any]] = {
        "teleclaude_settings": lambda: Settings,
        "teleclaude_create_engine": lambda: create_async_engine("sqlite+aiosqlite://"),
        "teleclaude_upsert": lambda table: table,
        "teleclaude_migration_context": lambda connection: connection,
        "teleclaude_instance_lock": lock,
        **hooks,
    }
    marked = {name: hookimpl(function) for name, function in functions.items()}
    return Backend("fake", SimpleNamespace(TELECLAUDE_CONTRACT=CONTRACT_VERSION, **marked))


def test_hooks_get_their_arguments_by_name() -> None:
    """A hook that takes fewer arguments than the contract has gets those it names."""
    backend = minimal(teleclaude_upsert=lambda update_columns, table: (table.name, update_columns))
    assert backend.upsert(TABLE, ["id"], ["a"]) == ("things", ["a"])  # type: ignore[comparison-overlap]


def test_a_silent_backend_has_portable_answers() -> None:
    """Every optional hook may be left out."""
    backend = minimal()
    assert backend.capabilities == Capabilities()
    assert backend.classify_error(ValueError()) is ErrorKind.OTHER
    assert not backend.knows_lock_holder
    backend.prepare_storage(Settings())
    assert backend.adopt(cast("Connection", object()), Settings()) is None


def test_an_adoption_is_asked_for_with_connection_and_settings() -> None:
    """The hook that recognises old databases gets what it looks at, and its answer comes back."""
    backend = minimal(teleclaude_adopt=lambda connection, settings: (connection, settings.location))
    connection = cast("Connection", object())
    assert backend.adopt(connection, Settings()) == (connection, "nowhere")  # type: ignore[comparison-overlap]


async def test_a_silent_backend_has_portable_answers_to_what_is_awaited() -> None:
    """Optional hooks that return awaitables may be left out too."""
    backend = minimal()
    engine = create_async_engine("sqlite+aiosqlite://")
    assert await backend.lock_holder(Settings(), "daemon") is None
    assert await backend.backup(engine, Settings()) is None
    assert await backend.maintain(engine) == ()


async def test_what_a_hook_returns_is_awaited(tmp_path: Path) -> None:
    """Backup, housekeeping and lock holder are plain hooks that return awaitables."""
    holder = LockHolder(1, "here", None)

    async def backup(destination: Path | None) -> Path:
        return destination or tmp_path / "chosen"

    async def maintain(engine: object) -> list[str]:
        return [type(engine).__name__]

    async def lock_holder() -> LockHolder:
        return holder

    backend = minimal(
        teleclaude_backup=backup, teleclaude_maintain=maintain, teleclaude_lock_holder=lock_holder
    )
    engine = create_async_engine("sqlite+aiosqlite://")
    assert backend.knows_lock_holder
    assert await backend.lock_holder(Settings(), "daemon") == holder
    assert await backend.backup(engine, Settings()) == tmp_path / "chosen"
    assert await backend.backup(engine, Settings(), tmp_path / "copy") == tmp_path / "copy"
    assert await backend.maintain(engine) == ["AsyncEngine"]


async def test_every_connection_is_set_up() -> None:
    """The setup hook sees each new connection once, with the settings."""
    seen: list[object] = []
    settings = Settings()

    def setup(dbapi_connection: object, settings: BackendSettings) -> None:
        seen.extend((dbapi_connection, settings))

    engine = minimal(teleclaude_setup_connection=setup).create_engine(settings)
    for _ in range(2):  # the second time, the pool gives the same connection
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    await engine.dispose()
    assert len(seen) == 2
    assert seen[1] is settings


async def test_column_types_belong_to_the_engine() -> None:
    """Logical types are found through the dialect of the engine, and only of that one."""
    wish = Text(collation="C")
    typed = minimal(teleclaude_column_types=lambda: {LogicalType.KEY: wish})
    with_types, without = typed.create_engine(Settings()), minimal().create_engine(Settings())
    assert column_type(with_types.dialect, LogicalType.KEY) is wish
    assert column_type(with_types.dialect, LogicalType.TEXT) is None
    assert column_type(without.dialect, LogicalType.KEY) is None
    assert column_type(create_async_engine("sqlite+aiosqlite://").dialect, LogicalType.KEY) is None


def test_an_error_is_classified_through_its_wrappers() -> None:
    """The first exception of the chain that the backend recognises decides."""

    class Wrapper(Exception):  # noqa: N818 - stands for SQLAlchemy's own
        orig = KeyError()

    kinds = {TimeoutError: ErrorKind.BUSY, KeyError: ErrorKind.INTEGRITY}
    backend = minimal(teleclaude_classify_error=lambda error: kinds.get(type(error)))
    assert backend.classify_error(TimeoutError()) is ErrorKind.BUSY
    caused = ValueError()
    caused.__cause__ = TimeoutError()
    assert backend.classify_error(caused) is ErrorKind.BUSY
    assert backend.classify_error(Wrapper()) is ErrorKind.INTEGRITY
    assert backend.classify_error(ValueError()) is ErrorKind.OTHER


def test_a_conflict_is_recognised_by_its_name() -> None:
    """Where a backend does not say, what its driver calls an IntegrityError is one."""
    backend = minimal()
    violated = sqlite3.IntegrityError("UNIQUE constraint failed")
    assert backend.classify_error(violated) is ErrorKind.INTEGRITY
    narrower = type("UniqueViolation", (sqlite3.IntegrityError,), {})
    assert backend.classify_error(narrower()) is ErrorKind.INTEGRITY
    assert backend.classify_error(sqlite3.OperationalError()) is ErrorKind.OTHER


def test_an_error_that_causes_itself_is_classified() -> None:
    """A circular chain of causes ends."""
    first, second = ValueError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    assert minimal().classify_error(first) is ErrorKind.OTHER


def test_two_backends_of_one_process_are_independent(install_backend: InstallBackend) -> None:
    """Each backend calls its own hooks, whichever was loaded last."""
    for engine in ("one", "two"):
        settings = f"""
            class Settings(BackendSettings):
                key_of_{engine}: int = 1

                @property
                def location(self):
                    return "{engine}"
        """
        extra = f"""
            @hookimpl
            def teleclaude_classify_error(error):
                from teleclaude.backends import ErrorKind
                return ErrorKind.{"BUSY" if engine == "one" else "FULL"}
        """
        install_backend(engine, plugin_source(settings=settings, extra=extra))
    one, two = load_backend("one"), load_backend("two")
    assert one.settings_class().location == "one"
    assert two.settings_class().location == "two"
    assert one.classify_error(ValueError()) is ErrorKind.BUSY
    assert two.classify_error(ValueError()) is ErrorKind.FULL


def test_the_same_backend_can_be_loaded_twice(install_backend: InstallBackend) -> None:
    """Loading registers the plugin with a manager of its own each time."""
    install_backend("fake")
    assert load_backend("fake") is not load_backend("fake")


@pytest.mark.parametrize("unknown", [{"nope": 1}, {"environment": {}}])
def test_settings_refuse_unknown_keys(unknown: dict[str, object]) -> None:
    """The base class of all settings forbids keys that are no fields."""
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        Settings.model_validate(unknown)
