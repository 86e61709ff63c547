"""TLS: the six modes, the three files, right and wrong authorities and host names."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from teleclaude.backends import ErrorKind
from teleclaude.errors import ConfigError
from teleclaude_postgres.settings import PostgresSettings
from teleclaude_postgres.tls import effective_sslmode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres_provisioning import PostgresProvisioner
    from postgres_server import PostgresServer
    from teleclaude.backends import Backend

_TURNS = 10

MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@pytest.fixture(scope="module")
def server(provisioner: PostgresProvisioner, authority: Any) -> Iterator[PostgresServer]:
    """A server whose certificate is for `localhost`, reached as 127.0.0.1 too.

    The role `encrypted` must use TLS, `plain` must not, and `certified` needs a certificate.
    """
    hba = [
        "local all all trust",
        "hostssl all encrypted all trust",
        "hostnossl all plain all trust",
        "hostssl all certified all cert",
        "host all postgres all trust",
    ]
    with provisioner.start_server(tcp=True, tls=True, hba=hba) as server:
        certificate, key = authority.issue("localhost", "localhost")
        server.add_file("server.crt", certificate.read_bytes())
        server.add_file("server.key", key.read_bytes())
        server.add_file("root.crt", authority.certificate.read_bytes())
        asyncio.run(_switch_tls_on(server))
        yield server


async def _switch_tls_on(server: PostgresServer) -> None:
    connection = await asyncpg.connect(
        host=str(server.directory), port=server.port, user="postgres", database="postgres"
    )
    for role in ("encrypted", "plain", "certified"):
        await connection.execute(f"CREATE ROLE {role} LOGIN")
    for key, file in (("cert", "server.crt"), ("key", "server.key"), ("ca", "root.crt")):
        await connection.execute(f"ALTER SYSTEM SET ssl_{key}_file = '{server.directory / file}'")
    await connection.execute("ALTER SYSTEM SET ssl = on")
    await connection.close()
    server.stop()
    server.start()


@pytest.fixture(scope="module")
def plain_server(provisioner: PostgresProvisioner) -> Iterator[PostgresServer]:
    """A server without TLS."""
    with provisioner.start_server(tcp=True) as server:
        yield server


async def is_encrypted(backend: Backend, server: PostgresServer, **given: Any) -> bool:
    section = {"host": "localhost", "port": server.port, "user": "postgres", "dbname": "postgres"}
    engine = backend.create_engine(PostgresSettings.model_validate(section | given))
    statement = text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    try:
        async with engine.connect() as connection:
            return bool(await connection.scalar(statement))
    finally:
        await engine.dispose()
        # The event loop closes the socket of a failed handshake a few turns later; a test must not
        # end before that.
        for _ in range(_TURNS):
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("mode", "encrypted"), [(mode, mode not in ("disable", "allow")) for mode in MODES]
)
async def test_modes_on_a_server_with_tls(
    backend: Backend, server: PostgresServer, authority: Any, mode: str, *, encrypted: bool
) -> None:
    """`disable` and `allow` do without TLS where they can; all others use it."""
    root = {"sslrootcert": authority.certificate} if mode.startswith("verify") else {}
    assert await is_encrypted(backend, server, sslmode=mode, **root) is encrypted


@pytest.mark.parametrize("mode", MODES)
async def test_modes_on_a_server_without_tls(
    backend: Backend, plain_server: PostgresServer, authority: Any, mode: str
) -> None:
    """From `require` on, a server without TLS is refused, and as such."""
    root = {"sslrootcert": authority.certificate} if mode.startswith("verify") else {}
    if mode in ("disable", "allow", "prefer"):
        assert not await is_encrypted(backend, plain_server, sslmode=mode)
        return
    with pytest.raises(ConnectionError, match="rejected SSL upgrade") as refusal:
        await is_encrypted(backend, plain_server, sslmode=mode, **root)
    assert backend.classify_error(refusal.value) is ErrorKind.TLS


@pytest.mark.parametrize(
    ("mode", "role", "encrypted"), [("allow", "encrypted", True), ("prefer", "plain", False)]
)
async def test_modes_that_try_both(
    backend: Backend, server: PostgresServer, mode: str, role: str, *, encrypted: bool
) -> None:
    """`allow` and `prefer` do the other thing where the server insists on it."""
    assert await is_encrypted(backend, server, sslmode=mode, user=role) is encrypted


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_wrong_authority(
    backend: Backend, server: PostgresServer, foreign_authority: Any, mode: str
) -> None:
    """Given an authority, every mode that uses TLS verifies that it signed the server's name."""
    root = foreign_authority.certificate
    with pytest.raises(ConnectionError, match="CERTIFICATE_VERIFY_FAILED") as refusal:
        await is_encrypted(backend, server, sslmode=mode, sslrootcert=root)
    assert backend.classify_error(refusal.value) is ErrorKind.TLS


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_wrong_host_name(
    backend: Backend, server: PostgresServer, authority: Any, mode: str
) -> None:
    """Only `verify-full` looks at the host name in the certificate."""
    given = {"host": "127.0.0.1", "sslmode": mode, "sslrootcert": authority.certificate}
    if mode != "verify-full":
        assert await is_encrypted(backend, server, **given)
        return
    with pytest.raises(ConnectionError, match="IP address mismatch") as refusal:
        await is_encrypted(backend, server, **given)
    assert backend.classify_error(refusal.value) is ErrorKind.TLS


async def test_a_server_that_fails_verification_ends_the_search(
    backend: Backend, server: PostgresServer, foreign_authority: Any
) -> None:
    """No further host is tried after one whose certificate is wrong; somebody may be in between."""
    with pytest.raises(ConnectionError) as refusal:
        await is_encrypted(
            backend,
            server,
            host="localhost,127.0.0.1",
            sslmode="verify-ca",
            sslrootcert=foreign_authority.certificate,
        )
    assert "127.0.0.1" not in str(refusal.value)


async def test_client_certificate(backend: Backend, server: PostgresServer, authority: Any) -> None:
    """`sslcert` and `sslkey` log a role in that needs a certificate."""
    certificate, key = authority.issue("certified")
    files = {"sslcert": certificate, "sslkey": key}
    for mode in ("prefer", "require", "verify-full"):
        root = {"sslrootcert": authority.certificate} if mode == "verify-full" else {}
        given = {"user": "certified", "sslmode": mode, **files, **root}
        assert await is_encrypted(backend, server, **given)


async def test_client_without_certificate(backend: Backend, server: PostgresServer) -> None:
    """A role that needs a certificate does not get in without one."""
    with pytest.raises(DBAPIError) as refusal:
        await is_encrypted(backend, server, user="certified", sslmode="require")
    assert backend.classify_error(refusal.value) is ErrorKind.DENIED


async def test_authorities_of_the_operating_system(
    backend: Backend, server: PostgresServer, authority: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sslrootcert: system` verifies against what OpenSSL trusts, host name included."""
    with pytest.raises(ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        await is_encrypted(backend, server, sslrootcert="system")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    assert await is_encrypted(backend, server, sslrootcert="system")
    with pytest.raises(ConnectionError, match="IP address mismatch"):
        await is_encrypted(backend, server, sslrootcert="system", host="127.0.0.1")


async def test_default_authorities(
    backend: Backend, server: PostgresServer, authority: Any, tmp_path: Path
) -> None:
    """Without `sslrootcert` the authorities are in libpq's file, and a missing one is explained."""
    with pytest.raises(ConfigError, match=r"root\.crt.* does not exist") as refusal:
        await is_encrypted(backend, server, sslmode="verify-full")
    assert refusal.value.key == "database.sslrootcert"
    assert "`system`" in (refusal.value.hint or "")
    directory = tmp_path / "home/.postgresql"
    directory.mkdir()
    (directory / "root.crt").write_bytes(authority.certificate.read_bytes())
    assert await is_encrypted(backend, server, sslmode="verify-full")


@pytest.mark.parametrize(
    "case",
    [
        (key, problem)
        for key in ("sslrootcert", "sslcert", "sslkey")
        for problem in ("missing", "directory", "nonsense")
    ],
    ids=" ".join,
)
async def test_files_that_cannot_be_used(
    backend: Backend,
    server: PostgresServer,
    authority: Any,
    tmp_path: Path,
    case: tuple[str, str],
) -> None:
    """A file that is missing or holds something else is an error that names key and file."""
    certificate, private = authority.issue("certified")
    files = {"sslrootcert": authority.certificate, "sslcert": certificate, "sslkey": private}
    key, problem = case
    bad = tmp_path / "bad"
    if problem == "directory":
        bad.mkdir(0o700)
    elif problem == "nonsense":
        bad.touch(0o600)
        bad.write_text("nonsense")
    with pytest.raises(ConfigError) as refusal:
        await is_encrypted(backend, server, sslmode="verify-full", **{**files, key: bad})
    assert str(bad) in str(refusal.value)
    both = ("database.sslcert", "database.sslkey") if problem == "nonsense" else ()
    assert refusal.value.key in (f"database.{key}", *both)


async def test_key_that_others_can_read(
    backend: Backend, server: PostgresServer, authority: Any
) -> None:
    """A private key that is not private is refused, as libpq does."""
    certificate, key = authority.issue("certified")
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600") as refusal:
        await is_encrypted(backend, server, sslmode="require", sslcert=certificate, sslkey=key)
    assert refusal.value.key == "database.sslkey"


@pytest.mark.parametrize(
    ("host", "given", "expected"),
    [
        ("localhost", {}, "prefer"),
        ("127.0.0.2", {}, "prefer"),
        ("::1", {}, "prefer"),
        ("/run/postgresql", {}, "disable"),
        ("/run/postgresql", {"sslmode": "verify-full"}, "disable"),
        ("db.example.org", {}, "verify-full"),
        ("192.168.0.1", {}, "verify-full"),
        ("localhost", {"sslrootcert": "/some/file"}, "verify-full"),
        ("db.example.org", {"sslmode": "disable"}, "disable"),
    ],
)
def test_default_mode(host: str, given: dict[str, Any], expected: str) -> None:
    """Off the local machine, and wherever an authority is given, servers are verified."""
    assert effective_sslmode(PostgresSettings(**given), host) == expected


async def test_mode_of_the_environment_does_not_count(
    backend: Backend, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`PGSSLMODE` cannot switch off what the configuration asks for."""
    monkeypatch.setenv("PGSSLMODE", "disable")
    assert await is_encrypted(backend, server, sslmode="require")
