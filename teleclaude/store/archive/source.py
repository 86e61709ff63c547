"""An archive as the source of a copy."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, BinaryIO

from teleclaude.errors import BackupError
from teleclaude.store.archive import lines
from teleclaude.store.archive.reading import ArchiveReader, damaged
from teleclaude.store.stored_documents import canonical
from teleclaude.store.transfer.content import make_derived
from teleclaude.store.transfer.page import DumpedValues, Page
from teleclaude.store.transfer.reading import MOST_ROWS, key_of, read_values
from teleclaude.store.transfer.verification import TABLES
from teleclaude.store.types import JsonDocument

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Table

    from teleclaude.store.archive.reading import TableEnd
    from teleclaude.store.transfer.content import Row
    from teleclaude.store.transfer.reading import Prepare


class ArchiveSource:
    """An archive that was checked.

    Attributes:
        location: The file.
    """

    def __init__(self, stream: BinaryIO, file: Path, checked: Mapping[str, TableEnd]) -> None:
        """Take an archive.

        Args:
            stream: The archive, open.
            file: Its name.
            checked: What it holds.
        """
        self.location = str(file)
        self._stream = stream
        self._file = file
        self._checked = checked

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[ArchiveContents]:
        """Read it."""
        yield ArchiveContents(self._stream, self._file, self._checked)

    async def is_half_copied(self) -> bool:
        """Say that it is not: nobody copies into an archive."""
        return False


class ArchiveContents:
    """What an archive holds.

    Tables are read in their order, of which there is one pass for each purpose: what is read again
    is looked for from the beginning.

    Attributes:
        file: The archive's name.
        checked: What it held when it was checked.
    """

    def __init__(self, stream: BinaryIO, file: Path, checked: Mapping[str, TableEnd]) -> None:
        """Take an archive; see `ArchiveSource`."""
        self._stream = stream
        self.file = file
        self.checked = checked
        self._reader: ArchiveReader | None = None

    async def count(self, table: Table) -> int:
        """Count the rows of a table."""
        return self.checked[table.name].rows

    async def id_counter(self, table: Table) -> int:
        """Give the highest surrogate key that is used up."""
        return self.checked[table.name].last_id or 0

    def pages(
        self,
        table: Table,
        *,
        after: tuple[object, ...] | None = None,
        derive: bool = False,
        prepare: Prepare = read_values,
    ) -> ArchivePages:
        """Begin to read a table.

        Args:
            table: The table.
            after: The key after which to begin; `None` for the beginning.
            derive: Is always done: an archive does not hold what is made from others.
            prepare: Does what is to be done with each page first.
        """
        del derive
        return ArchivePages(self, table, after, prepare)

    async def open_table(self, table: Table) -> ArchiveReader:
        """Go to the beginning of a table.

        Args:
            table: The table.

        Returns:
            What reads its rows.
        """
        position = list(TABLES).index(table)
        reader = self._reader
        if reader is None or reader.done > position:
            reader = self._reader = ArchiveReader(self._stream, self.file)
            reader.header()
        elif reader.done:
            await _pass(reader)
        while reader.done < position:
            reader.begin_table(TABLES[reader.done])
            await _pass(reader)
        reader.begin_table(table)
        return reader


class ArchivePages:
    """Reads one table of an archive."""

    def __init__(
        self,
        contents: ArchiveContents,
        table: Table,
        after: tuple[object, ...] | None,
        prepare: Prepare,
    ) -> None:
        """Prepare to read; see `ArchiveContents.pages`."""
        self._contents = contents
        self._table = table
        self._after = after
        self._prepare = prepare
        self._reader: ArchiveReader | None = None

    async def next(self, most: int = MOST_ROWS) -> Page | None:
        """Read the next page.

        Args:
            most: Rows it may have at most.

        Returns:
            The page, or `None` when there are no more rows.

        Raises:
            BackupError: The archive is not what it was when it was checked.
        """
        try:
            return await self._next(most)
        except BackupError as error:
            message = f"The archive {self._contents.file} was changed while it was being restored."
            hint = "The database is not usable; begin again with a good archive and --replace."
            raise BackupError(message, hint=hint) from error

    async def _next(self, most: int) -> Page | None:
        if self._reader is None:
            self._reader = await self._contents.open_table(self._table)
        while texts := self._reader.rows(most):
            await asyncio.sleep(0)
            if rows := self._later(lines.decoded(self._table, texts)):
                return await self._page(rows)
        if self._reader.end_table(self._table) != self._contents.checked[self._table.name]:
            raise damaged(self._contents.file, "it is another one")
        return None

    def _later(self, rows: Sequence[Row]) -> Sequence[Row]:
        if self._after is None:
            return rows
        later = [row for row in rows if key_of(self._table, row) > self._after]
        if later:
            self._after = None
        return later

    async def _page(self, rows: Sequence[Row]) -> Page:
        columns: list[Sequence[object]] = list(zip(*rows, strict=True))
        make_derived(self._table, columns, lambda whole: whole)
        for place, column in enumerate(self._table.columns):
            if isinstance(column.type, JsonDocument):
                columns[place] = canonical(columns[place], column.type.where)
        page = Page(self._table, key_of(self._table, rows[-1]), DumpedValues(columns))
        await self._prepare(page)
        return page


async def _pass(reader: ArchiveReader) -> None:
    more = True
    while more:
        more = bool(reader.rows())
        await asyncio.sleep(0)
