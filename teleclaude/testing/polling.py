"""Waiting for what no event tells."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from teleclaude.backends import DAEMON_LOCK
from teleclaude.errors import InstanceLockedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from teleclaude.config import Config


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something holds; fail if it takes too long.

    Args:
        condition: What should hold.
        seconds: How long that may take.
    """
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.005)


async def until_unlocked(config: Config, seconds: float = 10) -> None:
    """Wait until a process that was killed has lost its instance lock; a server notices later.

    Args:
        config: Whose database it was.
        seconds: How long that may take.
    """
    async with asyncio.timeout(seconds):
        while True:
            try:
                async with config.backend.instance_lock(config.database, DAEMON_LOCK):
                    return
            except InstanceLockedError:
                await asyncio.sleep(0.01)
