"""`Backend`: the typed way in which the core calls a backend's hooks.

One plugin manager per backend, holding exactly one plugin, so that two backends can be open in one
process without seeing each other. Portable answers for hooks a backend leaves out live here too.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, Any, Final, cast

import pluggy
from sqlalchemy import event, func, select

from teleclaude.backends import bulk, hookspecs
from teleclaude.backends.contract import Capabilities, ErrorKind, LockHolder
from teleclaude.backends.settings import BackendSettings
from teleclaude.errors import BackendIncompleteError, BackendLoadError, InstanceLockedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Connection, Dialect, Executable, Table, TableClause
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
    from sqlalchemy.types import TypeEngine

    from teleclaude.backends.contract import (
        Adoption,
        InstanceLock,
        LogicalType,
        QuickWrite,
        TextSearch,
    )
    from teleclaude.backends.lanes import StatementLane

REQUIRED_HOOKS: Final = (
    "teleclaude_settings",
    "teleclaude_create_engine",
    "teleclaude_upsert",
    "teleclaude_migration_context",
    "teleclaude_instance_lock",
)
"""The hooks without which there is no backend; every other one has a portable answer."""

_PATIENCE: Final = 0.5
"""Seconds after which a lock is held by somebody who does not only try it."""

_PAUSE: Final = 0.02
"""Seconds between two attempts to take it."""

_COLUMN_TYPES_ATTRIBUTE: Final = "teleclaude_column_types"


class Backend:
    """One engine's hooks behind typed methods.

    Attributes:
        engine: The engine's name in the configuration.
        distribution: The distribution the backend came from.
        version: That distribution's version.
        settings_class: Validates the engine's part of the `database:` section.
        capabilities: What the engine can do.
    """

    def __init__(
        self, engine: str, plugin: object, *, distribution: str = "", version: str = ""
    ) -> None:
        """Register the plugin and check it against the contract.

        Args:
            engine: The engine's name in the configuration.
            plugin: The module or object that carries the hook implementations.
            distribution: Name of the distribution it came from, for messages.
            version: Version of that distribution.

        Raises:
            BackendLoadError: The plugin speaks another contract, or has a hook or hook argument
                that does not exist.
            BackendIncompleteError: A required hook is missing.
        """
        self.engine = engine
        self.distribution = distribution
        self.version = version
        self._title = f"{engine!r} ({distribution} {version})" if distribution else repr(engine)
        self._check_contract(plugin)
        self._hook = self._register(plugin)
        self.settings_class: type[BackendSettings] = self._settings_class()
        self.capabilities: Capabilities = self._hook.teleclaude_capabilities() or Capabilities()
        self._column_types: Mapping[LogicalType, TypeEngine[Any]] = (
            self._hook.teleclaude_column_types() or {}
        )

    def __repr__(self) -> str:
        """Name the engine and where it came from."""
        return f"<Backend {self._title}>"

    def _check_contract(self, plugin: object) -> None:
        spoken = getattr(plugin, "TELECLAUDE_CONTRACT", None)
        if spoken == hookspecs.CONTRACT_VERSION:
            return
        if not isinstance(spoken, int):
            message = f"The backend {self._title} does not say which contract it was written for."
            hint = f"Its author must set TELECLAUDE_CONTRACT = {hookspecs.CONTRACT_VERSION}."
            raise BackendLoadError(message, hint=hint)
        message = (
            f"The backend {self._title} was written for version {spoken} of the backend contract; "
            f"this TeleClaude speaks version {hookspecs.CONTRACT_VERSION}."
        )
        older = "the backend" if spoken < hookspecs.CONTRACT_VERSION else "teleclaude"
        raise BackendLoadError(message, hint=f"Upgrade {older}.")

    def _register(self, plugin: object) -> pluggy.HookRelay:
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        try:
            manager.register(plugin)
            manager.check_pending()
        except pluggy.PluginValidationError as error:
            reason = " ".join(str(error).split())
            message = f"The backend {self._title} does not fit the contract: {reason}."
            raise BackendLoadError(message, hint="Ask its author to fix it.") from error
        missing = [n for n in REQUIRED_HOOKS if not getattr(manager.hook, n).get_hookimpls()]
        if missing:
            names = ", ".join(missing)
            message = f"The backend {self._title} does not implement {names}."
            raise BackendIncompleteError(message, hint="Every backend must have these hooks.")
        return manager.hook

    def _settings_class(self) -> type[BackendSettings]:
        given: object = self._hook.teleclaude_settings()
        if isinstance(given, type) and issubclass(given, BackendSettings):
            return given
        message = (
            f"The backend {self._title} gives {given!r} as its settings, "
            "which is not a subclass of BackendSettings."
        )
        raise BackendLoadError(message, hint="Ask its author to fix teleclaude_settings.")

    def create_engine(self, settings: BackendSettings) -> AsyncEngine:
        """Create an engine whose types and connections are set up for this backend.

        Args:
            settings: An instance of `settings_class`.

        Returns:
            An engine that is not connected yet; the caller disposes of it.
        """
        engine: AsyncEngine = self._hook.teleclaude_create_engine(settings=settings)
        setattr(engine.dialect, _COLUMN_TYPES_ATTRIBUTE, self._column_types)

        @event.listens_for(engine.sync_engine, "connect")
        def setup(dbapi_connection: DBAPIConnection, _record: object) -> None:
            self._hook.teleclaude_setup_connection(
                dbapi_connection=dbapi_connection, settings=settings
            )

        return engine

    def upsert(
        self, table: Table, index_elements: Sequence[str], update_columns: Sequence[str]
    ) -> Executable:
        """Build an upsert; see `hookspecs.teleclaude_upsert`."""
        statement: Executable = self._hook.teleclaude_upsert(
            table=table, index_elements=index_elements, update_columns=update_columns
        )
        return statement

    def migration_context(
        self, connection: Connection
    ) -> AbstractContextManager[Mapping[str, object]]:
        """Surround a migration; see `hookspecs.teleclaude_migration_context`."""
        context: AbstractContextManager[Mapping[str, object]] = (
            self._hook.teleclaude_migration_context(connection=connection)
        )
        return context

    def instance_lock(
        self, settings: BackendSettings, name: str
    ) -> AbstractAsyncContextManager[InstanceLock]:
        """Take the instance lock; see `hookspecs.teleclaude_instance_lock`."""
        lock: AbstractAsyncContextManager[InstanceLock] = self._hook.teleclaude_instance_lock(
            settings=settings, name=name
        )
        return lock

    def text_search(self, table: TableClause, column: str) -> TextSearch | None:
        """Say how rows are found by words; see `hookspecs.teleclaude_text_search`."""
        search: TextSearch | None = self._hook.teleclaude_text_search(table=table, column=column)
        return search

    def statement_lane(self, settings: BackendSettings) -> StatementLane | None:
        """Make the statement lane; see `hookspecs.teleclaude_statement_lane`.

        Returns:
            The lane, or `None` where statements run through the engine.
        """
        lane: StatementLane | None = self._hook.teleclaude_statement_lane(settings=settings)
        return lane

    def implements(self, hook: str) -> bool:
        """Say whether the backend has a hook, or leaves it out.

        Args:
            hook: The hook's name.
        """
        return bool(getattr(self._hook, hook).get_hookimpls())

    @property
    def knows_lock_holder(self) -> bool:
        """Whether `lock_holder` can tell; `False` where the backend leaves the hook out."""
        return self.implements("teleclaude_lock_holder")

    async def lock_holder(self, settings: BackendSettings, name: str) -> LockHolder | None:
        """Say who has the instance lock; see `hookspecs.teleclaude_lock_holder`."""
        answer: object = self._hook.teleclaude_lock_holder(settings=settings, name=name)
        if inspect.isawaitable(answer):
            return cast("LockHolder | None", await answer)
        return await self._try_lock(settings, name)

    async def _try_lock(self, settings: BackendSettings, name: str) -> LockHolder | None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                async with self.instance_lock(settings, name):
                    return None
            except InstanceLockedError as refusal:
                holder = refusal.holder
            if time.monotonic() > deadline:
                return holder if isinstance(holder, LockHolder) else LockHolder(None, None, None)
            await asyncio.sleep(_PAUSE)

    @property
    def prepares_storage(self) -> bool:
        """Whether `prepare_storage` makes a database that does not exist yet."""
        return self.implements("teleclaude_prepare_storage")

    def prepare_storage(self, settings: BackendSettings) -> None:
        """Make the place the database lives in; see `hookspecs.teleclaude_prepare_storage`."""
        self._hook.teleclaude_prepare_storage(settings=settings)

    def classify_error(self, error: BaseException) -> ErrorKind:
        """Say what kind of failure an exception is, looking through its causes.

        SQLAlchemy and driver adapters wrap the driver's exception once or twice; the first
        exception of the chain that the backend recognises decides.

        Args:
            error: Any exception that came out of a statement or a connection attempt.

        Returns:
            The kind. Where the backend recognises nothing of the chain: `INTEGRITY` if the driver
            or SQLAlchemy calls it an `IntegrityError`, else `OTHER`.
        """
        for one in _chain(error):
            kind: ErrorKind | None = self._hook.teleclaude_classify_error(error=one)
            if kind is not None and kind is not ErrorKind.OTHER:
                return kind
        # Drivers agree about this one, so that a backend need not tell.
        conflict = any(_is_integrity_error(one) for one in _chain(error))
        return ErrorKind.INTEGRITY if conflict else ErrorKind.OTHER

    async def backup(
        self, engine: AsyncEngine, settings: BackendSettings, destination: Path | None = None
    ) -> Path | None:
        """Write a consistent copy; see `hookspecs.teleclaude_backup`.

        Returns:
            The file, or `None` where the engine relies on its server's backups.
        """
        answer: object = self._hook.teleclaude_backup(
            engine=engine, settings=settings, destination=destination
        )
        return cast("Path", await answer) if inspect.isawaitable(answer) else None

    def native_backup(self, beginning: bytes) -> str | None:
        """Recognise a file the engine wrote; see `hookspecs.teleclaude_native_backup`."""
        hint: str | None = self._hook.teleclaude_native_backup(beginning=beginning)
        return hint

    def adopt(self, connection: Connection, settings: BackendSettings) -> Adoption | None:
        """Recognise a database of an earlier TeleClaude; see `hookspecs.teleclaude_adopt`."""
        adoption: Adoption | None = self._hook.teleclaude_adopt(
            connection=connection, settings=settings
        )
        return adoption

    async def maintain(self, engine: AsyncEngine) -> Sequence[str]:
        """Do the engine's housekeeping; see `hookspecs.teleclaude_maintain`.

        Returns:
            What was done, one short phrase each; empty where the backend leaves the hook out.
        """
        answer: object = self._hook.teleclaude_maintain(engine=engine)
        return cast("Sequence[str]", await answer) if inspect.isawaitable(answer) else ()

    @property
    def loads_itself(self) -> bool:
        """Whether the backend has its own way to load many rows."""
        return self.implements("teleclaude_bulk_load")

    async def bulk_load(
        self, connection: AsyncConnection, table: Table, rows: Iterable[Sequence[object]]
    ) -> int:
        """Load many rows into a table, as fast as the engine can.

        The rows are taken in batches, and each batch is checked before the database sees any of it.
        On an error, those before it are in the transaction: it can only be rolled back.

        Args:
            connection: A connection of an engine this backend made, in a transaction.
            table: A table of the models.
            rows: The rows, each with a value for every column of the table in its order, as the
                store gives and takes them.

        Returns:
            How many rows there were.

        Raises:
            InvalidValueError: A value cannot be stored.
        """
        loads = self.loads_itself
        count = 0
        for batch in bulk.batches(rows):
            ready = bulk.bound(table, connection.dialect, batch) if loads else None
            if ready is None or not await self.load_bound(connection, table, ready):
                await bulk.insert_rows(connection, table, batch)
            count += len(batch)
        return count

    async def load_bound(self, connection: AsyncConnection, table: Table, rows: bulk.Batch) -> bool:
        """Load one batch of rows that `bulk.bound_columns` made ready.

        Args:
            connection: A connection of an engine this backend made, in a transaction.
            table: A table of the models.
            rows: At least one row.

        Returns:
            Whether they were loaded; `False` where the backend leaves that to the core.
        """
        loading: object = self._hook.teleclaude_bulk_load(
            connection=connection, table=table, rows=rows
        )
        if not inspect.isawaitable(loading):
            return False
        await loading
        return True

    def snapshot(self, connection: AsyncConnection) -> AbstractAsyncContextManager[object]:
        """Surround reading that must see one state; see `hookspecs.teleclaude_snapshot`."""
        snapshot: AbstractAsyncContextManager[None] | None = self._hook.teleclaude_snapshot(
            connection=connection
        )
        return snapshot or connection.begin()

    @property
    def knows_id_counter(self) -> bool:
        """Whether `id_counter` knows more than the highest id."""
        return self.implements("teleclaude_id_counter")

    async def id_counter(
        self, connection: AsyncConnection, table: Table, at_least: int | None = None
    ) -> int:
        """Say how far surrogate keys are used up; see `hookspecs.teleclaude_id_counter`."""
        answer: object = self._hook.teleclaude_id_counter(
            connection=connection, table=table, at_least=at_least
        )
        if inspect.isawaitable(answer):
            return cast("int", await answer)
        (key,) = table.primary_key.columns
        return int((await connection.execute(select(func.max(key)))).scalar() or 0)

    def quick_write(self, settings: BackendSettings) -> QuickWrite | None:
        """Say how a single row is stored quickly; see `hookspecs.teleclaude_quick_write`."""
        answer: QuickWrite | None = self._hook.teleclaude_quick_write(settings=settings)
        return answer


def column_type(dialect: Dialect, logical: LogicalType) -> TypeEngine[Any] | None:
    """Give the type a backend stores a logical type as.

    Args:
        dialect: The dialect of an engine that `Backend.create_engine` made.
        logical: The kind of column.

    Returns:
        The backend's type, or `None` when it has no wish of its own or the dialect belongs to no
        backend (a plain SQLAlchemy engine).
    """
    types: Mapping[LogicalType, TypeEngine[Any]] = getattr(dialect, _COLUMN_TYPES_ATTRIBUTE, {})
    return types.get(logical)


def _is_integrity_error(error: BaseException) -> bool:
    # Drivers share no class, only its name (PEP 249); SQLAlchemy recognises theirs by it, too.
    return any(each.__name__ == "IntegrityError" for each in type(error).__mro__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        original: object = getattr(one, "orig", None)
        pending += [original if isinstance(original, BaseException) else None, one.__cause__]
