"""What `quick` needs to know, as values that JSON has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teleclaude_postgres.tls import tls_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from teleclaude_postgres.settings import PostgresSettings


def quick_arguments(settings: PostgresSettings) -> Mapping[str, object] | None:
    """Give the arguments of `quick.write`.

    Args:
        settings: How to connect, without a password in them.

    Returns:
        The arguments; `None` where there is a private key, because with every connection it must be
        looked at whether only its owner can read it.
    """
    if settings.sslkey is not None:
        return None
    return {
        "location": settings.location,
        "endpoints": [
            {"host": endpoint.host, "port": endpoint.port, "tls": _tls(settings, endpoint.host)}
            for endpoint in settings.endpoints
        ],
        "attributes": "read-write" if len(settings.endpoints) > 1 else "any",
        "user": settings.user,
        "dbname": settings.dbname,
        "password_file": None if settings.password_file is None else str(settings.password_file),
        "connect_timeout": settings.connect_timeout,
        "session": {"application_name": "teleclaude hook", "timezone": "UTC"},
    }


def _tls(settings: PostgresSettings, host: str) -> str | None:
    """Give the driver's DSN for a host, or `system`, or `None` for no TLS."""
    arguments = tls_arguments(settings, host)
    if "dsn" in arguments:
        return arguments["dsn"]
    return "system" if arguments["ssl"] else None
