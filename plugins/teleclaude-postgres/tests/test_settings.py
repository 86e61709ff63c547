"""The `database:` section: what is accepted, what is refused and how the refusal reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from teleclaude_postgres.settings import Endpoint, PostgresSettings

SECRET = "correct horse battery staple"


def test_nothing_is_required() -> None:
    """Every key has a default that suits a server on the same machine."""
    settings = PostgresSettings()
    assert settings.endpoints == (Endpoint("localhost", 5432),)
    assert (settings.dbname, settings.user, settings.pooler) == ("teleclaude", "teleclaude", "none")


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("db", 5433, [("db", 5433)]),
        ("db", "5433", [("db", 5433)]),
        ("db1, db2", 5433, [("db1", 5433), ("db2", 5433)]),
        (["db1", "db2"], [1, 2], [("db1", 1), ("db2", 2)]),
        ("db1,db2", "1,2", [("db1", 1), ("db2", 2)]),
        ("/run/postgresql", 5432, [("/run/postgresql", 5432)]),
        ("::1", 5432, [("::1", 5432)]),
    ],
)
def test_hosts_and_ports_pair_up(host: Any, port: Any, expected: list[tuple[str, int]]) -> None:
    """Several hosts come as a list or separated by commas, with one port or one each."""
    assert list(PostgresSettings(host=host, port=port).endpoints) == expected


@pytest.mark.parametrize(
    ("given", "key", "message"),
    [
        ({"host": "db:5433"}, "host", "give the port in `port`"),
        ({"host": "[::1]"}, "host", "IPv6 without brackets"),
        ({"host": ""}, "host", "is not a host"),
        ({"host": []}, "host", "at least 1 item"),
        ({"host": "run/postgresql"}, "host", "a socket directory that starts with /"),
        ({"port": 0}, "port", "greater than or equal to 1"),
        ({"port": 65536}, "port", "less than or equal to 65535"),
        ({"port": True}, "port", "valid tuple"),
        ({"port": "many"}, "port", "valid integer"),
        ({"host": "a,b,c", "port": [1, 2]}, "port", "one for each of the 3 hosts"),
        ({"dbname": ""}, "dbname", "at least 1 character"),
        ({"user": ""}, "user", "at least 1 character"),
        ({"password": ""}, "password", "at least 1 item"),
        ({"password": SECRET, "password_file": "/x"}, "password_file", "both given"),
        ({"sslmode": "verify"}, "sslmode", "'verify-full'"),
        ({"sslmode": "disable", "sslrootcert": "/x"}, "sslrootcert", "sslmode is disable"),
        ({"sslmode": "prefer", "sslrootcert": "/x"}, "sslrootcert", "verifies nothing"),
        ({"sslmode": "require", "sslrootcert": "system"}, "sslrootcert", "needs sslmode verify-"),
        ({"sslcert": "/x"}, "sslkey", "sslcert is given without sslkey"),
        ({"sslkey": "/x"}, "sslkey", "sslkey is given without sslcert"),
        ({"pool_size": 0}, "pool_size", "greater than or equal to 1"),
        ({"connect_timeout": 0}, "connect_timeout", "greater than 0"),
        ({"statement_timeout": -1}, "statement_timeout", "greater than or equal to 0"),
        ({"statement_timeout": float("inf")}, "statement_timeout", "finite number"),
        ({"pooler": "pgbouncer"}, "pooler", "'transaction' or 'session'"),
        ({"lock_host": "db"}, "lock_host", "pooler is none"),
        ({"lock_port": 5432}, "lock_port", "pooler is none"),
        (
            {"pooler": "transaction", "lock_host": "a,b,c", "lock_port": [1, 2]},
            "lock_port",
            "one for each of the 3 hosts",
        ),
        ({"pasword": SECRET}, "pasword", "Extra inputs are not permitted"),
    ],
)
def test_mistakes_name_their_key(given: dict[str, Any], key: str, message: str) -> None:
    """What is wrong or contradicts itself is refused at its key, in words, without secrets."""
    with pytest.raises(ValidationError) as refusal:
        PostgresSettings.model_validate(given)
    errors = refusal.value.errors(include_input=False)
    assert [error["loc"][0] for error in errors] == [key]
    assert message in str(refusal.value)
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "localhost:5432/teleclaude"),
        ({"host": "a,b", "port": [1, 2], "dbname": "x"}, "a:1,b:2/x"),
        ({"host": "::1"}, "[::1]:5432/teleclaude"),
        ({"host": "/run/postgresql"}, "/run/postgresql:5432/teleclaude"),
        ({"password": SECRET}, "localhost:5432/teleclaude"),
    ],
)
def test_location_is_readable_and_has_no_secret(given: dict[str, Any], expected: str) -> None:
    """The location is what a person needs to find the database, and no more."""
    assert PostgresSettings.model_validate(given).location == expected


def test_password_does_not_show() -> None:
    """Neither text form of the settings holds the password."""
    settings = PostgresSettings(password=SECRET)
    assert SECRET not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [("pool", 6432)]),
        ({"lock_host": "db"}, [("db", 5432)]),
        ({"lock_port": 5433}, [("pool", 5433)]),
        ({"lock_host": "a,b", "lock_port": "1,2"}, [("a", 1), ("b", 2)]),
    ],
)
def test_lock_has_its_own_address(given: dict[str, Any], expected: list[tuple[str, int]]) -> None:
    """The lock's address is the server's own where given; PostgreSQL's port is assumed."""
    pool = {"host": "pool", "port": 6432, "pooler": "transaction"}
    assert list(PostgresSettings.model_validate(pool | given).lock_endpoints) == expected


def test_home_directory_in_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that starts with `~` is one in the user's home directory."""
    monkeypatch.setenv("HOME", "/home/somebody")
    assert PostgresSettings(password_file="~/pw").password_file == Path("/home/somebody/pw")


def test_every_key_is_documented() -> None:
    """Every key has a description, which the reference documentation shows."""
    undocumented = [
        name for name, field in PostgresSettings.model_fields.items() if not field.description
    ]
    assert undocumented == []
