"""Making a backup while others read and write."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from teleclaude.errors import BackupError, CopyError
from teleclaude.store.archive import lines
from teleclaude.store.archive.destination import new_file, require_new, sync_directory
from teleclaude.store.archive.writing import ArchiveWriter
from teleclaude.store.transfer.run import refused_rows
from teleclaude.store.transfer.side import Side
from teleclaude.store.transfer.verification import TABLES, has_ids

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy import Table

    from teleclaude.config import Config
    from teleclaude.store.transfer.options import Progress
    from teleclaude.store.transfer.page import Page
    from teleclaude.store.transfer.reading import Pages, Reader


class BackupReport(NamedTuple):
    """What a backup holds.

    Attributes:
        source: Where the store is.
        file: The backup.
        rows: The rows of each table; `None` for a copy that the engine made.
    """

    source: str
    file: Path
    rows: Mapping[str, int] | None


async def back_up(source: Config, destination: Path, progress: Progress) -> BackupReport:
    """Write an archive, which any engine can load.

    It holds one state of the store. Two archives of the same content are the same bytes.

    Args:
        source: The store.
        destination: The file to write. It is there when it is complete, and not before.
        progress: Hears how it goes on.

    Returns:
        What is in it.

    Raises:
        BackupError: The file exists already or cannot be written, or the store holds a value that
            no store would take back.
        SchemaOutdatedError: The schema is older than this version of TeleClaude.
        SchemaTooNewError: It is newer.
        StoreUnavailableError: The database cannot be reached, or broke off.
    """
    side = Side(source)
    try:
        require_new(destination)
        await side.migrator.require_head()
        async with side.snapshot() as reader:
            with new_file(destination) as file:
                backup = _Backup(reader, side, ArchiveWriter(file), progress)
                rows = await backup.write()
        return BackupReport(side.location, destination, rows)
    finally:
        await side.close()


async def back_up_natively(source: Config, destination: Path) -> BackupReport:
    """Let the engine write a copy in its own form.

    Args:
        source: The store.
        destination: The file to write.

    Returns:
        What was written.

    Raises:
        BackupError: The engine makes no copies, or the file exists already or cannot be written.
        StoreError: There is no space, or the copy is damaged.
        StoreUnavailableError: The database cannot be reached.
    """
    backend = source.backend
    if not backend.implements("teleclaude_backup"):
        message = f"The engine {backend.engine} makes no copies of its own."
        hint = "Write an archive instead, which every engine can load: add --portable."
        raise BackupError(message, hint=hint)
    require_new(destination)
    side = Side(source)
    try:
        await side.migrator.current()  # says well what is wrong where there is no database
        file = await side.copy_natively(destination)
    finally:
        await side.close()
    sync_directory(file)
    return BackupReport(source.database.location, file, None)


class _Backup:
    """Writes what a reader sees."""

    def __init__(
        self, reader: Reader, side: Side, writer: ArchiveWriter, progress: Progress
    ) -> None:
        self._reader = reader
        self._side = side
        self._writer = writer
        self._progress = progress

    async def write(self) -> Mapping[str, int]:
        self._writer.begin(str(self._side.migrator.head), TABLES)
        rows = {table.name: await self._write_table(table) for table in TABLES}
        self._writer.end()
        return rows

    async def _write_table(self, table: Table) -> int:
        expected, written = await self._reader.count(table), 0
        self._writer.begin_table(table, expected)
        self._progress.begin("back up", table.name, expected)
        pages = self._reader.pages(table)
        while (page := await _next(pages)) is not None:
            for refused in refused_rows(table, page.rows, self._side.dialect):
                raise _unstorable(refused) from refused
            self._writer.add(lines.encoded(table, page.rows))
            written += len(page)
            self._progress.advance(len(page))
        self._progress.end()
        if written != expected:
            message = f"The rows of {table.name} changed while they were read."
            raise BackupError(message, hint="Stop what writes to the database, then try again.")
        last_id = await self._reader.id_counter(table) if has_ids(table) else None
        self._writer.end_table(table, written, last_id)
        return written


async def _next(pages: Pages) -> Page | None:
    try:
        return await pages.next()
    except CopyError as error:
        raise _unstorable(error) from error


def _unstorable(error: CopyError) -> BackupError:
    hint = "Correct it, then try again; only a copy the engine makes itself could keep it."
    return BackupError(error.message, hint=hint)
