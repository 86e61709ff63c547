"""What a process loads that works with one engine."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import importlib_metadata

from teleclaude.backends import installed_backends

if TYPE_CHECKING:
    from teleclaude.config import Config

USE = """
import asyncio, sys
from teleclaude import Db, load_config
import teleclaude.cli, teleclaude.daemon

async def use():
    config = load_config(sys.argv[1], environ={})
    async with config.backend.instance_lock(config.database, "daemon"), Db(config) as db:
        await db.settings.set("key", "value")

asyncio.run(use())
print(*{name.partition(".")[0] for name in sys.modules})
"""


def _requirements(distribution: str) -> set[str]:
    lines = importlib_metadata.requires(distribution) or []
    return {
        re.split(r"[^\w.-]", line)[0].replace("-", "_") for line in lines if "extra" not in line
    }


def test_nothing_of_another_backend_is_loaded(migrated_config: Config) -> None:
    """Neither the other backends nor what only they need, such as their drivers."""
    backend = migrated_config.backend
    others = [one for one in installed_backends() if one.engine != backend.engine]
    needed = _requirements(backend.distribution) | _requirements("teleclaude")
    foreign = {one.entry_point.module.partition(".")[0] for one in others}
    foreign |= {name for one in others for name in _requirements(one.distribution)} - needed
    done = subprocess.run(
        [sys.executable, "-c", USE, str(migrated_config.path)],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert "teleclaude" in loaded
    assert loaded & foreign == set()
