"""`PostgresSettings`: the keys of the `database:` section when the engine is `postgresql`.

Only what can be judged without touching the machine is checked here; files are read when a
connection is made, so that a rotated password or certificate is picked up.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from teleclaude.backends import BackendSettings

SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

DEFAULT_PORT: Final = 5432


class Endpoint(NamedTuple):
    """One address to connect to.

    Attributes:
        host: A host name, an address, or a directory of sockets.
        port: The TCP port; for a directory, the number in the socket's file name.
    """

    host: str
    port: int

    def __str__(self) -> str:
        """Write the address the way people do."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_socket_directory(host: str) -> bool:
    """Say whether a host is the directory of a Unix socket, by libpq's rule."""
    return host.startswith("/")


def _split(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    if isinstance(value, int) and not isinstance(value, bool):
        return [value]
    return value


def _check_host(host: str) -> str:
    if is_socket_directory(host):
        return host
    if not host or any(character.isspace() or character in "/@" for character in host):
        message = (
            f"{host!r} is not a host: a host name, an address, "
            "or a socket directory that starts with / was expected"
        )
        raise ValueError(message)
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            message = f"{host!r} is not a host: give the port in `port`, and IPv6 without brackets"
            raise ValueError(message) from None
    return host


Hosts = Annotated[
    tuple[Annotated[str, AfterValidator(_check_host)], ...],
    BeforeValidator(_split),
    Field(min_length=1),
]
Ports = Annotated[
    tuple[Annotated[int, Field(ge=1, le=65535)], ...], BeforeValidator(_split), Field(min_length=1)
]
UserPath = Annotated[Path, AfterValidator(Path.expanduser)]
Name = Annotated[str, Field(min_length=1)]


class PostgresSettings(BackendSettings):
    """How to reach a PostgreSQL server; names and meanings are libpq's where libpq has them."""

    alternatives: ClassVar[Sequence[Sequence[str]]] = (("password", "password_file"),)

    host: Hosts = ("localhost",)
    """Host name, address, or socket directory (starts with `/`). Several, as a list or separated by
    commas, are tried in order until one is reached that accepts writes."""

    port: Ports = (DEFAULT_PORT,)
    """Port, one for all hosts or one for each."""

    dbname: Name = "teleclaude"
    """Name of the database."""

    user: Name = "teleclaude"
    """Name of the role to log in as."""

    password: Annotated[SecretStr, Field(min_length=1)] | None = None
    """Password. Left out together with `password_file`: `PGPASSWORD`, then the file `PGPASSFILE`
    names, then `~/.pgpass`."""

    password_file: UserPath | None = None
    """File that holds the password and nothing else (one trailing line break is ignored). It is
    read for every new connection. Its permissions are not judged, because container platforms
    mount secrets readable for all."""

    sslmode: SslMode | None = None
    """How TLS is used. Left out: `disable` for socket directories, `prefer` for `localhost` and
    loopback addresses, `verify-full` for all other hosts and wherever `sslrootcert` is given."""

    sslrootcert: Literal["system"] | UserPath | None = None
    """File with the certificates of the authorities that may have signed the server's, or `system`
    for those of the operating system. Left out: `PGSSLROOTCERT`, then `~/.postgresql/root.crt`."""

    sslcert: UserPath | None = None
    """File with the client's certificate. Left out: `PGSSLCERT`, then
    `~/.postgresql/postgresql.crt`, if there is one."""

    sslkey: UserPath | None = None
    """File with the unencrypted private key of `sslcert`. Nobody but its owner may have access to
    it; a file of root's may be readable for its group."""

    pool_size: Annotated[int, Field(ge=1, le=1000)] = 10
    """Most connections open at once. A daemon has one more, for its instance lock."""

    connect_timeout: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 10.0
    """Seconds until an attempt to connect is given up, per host, authentication included."""

    statement_timeout: Annotated[float, Field(ge=0, le=2_147_483, allow_inf_nan=False)] | None = (
        30.0
    )
    """Seconds after which a statement is cancelled; 0 or null: never. Migrations are exempt."""

    pooler: Literal["none", "transaction", "session"] = "none"
    """Whether `host` is a connection pooler such as PgBouncer, and what it pools by."""

    lock_host: Hosts | None = None
    """Address of the server itself, for the instance lock, where `host` is a pooler. Left out:
    `host`."""

    lock_port: Ports | None = None
    """Port of the server itself, for the instance lock, one for all lock hosts or one for each.
    Left out: 5432 where `lock_host` is given."""

    @field_validator("port", "lock_port")
    @classmethod
    def _one_port_or_one_each(
        cls, ports: tuple[int, ...] | None, info: ValidationInfo
    ) -> tuple[int, ...] | None:
        hosts = info.data.get("host", ())
        if info.field_name == "lock_port":
            hosts = info.data.get("lock_host") or hosts
        if ports and hosts and len(ports) not in (1, len(hosts)):
            message = f"one port, or one for each of the {len(hosts)} hosts, was expected, "
            raise ValueError(message + f"not {len(ports)}")
        return ports

    @field_validator("password_file")
    @classmethod
    def _one_password(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if file is not None and info.data.get("password") is not None:
            raise ValueError("password and password_file are both given; only one can count")
        return file

    @field_validator("sslrootcert", "sslcert", "sslkey")
    @classmethod
    def _tls_file_is_used(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        mode = info.data.get("sslmode")
        if file is not None and mode == "disable":
            message = f"{info.field_name} is given, but sslmode is disable"
            raise ValueError(message)
        return file

    @field_validator("sslrootcert")
    @classmethod
    def _root_certificate_is_verified(
        cls, root: Path | str | None, info: ValidationInfo
    ) -> Path | str | None:
        mode = info.data.get("sslmode")
        if root is not None and mode in ("allow", "prefer"):
            message = f"sslrootcert is given, but sslmode {mode} verifies nothing"
            raise ValueError(message)
        if root == "system" and mode not in (None, "verify-full"):
            message = f"sslrootcert system needs sslmode verify-full, not {mode}: "
            raise ValueError(message + "anybody can get a certificate of a public authority")
        return root

    @field_validator("sslkey")
    @classmethod
    def _certificate_and_key(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if "sslcert" in info.data and (key is None) != (info.data["sslcert"] is None):
            given, missing = ("sslcert", "sslkey") if key is None else ("sslkey", "sslcert")
            message = f"{given} is given without {missing}; they belong together"
            raise ValueError(message)
        return key

    @field_validator("lock_host", "lock_port")
    @classmethod
    def _lock_address_needs_pooler(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("pooler") == "none":
            message = f"{info.field_name} is given, but pooler is none; it is only for poolers"
            raise ValueError(message)
        return value

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The addresses of `host` and `port`, in the order in which they are tried."""
        return _pair(self.host, self.port)

    @property
    def lock_endpoints(self) -> tuple[Endpoint, ...]:
        """The addresses the instance lock is taken at."""
        if not self.has_lock_address:
            return self.endpoints
        return _pair(self.lock_host or self.host, self.lock_port or (DEFAULT_PORT,))

    @property
    def has_lock_address(self) -> bool:
        """Whether the instance lock has an address of its own."""
        return self.lock_host is not None or self.lock_port is not None

    @property
    def location(self) -> str:
        """The addresses and the database, as `host:port/dbname`."""
        return f"{','.join(map(str, self.endpoints))}/{self.dbname}"


def _pair(hosts: tuple[str, ...], ports: tuple[int, ...]) -> tuple[Endpoint, ...]:
    each = ports * len(hosts) if len(ports) == 1 else ports
    return tuple(Endpoint(host, port) for host, port in zip(hosts, each, strict=True))
