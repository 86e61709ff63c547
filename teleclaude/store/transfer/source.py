"""What a copy asks of the store it reads: a database is one, and so is an archive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy import Table

    from teleclaude.store.transfer.page import Page
    from teleclaude.store.transfer.reading import Prepare


class PageReader(Protocol):
    """Reads the rows of one table, in the order of their keys."""

    async def next(self, most: int = ...) -> Page | None:
        """Read the next page of at most so many rows; `None` when there are no more."""
        ...


class Contents(Protocol):
    """One state of a store."""

    async def count(self, table: Table) -> int:
        """Count the rows of a table."""
        ...

    async def id_counter(self, table: Table) -> int:
        """Give the highest surrogate key that is used up."""
        ...

    def pages(
        self,
        table: Table,
        *,
        after: tuple[object, ...] | None = None,
        derive: bool = False,
        prepare: Prepare = ...,
    ) -> PageReader:
        """Begin to read a table.

        Args:
            table: The table.
            after: The key after which to begin; `None` for the beginning.
            derive: Whether columns that are made from others are made anew.
            prepare: Does what is to be done with each page first; a value that it refuses is one
                that cannot be read.
        """
        ...


class Source(Protocol):
    """Where a copy comes from.

    Attributes:
        location: Where it is, for people and without secrets.
    """

    location: str

    def snapshot(self) -> AbstractAsyncContextManager[Contents]:
        """Read one state of it, however long that takes."""
        ...

    async def is_half_copied(self) -> bool:
        """Say whether it is marked as the target of a copy that is not finished."""
        ...
