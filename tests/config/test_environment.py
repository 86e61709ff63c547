"""Settings out of the environment, and which source wins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from teleclaude.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from teleclaude.config import Config

    Load = Callable[..., Config]

FAKE = "database:\n  engine: fake\n"


def value(config: Config, key: str) -> object:
    values: dict[str, object] = config.database.model_dump()
    return values[key]


def test_every_key_can_come_from_the_environment(load: Load) -> None:
    """Without a file, engine, database and daemon are configured by variables alone."""
    config = load(
        TELECLAUDE_DATABASE__ENGINE="fake",
        TELECLAUDE_DATABASE__PORT="5",
        TELECLAUDE_DAEMON__STARTUP_TIMEOUT="1.5",
    )
    assert (config.backend.engine, value(config, "port")) == ("fake", 5)
    assert config.daemon.startup_timeout == 1.5
    assert config.sources["database.engine"] == "environment TELECLAUDE_DATABASE__ENGINE"
    assert config.sources["database.port"] == "environment TELECLAUDE_DATABASE__PORT"


def test_the_case_of_a_variable_does_not_matter(load: Load) -> None:
    """Lower case works, and the source repeats the variable as it is."""
    config = load(FAKE, TELECLAUDE_DATABASE__port="5")
    assert value(config, "port") == 5
    assert config.sources["database.port"] == "environment TELECLAUDE_DATABASE__port"


def test_two_spellings_of_one_variable_are_an_error(load: Load) -> None:
    """Which of the two would win is not left to chance."""
    with pytest.raises(ConfigError, match=r"database\.port: .*ambiguous"):
        load(FAKE, TELECLAUDE_DATABASE__port="5", TELECLAUDE_DATABASE__PORT="6")


def test_sources_win_in_order(load: Load) -> None:
    """Variable over engine's own variable over file over default."""
    text = f"{FAKE}  path: /file\n"
    named = {"FAKE_PATH": "/named", "FAKE_PATH_TOO": "/too"}
    variable = {"TELECLAUDE_DATABASE__PATH": "/variable"}
    assert value(load(FAKE), "path") == Path("default.db")
    assert value(load(text), "path") == Path("/file")
    config = load(text, **named)
    assert value(config, "path") == Path("/named")
    assert config.sources["database.path"] == "environment FAKE_PATH"
    assert value(load(text, **named, **variable), "path") == Path("/variable")


def test_an_empty_variable_counts_as_not_set(load: Load) -> None:
    """An exported but empty variable changes nothing."""
    config = load(f"{FAKE}  port: 5\n", TELECLAUDE_DATABASE__PORT="", FAKE_PATH="")
    assert (value(config, "port"), value(config, "path")) == (5, Path("default.db"))


def test_the_variables_of_another_engine_do_not_count(load: Load) -> None:
    """Only the configured engine's own variables are looked at."""
    assert load(FAKE_PATH="/x").database.model_dump() == {"host": "localhost"}


def test_a_password_of_the_environment_displaces_the_password_file(load: Load) -> None:
    """Of two alternatives the one from the stronger source is in force, the other not set."""
    text = f"{FAKE}  password_file: /secret\n"
    config = load(text, TELECLAUDE_DATABASE__PASSWORD="hunter2")
    assert config.database.model_dump()["password"].get_secret_value() == "hunter2"
    assert value(config, "password_file") is None
    assert config.sources["database.password_file"] == "default"


def test_alternatives_displace_by_the_strength_of_their_source(load: Load) -> None:
    """A password file of the environment displaces the password of file and engine's variable."""
    environ = {"FAKEPW": "weaker", "TELECLAUDE_DATABASE__PASSWORD_FILE": "/secret"}
    config = load(f"{FAKE}  password: weakest\n", **environ)
    assert value(config, "password") is None
    assert value(config, "password_file") == Path("/secret")


def test_alternatives_of_one_source_are_a_contradiction(load: Load) -> None:
    """Two alternatives from the same source are not resolved by guessing."""
    with pytest.raises(ConfigError, match="not both"):
        load(FAKE, TELECLAUDE_DATABASE__PASSWORD="a", TELECLAUDE_DATABASE__PASSWORD_FILE="/b")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        (
            "TELECLAUDE_DATABASE__PROT",
            r"^database\.prot: TELECLAUDE_DATABASE__PROT sets it, .*'TELECLAUDE_DATABASE__PORT'\?$",
        ),
        ("TELECLAUDE_DAEMON__STARTUP", r"daemon\.startup: .*'TELECLAUDE_DAEMON__STARTUP_TIMEOUT'"),
        (
            "TELECLAUDE_DATBASE__PORT",
            r"TELECLAUDE_DATBASE__PORT belongs to no section.* TELECLAUDE_DATABASE__PORT\?$",
        ),
        ("TELECLAUDE_X__Y", r"belongs to no section.*TELECLAUDE_DATABASE__<KEY> or"),
        ("TELECLAUDE_DATABASE__", r"no such setting"),
    ],
)
def test_an_unknown_variable_is_an_error(load: Load, name: str, complaint: str) -> None:
    """A misspelt variable is not ignored, and its value is not repeated."""
    with pytest.raises(ConfigError, match=complaint) as caught:
        load(FAKE, **{name: "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_other_variables_of_teleclaude_are_not_settings(load: Load) -> None:
    """Variables without the double underscore belong to others."""
    assert load(FAKE, TELECLAUDE_TEST_URL="x", OTHER__PORT="y").backend.engine == "fake"


def test_a_wrong_value_names_the_variable(load: Load) -> None:
    """The message says which variable holds what."""
    complaint = r"^database\.port: must be a valid integer, but TELECLAUDE_DATABASE__PORT is 'x'\.$"
    with pytest.raises(ConfigError, match=complaint):
        load(FAKE, TELECLAUDE_DATABASE__PORT="x")


def test_a_variable_that_is_not_utf8_is_an_error(load: Load) -> None:
    """Bytes that are no text are refused, not stored."""
    with pytest.raises(ConfigError, match=r"TELECLAUDE_DATABASE__USER contains"):
        load(FAKE, TELECLAUDE_DATABASE__USER=b"caf\xe9".decode(errors="surrogateescape"))


def test_variables_are_not_expanded(load: Load) -> None:
    """A password from the environment may look like a reference."""
    config = load(FAKE, TELECLAUDE_DATABASE__PASSWORD="${A}$$")
    assert config.database.model_dump()["password"].get_secret_value() == "${A}$$"
