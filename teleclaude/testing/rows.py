"""Rows for every table of the models, made from the models: plain ones and hostile ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import UniqueConstraint

from teleclaude.store.types import (
    BigInt,
    Flag,
    JsonDocument,
    Key,
    LongText,
    SurrogateKey,
    UtcDateTime,
)
from teleclaude.store.values import INT64_MAX, INT64_MIN, MAX_KEY_BYTES
from teleclaude.store.words import index_text
from teleclaude.testing.hostile import MEGABYTE, TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Column, Table

NOW: Final = datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)

_LONG: Final = MEGABYTE[:50_000]

DOCUMENTS: Final[Sequence[object]] = [
    {},
    [],
    {"text": list(TEXTS.values()), "key \u0001 \U0001f600": None},
    [INT64_MIN, INT64_MAX, 0.1, -1.5e-300, 1e20, True, False, None, {"nested": [[[]]]}],
    {"": {"": ""}, "a.b": 1, "NaN": "Infinity", "\\u0000": "\\u0000"},
    {"long": _LONG},
]

_KEYS: Final = [*TEXTS.values(), "k" * MAX_KEY_BYTES, "\N{SNOWMAN}" * (MAX_KEY_BYTES // 3)]

HOSTILE: Final[dict[type, Sequence[object]]] = {
    Key: _KEYS,
    LongText: [*TEXTS.values(), _LONG],
    UtcDateTime: [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        NOW,
    ],
    JsonDocument: DOCUMENTS,
    Flag: [True, False],
    BigInt: [INT64_MIN, INT64_MAX, 0, -1],
}
"""Values of each logical type that break careless code."""

_DELETION_TYPES: Final = ("user_input", "feedback")
"""What the table's check allows."""


def hostile_rows(table: Table, count: int = 24) -> list[tuple[Any, ...]]:
    """Make rows that hold every hostile value, and null wherever it may be.

    Args:
        table: The table. What refers to another table refers to what this makes for that one.
        count: How many.
    """
    return [tuple(_hostile(column, number) for column in table.columns) for number in range(count)]


def plain_rows(table: Table, count: int) -> Iterator[tuple[Any, ...]]:
    """Make any number of ordinary rows, one at a time.

    Args:
        table: The table.
        count: How many.
    """
    for number in range(count):
        yield tuple(_plain(column, number) for column in table.columns)


def _hostile(column: Column[Any], number: int) -> object:
    if column.foreign_keys:
        return _hostile(_referred(column), number)
    special = _special(column, number)
    if special is not None or (column.nullable and number % 5 == 0):
        return special
    values = HOSTILE[type(column.type)]
    return values[(number + len(column.name)) % len(values)]


def _special(column: Column[Any], number: int) -> object:
    """A value for a column that takes less than its type does."""
    if column.name == "deletion_type":
        return _DELETION_TYPES[number % 2]
    if isinstance(column.type, SurrogateKey):
        return 2**53 + number if number % 2 else number + 1
    if column.info.get("searched"):
        return index_text([_KEYS[number % len(_KEYS)], f"number {number}"])
    return _distinct(number) if column.primary_key or _is_unique(column) else None


def _distinct(number: int) -> str:
    key = _KEYS[number % len(_KEYS)]
    return key if number < len(_KEYS) else f"{number} {key}"[: MAX_KEY_BYTES // 4]


def _is_unique(column: Column[Any]) -> bool:
    return any(
        isinstance(constraint, UniqueConstraint) and column.name in constraint.columns
        for constraint in column.table.constraints
    )


def _referred(column: Column[Any]) -> Column[Any]:
    return next(iter(column.foreign_keys)).column


def _plain(column: Column[Any], number: int) -> object:
    if column.name == "deletion_type":
        return _DELETION_TYPES[number % 2]
    if column.foreign_keys:
        return _plain(_referred(column), number)
    values: dict[type, object] = {
        Key: f"{column.name} {number}",
        LongText: f"{column.name} of row {number}",
        UtcDateTime: NOW + timedelta(seconds=number),
        JsonDocument: {"number": number, "of": column.name},
        Flag: number % 2 == 0,
        BigInt: number,
        SurrogateKey: number + 1,
    }
    return values[type(column.type)]
