"""What stands in an archive: JSON documents in UTF-8, one a line, with one way to write each.

    {"archive": "teleclaude", "revision": ..., "tables": [...], "version": 1}
    {"rows": 2, "table": "sessions"}        a table begins
    ["id", "name", ...]                     its rows, by key
    ["id", "name", ...]
    {"last_id": ..., "rows": 2, "sha256": ..., "table": "sessions"}
    ...
    {"sha256": ...}                         of all lines before

Nothing tells when, where or by whom an archive was written: the same store gives the same archive.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, Final

from teleclaude.store.types import (
    BigInt,
    Flag,
    JsonDocument,
    Key,
    LongText,
    SurrogateKey,
    UtcDateTime,
)
from teleclaude.store.values import check_instant, format_instant, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Column, Table

    from teleclaude.store.transfer.content import Row

VERSION: Final = 1
"""Of the format. A reader refuses any other."""

_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def line(document: Mapping[str, object]) -> bytes:
    """Write a line that is not a row."""
    return _ENCODER.encode(document).encode() + b"\n"


def header(revision: str, tables: Sequence[Table]) -> bytes:
    """Write the first line.

    Args:
        revision: The revision of the schema.
        tables: The tables in their order.
    """
    described = [
        {"columns": [[c.name, _kind(c)] for c in stored_columns(table)], "name": table.name}
        for table in tables
    ]
    return line(
        {"archive": "teleclaude", "revision": revision, "tables": described, "version": VERSION}
    )


def beginning(table: Table, rows: int) -> bytes:
    """Write the line before the rows of a table."""
    return line({"rows": rows, "table": table.name})


def closing(table: Table, rows: int, digest: str, last_id: int | None) -> bytes:
    """Write the line after the rows of a table.

    Args:
        table: The table.
        rows: How many there are.
        digest: The hash of their lines.
        last_id: The highest id that is used up; `None` where the table has no ids.
    """
    end: dict[str, object] = {"rows": rows, "sha256": digest, "table": table.name}
    return line(end if last_id is None else {**end, "last_id": last_id})


def stored_columns(table: Table) -> Sequence[Column[Any]]:
    """Give the columns that are in an archive: all but those that are made from others."""
    return [column for column in table.columns if "computed" not in column.info]


def encoded(table: Table, rows: Sequence[Row]) -> list[bytes]:
    """Write rows.

    Args:
        table: Their table.
        rows: At least one row, with dumped documents and values that the store takes.

    Returns:
        A line for each.
    """
    columns = [
        map(_WRITERS[type(column.type)], values)
        for column, values in zip(table.columns, zip(*rows, strict=True), strict=True)
        if "computed" not in column.info
    ]
    return [f"[{','.join(values)}]\n".encode() for values in zip(*columns, strict=True)]


def decoded(table: Table, lines: Sequence[bytes]) -> list[Row]:
    """Read rows.

    Args:
        table: Their table.
        lines: At least one line.

    Returns:
        Rows with a value for every column of the table, `None` for what is made from others.

    Raises:
        ValueError: A line is not a row of the table, or an instant is none.
    """
    rows = [json.loads(text) for text in lines]
    width = len(stored_columns(table))
    if any(not isinstance(row, list) or len(row) != width for row in rows):
        message = f"a row does not have {width} values"
        raise ValueError(message)
    given = iter(list(zip(*rows, strict=True)))
    columns = [
        (None,) * len(rows) if "computed" in column.info else _read(column, next(given))
        for column in table.columns
    ]
    return list(zip(*columns, strict=True))


def _kind(column: Column[Any]) -> str:
    kind: Any = column.type  # one of the logical types, as every column of the models
    return str(kind.logical.value)


def _read(column: Column[Any], values: Sequence[object]) -> Sequence[object]:
    if not isinstance(column.type, UtcDateTime):
        return values
    where = column.type.where
    return [None if value is None else _instant(value, where) for value in values]


def _instant(value: object, where: str) -> object:
    if not isinstance(value, str):
        raise invalid(where, "is not an ISO 8601 date and time")
    return check_instant(value, where)


def _or_null(write: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: "null" if value is None else write(value)


_TEXT: Final = _or_null(encode_basestring)
_INTEGER: Final = _or_null(int.__repr__)

_WRITERS: Final[Mapping[type, Callable[[Any], str]]] = {
    Key: _TEXT,
    LongText: _TEXT,
    BigInt: _INTEGER,
    SurrogateKey: _INTEGER,
    Flag: _or_null(lambda value: "true" if value else "false"),
    UtcDateTime: _or_null(lambda value: f'"{format_instant(value)}"'),
    JsonDocument: _or_null(str),
}
