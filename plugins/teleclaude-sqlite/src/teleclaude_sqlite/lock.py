"""The instance lock: an operating-system lock on a file beside the database.

The kernel ends it together with the process, so nothing is left to clean up after a crash. The file
stays for good: deleting it would let two processes lock two files of the same name.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from filelock import FileLock, Timeout

from teleclaude.backends import LockHolder, locked
from teleclaude_sqlite.engine import check_file, make_directory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from teleclaude_sqlite.settings import SqliteSettings

_PATIENCE: Final = 0.5
"""Seconds to keep trying: whoever asks for the holder has the lock for a moment."""


@dataclass(frozen=True, slots=True)
class FileInstanceLock:
    """A held lock."""

    holder: LockHolder

    async def wait_lost(self) -> str:
        """Wait forever: the kernel takes the lock from no living process."""
        await asyncio.Event().wait()
        raise AssertionError  # pragma: no cover


@asynccontextmanager
async def instance_lock(settings: SqliteSettings, name: str) -> AsyncIterator[FileInstanceLock]:
    """Hold the lock of a database.

    Args:
        settings: Which database.
        name: What is locked.

    Yields:
        The lock.

    Raises:
        InstanceLockedError: Somebody else has it.
        sqlite3.Error: The file is no database.
        OSError: The lock file cannot be opened.
    """
    holder = LockHolder(os.getpid(), socket.gethostname(), datetime.now(UTC))
    path = lock_path(settings, name)
    make_directory(path.parent)
    _refuse_what_is_no_database(settings.path)
    lock = _file_lock(path)
    try:
        await asyncio.to_thread(lock.acquire, timeout=_PATIENCE)
    except Timeout:
        raise locked(name, settings.location, _read_holder(path)) from None
    try:
        _write_holder(path, holder)
        yield FileInstanceLock(holder)
    finally:
        lock.release()


async def lock_holder(settings: SqliteSettings, name: str) -> LockHolder | None:
    """Say who holds the lock of a database.

    Args:
        settings: Which database.
        name: What is locked.

    Returns:
        The holder, or `None` when nobody has it.

    Raises:
        OSError: The lock file exists but cannot be opened.
    """
    path = lock_path(settings, name)
    if not path.exists():
        return None
    lock = _file_lock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _read_holder(path)
    lock.release()
    return None


def lock_path(settings: SqliteSettings, name: str) -> Path:
    """Give the lock file: beside the database file itself, behind any symbolic links.

    Args:
        settings: Which database.
        name: What is locked; the daemon's lock has the plain name.
    """
    path = settings.real_path
    return path.with_name(f"{path.name}.lock" if name == "daemon" else f"{path.name}.{name}.lock")


def _refuse_what_is_no_database(path: Path) -> None:
    # Asked of SQLite, because opening a database by hand and closing it drops SQLite's locks on it.
    # A lock file beside something that is no database would be litter, or worse.
    if path.exists():
        check_file(path)
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA schema_version")


def _file_lock(path: Path) -> FileLock:
    # A lock emulated without the kernel would outlive a crash; rather none at all.
    return FileLock(path, mode=0o600, thread_local=False, fallback_to_soft=False)


def _write_holder(path: Path, holder: LockHolder) -> None:
    since = holder.since.isoformat() if holder.since else None
    path.write_text(json.dumps({"pid": holder.pid, "host": holder.host, "since": since}))


def _read_holder(path: Path) -> LockHolder:
    try:
        record = json.loads(path.read_text())
        return LockHolder(record["pid"], record["host"], datetime.fromisoformat(record["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return LockHolder(None, None, None)  # written by hand, or not written yet
