"""The `database:` section."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from teleclaude.config import load_config
from teleclaude.errors import ConfigError
from teleclaude_sqlite.settings import SqliteSettings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a working directory of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_defaults(home: Path) -> None:
    """Without any configuration the database is in the home directory."""
    settings = SqliteSettings()
    assert settings.path == home / ".teleclaude/teleclaude.db"
    assert (settings.busy_timeout, settings.synchronous, settings.cache_size) == (5.0, "normal", 16)
    assert settings.location == str(settings.path)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("~/a.db", "{home}/a.db"),
        ("$PLACE/a.db", "{home}/place/a.db"),
        ("${PLACE}/b c.db", "{home}/place/b c.db"),
        ("a.db", "{home}/a.db"),
        ("/absolute/a.db", "/absolute/a.db"),
        ("./100 %.db", "{home}/100 %.db"),
        ("cost in $.db", "{home}/cost in $.db"),
    ],
)
def test_paths(home: Path, monkeypatch: pytest.MonkeyPatch, given: str, expected: str) -> None:
    """`~` and variables are expanded and the path is absolute; nothing else is special."""
    monkeypatch.setenv("PLACE", str(home / "place"))
    assert SqliteSettings.model_validate({"path": given}).path == Path(expected.format(home=home))


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("busy_timeout", "0", 0.0),
        ("busy_timeout", "2.5", 2.5),
        ("busy_timeout", "3600", 3600.0),
        ("synchronous", "full", "full"),
        ("synchronous", "normal", "normal"),
        ("cache_size", "1", 1),
        ("cache_size", "1048576", 1048576),
    ],
)
def test_good_values(key: str, text: str, value: object) -> None:
    """Every key can be given as text, as the environment and the file give it."""
    assert getattr(SqliteSettings.model_validate({key: text}), key) == value


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("path", ":memory:", "a database in memory would be gone"),
        ("path", "file:x?mode=memory", "a database in memory would be gone"),
        ("path", "$NO_SUCH_VARIABLE/a.db", "a variable that is not set"),
        ("path", "${NO_SUCH_VARIABLE}", "a variable that is not set"),
        ("path", None, "path"),
        ("busy_timeout", "-1", "greater than or equal to 0"),
        ("busy_timeout", "3601", "less than or equal to 3600"),
        ("busy_timeout", "nan", "finite"),
        ("busy_timeout", "inf", "finite"),
        ("busy_timeout", "soon", "number"),
        ("synchronous", "off", "'normal' or 'full'"),
        ("synchronous", "FULL", "'normal' or 'full'"),
        ("cache_size", "0", "greater than or equal to 1"),
        ("cache_size", "1048577", "less than or equal to"),
        ("cache_size", "1.5", "integer"),
        ("journal_mode", "wal", "not permitted"),
    ],
)
def test_bad_values(key: str, value: object, message: str) -> None:
    """What makes no sense is refused, and the key is named."""
    with pytest.raises(ValidationError, match=message) as failure:
        SqliteSettings.model_validate({key: value})
    assert failure.value.errors()[0]["loc"] == (key,)


def test_the_old_variable(home: Path) -> None:
    """`TELECLAUDE_DB_PATH` wins over the file and loses against the variable of the key."""
    file = home / "teleclaude.yml"
    file.write_text("database: {path: in-file.db}")
    environ = {"TELECLAUDE_DB_PATH": "~/old.db"}
    assert load_config(file, environ=environ).database.location == str(home / "old.db")
    environ["TELECLAUDE_DATABASE__PATH"] = "~/new.db"
    assert load_config(file, environ=environ).database.location == str(home / "new.db")


def test_mistakes_in_the_file_name_the_line(home: Path) -> None:
    """A wrong key says where it stands and what was meant."""
    file = home / "teleclaude.yml"
    file.write_text("database:\n  engine: sqlite\n  bussy_timeout: 1\n")
    with pytest.raises(ConfigError, match=r"yml:3: .*bussy_timeout.*'busy_timeout'"):
        load_config(file, environ={})


def test_settings_cannot_be_changed() -> None:
    """What was validated stays as it is."""
    with pytest.raises(ValidationError, match="frozen"):
        SqliteSettings().path = Path("other")
