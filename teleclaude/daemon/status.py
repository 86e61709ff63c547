"""What can be said about a database and its daemon without changing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from teleclaude.backends import DAEMON_LOCK
from teleclaude.backends.translation import translated
from teleclaude.errors import StoreUnavailableError
from teleclaude.store import Db

if TYPE_CHECKING:
    from collections.abc import Mapping

    from teleclaude.backends import LockHolder
    from teleclaude.config import Config


class Status(NamedTuple):
    """The state of a database and its daemon.

    Attributes:
        engine: The engine's name.
        distribution: The backend's distribution and version.
        location: Where the database is, without secrets.
        exists: Whether there is a database at all.
        revision: Its schema's revision, `None` when it has none.
        head: The revision this version of TeleClaude expects.
        daemon_known: Whether the backend can tell if a daemon runs.
        daemon: Who holds the daemon's lock, `None` when nobody does.
        rows: Rows by table, of the tables that exist.
    """

    engine: str
    distribution: str
    location: str
    exists: bool
    revision: str | None
    head: str | None
    daemon_known: bool
    daemon: LockHolder | None
    rows: Mapping[str, int]


async def gather_status(config: Config) -> Status:
    """Look at the configured database.

    Args:
        config: The configuration.

    Returns:
        What was found. A database that does not exist yet is no error.

    Raises:
        StoreUnavailableError: It cannot be reached.
    """
    backend, settings = config.backend, config.database
    db = Db(config)
    revision: str | None = None
    rows: Mapping[str, int] = {}
    exists = True
    try:
        try:
            revision = await db.migrator.current()
            rows = await db.migrator.count_rows()
        except StoreUnavailableError as error:
            if not (backend.prepares_storage and error.missing):
                raise
            exists = False
        with translated(backend, settings.location):
            daemon = await backend.lock_holder(settings, DAEMON_LOCK)
    finally:
        await db.close()
    return Status(
        engine=backend.engine,
        distribution=f"{backend.distribution} {backend.version}",
        location=settings.location,
        exists=exists,
        revision=revision,
        head=db.migrator.head,
        daemon_known=backend.knows_lock_holder,
        daemon=daemon,
        rows=rows,
    )
