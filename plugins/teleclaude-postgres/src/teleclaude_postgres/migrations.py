"""What surrounds a migration: one transaction, one migration at a time, no time limit."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from teleclaude_postgres.advisory import advisory_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection


@contextmanager
def migration_context(connection: Connection) -> Iterator[Mapping[str, object]]:
    """Run a migration in a transaction that waits for every other one.

    The guard belongs to the transaction, not to the session, so that it also works behind a
    transaction pooler and can never be left behind.

    Args:
        connection: A connection without a transaction.

    Yields:
        Alembic's options: PostgreSQL's DDL is transactional.
    """
    with _without_driver_timeout(connection), connection.begin():
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(select(func.pg_advisory_xact_lock(*advisory_key("migration"))))
        yield {"transactional_ddl": True}


@contextmanager
def _without_driver_timeout(connection: Connection) -> Iterator[None]:
    # Behind a transaction pooler it is the driver that limits statements. It reads the limit from
    # this named tuple for every statement and has no public way to change it on a connection.
    driver = connection.connection.driver_connection
    if driver is None:
        yield
        return
    config = driver._config  # noqa: SLF001
    driver._config = config._replace(command_timeout=None)  # noqa: SLF001
    try:
        yield
    finally:
        driver._config = config  # noqa: SLF001
