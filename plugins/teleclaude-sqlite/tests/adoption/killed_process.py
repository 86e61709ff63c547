"""Adopts copies of a database and dies in the middle: `killed_process.py OLD DIRECTORY WAY`.

Each copy is adopted by a process of its own, forked from this one so that it starts at once. With
`statements`, it ends itself with SIGKILL before one statement after another, and in between while
SQLite works. With `bytes`, the kernel ends it in the middle of a write, a little later each time.
The names of the copies say how far each got; the last one was adopted to the end.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import event

from teleclaude.config import load_config
from teleclaude.store import Db

if TYPE_CHECKING:
    from collections.abc import Callable

_INSTRUCTIONS = 500
"""Instructions of SQLite's virtual machine between two moments at which it may die."""

_AFTERWARDS = 10
"""Moments after the adoption, before the connections are closed."""


def die() -> None:
    """End this process with SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(point: int) -> Callable[..., None]:
    """Give a function that ends the process at one of its calls."""
    calls = iter(range(point + 1))

    def count(*_: object) -> None:
        if next(calls, None) == point:
            die()

    return count


async def adopt(config: Path, arm: Callable[[Db], Callable[..., None]]) -> None:
    """Adopt a database, ready to die."""
    db = Db(load_config(config, environ={}))
    count = arm(db)
    await db.migrator.upgrade()
    for _ in range(_AFTERWARDS):
        count()
    await db.close()


def by_statements(point: int) -> Callable[[Db], Callable[..., None]]:
    """Die before a statement, the commit, or at one of the moments in between."""

    def arm(db: Db) -> Callable[..., None]:
        engine = db._engine.sync_engine
        count = die_at(point)
        event.listen(engine, "before_cursor_execute", count)
        event.listen(engine, "commit", count)

        @event.listens_for(engine, "connect")
        def connected(connection: object, _record: object) -> None:
            connection.run_async(  # type: ignore[attr-defined]
                lambda driver: driver.set_progress_handler(count, _INSTRUCTIONS)
            )

        return count

    return arm


def by_bytes(point: int) -> Callable[[Db], Callable[..., None]]:
    """Die in the write that makes a file longer than so many bytes."""

    def arm(_: Db) -> Callable[..., None]:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (point, point))
        return lambda: None

    return arm


WAYS = {"statements": (by_statements, 0, 7), "bytes": (by_bytes, 30_000, 1_499)}
"""How to die; the first point, and how far it is to the next."""


def main(old: Path, directory: Path, way: str) -> None:
    """Adopt copy after copy, until one survives."""
    arm, point, step = WAYS[way]
    while True:
        place = directory / f"{point:09}"
        place.mkdir()
        shutil.copy(old, place / "teleclaude.db")
        config = place / "teleclaude.yml"
        config.write_text(f"database: {{path: {place / 'teleclaude.db'}}}")
        child = os.fork()
        if child == 0:
            asyncio.run(adopt(config, arm(point)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(os.waitstatus_to_exitcode(status))
        point += step


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
