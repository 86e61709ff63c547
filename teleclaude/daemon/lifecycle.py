"""The daemon's life: lock, schema, store, upkeep, end."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Final, TypeVar

from teleclaude.backends import DAEMON_LOCK
from teleclaude.backends.translation import translated
from teleclaude.daemon.patience import when_up
from teleclaude.errors import InstanceLockLostError, TeleclaudeError
from teleclaude.hook.writing import write_manifest
from teleclaude.store import Db

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from structlog.typing import FilteringBoundLogger

    from teleclaude.backends import AdoptionReport, InstanceLock
    from teleclaude.config import Config
    from teleclaude.errors import StoreUnavailableError
    from teleclaude.migrations import Migrated

T = TypeVar("T")

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_GRACE: Final = 1.5
"""Seconds for closing connections; a connection that does not answer must not delay the end."""


_SHOWN: Final = 20
"""Lines on what an adoption put into quarantine; the table has it all."""


class Daemon:
    """Runs until it is told to stop or must not go on."""

    def __init__(self, config: Config, log: FilteringBoundLogger) -> None:
        """Make the daemon; nothing happens until `run`.

        Args:
            config: The configuration.
            log: Where it says what it does.
        """
        self._config = config
        self._location = config.database.location
        self._log = log
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Start, stay up, and stop on SIGTERM or SIGINT.

        Raises:
            InstanceLockedError: Another daemon uses the database.
            InstanceLockLostError: The lock was lost, so another daemon may be writing.
            TeleclaudeError: The daemon cannot start.
        """
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._stop.set)
        try:
            await self._until_stopped()
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
        self._log.info("stopped")

    async def _until_stopped(self) -> None:
        """Work until the signal comes, whatever the work is at that moment."""
        work = asyncio.create_task(self._work())
        stop = asyncio.create_task(self._stop.wait())
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if work.done():
            await work  # it only ends by an error
            return
        self._log.info("stopping")
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work

    async def _work(self) -> None:
        async with AsyncExitStack() as stack:
            lock = await self._when_up(lambda: self._take_lock(stack))
            self._log.info("instance lock taken", holder=str(lock.holder))
            db = Db(self._config)
            stack.push_async_callback(self._close, db)
            self._report(await self._when_up(lambda: db.migrator.upgrade(own_lock=True)))
            await self._when_up(db.open)
            await self._prepare_hooks()
            self._log.info("ready", database=self._location, pid=os.getpid())
            await self._watch(db, lock)

    async def _prepare_hooks(self) -> None:
        """Let the processes of `teleclaude-hook` store their events without loading all of this."""
        path = self._config.path
        try:
            await write_manifest(None if path is None else str(path), os.environ)
        except (OSError, TeleclaudeError) as error:
            self._log.warning("hooks are not prepared, so they are slow", reason=str(error))

    async def _take_lock(self, stack: AsyncExitStack) -> InstanceLock:
        backend, settings = self._config.backend, self._config.database
        with translated(backend, self._location):
            return await stack.enter_async_context(backend.instance_lock(settings, DAEMON_LOCK))

    async def _watch(self, db: Db, lock: InstanceLock) -> None:
        maintenance = asyncio.create_task(self._maintain(db))
        try:
            reason = await lock.wait_lost()
        finally:
            maintenance.cancel()
        message = f"The instance lock of {self._location} was lost: {reason}."
        hint = "The daemon stopped, because another one may be writing; start it again."
        raise InstanceLockLostError(message, hint=hint)

    async def _maintain(self, db: Db) -> None:
        while True:
            await asyncio.sleep(self._config.daemon.maintenance_interval)
            try:
                done = await db.maintain()
            except TeleclaudeError as error:
                self._log.warning("maintenance failed", reason=str(error))
            else:
                self._log.info("maintenance done", done=", ".join(done) or "nothing to do")

    async def _close(self, db: Db) -> None:
        try:
            async with asyncio.timeout(_GRACE):
                await db.close()
        except (TimeoutError, OSError) as error:
            self._log.warning("connections did not close in time", reason=type(error).__name__)

    async def _when_up(self, attempt: Callable[[], Awaitable[T]]) -> T:
        return await when_up(attempt, self._config.daemon.startup_timeout, self._say_waiting)

    def _say_waiting(self, error: StoreUnavailableError) -> None:
        seconds = self._config.daemon.startup_timeout
        self._log.warning("waiting for the database", up_to_seconds=seconds, reason=error.message)

    def _report(self, migrated: Migrated) -> None:
        if not migrated.changed:
            self._log.info("schema is up to date", revision=migrated.after)
        elif migrated.adoption:
            self._report_adoption(migrated, migrated.adoption)
        elif migrated.before is None:
            self._log.info("schema created", revision=migrated.after)
        else:
            extra = {"backup": str(migrated.backup)} if migrated.backup else {}
            self._log.info(
                "schema upgraded", revision=migrated.after, before=migrated.before, **extra
            )

    def _report_adoption(self, migrated: Migrated, adoption: AdoptionReport) -> None:
        self._log.info(
            "database adopted",
            found=adoption.found,
            revision=migrated.after,
            backup=str(migrated.backup),
            rows=sum(adoption.rows.values()),
            quarantined=adoption.quarantined,
            left_alone=", ".join(adoption.left_alone) or "nothing",
        )
        for one in adoption.examples[:_SHOWN]:
            self._log.warning(
                "put into quarantine",
                table=one.table,
                key=one.key,
                column=one.column or "the whole row",
                original=one.original,
                reason=one.reason,
            )
