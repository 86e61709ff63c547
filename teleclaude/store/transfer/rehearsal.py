"""The dry run: everything that could fail is tried, and nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from teleclaude.errors import CopyError, StoreUnavailableError
from teleclaude.migrations import UNFINISHED_COPY
from teleclaude.store.transfer.content import Content
from teleclaude.store.transfer.options import Outcome
from teleclaude.store.transfer.reading import Pages
from teleclaude.store.transfer.report import CopyReport, TableReport
from teleclaude.store.transfer.run import not_empty, refused_rows
from teleclaude.store.transfer.verification import TABLES, count_orphans, has_ids

if TYPE_CHECKING:
    from sqlalchemy import Table

    from teleclaude.store.transfer.options import CopyOptions, Progress
    from teleclaude.store.transfer.reading import Reader
    from teleclaude.store.transfer.side import Side

_SHOWN: Final = 10
"""Problems that are listed at most."""


async def rehearse(
    source: Side, target: Side, options: CopyOptions, progress: Progress
) -> CopyReport:
    """Find out whether a copy would succeed.

    Args:
        source: The source.
        target: The target.
        options: How it would be copied.
        progress: Hears how it goes on.

    Returns:
        What the copy would do.

    Raises:
        CopyError: It would fail. All values that would be refused are counted, the first named.
    """
    if not options.online:
        await source.refuse_daemon()
    await _check_target(target, options)
    async with source.snapshot() as reader:
        problems: list[CopyError] = []
        reports = [await _rehearse(reader, target, t, progress, problems) for t in TABLES]
    if problems:
        raise _combined(problems)
    return CopyReport(Outcome.CHECKED, source.location, target.location, 0, reports)


async def _check_target(target: Side, options: CopyOptions) -> None:
    try:
        current = await target.migrator.current()
    except StoreUnavailableError as error:
        if error.missing and target.backend.prepares_storage:
            return
        raise
    await target.refuse_daemon()
    if current == UNFINISHED_COPY:
        return
    target.migrator.require_known(current)
    rows = await target.migrator.count_rows()
    if any(rows.values()) and not options.replace:
        raise not_empty(target.location, rows)


async def _rehearse(
    reader: Reader, target: Side, table: Table, progress: Progress, problems: list[CopyError]
) -> TableReport:
    content = Content()
    pages = Pages(reader, table, derive=True)
    progress.begin("check", table.name, await reader.count(table))
    while True:
        try:
            page = await pages.next()
        except CopyError as error:
            problems.append(error)
            continue
        if page is None:
            break
        content.add(page.forms)
        problems += refused_rows(table, page.rows, target.dialect)
        progress.advance(len(page.rows))
    progress.end()
    if orphans := await count_orphans(reader, table):
        message = f"{orphans} rows of {table.name} refer to rows that are not there."
        problems.append(CopyError(message))
    used = await reader.id_counter(table) if has_ids(table) else None
    return TableReport(
        table.name, content.rows, content.hash, content.rows, content.hash, orphans, used, used
    )


def _combined(problems: list[CopyError]) -> CopyError:
    lines = [f"- {error.message}" for error in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"- and {len(problems) - _SHOWN} more")
    message = "\n".join([f"{len(problems)} things keep the store from being copied:", *lines])
    return CopyError(message, hint="\nNothing was written. Correct the source, then try again.")
