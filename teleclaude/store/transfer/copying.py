"""`copy_store`: the order in which everything happens."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, TypeVar

from teleclaude.errors import InstanceLockLostError, TeleclaudeError
from teleclaude.store.transfer.patience import seldom_collecting
from teleclaude.store.transfer.rehearsal import DAEMON_HINT, rehearse
from teleclaude.store.transfer.run import CopyRun, same_database
from teleclaude.store.transfer.side import Side

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from teleclaude.backends import InstanceLock
    from teleclaude.config import Config
    from teleclaude.store.transfer.options import CopyOptions, Progress
    from teleclaude.store.transfer.report import CopyReport

T = TypeVar("T")


async def copy_store(
    source: Config, target: Config, options: CopyOptions, progress: Progress
) -> CopyReport:
    """Copy a store into another database, and verify the copy.

    Interrupted, it is continued by calling it again with the same databases.

    Args:
        source: The store to copy.
        target: Where to.
        options: How.
        progress: Hears how it goes on.

    Returns:
        What was done, both sides compared.

    Raises:
        CopyError: A value cannot be copied, the target is not empty, both sides differ afterwards,
            or the source changed since the copy was interrupted.
        InstanceLockedError: A daemon uses one of the databases.
        InstanceLockLostError: The lock of one of them was lost.
        MigrationError: The schema of one of them is not the one that is needed.
        StoreUnavailableError: One of them cannot be reached, or broke off.
    """
    if _same(source, target):
        raise same_database(source.database.location)
    async with AsyncExitStack() as stack:
        stack.enter_context(seldom_collecting())
        ours, theirs = Side(source), Side(target)
        stack.push_async_callback(ours.close)
        stack.push_async_callback(theirs.close)
        await ours.migrator.require_head()
        if options.dry_run:
            return await rehearse(ours, theirs, options, progress)
        locks = [await stack.enter_async_context(theirs.lock())]
        if options.online:
            progress.say("What is written to the source from now on is not in the copy.")
        else:
            locks.append(await stack.enter_async_context(ours.lock(hint=DAEMON_HINT)))
        run = CopyRun(ours, theirs, options, progress)
        return await while_held(locks, run.copy())


def _same(one: Config, other: Config) -> bool:
    # Two names of one database are noticed later: by its lock, or by the mark of a copy.
    return one.backend.engine == other.backend.engine and (
        one.database.location == other.database.location
    )


async def while_held(locks: Sequence[InstanceLock], work: Coroutine[object, object, T]) -> T:
    """Work as long as no lock is lost.

    Args:
        locks: The locks that the work needs.
        work: The work.

    Returns:
        What it gives.

    Raises:
        InstanceLockLostError: A lock was lost; the work was cancelled.
    """
    task = asyncio.ensure_future(work)
    watchers = [asyncio.ensure_future(lock.wait_lost()) for lock in locks]
    try:
        await asyncio.wait({task, *watchers}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        reason = next(watcher.result() for watcher in watchers if watcher.done())
        message = f"The instance lock was lost: {reason}."
        raise InstanceLockLostError(message, hint="Run the command again; it continues.")
    finally:
        for one in (task, *watchers):
            one.cancel()
        with suppress(asyncio.CancelledError, TeleclaudeError):
            await task
