"""Opening a driver connection: password, TLS, several hosts, and errors that name what was tried.

Everything that connects (the pool, the instance lock, the look at its holder) does so here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from teleclaude.backends import ErrorKind
from teleclaude.errors import ConfigError
from teleclaude_postgres.errors import CannotConnectError, connect_failure
from teleclaude_postgres.passwords import read_password
from teleclaude_postgres.tls import tls_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from teleclaude_postgres.settings import Endpoint, PostgresSettings

    DriverConnection: TypeAlias = asyncpg.Connection[asyncpg.Record]

_TRY_NEXT_HOST: Final = (
    OSError,
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.TargetServerAttributeNotMatched,
)
"""As in libpq: what a wrong password or a missing database says holds for the other hosts too."""


async def connect(
    settings: PostgresSettings,
    endpoints: Sequence[Endpoint],
    *,
    server_settings: Mapping[str, str],
    statement_cache_size: int = 100,
    command_timeout: float | None = None,
) -> DriverConnection:
    """Connect to the first of several hosts that accepts.

    The hosts are tried one by one instead of by the driver, whose time limit covers all of them
    together: one that drops packets would use it up.

    Args:
        settings: How to log in.
        endpoints: Where, in this order. With several, the first that accepts writes is taken.
        server_settings: Session settings to start with.
        statement_cache_size: How many prepared statements the driver keeps.
        command_timeout: Seconds after which the driver cancels a statement; `None`: never.

    Returns:
        The connection; the caller closes it.

    Raises:
        ConfigError: The password file or a certificate cannot be used, or what was connected to is
            a pooler though the settings say otherwise.
        CannotConnectError: None of the hosts could be connected to.
        asyncpg.PostgresError: A server answered and refused.
    """
    password = _password(settings)
    wanted = SessionAttribute.read_write if len(endpoints) > 1 else SessionAttribute.any
    failures: list[tuple[Endpoint, Exception]] = []
    for endpoint in endpoints:
        try:
            return await asyncpg.connect(
                host=endpoint.host,
                port=endpoint.port,
                user=settings.user,
                database=settings.dbname,
                password=password,
                timeout=settings.connect_timeout,
                server_settings=dict(server_settings),
                target_session_attrs=wanted,
                statement_cache_size=statement_cache_size,
                command_timeout=command_timeout,
                **tls_arguments(settings, endpoint.host),
            )
        except asyncpg.ProtocolViolationError as error:
            raise _explained(error, endpoint) from error
        except asyncpg.ClientConfigurationError as error:
            raise _no_root_certificate(error) from error
        except _TRY_NEXT_HOST as error:
            failures.append((endpoint, error))
            if connect_failure(error) is ErrorKind.TLS:
                break
    raise _cannot_connect(failures) from failures[-1][1]


def _password(settings: PostgresSettings) -> str | None:
    if settings.password is not None:
        return settings.password.get_secret_value()
    file = settings.password_file
    return None if file is None else read_password(file)


def _explained(error: asyncpg.ProtocolViolationError, endpoint: Endpoint) -> Exception:
    if "unsupported startup parameter" not in str(error):
        return error
    message = f"{endpoint} is a connection pooler, but pooler is none."
    hint = "Say `pooler: transaction` or `pooler: session`, whichever it pools by."
    return ConfigError(message, key="database.pooler", hint=hint)


def _no_root_certificate(error: asyncpg.ClientConfigurationError) -> ConfigError:
    reason = str(error).splitlines()[0]
    message = f"The server's certificate cannot be verified: {reason}."
    hint = (
        "Name the file with its authority's certificate here, or say `system` "
        "to trust the operating system's authorities."
    )
    return ConfigError(message, key="database.sslrootcert", hint=hint)


def _cannot_connect(failures: Sequence[tuple[Endpoint, Exception]]) -> CannotConnectError:
    tried = ", ".join(f"{endpoint} ({_reason(error)})" for endpoint, error in failures)
    kinds = [connect_failure(error) for _, error in failures]
    # A host that will be up soon is worth waiting for, whatever is wrong with the others.
    kind = ErrorKind.STARTING if ErrorKind.STARTING in kinds else kinds[-1]
    return CannotConnectError(f"Could not connect to {tried}", kind)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return str(error) or type(error).__name__
