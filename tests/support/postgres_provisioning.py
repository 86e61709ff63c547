"""Fresh PostgreSQL databases for tests, from the server the environment names or a throw-away one.

The methods are synchronous, so that fixtures and tests of both kinds can use them; what is
asynchronous in the driver runs on an event loop in a thread of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import asyncpg

from postgres_server import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence
    from typing import TypeVar

    Result = TypeVar("Result")
    Section = Mapping[str, object]

URL_VARIABLE: Final = "TELECLAUDE_TEST_POSTGRES_URL"
"""Names the server to test on, as `postgresql://user:password@host:port/database`; its role needs
CREATEDB. Unset: a throw-away server is started."""

_SECONDS: Final = 60.0


@dataclass(frozen=True)
class _Address:
    host: str
    port: int
    user: str
    database: str
    password: str | None = field(default=None, repr=False)

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        return await asyncpg.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            database=self.database,
            password=self.password,
        )


class PostgresProvisioner:
    """Makes and drops databases on one server, which is found at the first use."""

    def __init__(self) -> None:
        """Prepare; nothing is started yet."""
        run = secrets.token_hex(4)  # several test runs may share a server
        self._names = (f"teleclaude_test_{run}_{number}" for number in itertools.count())
        self._server: PostgresServer | None = None
        self._address: _Address | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._admin: asyncpg.Connection[asyncpg.Record] | None = None
        self._made: set[str] = set()

    def section(self) -> dict[str, object]:
        """Make an empty database.

        Returns:
            The `database:` section that configures it.
        """
        name = next(self._names)
        self.execute(f'CREATE DATABASE "{name}"')
        self._made.add(name)
        address = self._where()
        section: dict[str, object] = {
            "engine": "postgresql",
            "host": address.host,
            "port": address.port,
            "dbname": name,
            "user": address.user,
        }
        return section | ({"password": address.password} if address.password else {})

    def drop(self, section: Section) -> None:
        """Drop a database, ending whatever connections it still has."""
        name = str(section["dbname"])
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self._made.discard(name)

    def execute(
        self, sql: str, *arguments: object, section: Section | None = None
    ) -> list[tuple[object, ...]]:
        """Run a statement beside whatever is being tested.

        Args:
            sql: One statement, with `$1` and so on for the arguments.
            *arguments: Their values.
            section: In which database; in the administrator's when left out.

        Returns:
            The rows.
        """
        return self._await(self._execute(sql, arguments, section))

    def start_server(
        self,
        *,
        tcp: bool = False,
        tls: bool = False,
        hba: Sequence[str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> PostgresServer:
        """Give a throw-away server of a test's own, to stop, restart or configure.

        Args:
            tcp: Listen on 127.0.0.1 instead of only on a socket.
            tls: The server must be one that is built with TLS.
            hba: The lines of `pg_hba.conf`; everybody is trusted when left out.
            settings: Server settings.

        Returns:
            A context manager that starts the server.
        """
        return PostgresServer(tcp=tcp, tls=tls, hba=hba, settings=settings)

    def close(self) -> None:
        """Drop what is left, and stop the server if it is ours."""
        try:
            if self._admin is not None and self._server is None:
                for name in tuple(self._made):
                    self.drop({"dbname": name})
            if self._admin is not None:
                self._await(self._admin.close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            if self._server is not None:
                self._server.close()

    def _where(self) -> _Address:
        if self._address is None:
            url = os.environ.get(URL_VARIABLE)
            self._address = _parse(url) if url else self._start_own()
        return self._address

    def _start_own(self) -> _Address:
        self._server = PostgresServer()
        self._server.start()
        return _Address(**self._server.connect_arguments)

    async def _execute(
        self, sql: str, arguments: Sequence[object], section: Section | None
    ) -> list[tuple[object, ...]]:
        address = self._where()
        if section is None:
            if self._admin is None or self._admin.is_closed():
                self._admin = await address.connect()
            return [tuple(row) for row in await self._admin.fetch(sql, *arguments)]
        connection = await replace(address, database=str(section["dbname"])).connect()
        try:
            return [tuple(row) for row in await connection.fetch(sql, *arguments)]
        finally:
            await connection.close()

    def _await(self, coroutine: Coroutine[object, object, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_SECONDS)


def _parse(url: str) -> _Address:
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres") or not parts.hostname:
        message = f"{URL_VARIABLE} should be postgresql://user:password@host:port/database."
        raise RuntimeError(message)
    return _Address(
        host=parts.hostname,
        port=parts.port or 5432,
        user=unquote(parts.username or "postgres"),
        database=unquote(parts.path.lstrip("/")) or "postgres",
        password=unquote(parts.password) if parts.password else None,
    )
