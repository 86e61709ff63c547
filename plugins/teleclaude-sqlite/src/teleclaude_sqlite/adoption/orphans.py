"""Rows of tables nobody knows, which refer to a row that has no place any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import column, literal_column, select
from sqlalchemy import table as any_table

from teleclaude_sqlite.adoption.quarantine import key_of
from teleclaude_sqlite.migrations import ORPHANS, violations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from teleclaude_sqlite.adoption.quarantine import Quarantine


class _Reference(NamedTuple):
    table: str
    rowid: object
    parent: str
    key: object


class Orphans:
    """Notes which rows of strangers' tables lose the row they refer to, and leaves them alone."""

    def __init__(self, connection: Connection, strangers: Sequence[str]) -> None:
        """Look at those that refer to none already.

        Args:
            connection: The connection, before anything is changed.
            strangers: The tables.
        """
        self._connection = connection
        self._strangers = strangers
        self._before = violations(connection)

    def note(self, quarantine: Quarantine) -> None:
        """Report those that have become orphans, and let the migration accept them.

        Args:
            quarantine: Takes what they refer to, which they keep, too.
        """
        new = violations(self._connection) - self._before
        found = {one for one in new if one[0] in self._strangers}
        for one in sorted(found, key=str):
            reference = _Reference(*one)  # type: ignore[arg-type]
            name = self._column(reference)
            raw = self._value(reference, name)
            reason = f"refers to a row of {reference.parent} that is not there any more"
            key = key_of([reference.rowid])
            quarantine.value(reference.table, key, name, raw, reason)
        self._connection.info[ORPHANS] = found
        quarantine.flush(self._connection)

    def _column(self, reference: _Reference) -> str:
        statement = (
            'SELECT "from" FROM pragma_foreign_key_list(?) WHERE id = ? ORDER BY seq LIMIT 1'
        )
        parameters = (reference.table, reference.key)
        return str(self._connection.exec_driver_sql(statement, parameters).scalar_one())

    def _value(self, reference: _Reference, name: str) -> object:
        if reference.rowid is None:  # of a table that has none
            return None
        table = any_table(reference.table, column(name))
        is_row = literal_column("rowid") == reference.rowid
        return self._connection.execute(select(table.c[name]).where(is_row)).scalar_one()
