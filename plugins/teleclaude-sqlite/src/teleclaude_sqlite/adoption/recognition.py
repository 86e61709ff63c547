"""Recognising a database of an earlier TeleClaude, and refusing what cannot be adopted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from teleclaude.errors import AdoptionError
from teleclaude_sqlite.adoption.layout import (
    LEVELS,
    OLD_NUMBERING,
    QUARANTINE,
    RECORD,
    SEARCH_PARTS,
    SEARCH_TRIGGERS,
    TABLES,
)
from teleclaude_sqlite.integrity import CHECK, damage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection


class OldDatabase(NamedTuple):
    """What was recognised.

    Attributes:
        versions: The migrations it has recorded.
        columns: Its columns, by those of its tables that the old program made.
        strangers: Its other tables.
        triggers: Triggers on the old program's tables that nobody knows, and their SQL.
    """

    versions: frozenset[str]
    columns: Mapping[str, Sequence[str]]
    strangers: Sequence[str]
    triggers: Mapping[str, tuple[str, str]]

    @property
    def level(self) -> str:
        """The last migration that ran."""
        for known in (LEVELS, OLD_NUMBERING):
            if done := [version for version in known if version in self.versions]:
                return done[-1]
        return "none"


def recognise(connection: Connection, location: str) -> OldDatabase | None:
    """Look at the tables, the columns and the recorded migrations.

    Args:
        connection: A connection to a database without a revision.
        location: Where it is.

    Returns:
        What was found, `None` when no earlier TeleClaude made the database.

    Raises:
        AdoptionError: One did, but the database cannot be adopted.
    """
    names = _table_names(connection)
    columns = _columns(connection, sorted(names & TABLES.keys()))
    expected = {*TABLES["sessions"].key, *TABLES["sessions"].others}
    if RECORD not in names or not expected <= set(columns.get("sessions", ())):
        return None
    if found := damage(connection.exec_driver_sql(CHECK).scalars()):
        message = f"The database {location} is damaged: {found}."
        raise AdoptionError(message, hint="Nothing was changed; restore a backup, or recover it.")
    rows = connection.exec_driver_sql(f"SELECT CAST(version AS TEXT) FROM {RECORD}")  # noqa: S608 - a constant
    versions = frozenset(str(version) for version in rows.scalars())
    _refuse_newer(versions, location)
    _refuse_different(columns, location)
    strangers = names - TABLES.keys() - SEARCH_PARTS - {RECORD, "alembic_version"}
    if QUARANTINE in strangers:
        message = f"The database {location} has a table `{QUARANTINE}`, which nobody knows."
        raise AdoptionError(message, hint="Nothing was changed; rename the table.")
    return OldDatabase(versions, columns, sorted(strangers), _triggers(connection))


def _table_names(connection: Connection) -> set[str]:
    rows = connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'"
    )
    return set(rows.scalars())


def _columns(connection: Connection, tables: Iterable[str]) -> Mapping[str, Sequence[str]]:
    # Only of tables that are known: others may need a module that is not there.
    return {
        name: connection.exec_driver_sql("SELECT name FROM pragma_table_xinfo(?)", (name,))
        .scalars()
        .all()
        for name in tables
    }


def _triggers(connection: Connection) -> Mapping[str, tuple[str, str]]:
    rows = connection.exec_driver_sql(
        "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
    )
    return {
        name: (table, sql)
        for name, table, sql in rows
        if table in TABLES and name not in SEARCH_TRIGGERS
    }


def _refuse_newer(versions: frozenset[str], location: str) -> None:
    unknown = sorted(versions - {*LEVELS, *OLD_NUMBERING})
    if unknown:
        message = (
            f"The database {location} was made by a TeleClaude that is newer than the ones known "
            f"here (up to {LEVELS[-1]}). Its unknown migrations: {', '.join(unknown)}."
        )
        hint = "Nothing was changed. Upgrade TeleClaude: pip install --upgrade teleclaude"
        raise AdoptionError(message, hint=hint)


def _refuse_different(columns: Mapping[str, Sequence[str]], location: str) -> None:
    for name, old in TABLES.items():
        missing = {*old.key, *old.others} - set(columns.get(name, (*old.key, *old.others)))
        if missing:
            message = (
                f"The table {name} of the database {location} is not one that TeleClaude made: "
                f"it has no {' and no '.join(sorted(missing))}."
            )
            raise AdoptionError(message, hint="Nothing was changed; rename the table.")
