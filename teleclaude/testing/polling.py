"""Waiting for what no event tells."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something holds; fail if it takes too long.

    Args:
        condition: What should hold.
        seconds: How long that may take.
    """
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.005)
