"""Waiting for a database that is not up yet."""

from __future__ import annotations

import asyncio

import pytest

from teleclaude.daemon.patience import when_up
from teleclaude.errors import StoreUnavailableError


class _Server:
    """Fails a number of times before it is up."""

    def __init__(self, failures: int, *, transient: bool = True) -> None:
        self.failures = failures
        self.transient = transient
        self.told: list[StoreUnavailableError] = []
        self.attempts = 0

    async def attempt(self) -> str:
        self.attempts += 1
        if self.attempts <= self.failures:
            raise StoreUnavailableError("down", transient=self.transient)
        return "up"


async def test_tries_again_until_it_is_up() -> None:
    """It gives what the first successful attempt gives, and tells once that it waits."""
    server = _Server(3)
    assert await when_up(server.attempt, 30, server.told.append) == "up"
    assert len(server.told) == 1


async def test_gives_up_in_time() -> None:
    """After the time allowed the last failure comes out."""
    server = _Server(10**9)
    began = asyncio.get_running_loop().time()
    with pytest.raises(StoreUnavailableError):
        await when_up(server.attempt, 0.2, server.told.append)
    assert 0.2 <= asyncio.get_running_loop().time() - began < 2


async def test_does_not_wait_for_what_does_not_pass() -> None:
    """A wrong password is not tried twice."""
    server = _Server(1, transient=False)
    with pytest.raises(StoreUnavailableError):
        await when_up(server.attempt, 30, server.told.append)
    assert (server.attempts, server.told) == (1, [])
