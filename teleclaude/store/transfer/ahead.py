"""Reading the next pages while one is being loaded."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Final

from teleclaude.store.transfer.page import Page

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from teleclaude.store.transfer.source import PageReader

_WAITING: Final = 1
"""Pages that wait; one more is being read meanwhile, so that whoever loads never waits for both."""


@asynccontextmanager
async def read_ahead(pages: PageReader) -> AsyncIterator[AsyncGenerator[Page]]:
    """Read pages in a task of their own.

    Args:
        pages: What reads them.

    Yields:
        The pages. What reading them raises is raised when their turn has come. Where the block
        fails, the page that is being read is waited for, so that its connection can go on reading.
    """
    ahead = _Ahead(pages)
    task = asyncio.create_task(ahead.read())
    try:
        async with aclosing(ahead.each()) as found:
            yield found
    except Exception:
        ahead.stop()
        await asyncio.wait([task])
        raise
    finally:
        task.cancel()
        await asyncio.wait([task])


class _Ahead:
    def __init__(self, pages: PageReader) -> None:
        self._pages = pages
        self._waiting: asyncio.Queue[Page | Exception | None] = asyncio.Queue(_WAITING)
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True
        while not self._waiting.empty():
            self._waiting.get_nowait()  # whoever waits for room goes on, and sees that it is over

    async def read(self) -> None:
        found: Page | Exception | None = None
        while not self._stopped:
            try:
                found = await self._pages.next()
            except Exception as error:  # noqa: BLE001 - raised again where the pages are used
                found = error
            await self._put(found)
            if not isinstance(found, Page):
                break

    async def _put(self, found: Page | Exception | None) -> None:
        if not self._stopped:
            await self._waiting.put(found)

    async def each(self) -> AsyncGenerator[Page]:
        while (found := await self._waiting.get()) is not None:
            if isinstance(found, Exception):
                raise found
            yield found
