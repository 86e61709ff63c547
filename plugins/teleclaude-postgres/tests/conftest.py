"""Fixtures: fresh databases on a real server, servers of a test's own, certificates, PgBouncer."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from postgres_provisioning import PostgresProvisioner
from postgres_server import free_port, give_away, unprivileged
from store_fixtures import template
from teleclaude.backends import Backend, load_backend
from teleclaude_postgres.settings import PostgresSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from sqlalchemy.ext.asyncio import AsyncEngine


__all__ = ["template"]
"""Here again, because this one is on the server of the `provisioner` below."""


@pytest.fixture(scope="session")
def provisioner() -> Iterator[PostgresProvisioner]:
    provisioner = PostgresProvisioner()
    yield provisioner
    provisioner.close()


@pytest.fixture(scope="session")
def backend() -> Backend:
    return load_backend("postgresql")


@pytest.fixture(autouse=True)
def no_foreign_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep what the user has configured for PostgreSQL out of the tests."""
    for name in tuple(os.environ):
        if name.startswith("PG"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture
def section(provisioner: PostgresProvisioner) -> Iterator[dict[str, Any]]:
    """The `database:` section of a fresh database, without `engine`."""
    section = provisioner.section()
    del section["engine"]
    yield section
    provisioner.drop(section)


@pytest.fixture
def settings(section: dict[str, Any]) -> PostgresSettings:
    return PostgresSettings.model_validate(section)


@pytest.fixture
async def engine(backend: Backend, settings: PostgresSettings) -> AsyncIterator[AsyncEngine]:
    engine = backend.create_engine(settings)
    yield engine
    await engine.dispose()


class Until(Protocol):
    """Waits, for a few seconds at most, until a condition holds."""

    async def __call__(self, condition: Callable[[], bool]) -> None: ...


@pytest.fixture
def until() -> Until:
    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - another process, which announces nothing
                await asyncio.sleep(0.01)

    return until


# --- certificates -------------------------------------------------------------------------------


class Authority:
    """A certificate authority that exists for one test run."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _distinguished(name)
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self._certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(identifier, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = self._write(f"{name}.crt", _pem(self._certificate))

    def issue(self, common_name: str, *hosts: str) -> tuple[Path, Path]:
        """Issue a certificate for a server with host names, or for a client without."""
        key = ec.generate_private_key(ec.SECP256R1())
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            _builder(_distinguished(common_name), self._name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(authority, critical=False)
        )
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if hosts:
            names = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        certificate = _pem(builder.sign(self._key, hashes.SHA256()))
        stem = f"{common_name}-{key.public_key().public_numbers().x:x}"[:40]
        return self._write(f"{stem}.crt", certificate), self._write(f"{stem}.key", private)

    def _write(self, name: str, content: bytes) -> Path:
        path = self._directory / name
        path.touch(0o600)
        path.write_bytes(content)
        return path


def _distinguished(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "TeleClaude test authority")


@pytest.fixture(scope="session")
def foreign_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("foreign"), "Somebody else's authority")


# --- PgBouncer ----------------------------------------------------------------------------------


class StartPgBouncer(Protocol):
    """Starts a PgBouncer in front of a database and gives its address as settings."""

    def __call__(
        self, section: dict[str, Any], pool_mode: str, **options: object
    ) -> dict[str, Any]: ...


@pytest.fixture
def pgbouncer() -> Iterator[StartPgBouncer]:
    binary = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        message = "there is no pgbouncer to test with: apt-get install pgbouncer"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with ExitStack() as stack:

        def start(section: dict[str, Any], pool_mode: str, **options: object) -> dict[str, Any]:
            port = free_port()
            configuration = _pgbouncer_configuration(section, port, pool_mode, options)
            stack.enter_context(_PgBouncer(binary, configuration, port))
            return {**section, "host": "127.0.0.1", "port": port}

        yield start


class _PgBouncer:
    def __init__(self, binary: str, configuration: str, port: int) -> None:
        self._binary = binary
        self._configuration = configuration
        self._port = port

    def __enter__(self) -> None:
        # Not below pytest's directories, which the user it runs as cannot enter.
        self._directory = Path(tempfile.mkdtemp(prefix="pgb-", dir="/tmp"))
        file = self._directory / "pgbouncer.ini"
        file.write_text(self._configuration)
        for path in (self._directory, file):
            give_away(path)
        self._process = subprocess.Popen(
            [self._binary, "--quiet", str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **unprivileged(),
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._port)):
                return
            time.sleep(0.01)
        self.__exit__()
        pytest.fail("pgbouncer did not start")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=10)
        shutil.rmtree(self._directory)


def _pgbouncer_configuration(
    section: dict[str, Any], port: int, pool_mode: str, options: dict[str, object]
) -> str:
    server = {key: section[key] for key in ("host", "port", "user", "password") if key in section}
    pgbouncer = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": pool_mode,
        **options,
    }
    lines = ["[databases]", "* = " + " ".join(f"{key}={value}" for key, value in server.items())]
    lines += ["[pgbouncer]", *(f"{key} = {value}" for key, value in pgbouncer.items()), ""]
    return "\n".join(lines)
