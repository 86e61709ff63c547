"""Fields that callers name at run time, checked against the table before they reach a statement."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from teleclaude.errors import InvalidValueError
from teleclaude.store.types import JsonDocument, UtcDateTime
from teleclaude.store.values import check_instant, dump_document, invalid, writes_as

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Column, Table


def column(table: Table, name: str) -> Column[object]:
    """Find a column by name.

    Args:
        table: The table.
        name: What the caller calls the field.

    Raises:
        InvalidValueError: There is no such column.
    """
    found = table.columns.get(name)
    if found is None:
        raise _no_field(table, name)
    return found


def checked(table: Table, fields: Mapping[str, object]) -> dict[str, object]:
    """Check fields by name and nullability, and bring instants into their one form.

    What a value's type demands is checked when it is bound.

    Args:
        table: The table.
        fields: Column name to value.

    Returns:
        The same fields.

    Raises:
        InvalidValueError: A field does not exist, may not be null, or is no instant.
    """
    known = _facts(table)
    result: dict[str, object] = {}
    for name, value in fields.items():
        facts = known.get(name)
        if facts is None:
            raise _no_field(table, name)
        if value is None and not facts.nullable:
            raise invalid(facts.where, "must not be null")
        is_instant = facts.is_instant and value is not None
        result[name] = check_instant(value, facts.where) if is_instant else value
    return result


class _Facts(NamedTuple):
    where: str
    nullable: bool
    is_instant: bool


@cache
def _facts(table: Table) -> Mapping[str, _Facts]:
    """Say of a table's columns what would take long to ask them for each value."""
    return {
        name: _Facts(
            f"{table.name}.{name}", bool(target.nullable), isinstance(target.type, UtcDateTime)
        )
        for name, target in table.columns.items()
    }


def _no_field(table: Table, name: str) -> InvalidValueError:
    close = get_close_matches(name, table.columns.keys(), n=1)
    hint = f"Did you mean {close[0]!r}?" if close else None
    return InvalidValueError(f"The table {table.name} has no field {name!r}.", hint=hint)


def changed(
    table: Table, stored: Mapping[str, object], wanted: Mapping[str, object]
) -> tuple[str, ...]:
    """Say which fields differ from what is stored.

    Args:
        table: The table.
        stored: Column name to stored value.
        wanted: Column name to new value, from `checked`.

    Returns:
        The names of those that differ, sorted.
    """
    return tuple(
        name
        for name in sorted(wanted)
        if not _same(table.columns[name], stored[name], wanted[name])
    )


def _same(target: Column[object], stored: object, wanted: object) -> bool:
    if stored is None or wanted is None:
        return stored is wanted
    if isinstance(target.type, JsonDocument):
        # Python calls 1, 1.0 and True equal; a document does not.
        where = target.type.where
        return writes_as(stored, dump_document(wanted, where), where)
    # Members of a text enumeration are the text they are; True is not the number 1.
    alike = isinstance(wanted, type(stored)) and isinstance(wanted, bool) is isinstance(
        stored, bool
    )
    return alike and stored == wanted
