"""One of the two stores of a copy: its engine, its schema, its lock."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from teleclaude.backends import DAEMON_LOCK, locked
from teleclaude.backends.translation import translated
from teleclaude.errors import InstanceLockedError
from teleclaude.migrations import UNFINISHED_COPY, Migrator
from teleclaude.store.engine_way import LOST, EngineWay
from teleclaude.store.executor import StoreExecutor
from teleclaude.store.models import metadata
from teleclaude.store.transfer.reading import Reader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Dialect
    from sqlalchemy.ext.asyncio import AsyncConnection

    from teleclaude.backends import InstanceLock
    from teleclaude.config import Config


class Side:
    """The source or the target.

    Attributes:
        backend: The engine's backend.
        location: Where the database is, without secrets.
        migrator: Its schema.
        executor: Runs transactions on it.
    """

    def __init__(self, config: Config) -> None:
        """Prepare; nothing is connected yet.

        Args:
            config: Where the store is.
        """
        self.backend = config.backend
        self.location = config.database.location
        self._settings = config.database
        self._engine = self.backend.create_engine(self._settings)
        self.migrator = Migrator(self.backend, self._settings, self._engine, metadata)
        way = EngineWay(self._engine, self.backend)
        self.executor = StoreExecutor(way, self.backend, self.location)
        self.executor.open()

    @property
    def dialect(self) -> Dialect:
        """The dialect of the engine."""
        return self._engine.dialect

    def translated(self) -> AbstractContextManager[None]:
        """Let only TeleClaude's errors out of a block."""
        return translated(self.backend, self.location)

    def prepare_storage(self) -> None:
        """Make the place the database lives in, where that is something files can do."""
        with self.translated():
            self.backend.prepare_storage(self._settings)

    async def copy_natively(self, destination: Path) -> Path:
        """Let the engine copy its database into a file; it must be able to.

        Args:
            destination: The file to write.

        Returns:
            The file.
        """
        with self.translated():
            file = await self.backend.backup(self._engine, self._settings, destination)
        assert file is not None  # noqa: S101 - the caller has asked
        return file

    async def close(self) -> None:
        """Close all connections."""
        await self.executor.close()
        await self._engine.dispose()

    @asynccontextmanager
    async def lock(self, *, hint: str | None = None) -> AsyncIterator[InstanceLock]:
        """Keep every daemon away.

        Args:
            hint: What to do where a daemon has the lock, if there is more to say than usual.

        Yields:
            The lock.

        Raises:
            InstanceLockedError: A daemon uses the database.
        """
        async with AsyncExitStack() as stack:
            try:
                with self.translated():
                    lock = await stack.enter_async_context(
                        self.backend.instance_lock(self._settings, DAEMON_LOCK)
                    )
            except InstanceLockedError as error:
                raise InstanceLockedError(error.message, hint=hint or error.hint) from error
            yield lock

    async def refuse_daemon(self, *, hint: str | None = None) -> None:
        """Make sure that no daemon uses the database, without taking its lock.

        Args:
            hint: What to do if one does, if there is more to say than usual.

        Raises:
            InstanceLockedError: One does.
        """
        with self.translated():
            holder = await self.backend.lock_holder(self._settings, DAEMON_LOCK)
        if holder is not None:
            error = locked(DAEMON_LOCK, self.location, holder)
            raise InstanceLockedError(error.message, hint=hint or error.hint)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Reader]:
        """Read one state of the database, however long that takes.

        Yields:
            What reads.
        """
        async with self._released() as stack:
            with self.translated():
                connection = await stack.enter_async_context(self._engine.connect())
                await stack.enter_async_context(self.backend.snapshot(connection))
            yield Reader(connection, self.backend, self.location)

    async def is_half_copied(self) -> bool:
        """Say whether it is marked as the target of a copy that is not finished."""
        return await self.migrator.current() == UNFINISHED_COPY

    @asynccontextmanager
    async def _released(self) -> AsyncIterator[AsyncExitStack]:
        """Leave contexts, also those of a connection that is not there any more."""
        stack = AsyncExitStack()
        try:
            yield stack
        finally:
            try:
                await stack.aclose()
            except Exception as error:
                if self.backend.classify_error(error) not in LOST:
                    raise

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that is committed at the end of the block.

        Yields:
            Its connection, for what no store does: tables and counters.
        """
        with self.translated():
            async with self._engine.begin() as connection:
                yield connection
