"""Full-text search with FTS5 (https://www.sqlite.org/fts5.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import DDL, bindparam, literal_column, select
from sqlalchemy import column as any_column
from sqlalchemy import table as any_table

from teleclaude.backends import TextSearch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import TableClause

    from teleclaude.backends import SearchWord


def text_search(table: TableClause, column: str) -> TextSearch:
    """Index a column with an FTS5 table beside its own, kept in step by triggers.

    The tokenizer `ascii` splits at ASCII characters that are neither letter nor digit and leaves
    everything else alone: exactly the spaces between words that are already plain.

    Args:
        table: The table; its integer primary key is the rowid.
        column: The column that holds the words.
    """
    name = f"{table.name}_fts"
    names = {"fts": name, "rows": table.name, "words": column}
    index = any_table(name, any_column("rowid"))
    found = select(index.c.rowid).where(literal_column(name).op("MATCH")(bindparam("query_")))
    return TextSearch(
        create=[_ddl(statement, names) for statement in _CREATE],
        drop=[_ddl(statement, names) for statement in _DROP],
        owned=frozenset({name, *(f"{name}_{part}" for part in _SHADOWS)}),
        match=table.c.id.in_(found),
        query=_query,
    )


_SHADOWS = ("config", "data", "docsize", "idx")
"""FTS5 keeps its index in ordinary tables of these names."""

_REMOVE = "INSERT INTO %(fts)s (%(fts)s, rowid, %(words)s) VALUES ('delete', old.id, old.%(words)s)"
_ADD = "INSERT INTO %(fts)s (rowid, %(words)s) VALUES (new.id, new.%(words)s)"

_TABLE = """
CREATE VIRTUAL TABLE %(fts)s USING fts5
(%(words)s, content='%(rows)s', content_rowid='id', tokenize='ascii')
"""

_ON_UPDATE = f"""
CREATE TRIGGER %(fts)s_update AFTER UPDATE OF %(words)s ON %(rows)s
BEGIN {_REMOVE}; {_ADD}; END
"""

_CREATE = (
    _TABLE,
    f"CREATE TRIGGER %(fts)s_insert AFTER INSERT ON %(rows)s BEGIN {_ADD}; END",
    f"CREATE TRIGGER %(fts)s_delete AFTER DELETE ON %(rows)s BEGIN {_REMOVE}; END",
    _ON_UPDATE,
    "INSERT INTO %(fts)s (%(fts)s) VALUES ('rebuild')",
)

_DROP = (
    "DROP TRIGGER %(fts)s_insert",
    "DROP TRIGGER %(fts)s_delete",
    "DROP TRIGGER %(fts)s_update",
    "DROP TABLE %(fts)s",
)


def _ddl(statement: str, names: Mapping[str, str]) -> DDL:
    return DDL(statement, context=names)  # type: ignore[no-untyped-call]


def _query(words: Sequence[SearchWord]) -> str:
    # Quoted, because AND, OR, NOT and NEAR are words too.
    return " AND ".join(f'"{word.text}"{"*" if word.is_prefix else ""}' for word in words)
