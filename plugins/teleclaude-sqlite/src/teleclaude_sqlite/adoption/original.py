"""Reading the copy of the old database: where all values come from and are compared with."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    Batch = Sequence[Mapping[str, object]]

_BATCH: Final = 500
"""Rows at a time: between two batches, whoever shares the event loop has its turn."""


class Original:
    """The copy, read with Python's own driver."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take a connection to it."""
        self._connection = connection

    def batches(self, table: str) -> Iterator[Batch]:
        """Give the rows of a table, some at a time.

        Args:
            table: One of the tables that are known.

        Yields:
            Rows by column. Bytes in a text that are no UTF-8 are lone surrogates.
        """
        rows = self._connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a known name
        names = [description[0] for description in rows.description]
        while batch := rows.fetchmany(_BATCH):
            yield [dict(zip(names, row, strict=True)) for row in batch]

    def count(self, table: str) -> int:
        """Count the rows of a table, whatever its name is."""
        name = table.replace('"', '""')
        ((count,),) = self._connection.execute(f'SELECT count(*) FROM "{name}"')  # noqa: S608 - quoted
        return int(count)

    def counters(self) -> Mapping[str, int]:
        """Give the highest id that was ever given, by table."""
        exists = self._connection.execute(
            "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"
        ).fetchone()
        if exists is None:
            return {}
        rows = self._connection.execute("SELECT name, seq FROM sqlite_sequence")
        return {name: seq for name, seq in rows if isinstance(seq, int)}


@contextmanager
def open_original(path: Path) -> Iterator[Original]:
    """Open the copy, which nobody writes to.

    Args:
        path: The file.
    """
    # Immutable: no files beside it, though it is in the mode that needs some.
    uri = f"file:{quote(str(path))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        connection.text_factory = _text
        yield Original(connection)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
