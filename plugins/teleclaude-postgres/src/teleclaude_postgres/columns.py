"""How PostgreSQL stores the logical column types of the models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Boolean, DateTime, Text
from sqlalchemy.dialects.postgresql import JSONB

from teleclaude.backends import LogicalType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.types import TypeEngine

COLUMN_TYPES: Final[Mapping[LogicalType, TypeEngine[Any]]] = {
    # "C" compares by code point, whatever locale the database was created with.
    LogicalType.KEY: Text(collation="C"),
    LogicalType.TEXT: Text(collation="C"),
    LogicalType.INSTANT: DateTime(timezone=True),
    LogicalType.DOCUMENT: JSONB(),
    LogicalType.FLAG: Boolean(),
    LogicalType.SURROGATE_KEY: BigInteger(),
    LogicalType.INTEGER: BigInteger(),
}
"""What `teleclaude_column_types` gives."""
