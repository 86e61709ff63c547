"""`teleclaude status` on every installed backend."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from teleclaude.store import Db

if TYPE_CHECKING:
    from conftest import Run
    from teleclaude.config import Config


def test_before_anything_was_made(run: Run, config: Config) -> None:
    """An empty or missing database is no error, and looking creates nothing."""
    for _ in range(2):
        found = json.loads(run("status", "--json", config=config).output)
        assert (found["revision"], found["head"], found["daemon"]) == (None, "0001", None)
        assert found["rows"] == {}


def test_rows_and_schema(run: Run, migrated_config: Config) -> None:
    """Rows are counted by table, and the place of the database is shown."""

    async def fill() -> None:
        async with Db(migrated_config) as db:
            await db.settings.set("a", "1")
            await db.settings.set("b", "2")

    asyncio.run(fill())
    found = json.loads(run("status", "--json", config=migrated_config).output)
    assert found["database"] == migrated_config.database.location
    assert found["engine"] == migrated_config.backend.engine
    assert found["rows"]["system_settings"] == 2
    assert len(found["rows"]) == 14


def test_for_people(run: Run, migrated_config: Config) -> None:
    """The table says the same in words."""
    outcome = run("status", config=migrated_config)
    assert outcome.code == 0
    assert "revision 0001, up to date" in outcome.output
    assert "not running" in outcome.output
    assert "webhook_contracts" in outcome.output


def test_running_daemon(run: Run, migrated_config: Config) -> None:
    """Who has the daemon's lock is named."""

    async def look() -> str:
        backend, settings = migrated_config.backend, migrated_config.database
        async with backend.instance_lock(settings, "daemon") as lock:
            outcome = await asyncio.to_thread(run, "status", config=migrated_config)
            assert str(lock.holder.pid) in outcome.output
            return outcome.output

    assert "running: process" in asyncio.run(look())
