"""The engine, its connections, and the file they open."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import URL, AsyncAdaptedQueuePool, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from teleclaude.backends import ErrorKind
from teleclaude_sqlite import dialect
from teleclaude_sqlite.errors import classify_error

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiosqlite
    from sqlalchemy import Connection
    from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor

    from teleclaude_sqlite.settings import SqliteSettings

POOL_SIZE: Final = 8
"""Connections kept open. Readers beyond this many wait; writers take turns anyway."""

READ_ONLY: Final = "teleclaude_sqlite_read_only"
"""The execution option of a connection whose transactions read and take no turn as writers."""

_PAUSE: Final = 0.01
"""Seconds between two attempts to switch a new file to write-ahead logging."""

_DIRECTORY_MODE: Final = 0o700
_FILE_MODE: Final = 0o600


def create_engine(settings: SqliteSettings) -> AsyncEngine:
    """Make an engine for the file; nothing is opened yet.

    Args:
        settings: Where the file is and how it is used.

    Returns:
        The engine. Its explicit transactions start with BEGIN IMMEDIATE: one that reads first and
        writes later would fail at once with SQLITE_BUSY_SNAPSHOT when another process has written
        in between, whatever the busy timeout (https://www.sqlite.org/isolation.html).
    """
    dialect.register()
    url = URL.create(
        dialect.DRIVER,
        database=f"file:{quote(str(settings.path))}",
        query={"uri": "true", "mode": "rw"},  # a missing file is an error, not a new database
    )
    engine = create_async_engine(
        url,
        connect_args={
            "async_creator_fn": _open,
            "isolation_level": None,
            "timeout": settings.busy_timeout,
        },
        hide_parameters=True,
        max_overflow=0,
        pool_size=POOL_SIZE,
        poolclass=AsyncAdaptedQueuePool,
    )

    @event.listens_for(engine.sync_engine, "do_connect")
    def check(*_: object) -> None:
        check_file(settings.path)

    event.listen(engine.sync_engine, "begin", _begin)
    return engine


async def _open(path: str, **options: Any) -> aiosqlite.Connection:  # noqa: ANN401 - the driver's
    import aiosqlite  # noqa: PLC0415 - whoever only looks at the backend need not load its driver

    # Cancelled while the driver's thread opens the file, the driver would drop the connection
    # without closing it.
    connection = aiosqlite.connect(path, **options)
    connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy's own dialect does
    opening = asyncio.ensure_future(connection)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_opened)
        raise


def _close_opened(opening: asyncio.Future[aiosqlite.Connection]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().stop()


def setup_connection(connection: DBAPIConnection, settings: SqliteSettings) -> None:
    """Set what SQLite forgets when a connection closes.

    Args:
        connection: A new connection.
        settings: The values to set.
    """
    cursor = connection.cursor()
    for pragma in pragmas(settings):
        cursor.execute(pragma)
    switch_to_wal(cursor, settings.busy_timeout, lambda: await_only(asyncio.sleep(_PAUSE)))
    cursor.close()


def pragmas(settings: SqliteSettings) -> list[str]:
    """Give the statements that set what SQLite forgets when a connection closes.

    Args:
        settings: The values to set.
    """
    return [
        f"PRAGMA busy_timeout = {round(settings.busy_timeout * 1000)}",
        f"PRAGMA synchronous = {settings.synchronous}",
        "PRAGMA foreign_keys = ON",
        f"PRAGMA cache_size = -{settings.cache_size * 1024}",  # negative: KiB instead of pages
    ]


def switch_to_wal(
    cursor: DBAPICursor | sqlite3.Connection, patience: float, pause: Callable[[], object]
) -> None:
    """Let a database have a write-ahead log from now on, if it has none.

    When two processes do this to a new file at once, SQLite refuses one of them without waiting.

    Args:
        cursor: What executes statements.
        patience: How many seconds to try.
        pause: Waits between two attempts.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if classify_error(error) is not ErrorKind.BUSY or time.monotonic() > deadline:
                raise
        else:
            return
        pause()


def prepare_storage(settings: SqliteSettings) -> None:
    """Create the file and its directory, readable by their owner only, if there is none.

    Args:
        settings: Where the file is to be.

    Raises:
        OSError: The directory or file cannot be created.
    """
    path = settings.real_path  # of a symbolic link that leads nowhere yet, where it leads
    make_directory(path.parent)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _FILE_MODE)
    except FileExistsError:
        # Closing any descriptor of a database drops SQLite's locks on it, so an existing one is
        # never opened by hand (https://www.sqlite.org/howtocorrupt.html, section 2.2).
        return
    os.close(descriptor)


def make_directory(directory: Path) -> None:
    """Create a directory and its parents, readable by their owner only, if they are missing.

    Args:
        directory: The directory.

    Raises:
        OSError: It cannot be created.
    """
    if not directory.parent.exists():
        make_directory(directory.parent)
    try:
        directory.mkdir(mode=_DIRECTORY_MODE, exist_ok=True)
    except (FileExistsError, FileNotFoundError):  # below a file; below /proc
        reason = f"the directory {directory} cannot be created"
        raise NotADirectoryError(errno.ENOTDIR, reason) from None


def check_file(path: Path) -> None:
    """Say what is wrong where SQLite would only say "unable to open database file".

    Args:
        path: The database file.

    Raises:
        OSError: There is none, it is a directory, or it may not be read and written.
    """
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, "it does not exist", str(path))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a directory", str(path))
    directory = Path(os.path.realpath(path)).parent  # where SQLite puts its files beside this one
    if not os.access(path, os.R_OK | os.W_OK) or not os.access(directory, os.W_OK):
        reason = "the file and its directory must be readable and writable"
        raise PermissionError(errno.EACCES, reason, str(path))


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN" if options.get(READ_ONLY) else "BEGIN IMMEDIATE")
