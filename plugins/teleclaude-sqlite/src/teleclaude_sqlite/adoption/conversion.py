"""Converting a database: out with the old tables, in with the new ones, row by row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import column, insert
from sqlalchemy import table as any_table
from sqlalchemy.exc import DatabaseError

from teleclaude.backends import AdoptionReport
from teleclaude_sqlite.adoption.layout import RECORD, SEARCH, SEARCH_PARTS
from teleclaude_sqlite.adoption.original import open_original
from teleclaude_sqlite.adoption.quarantine import Quarantine
from teleclaude_sqlite.adoption.recognition import recognise
from teleclaude_sqlite.adoption.rows import RowConverter
from teleclaude_sqlite.adoption.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Table

    from teleclaude_sqlite.adoption.original import Original
    from teleclaude_sqlite.adoption.recognition import OldDatabase

    Computed = Mapping[str, Mapping[str, Callable[[Mapping[str, object]], object]]]


def adopt(connection: Connection, location: str) -> SqliteAdoption | None:
    """Recognise a database of an earlier TeleClaude.

    Args:
        connection: The connection whose transaction an adoption runs in.
        location: Where the database is.

    Returns:
        Its adoption, `None` when it is no such database.

    Raises:
        AdoptionError: It is one, but cannot be adopted.
    """
    old = recognise(connection, location)
    return None if old is None else SqliteAdoption(connection, location, old)


_FORGET: Final = (
    "PRAGMA writable_schema = ON",
    f"DELETE FROM sqlite_master WHERE name = '{SEARCH}'",  # noqa: S608 - a constant
    "PRAGMA writable_schema = RESET",
)
"""Removes a virtual table from the schema without asking its module."""


class SqliteAdoption:
    """A database that was recognised."""

    def __init__(self, connection: Connection, location: str, old: OldDatabase) -> None:
        """Make the adoption; nothing is changed yet."""
        self._connection = connection
        self._location = location
        self._old = old
        self.found = f"a database of an earlier TeleClaude at level {old.level}"

    def convert(
        self, original: Path, create_schema: Callable[[], Sequence[Table]], computed: Computed
    ) -> AdoptionReport:
        """Convert it; see `teleclaude.backends.Adoption`."""
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        quarantine = Quarantine(now)
        self._drop_old()
        tables = create_schema()
        with open_original(original) as source:
            self._keep_record(source, quarantine)
            rows = self._copy(source, tables, computed, quarantine, now)
            self._keep_counters(source, rows)
            Verification(self._connection, source, self._old, self._location).run(tables)
        return AdoptionReport(
            found=self.found,
            rows=rows,
            quarantined=quarantine.total,
            examples=quarantine.examples,
            left_alone=self._old.strangers,
        )

    def _drop_old(self) -> None:
        self._drop_search()
        self._drop([*self._old.columns, RECORD])  # with their indexes and triggers

    def _drop_search(self) -> None:
        try:
            self._drop([SEARCH])  # takes its parts with it
        except DatabaseError:
            # It is damaged, or its module is missing; then SQLite cannot open it to drop it.
            for statement in _FORGET:
                self._connection.exec_driver_sql(statement)
        self._drop(sorted(SEARCH_PARTS))  # those that are there without it

    def _drop(self, tables: Iterable[str]) -> None:
        for name in tables:
            self._connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")

    def _keep_record(self, source: Original, quarantine: Quarantine) -> None:
        for batch in source.batches(RECORD):
            for row in batch:
                quarantine.record(row)
        for name, (table, sql) in self._old.triggers.items():
            quarantine.trigger(name, table, sql)
        quarantine.flush(self._connection)

    def _copy(
        self,
        source: Original,
        tables: Sequence[Table],
        computed: Computed,
        quarantine: Quarantine,
        now: str,
    ) -> Mapping[str, int]:
        parents: dict[str, set[object]] = {
            key.column.table.name: set() for table in tables for key in table.foreign_keys
        }
        rows = {}
        for table in tables:
            if table.name in self._old.columns:
                converter = RowConverter(
                    table,
                    self._old.columns[table.name],
                    dialect=self._connection.dialect,
                    computed=computed.get(table.name, {}),
                    parents=parents,
                    quarantine=quarantine,
                    now=now,
                )
                rows[table.name] = self._copy_table(source, table, converter, parents, quarantine)
        return rows

    def _copy_table(
        self,
        source: Original,
        table: Table,
        converter: RowConverter,
        parents: Mapping[str, set[object]],
        quarantine: Quarantine,
    ) -> int:
        # Without the core's types, because the values are as they are stored already.
        statement = insert(any_table(table.name, *(column(c.name) for c in table.columns)))
        (key, *_) = (c.name for c in table.primary_key.columns)
        total = 0
        for batch in source.batches(table.name):
            converted = [row for raw in batch if (row := converter.convert(raw)) is not None]
            if converted:
                self._connection.execute(statement, converted)
            quarantine.flush(self._connection)
            if table.name in parents:
                parents[table.name].update(row[key] for row in converted)
            total += len(converted)
        return total

    def _keep_counters(self, source: Original, rows: Iterable[str]) -> None:
        """Let no id that was given once be given again."""
        for name, highest in source.counters().items():
            if name in rows:
                self._connection.exec_driver_sql(
                    "DELETE FROM sqlite_sequence WHERE name = ?", (name,)
                )
                self._connection.exec_driver_sql(
                    "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, highest)
                )
