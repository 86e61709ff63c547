"""`upsert_on_conflict`, for backends whose engine knows `INSERT ... ON CONFLICT`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnCollection, Executable


class OnConflictInsert(Protocol):
    """The `Insert` of a SQLAlchemy dialect that has an ON CONFLICT clause."""

    @property
    def excluded(self) -> ColumnCollection[str, Any]:
        """The row that was to be inserted."""
        ...

    def on_conflict_do_nothing(self, *, index_elements: Any) -> Executable:  # noqa: ANN401
        """Leave the existing row as it is."""
        ...

    def on_conflict_do_update(self, *, index_elements: Any, set_: Any) -> Executable:  # noqa: ANN401
        """Change the existing row."""
        ...


def upsert_on_conflict(
    statement: OnConflictInsert, index_elements: Sequence[str], update_columns: Sequence[str]
) -> Executable:
    """Build what `teleclaude_upsert` must give.

    Args:
        statement: The dialect's own `insert(table)`.
        index_elements: Names of the columns whose unique index decides what a conflict is.
        update_columns: Names of the columns that take the new row's value. Empty: the existing row
            stays as it is.

    Returns:
        The statement.
    """
    if not update_columns:
        return statement.on_conflict_do_nothing(index_elements=index_elements)
    values = {name: statement.excluded[name] for name in update_columns}
    return statement.on_conflict_do_update(index_elements=index_elements, set_=values)
