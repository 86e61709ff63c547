"""Where a password comes from, on a server that asks for one, and where it never goes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from sqlalchemy import text

from teleclaude.backends import ErrorKind
from teleclaude.errors import ConfigError
from teleclaude_postgres.settings import PostgresSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres_provisioning import PostgresProvisioner
    from teleclaude.backends import Backend

PASSWORD = "p%40ss:w/rd \N{LATIN SMALL LETTER E WITH ACUTE}@\\'\""


@pytest.fixture(scope="module")
def scram(provisioner: PostgresProvisioner) -> Iterator[dict[str, Any]]:
    """The settings, but for the password, of a server that asks for one."""
    hba = ["local all all trust", "host all all all scram-sha-256"]
    with provisioner.start_server(tcp=True, hba=hba) as server:
        asyncio.run(_create_role(str(server.directory), server.port))
        yield {"host": server.host, "port": server.port, "dbname": "postgres", "user": "somebody"}


async def _create_role(host: str, port: int) -> None:
    connection = await asyncpg.connect(host=host, port=port, user="postgres", database="postgres")
    quoted = await connection.fetchval("SELECT quote_literal($1::text)", PASSWORD)
    await connection.execute(f"CREATE ROLE somebody LOGIN PASSWORD {quoted}")
    await connection.execute("CREATE ROLE simple LOGIN PASSWORD 'simple-pw'")
    await connection.close()


async def who_am_i(backend: Backend, settings: dict[str, Any]) -> str:
    engine = backend.create_engine(PostgresSettings.model_validate(settings))
    try:
        async with engine.connect() as connection:
            return str(await connection.scalar(text("SELECT current_user")))
    finally:
        await engine.dispose()


async def test_from_the_settings(backend: Backend, scram: dict[str, Any]) -> None:
    """`password` is taken as it is, whatever characters are in it."""
    assert await who_am_i(backend, scram | {"password": PASSWORD}) == "somebody"


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
async def test_from_a_file(
    backend: Backend, scram: dict[str, Any], tmp_path: Path, ending: str
) -> None:
    """`password_file` holds the password, with or without a line break at the end."""
    file = tmp_path / "password"
    file.write_bytes((PASSWORD + ending).encode())
    assert await who_am_i(backend, scram | {"password_file": file}) == "somebody"


async def test_a_file_is_read_for_every_connection(
    backend: Backend, scram: dict[str, Any], tmp_path: Path
) -> None:
    """A password that is put into the file later is found, without a new engine."""
    file = tmp_path / "password"
    settings = PostgresSettings.model_validate(scram | {"password_file": file})
    engine = backend.create_engine(settings)
    with pytest.raises(ConfigError, match="password_file"):
        await engine.connect()
    file.write_text(PASSWORD)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT current_user")) == "somebody"
    await engine.dispose()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "is not a text file in UTF-8"),
    ],
)
async def test_a_file_without_a_password(
    backend: Backend, tmp_path: Path, content: bytes | None, message: str
) -> None:
    """A file that gives no password is an error that names key and file."""
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as refusal:
        await who_am_i(backend, {"password_file": file})
    assert refusal.value.key == "database.password_file"
    assert str(file) in str(refusal.value)


async def test_from_the_environment(
    backend: Backend, scram: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`PGPASSWORD` counts where the settings give no password."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert await who_am_i(backend, scram) == "somebody"


@pytest.mark.parametrize("place", ["PGPASSFILE", "home"])
async def test_from_a_pgpass_file(
    backend: Backend,
    scram: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    """libpq's password file is found by address, database and role."""
    file = tmp_path / ("passwords" if place == "PGPASSFILE" else "home/.pgpass")
    file.touch(0o600)
    file.write_text(f"elsewhere:*:*:*:wrong\n127.0.0.1:{scram['port']}:*:simple:simple-pw\n")
    if place == "PGPASSFILE":
        monkeypatch.setenv("PGPASSFILE", str(file))
    assert await who_am_i(backend, scram | {"user": "simple"}) == "simple"


async def test_the_settings_come_first(
    backend: Backend, scram: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is configured for TeleClaude wins over what is in the environment for everybody."""
    monkeypatch.setenv("PGPASSWORD", "wrong")
    assert await who_am_i(backend, scram | {"password": PASSWORD}) == "somebody"


async def test_a_wrong_password_is_not_told(backend: Backend, scram: dict[str, Any]) -> None:
    """A refused password is classified as such, and is nowhere in the error or the engine."""
    wrong = "s3cr3t-and-wrong"
    settings = PostgresSettings.model_validate(scram | {"password": wrong})
    engine = backend.create_engine(settings)
    with pytest.raises(Exception, match="password authentication failed") as refusal:
        await engine.connect()
    assert backend.classify_error(refusal.value) is ErrorKind.DENIED
    assert wrong not in "".join(map(repr, (refusal.value, engine, engine.url, settings)))
    await engine.dispose()


async def test_values_do_not_show_in_errors(backend: Backend, settings: PostgresSettings) -> None:
    """A failing statement's error does not repeat the values it was run with."""
    engine = backend.create_engine(settings)
    async with engine.connect() as connection:
        with pytest.raises(Exception, match="division by zero") as failure:
            await connection.execute(
                text("SELECT 1 / CAST(:zero AS int), :v"), {"zero": 0, "v": "x7"}
            )
    assert "x7" not in str(failure.value)
    await engine.dispose()
