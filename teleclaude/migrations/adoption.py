"""The core's part in converting a database of an earlier TeleClaude; the backend does the rest.

The backend knows what such a database looks like and what its values mean. The core knows what the
first revision is, and what is computed from the rest of a row.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Table, event

from teleclaude.errors import AdoptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import Connection, MetaData

    from teleclaude.backends import AdoptionReport

    Computed = Mapping[str, Mapping[str, Callable[[Mapping[str, object]], object]]]


@contextmanager
def created_tables(connection: Connection) -> Iterator[list[Table]]:
    """Collect the tables that a revision makes, as the revision declares them.

    The models are no substitute: they are what the newest revision leads to, and an adoption leads
    to the first one.

    Args:
        connection: The connection the revision runs on.

    Yields:
        The tables, in the order in which they are made.
    """
    found: list[Table] = []

    def note(table: Table, on: object, **_: object) -> None:
        if on is connection:
            found.append(table)

    event.listen(Table, "after_create", note)
    try:
        yield found
    finally:
        event.remove(Table, "after_create", note)


@contextmanager
def removed_if_undone(connection: Connection) -> Iterator[list[Path]]:
    """Remove copies that were made for a transaction of which nothing remains.

    A service manager may try again and again. Once the COMMIT is on its way, nobody knows whether
    the database is the old one, so the copies stay.

    Args:
        connection: The connection of the transaction.

    Yields:
        A list to put the copies into.
    """
    copies: list[Path] = []
    commits: list[Connection] = []

    def note(connection: Connection) -> None:
        commits.append(connection)

    event.listen(connection, "commit", note)
    try:
        yield copies
    except BaseException:
        for copy in copies if not commits else ():
            copy.unlink(missing_ok=True)
        raise
    finally:
        event.remove(connection, "commit", note)


def computed_columns(metadata: MetaData) -> Computed:
    """Give what is computed from the rest of a row, by table and column.

    Args:
        metadata: The tables as the models declare them.
    """
    return {
        table.name: {
            column.name: column.info["computed"]
            for column in table.columns
            if "computed" in column.info
        }
        for table in metadata.tables.values()
    }


def require_complete(report: AdoptionReport, location: str) -> None:
    """Refuse an adoption that leaves something in quarantine.

    Args:
        report: What the adoption did.
        location: Where the database is.

    Raises:
        AdoptionError: There is something in quarantine.
    """
    if not report.quarantined:
        return
    places = sorted(
        {f"{one.table}.{one.column}" if one.column else one.table for one in report.examples}
    )
    message = (
        f"The database {location} has {report.quarantined} values or rows that have no place in "
        f"this version of TeleClaude (in {', '.join(places)}); nothing was changed."
    )
    hint = "See them: teleclaude db adopt --dry-run; without --strict they go to quarantine."
    raise AdoptionError(message, hint=hint)
