"""One writer at a time, and yet everybody gets on: writers take turns."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING, Final

import pytest

from teleclaude.store import Db, RetryPolicy
from teleclaude.testing.processes import store_process

from .conftest import configuration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teleclaude.config import Config

TASKS: Final = 64
TURNS: Final = 12


async def take_turns(db: Db) -> list[int]:
    """Let many tasks write as often as they can, and give whose turn it was, in order."""
    turns: list[int] = []

    async def write(task: int) -> None:
        for turn in range(TURNS):
            await db.settings.set(f"{task}", f"{turn}")
            turns.append(task)

    await asyncio.gather(*map(write, range(TASKS)))
    return turns


def longest_lead(turns: Sequence[int]) -> int:
    """Give by how many turns one task was ahead of another at most."""
    count = [0] * TASKS
    lead = 0
    for task in turns:
        count[task] += 1
        lead = max(lead, count[task] - min(count))
    return lead


@pytest.fixture
def patient_config(path: Path, migrated_file: Path) -> Config:
    """The configuration of a database at head, with the default patience."""
    shutil.copy(migrated_file, path)
    return configuration(path)


async def test_writers_take_turns(patient_config: Config) -> None:
    """Of many tasks that write at once, none is ever two turns ahead of another."""
    async with Db(patient_config, retry=RetryPolicy(attempts=1)) as db:
        turns = await take_turns(db)
    assert len(turns) == TASKS * TURNS
    assert longest_lead(turns) == 1


async def test_writers_of_two_processes_take_turns(patient_config: Config) -> None:
    """While another process writes as much as it can, nobody fails and nobody starves."""
    async with (
        store_process("write_settings", patient_config.path, "theirs", 8) as process,
        Db(patient_config, retry=RetryPolicy(attempts=1)) as db,
    ):
        assert await process.said() == "ready"
        await process.go_on()
        turns = await take_turns(db)
        theirs = json.loads(await process.finish())
    assert longest_lead(turns) == 1
    assert max(theirs) - min(theirs) <= 1
    assert sum(theirs) > len(turns) / 20
