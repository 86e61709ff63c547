"""Comparing both sides of a copy: rows, content, references, ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from teleclaude.store.models import metadata
from teleclaude.store.transfer.content import Content, differing_columns
from teleclaude.store.transfer.reading import MOST_ROWS, describe_key, key_columns, key_of
from teleclaude.store.types import SurrogateKey

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from sqlalchemy import Table

    from teleclaude.store.transfer.content import Row
    from teleclaude.store.transfer.options import Progress
    from teleclaude.store.transfer.reading import Reader
    from teleclaude.store.transfer.source import Contents, PageReader

_SHOWN: Final = 3
"""Rows that are named where both sides differ."""


def has_ids(table: Table) -> bool:
    """Say whether the database counts a table's primary key up."""
    return any(isinstance(column.type, SurrogateKey) for column in key_columns(table))


async def read_content(
    pages: PageReader, progress: Progress, *, step: str, table: Table, total: int
) -> Content:
    """Read the first rows of a table, or all of them, and give what they hold.

    Args:
        pages: What reads them.
        progress: Hears how it goes on.
        step: What it is told that this is.
        table: The table.
        total: How many rows are read.

    Returns:
        Those that are there, and their hash.
    """
    content = Content()
    progress.begin(step, table.name, total)
    while (missing := total - content.rows) > 0:
        page = await pages.next(min(missing, MOST_ROWS))
        if page is None:
            break
        content.add(page.forms)
        progress.advance(len(page))
    progress.end()
    return content


async def count_orphans(reader: Reader, table: Table) -> int:
    """Count rows that refer to a row that is not there.

    Args:
        reader: What reads.
        table: The table whose foreign keys are followed.
    """
    orphans = 0
    for constraint in table.foreign_key_constraints:
        child = table.alias()
        parent = constraint.referred_table.alias()
        pairs = [
            (child.c[element.parent.key], parent.c[element.column.key])
            for element in constraint.elements
        ]
        missing = (
            select(func.count())
            .select_from(child)
            .where(
                *(mine.is_not(None) for mine, _ in pairs),
                ~select(parent).where(*(mine == theirs for mine, theirs in pairs)).exists(),
            )
        )
        ((count,),) = await reader.read(missing)
        orphans += int(count)
    return orphans


async def first_differences(source: Contents, target: Contents, table: Table) -> Sequence[str]:
    """Name the first rows in which two tables differ, and the columns, without any value but keys.

    Args:
        source: What reads the source.
        target: What reads the target.
        table: The table.

    Returns:
        A line for each row, at most three.
    """
    found: list[str] = []
    ours, theirs = _rows(source, table, derive=True), _rows(target, table, derive=False)
    one, other = await anext(ours, None), await anext(theirs, None)
    while (one or other) and len(found) < _SHOWN:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None  # noqa: S101 - one of them is there
            found.append(f"{describe_key(table, one[0])}: only in the source")
            one = await anext(ours, None)
        elif one is None or other[0] < one[0]:
            found.append(f"{describe_key(table, other[0])}: only in the target")
            other = await anext(theirs, None)
        else:
            if one[1] != other[1]:
                names = ", ".join(differing_columns(table, one[2], other[2]))
                found.append(f"{describe_key(table, one[0])}: differs in {names}")
            one, other = await anext(ours, None), await anext(theirs, None)
    await ours.aclose()
    await theirs.aclose()
    return found


async def _rows(
    reader: Contents, table: Table, *, derive: bool
) -> AsyncGenerator[tuple[tuple[Any, ...], bytes, Row]]:
    pages = reader.pages(table, derive=derive)
    while (page := await pages.next()) is not None:
        for row, form in zip(page.rows, page.forms, strict=True):
            yield key_of(table, row), form, row


TABLES: Final[Sequence[Table]] = metadata.sorted_tables
"""All tables, those first to which others refer."""
