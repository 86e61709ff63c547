"""TLS by libpq's names: from `sslmode` and its files to what the driver is told.

The driver implements libpq's modes; here the default mode is decided, the configured files are
checked (the driver's own errors name neither key nor file), and `sslrootcert: system` is added.
https://www.postgresql.org/docs/current/libpq-ssl.html
"""

from __future__ import annotations

import ipaddress
import ssl
import stat
from typing import TYPE_CHECKING, Literal, TypedDict
from urllib.parse import urlencode

from teleclaude.errors import ConfigError
from teleclaude_postgres.settings import is_socket_directory

if TYPE_CHECKING:
    from pathlib import Path

    from teleclaude_postgres.settings import PostgresSettings, SslMode


class TlsArguments(TypedDict, total=False):
    """The part of `asyncpg.connect`'s arguments that is about TLS."""

    ssl: ssl.SSLContext | Literal[False]
    dsn: str


def effective_sslmode(settings: PostgresSettings, host: str) -> SslMode:
    """Decide the mode for one host.

    Args:
        settings: The settings; their `sslmode` counts where it is given.
        host: One of their hosts.

    Returns:
        The mode. Always `disable` for a socket directory: PostgreSQL has no TLS on Unix sockets,
        and libpq ignores the mode there too.
    """
    if is_socket_directory(host):
        return "disable"
    if settings.sslmode is not None:
        return settings.sslmode
    return "prefer" if settings.sslrootcert is None and _is_loopback(host) else "verify-full"


def tls_arguments(settings: PostgresSettings, host: str) -> TlsArguments:
    """Give the driver's TLS arguments for one host.

    Args:
        settings: The settings.
        host: One of their hosts.

    Returns:
        Arguments for `asyncpg.connect`. The driver takes libpq's modes and files in a DSN, which
        therefore holds nothing else; in particular no password.

    Raises:
        ConfigError: One of the configured files cannot be used.
    """
    mode = effective_sslmode(settings, host)
    if mode == "disable":
        return {"ssl": False}
    context = _context_with_configured_files(settings)
    if settings.sslrootcert == "system":
        return {"ssl": context}
    query: dict[str, str] = {"sslmode": mode}
    for key in ("sslrootcert", "sslcert", "sslkey"):
        file = getattr(settings, key)
        if file is not None:
            query[key] = str(file)
    return {"dsn": f"postgresql://?{urlencode(query)}"}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _context_with_configured_files(settings: PostgresSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    root, certificate, key = settings.sslrootcert, settings.sslcert, settings.sslkey
    if root == "system":
        context.load_default_certs()
    elif root is not None:
        _check_readable("sslrootcert", root)
        try:
            context.load_verify_locations(root)
        except ssl.SSLError as error:
            raise _not_usable("sslrootcert", root, "holds no certificate in PEM form") from error
    if certificate is not None and key is not None:
        _check_readable("sslcert", certificate)
        _check_readable("sslkey", key)
        _check_private("sslkey", key)
        _load_pair(context, certificate, key)
    return context


def _load_pair(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        # Without a password callback OpenSSL would ask on the terminal for an encrypted key's.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        reason = f"and {key} are not a certificate and its unencrypted private key in PEM form"
        raise _not_usable("sslcert", certificate, reason) from error


def _check_readable(key: str, file: Path) -> None:
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise _not_usable(key, file, f"cannot be read: {error.strerror}") from error


def _check_private(key: str, file: Path) -> None:
    # libpq's rule: none of the others' bits, except that root's file may be readable for its group.
    facts = file.stat()
    forbidden = stat.S_IRWXG | stat.S_IRWXO
    if facts.st_uid == 0:
        forbidden &= ~stat.S_IRGRP
    if facts.st_mode & forbidden:
        hint = f"Run: chmod 600 {file}"
        raise _not_usable(key, file, "is accessible to others than its owner", hint=hint)


def _not_usable(key: str, file: Path, reason: str, *, hint: str | None = None) -> ConfigError:
    return ConfigError(f"{file} {reason}.", key=f"database.{key}", hint=hint)
