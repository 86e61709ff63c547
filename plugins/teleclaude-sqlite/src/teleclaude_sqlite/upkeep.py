"""Backups and housekeeping."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import aiosqlite

from teleclaude.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncEngine


def backup_path(database: Path) -> Path:
    """Give a new name for a copy, beside the database.

    Args:
        database: The database file.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return database.with_name(f"{database.name}.backup-{stamp}")


async def backup(engine: AsyncEngine, destination: Path) -> Path:
    """Copy the database with SQLite's online backup while others read and write.

    Args:
        engine: An engine of the database.
        destination: The file to write; it appears only when it is complete and checked.

    Returns:
        The destination.

    Raises:
        StoreError: The copy is damaged, so the database may be.
        OSError: The file cannot be written.
    """
    partial = destination.with_name(f"{destination.name}.partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        async with engine.connect() as connection, aiosqlite.connect(partial) as copy:
            source = (await connection.get_raw_connection()).driver_connection
            if not isinstance(source, aiosqlite.Connection):
                raise TypeError(source)  # pragma: no cover - every engine here is aiosqlite's
            await source.backup(copy)
            rows = await copy.execute_fetchall("PRAGMA integrity_check")
        verdict = next(iter(rows))[0]
        if verdict != "ok":
            message = f"The backup of the database is damaged: {verdict}."
            raise StoreError(message, hint="The database itself may be; nothing was changed.")
        return partial.rename(destination)
    finally:
        partial.unlink(missing_ok=True)


async def maintain(engine: AsyncEngine) -> Sequence[str]:
    """Refresh the statistics and move the write-ahead log into the database.

    Args:
        engine: An engine of the database.

    Returns:
        What was done.
    """
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.exec_driver_sql("PRAGMA optimize")
        # PASSIVE waits for nobody; what it cannot move yet, the next run will.
        result = await connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
        _busy, pages, moved = (int(value) for value in result.one())
    return ("statistics refreshed", f"{moved} of {pages} pages of the write-ahead log moved")
