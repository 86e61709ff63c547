"""A proxy between driver and server that breaks a connection at the moment a test wants.

It knows as much of PostgreSQL's protocol as it needs to find the end of an answer
(https://www.postgresql.org/docs/current/protocol-message-formats.html).
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator

    from provisioning import Section

_CHUNK: Final = 2**16
_READY_FOR_QUERY: Final = b"Z\0\0\0\5"
"""Type and length of the message that ends each answer; one byte follows."""


class CuttingProxy:
    """Forwards everything, until it is told to cut.

    Attributes:
        section: The `database:` section that leads through the proxy.
        asked: How often the text of the last `cut_*` has come by, whether or not it was forwarded.
        round_trips: How many answers the server has given.
        conceals_ends: Whether the client is not told when the server ends a connection.
        ends: How many connections the server has ended.
    """

    def __init__(self, section: Section) -> None:
        """Make a proxy; `cutting_proxy` does."""
        self.section = section
        self.asked = 0
        self.round_trips = 0
        self.conceals_ends = False
        self.ends = 0
        self._upstream = section
        self._text: bytes | None = None
        self._is_forwarded = True
        self._is_armed = False

    def cut_before(self, text: bytes) -> None:
        """End the connection instead of forwarding the next message that holds a text."""
        self._arm(text, is_forwarded=False)

    def cut_after(self, text: bytes) -> None:
        """Forward the next message that holds a text, and end the connection before the answer.

        The server has done what it was asked when the connection ends.
        """
        self._arm(text, is_forwarded=True)

    def _arm(self, text: bytes, *, is_forwarded: bool) -> None:
        self.asked = 0
        self._text = text
        self._is_forwarded = is_forwarded
        self._is_armed = True

    async def serve(self, client: StreamReader, to_client: StreamWriter) -> None:
        """Serve one connection until either side, or a cut, ends it."""
        server, to_server = await _connect(self._upstream)
        is_cut = asyncio.Event()
        directions = (
            asyncio.create_task(self._forward_questions(client, to_server, is_cut)),
            asyncio.create_task(self._forward_answers(server, to_client, is_cut)),
        )
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.wait(directions)
            for writer in (to_client, to_server):
                writer.transport.abort()

    async def _forward_questions(
        self, client: StreamReader, to_server: StreamWriter, is_cut: asyncio.Event
    ) -> None:
        while data := await client.read(_CHUNK):
            if self._text is not None and self._text in data:
                self.asked += 1
                if self._is_armed:
                    self._is_armed = False
                    if not self._is_forwarded:
                        return
                    is_cut.set()
            to_server.write(data)
            await to_server.drain()

    async def _forward_answers(
        self, server: StreamReader, to_client: StreamWriter, is_cut: asyncio.Event
    ) -> None:
        while data := await server.read(_CHUNK):
            ready = data.count(_READY_FOR_QUERY)
            self.round_trips += ready
            if not is_cut.is_set():
                to_client.write(data)
                await to_client.drain()
            elif ready:
                return
        self.ends += 1
        if self.conceals_ends:
            await asyncio.Event().wait()  # until the client ends it


@asynccontextmanager
async def cutting_proxy(section: Section) -> AsyncIterator[CuttingProxy]:
    """Put a proxy in front of a database.

    Args:
        section: The `database:` section of the database.
    """
    proxy = CuttingProxy(section)
    links: set[asyncio.Task[None]] = set()

    def serve(client: StreamReader, to_client: StreamWriter) -> None:
        link = asyncio.create_task(proxy.serve(client, to_client))
        links.add(link)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    proxy.section = {**section, "host": "127.0.0.1", "port": port, "sslmode": "disable"}
    try:
        yield proxy
    finally:
        listener.close()
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)


async def _connect(section: Section) -> tuple[StreamReader, StreamWriter]:
    host, port = str(section["host"]), int(str(section["port"]))
    if host.startswith("/"):
        return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
    return await asyncio.open_connection(host, port)
