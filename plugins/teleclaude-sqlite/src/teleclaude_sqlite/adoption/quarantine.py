"""What has no place in the new tables: kept as it was, with where it was and why."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final

from sqlalchemy import column, insert, table

from teleclaude.backends import Quarantined
from teleclaude_sqlite.adoption.layout import QUARANTINE, RECORD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    RawRow = Mapping[str, object]

_EXAMPLES: Final = 1000
"""As many are given to who reports on the adoption; all are in the table."""

_SHOWN: Final = 60
"""Characters of an original that are shown; all are in the table."""

_SECRETS: Final = frozenset({"target_secret"})
_HIDDEN: Final = "********"

_COLUMNS: Final = ("source_table", "source_key", "source_column", "original", "reason")
_INSERT: Final = insert(table(QUARANTINE, *map(column, (*_COLUMNS, "quarantined_at"))))


class Quarantine:
    """Collects what has no place, and writes it to the table `quarantine`.

    Attributes:
        total: How many values and rows there are, the old runner's own record aside.
        examples: The first of them.
        rows: How many whole rows there are, by table.
    """

    def __init__(self, now: str) -> None:
        """Make an empty one.

        Args:
            now: The time of the adoption.
        """
        self.total = 0
        self.examples: list[Quarantined] = []
        self.rows: Counter[str] = Counter()
        self._now = now
        self._pending: list[dict[str, object]] = []

    def value(self, source: str, key: str, name: str, raw: object, reason: str) -> None:
        """Keep one value.

        Args:
            source: Its table.
            key: The key of its row, from `key_of`.
            name: Its column.
            raw: What it is.
            reason: Why it has no place, continuing "it ...".
        """
        shown = _HIDDEN if name in _SECRETS else raw
        self._add(Quarantined(source, key, name, as_json(raw), reason), as_json(shown))

    def row(self, source: str, key: str, raw: RawRow, reason: str) -> None:
        """Keep a whole row; see `value`."""
        self.rows[source] += 1
        shown = {name: _HIDDEN if name in _SECRETS else value for name, value in raw.items()}
        self._add(Quarantined(source, key, None, row_as_json(raw), reason), row_as_json(shown))

    def trigger(self, name: str, source: str, sql: str) -> None:
        """Keep a trigger that somebody made."""
        one = Quarantined(source, name, None, as_json(sql), "is a trigger that nobody knows")
        self._add(one, one.original)

    def record(self, raw: RawRow) -> None:
        """Keep a row of the old runner's record, which is no loss and not counted."""
        key, original = key_of([raw.get("version")]), row_as_json(raw)
        self._write(Quarantined(RECORD, key, None, original, "is the record of a migration"))

    def flush(self, connection: Connection) -> None:
        """Write to the table what was collected since the last time."""
        if self._pending:
            connection.execute(_INSERT, self._pending)
            self._pending = []

    def _add(self, one: Quarantined, shown: str) -> None:
        self.total += 1
        if len(self.examples) < _EXAMPLES:
            short = shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 3]}..."
            self.examples.append(one._replace(original=short))
        self._write(one)

    def _write(self, one: Quarantined) -> None:
        values = dict(zip(_COLUMNS, one, strict=True))
        self._pending.append({**values, "quarantined_at": self._now})


def as_json(raw: object) -> str:
    """Write a value of SQLite as JSON in ASCII, which every database can store.

    Args:
        raw: The value; a blob becomes `{"hex": ...}`.
    """
    return json.dumps(raw, default=_blob)


def row_as_json(raw: RawRow) -> str:
    """Write a row as a JSON object in ASCII."""
    return as_json(dict(raw))


def key_of(raw: Sequence[object]) -> str:
    """Write the key of a row: as it is where that is possible, otherwise as JSON.

    Args:
        raw: The values of its columns.
    """
    only = raw[0] if len(raw) == 1 else list(raw)
    is_plain = isinstance(only, str) and only.isprintable()
    return only if isinstance(only, str) and is_plain else as_json(only)


def _blob(value: object) -> object:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    raise TypeError(type(value).__name__)
