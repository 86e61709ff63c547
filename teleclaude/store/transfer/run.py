"""One run of a copy: prepare the target, load what is missing, verify, finish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teleclaude.backends import bulk
from teleclaude.errors import CopyError, InvalidValueError, StoreError, StoreUnavailableError
from teleclaude.store.transfer import checkpoints
from teleclaude.store.transfer.ahead import read_ahead
from teleclaude.store.transfer.checkpoints import Checkpoint
from teleclaude.store.transfer.emptying import empty
from teleclaude.store.transfer.options import Outcome
from teleclaude.store.transfer.reading import MOST_ROWS, key_of, read_values, row_error
from teleclaude.store.transfer.report import CopyReport, TableReport
from teleclaude.store.transfer.verification import (
    TABLES,
    count_orphans,
    first_differences,
    has_ids,
    read_content,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Dialect, Table

    from teleclaude.store.transfer.content import Content, Row
    from teleclaude.store.transfer.options import CopyOptions, Progress
    from teleclaude.store.transfer.page import Page
    from teleclaude.store.transfer.reading import Reader
    from teleclaude.store.transfer.side import Side
    from teleclaude.store.transfer.source import Contents, Source


class CopyRun:
    """Copies what a snapshot of the source holds into the target."""

    def __init__(
        self, source: Source, target: Side, options: CopyOptions, progress: Progress
    ) -> None:
        """Prepare; nothing is written yet.

        Args:
            source: The source.
            target: The target, whose lock is held.
            options: How to copy.
            progress: Hears how it goes on.
        """
        self._sides = source, target
        self._target = target
        self._options = options
        self._progress = progress
        self._copied = 0
        self._done = {table.name: Checkpoint(0) for table in TABLES}
        self._known: dict[str, Content] = {}

    async def copy(self) -> CopyReport:
        """Do everything.

        Returns:
            Both sides compared; they agree.
        """
        source, target = self._sides
        async with source.snapshot() as self._source:
            outcome = await self._prepare()
            if outcome is not Outcome.ALREADY_COPIED:
                for table in TABLES:
                    await self._copy_table(table)
                await self._continue_ids()
            tables = await self._verify()
        if outcome is not Outcome.ALREADY_COPIED:
            async with target.begin() as connection:
                await checkpoints.end(connection)
        return CopyReport(outcome, source.location, target.location, self._copied, tables)

    # --- before ---------------------------------------------------------------------------------

    async def _prepare(self) -> Outcome:
        self._target.prepare_storage()
        if await self._target.is_half_copied():
            if not self._options.replace:
                await self._resume()
                return Outcome.RESUMED
            await empty(self._target)
            async with self._target.begin() as connection:
                await checkpoints.end(connection)
        await self._target.migrator.upgrade(own_lock=True)
        rows = await self._target.migrator.count_rows()
        if any(rows.values()) and not self._options.replace:
            await self._recognise(rows)
            return Outcome.ALREADY_COPIED
        async with self._target.begin() as connection:
            await checkpoints.begin(connection, self._head)
        await self._refuse_same()
        await empty(self._target)
        return Outcome.COPIED

    async def _refuse_same(self) -> None:
        """Make sure that source and target are not two names of one database."""
        source, target = self._sides
        if not await source.is_half_copied():
            return
        async with target.begin() as connection:
            await checkpoints.end(connection)
        raise same_database(target.location)

    @property
    def _head(self) -> str:
        return str(self._target.migrator.head)

    async def _resume(self) -> None:
        self._progress.say("An interrupted copy is continued.")
        async with self._target.begin() as connection:
            found = await checkpoints.load(connection, self._head)
        rows = await self._target.migrator.count_rows()
        for table in TABLES:
            if rows[table.name] != found[table.name].rows:
                message = f"The target's {table.name} is not what the interrupted copy left."
                raise CopyError(message, hint="Begin again with --replace.")
            await self._check_unchanged(table, found[table.name])

    async def _check_unchanged(self, table: Table, checkpoint: Checkpoint) -> None:
        """Make sure that what was copied before is still what the source begins with."""
        ours = await self._read(
            self._source, table, step="check", derive=True, most=checkpoint.rows
        )
        async with self._target.snapshot() as reader:
            theirs = await self._read(reader, table, step="compare", derive=False)
        if ours != theirs:
            message = (
                f"{table.name} changed since the copy was interrupted, in the source or the target."
            )
            raise CopyError(message, hint="Begin again with --replace.")
        self._done[table.name] = checkpoint

    async def _recognise(self, rows: Mapping[str, int]) -> None:
        """Accept a target that holds the same already, and refuse any other that is not empty."""
        counts = {table.name: await self._source.count(table) for table in TABLES}
        if counts != rows:
            raise not_empty(self._target.location, rows)
        async with self._target.snapshot() as reader:
            for table in TABLES:
                ours = await self._read(self._source, table, step="compare", derive=True)
                if ours != await self._read(reader, table, step="compare", derive=False):
                    raise not_empty(self._target.location, rows)
                self._known[table.name] = ours

    async def _read(
        self, reader: Contents, table: Table, *, step: str, derive: bool, most: int | None = None
    ) -> Content:
        pages = reader.pages(table, derive=derive)
        total = await reader.count(table) if most is None else most
        return await read_content(pages, self._progress, step=step, table=table, total=total)

    # --- the rows -------------------------------------------------------------------------------

    async def _copy_table(self, table: Table) -> None:
        self._progress.begin("copy", table.name, await self._source.count(table))
        self._progress.advance(self._done[table.name].rows)
        try:
            await self._load_pages(table)
        except (CopyError, StoreUnavailableError):
            raise
        except StoreError as error:
            await self._look_closer(table, error)
            raise
        self._progress.end()

    async def _load_pages(self, table: Table) -> None:
        done = self._done[table.name]
        pages = self._source.pages(table, after=done.key, derive=True, prepare=self._prepare_page)
        async with read_ahead(pages) as found:
            async for page in found:
                done = Checkpoint(done.rows + len(page), page.key)
                await self._load(page, done)
                self._done[table.name] = done
                self._progress.advance(len(page))

    async def _look_closer(self, table: Table, error: StoreError) -> None:
        """Find what the engine has refused in a value that was left to it to check."""
        pages = self._source.pages(table, after=self._done[table.name].key, derive=True)
        checked = 0
        while checked < MOST_ROWS and (page := await pages.next()) is not None:
            for refused in refused_rows(table, page.rows, self._target.dialect):
                raise refused from error
            checked += len(page)

    async def _prepare_page(self, page: Page) -> None:
        backend, dialect = self._target.backend, self._target.dialect
        if backend.loads_itself:
            await page.bind(dialect, backend.capabilities)
        else:
            await read_values(page)

    async def _load(self, page: Page, checkpoint: Checkpoint) -> None:
        async with self._target.executor.loading() as tx:
            if page.bound is None or not await tx.load_bound(page.table, page.bound):
                await tx.load(page.table, page.rows)
            await tx.write(checkpoints.SAVE, checkpoint.parameters(page.table))
        self._copied += len(page)

    async def _continue_ids(self) -> None:
        for table in filter(has_ids, TABLES):
            used = await self._source.id_counter(table)
            async with self._target.begin() as connection:
                await self._target.backend.id_counter(connection, table, used)

    # --- after ----------------------------------------------------------------------------------

    async def _verify(self) -> Sequence[TableReport]:
        async with self._target.snapshot() as reader:
            reports = [await self._compare(reader, table) for table in TABLES]
            for table, report in zip(TABLES, reports, strict=True):
                if not report.agrees:
                    raise await self._difference(reader, table, report)
        return reports

    async def _compare(self, reader: Reader, table: Table) -> TableReport:
        ours = self._known.get(table.name)
        if ours is None:
            ours = await self._read(self._source, table, step="reread", derive=True)
        theirs = await self._read(reader, table, step="verify", derive=False)
        ids = has_ids(table)
        return TableReport(
            name=table.name,
            source_rows=ours.rows,
            source_hash=ours.hash,
            target_rows=theirs.rows,
            target_hash=theirs.hash,
            orphans=await count_orphans(reader, table),
            source_id=await self._source.id_counter(table) if ids else None,
            target_id=await reader.id_counter(table) if ids else None,
        )

    async def _difference(self, reader: Reader, table: Table, report: TableReport) -> CopyError:
        hint = "The copy is not usable; begin again with --replace."
        if not report.same_content:
            lines = await first_differences(self._source, reader, table)
            message = f"{table.name} differs from the source: {'; '.join(lines)}."
        elif report.orphans:
            message = f"{report.orphans} rows of {table.name} refer to rows that are not there."
        else:
            message = (
                f"New rows of {table.name} would get ids that were given before: the source has "
                f"counted to {report.source_id}, the target to {report.target_id}."
            )
        return CopyError(message, hint=hint)


def same_database(location: str) -> CopyError:
    """Give the error for a source that is the target too.

    Args:
        location: Where it is.
    """
    message = f"Source and target are the same database: {location}."
    return CopyError(message, hint="Name another one; nothing was changed.")


def not_empty(location: str, rows: Mapping[str, int]) -> CopyError:
    """Give the error for a target that holds something else.

    Args:
        location: Where it is.
        rows: How many rows its tables have.
    """
    found = ", ".join(f"{name} ({count:,} rows)" for name, count in rows.items() if count)
    message = f"The target {location} is not empty: {found}."
    return CopyError(message, hint="Name another database, or empty this one with --replace.")


def refused_rows(table: Table, rows: Sequence[Row], dialect: Dialect) -> list[CopyError]:
    """Find the rows of which an engine refuses a value.

    Args:
        table: The table.
        rows: Its rows.
        dialect: The engine's dialect.

    Returns:
        An error for each of them.
    """
    try:
        bulk.bound(table, dialect, rows)
    except InvalidValueError as error:
        if len(rows) == 1:
            return [row_error(table, key_of(table, rows[0]), error)]
        half = len(rows) // 2
        return [
            refused
            for part in (rows[:half], rows[half:])
            for refused in refused_rows(table, part, dialect)
        ]
    return []
