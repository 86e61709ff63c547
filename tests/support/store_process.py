"""What the second process of a test does: `python store_process.py FUNCTION ARGUMENT...`.

Each function says `ready` when it is where the test wants it, and goes on when it reads a line.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import teleclaude  # the rest is imported where it is used: it takes a while


async def ready() -> None:
    """Tell the test, and wait for it."""
    print("ready", flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.readline)


async def hold_lock(config: str, name: str) -> None:
    """Hold an instance lock."""
    loaded = teleclaude.load_config(config, environ={})
    async with loaded.backend.instance_lock(loaded.database, name):
        await ready()


async def hold_transaction(config: str, key: str) -> None:
    """Hold a transaction that has written a setting."""
    async with _db(config) as db, db.transaction() as tx:
        await tx.settings.set(key, "held")
        await ready()


async def upgrade(config: str, *versions: str) -> None:
    """Upgrade a database, with directories of revisions instead of TeleClaude's when given."""
    from teleclaude.migrations import Migrator  # noqa: PLC0415
    from teleclaude.store.models import metadata  # noqa: PLC0415

    loaded = teleclaude.load_config(config, environ={})
    engine = loaded.backend.create_engine(loaded.database)
    more = {"versions": list(map(Path, versions))} if versions else {}
    migrator = Migrator(loaded.backend, loaded.database, engine, metadata, **more)
    await ready()
    print((await migrator.upgrade()).changed)  # noqa: T201
    await engine.dispose()


async def update_session(config: str, session_id: str, field: str, times: str) -> None:
    """Set a field of a session again and again."""
    async with _db(config) as db:
        await ready()
        for number in range(int(times)):
            await db.sessions.update(session_id, **{field: str(number)})


async def leave_open(config: str) -> None:
    """Use the store and end without closing it."""
    db = _db(config)
    await db.open()
    await db.settings.set("left", "open")
    print("ended", flush=True)  # noqa: T201


def _db(config: str) -> teleclaude.Db:
    return teleclaude.Db(teleclaude.load_config(config, environ={}))


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](*sys.argv[2:]))
