"""Full-text search with a GIN index over `tsvector`.

Neither the text nor the query goes through PostgreSQL's parser, which has ideas of its own about
what a word is (URLs, numbers, hyphens): the words are there already.
https://www.postgresql.org/docs/current/functions-textsearch.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import DDL, Text, bindparam, cast, func, literal_column
from sqlalchemy.dialects.postgresql import TSQUERY

from teleclaude.backends import TextSearch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, TableClause

    from teleclaude.backends import SearchWord


_SPACE: ColumnElement[str] = literal_column("' '")
"""Written out, not bound: only the same expression as the index has is answered by the index."""


def text_search(table: TableClause, column: str) -> TextSearch:
    """Index the words of a column with an expression index.

    Args:
        table: The table.
        column: The column that holds the words.
    """
    name = f"ix_{table.name}_{column}_words"
    names = {"index": name, "rows": table.name, "words": column}
    words = func.array_to_tsvector(func.string_to_array(table.c[column], _SPACE))
    query = cast(cast(bindparam("query_"), Text), TSQUERY)
    return TextSearch(
        create=[_ddl(_CREATE, names)],
        drop=[_ddl("DROP INDEX %(index)s", names)],
        owned=frozenset({name}),
        match=words.op("@@")(query),
        query=_query,
    )


_CREATE = (
    "CREATE INDEX %(index)s ON %(rows)s "
    "USING gin (array_to_tsvector(string_to_array(%(words)s, ' ')))"
)


def _ddl(statement: str, names: Mapping[str, str]) -> DDL:
    return DDL(statement, context=names)  # type: ignore[no-untyped-call]


def _query(words: Sequence[SearchWord]) -> str:
    # The words hold neither quotes nor backslashes: letters and digits only.
    return " & ".join(f"'{word.text}'{':*' if word.is_prefix else ''}" for word in words)
