"""How the tables look in SQLite."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy.schema import CreateTable

from teleclaude.store.models import metadata
from teleclaude.store.types import (
    BigInt,
    Flag,
    JsonDocument,
    Key,
    LongText,
    SurrogateKey,
    UtcDateTime,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

TYPES = {
    Key: "TEXT",
    LongText: "TEXT",
    UtcDateTime: "TEXT",
    JsonDocument: "TEXT",
    Flag: "INTEGER",
    BigInt: "INTEGER",
    SurrogateKey: "INTEGER",
}


async def test_column_types(engine: AsyncEngine) -> None:
    """Every logical type is stored as one that SQLite keeps as it is."""
    for table in metadata.tables.values():
        for column in table.columns:
            compiled = column.type.compile(dialect=engine.dialect)
            assert compiled == TYPES[type(column.type)], column


async def test_tables(engine: AsyncEngine) -> None:
    """Surrogate keys are AUTOINCREMENT, flags have 0 or 1 as default, constraints have names."""
    for table in metadata.tables.values():
        sql = str(CreateTable(table).compile(dialect=engine.dialect))
        counted = [c.name for c in table.columns if isinstance(c.type, SurrogateKey)]
        assert re.findall(r"(\w+) INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", sql) == counted
        flags = [c.name for c in table.columns if isinstance(c.type, Flag)]
        assert re.findall(r"(\w+) INTEGER DEFAULT [01] NOT NULL", sql)[: len(flags)] == flags
        assert len(re.findall(r"(?:FOREIGN KEY|UNIQUE|CHECK) ?\(", sql)) == len(
            re.findall(r"CONSTRAINT \w+ (?:FOREIGN KEY|UNIQUE|CHECK)", sql)
        )
        assert "BOOLEAN" not in sql
        assert "JSON" not in sql.replace("event_json", "").replace("contract_json", "").upper()
