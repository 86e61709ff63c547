"""Waiting for a database server that is merely not up yet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from teleclaude.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0


async def when_up(
    attempt: Callable[[], Awaitable[T]],
    timeout: float,  # noqa: ASYNC109 - the time between attempts counts too
    waiting: Callable[[StoreUnavailableError], None],
) -> T:
    """Do something as soon as the database is there.

    Args:
        attempt: What to do. It is repeated while it fails for a reason that passes by itself.
        timeout: Seconds after which the last failure is given up on.
        waiting: Told once, with the first failure, that the wait has begun.

    Returns:
        What the attempt gives.

    Raises:
        StoreUnavailableError: The database did not come up in time.
        TeleclaudeError: The attempt failed for a reason that waiting does not change.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    pause = _FIRST_PAUSE
    told = False
    while True:
        try:
            return await attempt()
        except StoreUnavailableError as error:
            left = deadline - loop.time()
            if not error.transient or left <= 0:
                raise
            if not told:
                waiting(error)
                told = True
        await asyncio.sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE)
