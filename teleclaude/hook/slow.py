"""The long way: through the configuration and the store, as every other program goes."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NoReturn

from teleclaude.config import load_config
from teleclaude.errors import TeleclaudeError
from teleclaude.hook.manifest import config_file
from teleclaude.hook.writing import write_manifest
from teleclaude.store import Db, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teleclaude.config import Config
    from teleclaude.hook.events import Event

_AT_LEAST: Final = 1.0
"""Seconds for the database, however long the imports took."""

_RETRY: Final = RetryPolicy(attempts=3, ceiling=0.1)


def enqueue(event: Event, config: str | None, deadline: float) -> None:
    """Store an event, and leave a manifest for those that follow.

    Args:
        event: The event.
        config: The configuration file to use, or `None` for the usual one.
        deadline: When to be done, by the monotonic clock. The process ends there.

    Raises:
        TeleclaudeError: It could not be stored.
    """
    loaded = load_config(config)
    with _ending_at(max(deadline, time.monotonic() + _AT_LEAST), loaded.database.location):
        asyncio.run(_enqueue(loaded, event))
    with suppress(OSError, TeleclaudeError):  # it is stored; the next one takes as long, then
        asyncio.run(write_manifest(config_file(config, os.environ), os.environ))


async def _enqueue(config: Config, event: Event) -> None:
    async with Db(config, retry=_RETRY) as db:
        await db.hook_outbox.enqueue(event.session_id, event.event_type, event.payload)


@contextmanager
def _ending_at(deadline: float, location: str) -> Iterator[None]:
    def end(_number: int, _frame: object) -> NoReturn:
        message = (
            f"teleclaude-hook: The database {location} did not answer in time; "
            "whether the event was stored is unknown.\n"
        )
        os.write(2, message.encode("utf-8", "backslashreplace"))
        os._exit(1)  # a driver's thread may wait for much longer

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, deadline - time.monotonic())
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
