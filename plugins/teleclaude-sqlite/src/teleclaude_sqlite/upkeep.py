"""Backups and housekeeping."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from teleclaude.backends import ErrorKind
from teleclaude.errors import StoreError
from teleclaude_sqlite.errors import classify_error
from teleclaude_sqlite.integrity import CHECK, damage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_PAGES: Final = 2048
"""Pages copied between two looks at whether to go on: 8 MiB, a few milliseconds."""

_MAINTENANCE_PATIENCE: Final = 200
"""Milliseconds that housekeeping waits for other writers."""

_INSTRUCTIONS: Final = 100_000
"""The same for the check of the copy, in instructions of SQLite's virtual machine."""

_MAGIC: Final = b"SQLite format 3\x00"
"""How a database file begins (https://www.sqlite.org/fileformat.html, section 1.3.1)."""


def backup_path(database: Path) -> Path:
    """Give a new name for a copy, beside the database.

    Args:
        database: The database file.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return database.with_name(f"{database.name}.backup-{stamp}")


async def backup(database: Path, destination: Path) -> Path:
    """Copy the database with SQLite's online backup while others read and write.

    All of it happens in one thread, on connections of its own: a copy that is closed while another
    thread is writing it brings the process down. Cancelled, it stops soon and leaves nothing.

    Args:
        database: The database file.
        destination: The file to write; it appears only when it is complete and checked.

    Returns:
        The destination.

    Raises:
        StoreError: There is no space for the copy, or it is damaged, so the database may be.
        OSError: The file cannot be written.
    """
    stop = threading.Event()
    copying = asyncio.ensure_future(asyncio.to_thread(_copy, database, destination, stop))
    try:
        return await asyncio.shield(copying)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([copying])
        _discard(copying, destination)
        raise


def _discard(copying: asyncio.Future[Path], destination: Path) -> None:
    if copying.exception() is None:  # it must be asked for, or asyncio says that nobody did
        destination.unlink(missing_ok=True)


def _copy(database: Path, destination: Path, stop: threading.Event) -> Path:
    def give_up(*_: object) -> None:
        if stop.is_set():
            raise InterruptedError

    _require_space(database, destination)
    partial = destination.with_name(f"{destination.name}.partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    source_uri = f"file:{quote(str(database))}?mode=rw"
    try:
        with (
            closing(sqlite3.connect(source_uri, uri=True, isolation_level=None)) as source,
            closing(sqlite3.connect(partial, isolation_level=None)) as copy,
        ):
            # A reader's snapshot, without which every change by others would begin the copy anew.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            source.backup(copy, pages=_PAGES, progress=give_up)
            copy.set_progress_handler(stop.is_set, _INSTRUCTIONS)
            found = damage(line for (line,) in copy.execute(CHECK))
        if found:
            message = f"The backup of the database is damaged: {found}."
            raise StoreError(message, hint="The database itself may be; nothing was changed.")
        return partial.rename(destination)
    except (sqlite3.Error, OSError) as error:
        if classify_error(error) is ErrorKind.FULL:
            raise _no_space(database, destination) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def _require_space(database: Path, destination: Path) -> None:
    # Not to fill somebody's disk to the brim before finding out that it is too small.
    parts = (database, database.with_name(f"{database.name}-wal"))
    needed = sum(part.stat().st_size for part in parts if part.exists())
    directory = destination.parent
    if directory.is_dir() and shutil.disk_usage(directory).free < needed:
        raise _no_space(database, destination)


def _no_space(database: Path, destination: Path) -> StoreError:
    message = f"There is no space in {destination.parent} for a copy of the database {database}."
    return StoreError(message, hint="Free some space and try again; nothing was changed.")


def native_backup(beginning: bytes) -> str | None:
    """Say what to do with a file, if it is a SQLite database.

    Args:
        beginning: Its first bytes.

    Returns:
        How it takes the place of a database, or gets into another one; `None` for another file.
    """
    if not beginning.startswith(_MAGIC):
        return None
    return (
        "To go back to it, stop the daemon, remove the files teleclaude.db-wal and "
        "teleclaude.db-shm, and put it in the place of teleclaude.db. To load it into another "
        "database, name it as `path` in a configuration for `teleclaude db copy --from`."
    )


async def maintain(engine: AsyncEngine) -> Sequence[str]:
    """Refresh the statistics and move the write-ahead log into the database.

    Args:
        engine: An engine of the database.

    Returns:
        What was done.
    """
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        timeout = (await connection.exec_driver_sql("PRAGMA busy_timeout")).scalar_one()
        # Not worth waiting for: what waits in SQLite cannot be cancelled, and there is a next run.
        await connection.exec_driver_sql(f"PRAGMA busy_timeout = {_MAINTENANCE_PATIENCE}")
        try:
            return await _maintain(connection)
        finally:
            await connection.exec_driver_sql(f"PRAGMA busy_timeout = {timeout}")


async def _maintain(connection: AsyncConnection) -> Sequence[str]:
    await connection.exec_driver_sql("PRAGMA optimize")
    # PASSIVE waits for nobody; what it cannot move yet, the next run will.
    result = await connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
    _busy, pages, moved = (int(value) for value in result.one())
    return ("statistics refreshed", f"{moved} of {pages} pages of the write-ahead log moved")
