"""One row, stored with the bare driver by a process that does nothing else.

Imports neither SQLAlchemy nor the settings; see `teleclaude_quick_write`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from teleclaude.errors import ConfigError, StoreUnavailableError, outcome_unknown
from teleclaude_postgres.passwords import read_password

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Connection = asyncpg.Connection[asyncpg.Record]

_UNREACHABLE: Final = (
    OSError,
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.TargetServerAttributeNotMatched,
    asyncpg.TooManyConnectionsError,
)
_UNKNOWN_CLASSES: Final = ("08", "57")
"""SQLSTATE classes of a connection that breaks and a server that stops: anything may have
happened. After every other error of a statement that commits by itself, nothing has."""


def write(
    arguments: Mapping[str, Any], statement: str, values: Sequence[object], seconds: float
) -> bool:
    """Run an INSERT in autocommit.

    Args:
        arguments: What `quick_arguments` gave.
        statement: The INSERT.
        values: The values of its parameters.
        seconds: How long it may take.

    Returns:
        Whether one row was stored; otherwise none was.

    Raises:
        StoreUnavailableError: No server can be reached, or it is not known what happened.
    """
    return asyncio.run(_write(arguments, statement, values, time.monotonic() + seconds))


async def _write(
    arguments: Mapping[str, Any], statement: str, values: Sequence[object], deadline: float
) -> bool:
    connection = await _connect(arguments, deadline)
    if connection is None:
        return False
    try:
        done = await connection.execute(statement, *values, timeout=deadline - time.monotonic())
    except asyncpg.PostgresError as error:
        if (error.sqlstate or "08")[:2] not in _UNKNOWN_CLASSES:
            return False
        raise outcome_unknown(arguments["location"]) from error
    except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise outcome_unknown(arguments["location"]) from error
    finally:
        connection.terminate()
    return done == "INSERT 0 1"


async def _connect(arguments: Mapping[str, Any], deadline: float) -> Connection | None:
    endpoints = arguments["endpoints"]
    failures = []
    for number, endpoint in enumerate(endpoints):
        # One that drops packets must leave time for the others.
        patience = (deadline - time.monotonic()) / (len(endpoints) - number)
        try:
            connection: Connection = await asyncpg.connect(
                host=endpoint["host"],
                port=endpoint["port"],
                user=arguments["user"],
                database=arguments["dbname"],
                password=_password(arguments),
                timeout=max(0.05, min(patience, arguments["connect_timeout"])),
                server_settings=arguments["session"],
                statement_cache_size=0,
                target_session_attrs=SessionAttribute(arguments["attributes"]),
                **_tls(endpoint["tls"]),
            )
        except ssl.SSLError:
            return None
        except _UNREACHABLE as error:
            said = "no answer in time" if isinstance(error, TimeoutError) else str(error)
            failures.append(f"{endpoint['host']}:{endpoint['port']} ({said})")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, ConfigError, ValueError):
            return None  # a wrong password, a missing database: the long way knows what to say
        else:
            return connection
    message = f"The database {arguments['location']} cannot be reached: {', '.join(failures)}."
    hint = "Check that the server runs and that host and port are right."
    raise StoreUnavailableError(message, hint=hint, transient=True)


def _password(arguments: Mapping[str, Any]) -> str | None:
    file = arguments["password_file"]
    return None if file is None else read_password(file)


def _tls(tls: str | None) -> dict[str, Any]:
    if tls is None:
        return {"ssl": False}
    if tls != "system":
        return {"dsn": tls}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    return {"ssl": context}
