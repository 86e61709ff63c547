"""The dry run: everything that could fail is tried, and nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from teleclaude.errors import CopyError, StoreUnavailableError
from teleclaude.migrations import UNFINISHED_COPY
from teleclaude.store.transfer.content import Content
from teleclaude.store.transfer.options import Outcome
from teleclaude.store.transfer.report import CopyReport, TableReport
from teleclaude.store.transfer.run import not_empty, refused_rows
from teleclaude.store.transfer.verification import TABLES, count_orphans, has_ids, read_content

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Table

    from teleclaude.store.transfer.options import CopyOptions, Progress
    from teleclaude.store.transfer.reading import Reader
    from teleclaude.store.transfer.side import Side

DAEMON_HINT: Final = "Stop it first, or copy what is there now with --online."
"""What to do about a daemon that uses the source."""

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
        await source.refuse_daemon(hint=DAEMON_HINT)
    rows = await rows_in_the_way(target)
    in_the_way = any(rows.values()) and not options.replace
    async with source.snapshot() as reader:
        problems: list[CopyError] = []
        reports = [await _rehearse(reader, target, t, progress, problems) for t in TABLES]
    if problems:
        raise _combined(problems)
    if in_the_way and not await _is_the_same(target, reports, progress):
        raise not_empty(target.location, rows)
    outcome = Outcome.ALREADY_COPIED if in_the_way else Outcome.CHECKED
    return CopyReport(outcome, source.location, target.location, 0, reports)


async def rows_in_the_way(target: Side) -> Mapping[str, int]:
    """Count what is in a target, unless it is a part of a copy already.

    Args:
        target: The target.

    Returns:
        The rows of each table that exists, by name.
    """
    try:
        current = await target.migrator.current()
    except StoreUnavailableError as error:
        if error.missing and target.backend.prepares_storage:
            return {}
        raise
    await target.refuse_daemon()
    if current == UNFINISHED_COPY:
        return {}
    target.migrator.require_known(current)
    return await target.migrator.count_rows()


async def _is_the_same(target: Side, reports: Sequence[TableReport], progress: Progress) -> bool:
    async with target.snapshot() as reader:
        for table, report in zip(TABLES, reports, strict=True):
            total = await reader.count(table)
            pages = reader.pages(table)
            theirs = await read_content(pages, progress, step="compare", table=table, total=total)
            if (theirs.rows, theirs.hash) != (report.source_rows, report.source_hash):
                return False
    return True


async def _rehearse(
    reader: Reader, target: Side, table: Table, progress: Progress, problems: list[CopyError]
) -> TableReport:
    content = Content()
    pages = reader.pages(table, derive=True)
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
        progress.advance(len(page))
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
