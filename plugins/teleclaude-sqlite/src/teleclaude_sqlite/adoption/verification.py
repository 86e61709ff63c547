"""Comparing an adopted database with the copy: is every value there, or in quarantine?

On purpose this does not ask the code that converted. It reads what both files hold, and compares
texts and numbers by rules of its own.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import column, func, literal_column, select
from sqlalchemy import table as any_table

from teleclaude.backends import LogicalType
from teleclaude.errors import AdoptionError
from teleclaude_sqlite.adoption.layout import QUARANTINE, RECORD, TABLES
from teleclaude_sqlite.adoption.quarantine import as_json, key_of, row_as_json
from teleclaude_sqlite.adoption.targets import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnClause, Connection, Table

    from teleclaude_sqlite.adoption.original import Batch, Original
    from teleclaude_sqlite.adoption.recognition import OldDatabase

    Row = Mapping[str, object]

_NOTHING: Final = (None, "")
_VOICES: Final = ("voice_name", "elevenlabs_id", "macos_voice", "openai_voice")
_OUTBOXES: Final = ("hook_outbox", "notification_outbox", "webhook_outbox")
_DISCOVERIES: Final = ("bugfix", "feature", "refactor", "change")

_CHANGED: Final[Mapping[tuple[str, str], tuple[Sequence[object], object]]] = {
    ("sessions", "lifecycle_status"): (["active"], "closed"),
    ("memory_observations", "type"): (_DISCOVERIES, "discovery"),
    ("notification_outbox", "status"): (["pending"], "dead"),
    ("webhook_outbox", "status"): (["pending"], "dead"),
    ("webhook_contracts", "active"): ([1], 0),
}
"""By table and column: which values may have become which other one."""


class _Kept(NamedTuple):
    """What is in quarantine of one table."""

    values: frozenset[tuple[str, str, str]]
    """Key, column and original of single values."""
    rows: frozenset[tuple[str, str]]
    """Key and original of whole rows."""
    number: int
    """How many rows those are."""


class Verification:
    """Compares one database with its copy."""

    def __init__(
        self, connection: Connection, source: Original, old: OldDatabase, location: str
    ) -> None:
        """Prepare.

        Args:
            connection: The connection that has converted.
            source: The copy.
            old: What was recognised.
            location: Where the database is.
        """
        self._connection = connection
        self._source = source
        self._old = old
        self._location = location

    def run(self, tables: Iterable[Table]) -> None:
        """Compare everything.

        Args:
            tables: The tables of the new database.

        Raises:
            AdoptionError: Something of the copy is neither in the tables nor in quarantine.
        """
        for table in tables:
            if table.name in self._old.columns:
                self._compare_table(table)
        for name in self._old.strangers:
            self._compare_counts(name, self._count(name))
        self._compare_counts(RECORD, self._kept(RECORD).number)

    def _compare_table(self, table: Table) -> None:
        kept = self._kept(table.name)
        self._compare_counts(table.name, self._count(table.name) + kept.number)
        kinds = {column.name: kind_of(column) for column in table.columns}
        key = TABLES[table.name].key
        for batch in self._source.batches(table.name):
            found = self._find(table.name, list(kinds), key, batch)
            for row in batch:
                self._compare_row(table.name, kinds, kept, row, found)

    def _compare_row(
        self,
        table: str,
        kinds: Mapping[str, LogicalType],
        kept: _Kept,
        row: Row,
        found: Mapping[tuple[object, ...], Row],
    ) -> None:
        values = tuple(row[name] for name in TABLES[table].key)
        key = key_of(values)
        new = found.get(values)
        if new is None:
            if (key, row_as_json(row)) not in kept.rows:
                self._fail(table, key, "the row")
            return
        for name, raw in row.items():
            if raw is None or _is_there(table, name, raw, kinds, new):
                continue
            if (key, name, as_json(raw)) not in kept.values:
                self._fail(table, key, name)

    def _find(
        self, table: str, names: Sequence[str], key: Sequence[str], batch: Batch
    ) -> Mapping[tuple[object, ...], Row]:
        columns: dict[str, ColumnClause[object]] = {name: column(name) for name in names}
        wanted = columns[key[0]].in_([_sent(row[key[0]]) for row in batch])
        statement = select(any_table(table, *columns.values())).where(wanted)
        rows = [dict(zip(names, row, strict=True)) for row in self._connection.execute(statement)]
        return {tuple(row[name] for name in key): row for row in rows}

    def _kept(self, table: str) -> _Kept:
        names = ("source_table", "source_key", "source_column", "original")
        quarantine = any_table(QUARANTINE, *map(column, names))
        c = quarantine.c
        statement = select(c.source_key, c.source_column, c.original).where(c.source_table == table)
        rows = self._connection.execute(statement).all()
        whole = [(str(key), str(original)) for key, name, original in rows if name is None]
        # What is kept of a table without being a row of it is text, such as a trigger.
        whole = [one for one in whole if one[1].startswith("{")]
        values = frozenset((str(k), str(name), str(o)) for k, name, o in rows if name is not None)
        return _Kept(values, frozenset(whole), len(whole))

    def _count(self, table: str) -> int:
        statement = select(func.count(literal_column("*"))).select_from(any_table(table))
        return int(self._connection.execute(statement).scalar_one())

    def _compare_counts(self, table: str, found: int) -> None:
        expected = self._source.count(table)
        if found != expected:
            message = (
                f"The adoption of {self._location} was undone: the table {table} has {expected} "
                f"rows in the backup and {found} afterwards."
            )
            raise AdoptionError(message, hint="This is a defect of TeleClaude; please report it.")

    def _fail(self, table: str, key: str, what: str) -> None:
        message = (
            f"The adoption of {self._location} was undone: {what} of {table} {key!r} is neither "
            "in the new table nor in quarantine."
        )
        raise AdoptionError(message, hint="This is a defect of TeleClaude; please report it.")


def _is_there(
    table: str, name: str, raw: object, kinds: Mapping[str, LogicalType], new: Row
) -> bool:
    if table == "voice_assignments" and name in _VOICES:
        return raw in ("", new["voice"])
    target = _target(table, name)
    if target not in kinds:
        return False
    value = new[target]
    before, after = _CHANGED.get((table, target), ((), None))
    if raw in before and value == after:
        return True
    if table in _OUTBOXES and name == "locked_at":
        return value is None
    try:
        return _means_the_same(target, kinds[target], raw, value)
    except (ValueError, RecursionError):  # what cannot be read is in quarantine, or nowhere
        return False


def _target(table: str, name: str) -> str:
    for target, earlier in TABLES[table].renamed.items():
        if name in earlier:
            return target
    return name


def _means_the_same(target: str, kind: LogicalType, raw: object, value: object) -> bool:
    if raw == value or (raw == "" and kind not in (LogicalType.TEXT, LogicalType.KEY)):
        return True
    if raw == "":
        return target in ("tmux_session_name", "last_input_origin", "voice") or value is None
    if target == "created_at_epoch":
        return isinstance(raw, int) and raw // 1000 == value
    if kind is LogicalType.INSTANT:
        return isinstance(raw, str) and _same_instant(raw, str(value))
    if kind is LogicalType.DOCUMENT:
        return isinstance(raw, str) and _same_document(raw, value)
    return False


def _same_instant(raw: str, value: str) -> bool:
    text = raw.replace("T", " ").removesuffix("Z").removesuffix("+00:00")
    if text[10:].count("+") + text[10:].count("-"):
        return datetime.fromisoformat(raw) == datetime.fromisoformat(value)
    whole, _, fraction = text.partition(".")
    whole = whole if whole.count(":") > 1 else f"{whole}:00"
    return value == f"{whole.replace(' ', 'T')}.{fraction:0<6}+00:00"


def _same_document(raw: str, value: object) -> bool:
    old, new = json.loads(raw), None if value is None else json.loads(str(value))
    return old in _NOTHING or old == new or _with_text_topic(old) == _with_text_topic(new)


def _with_text_topic(document: object) -> object:
    if isinstance(document, dict) and isinstance(telegram := document.get("telegram"), dict):
        return {**document, "telegram": {**telegram, "topic_id": str(telegram.get("topic_id"))}}
    return document


def _sent(value: object) -> object:
    # A blob, or a text that is no UTF-8, is no key of a new row.
    is_text = isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)
    return value if is_text or isinstance(value, int) else None
