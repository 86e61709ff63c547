"""The columns of the new tables, as the core declared them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import UniqueConstraint

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Column, Dialect, Table

    from teleclaude.backends import LogicalType


def kind_of(column: Column[Any]) -> LogicalType:
    """Give the logical type of a column, which the core's column types carry."""
    return cast("LogicalType", getattr(column.type, "logical"))  # noqa: B009 - unknown to SQLAlchemy


def checker_of(column: Column[Any], dialect: Dialect) -> Callable[[object], object]:
    """Give the core's own check of a column: it refuses a value, or gives it as it is stored.

    Args:
        column: The column.
        dialect: The dialect of the connection.
    """
    check = column.type.dialect_impl(dialect).bind_processor(dialect)
    return check or (lambda value: value)


def identity_of(table: Table) -> frozenset[str]:
    """Give the columns that must be as they are: others refer to them, or they must be unique."""
    names = {column.name for column in table.primary_key.columns}
    names |= {key.parent.name for key in table.foreign_keys}
    for columns in uniques_of(table):
        names.update(columns)
    return frozenset(names)


def uniques_of(table: Table) -> list[tuple[str, ...]]:
    """Give the columns that must be unique together, but for the primary key."""
    return [
        tuple(column.name for column in constraint.columns)
        for constraint in table.constraints
        if isinstance(constraint, UniqueConstraint)
    ]


def references_of(table: Table) -> list[tuple[str, str]]:
    """Give the columns that refer to another table, and that table."""
    return [(str(key.parent.name), key.column.table.name) for key in table.foreign_keys]
