"""Saying in words what Alembic's comparison of models and database found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Identity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Dialect


def describe(difference: object, dialect: Dialect) -> Iterator[str]:
    """Describe one entry of `alembic.autogenerate.compare_metadata`.

    Args:
        difference: A tuple `(operation, ...)`, or a list of those for the changes of one column.
        dialect: The dialect of the database.

    Yields:
        One line for each real difference.
    """
    if isinstance(difference, list):
        for part in difference:
            yield from describe(part, dialect)
    elif isinstance(difference, tuple) and not _is_foreign_identity(difference, dialect):
        operation = str(difference[0])
        kind, _, what = operation.partition("_")
        if kind == "modify":
            _, _, table, column, _, was, wanted = difference
            what = what.replace("_", " ")
            yield f"{table}.{column}: {what} is {was!r}, the models say {wanted!r}"
        else:
            state = "missing" if kind == "add" else "unknown"
            yield f"{state} {what.replace('_', ' ')}: {_name(difference)}"


def _is_foreign_identity(difference: tuple[object, ...], dialect: Dialect) -> bool:
    # Where the engine has no identity columns, another mechanism counts surrogate keys up.
    counts_up = difference[0] == "modify_default" and isinstance(difference[-1], Identity)
    return counts_up and not dialect.supports_identity_columns


def _name(difference: tuple[object, ...]) -> str:
    subject = difference[-1]
    table = getattr(subject, "table", None)
    owner = f"{table.name}." if table is not None else ""
    return f"{owner}{getattr(subject, 'name', None) or subject}"
