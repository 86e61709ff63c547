"""Waiting for what is asynchronous, without every command paying for the import of asyncio."""

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def wait_for(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop of its own.

    Args:
        coroutine: What to wait for.

    Returns:
        What it returns.
    """
    import asyncio
    import logging

    # That a lost connection cannot be closed is no news to a person who is told that it is lost.
    logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())
    return asyncio.run(coroutine)
